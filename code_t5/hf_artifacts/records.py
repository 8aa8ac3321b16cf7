"""Records: what was fetched, of which commit, and the hash of every file.

A record is a directory with `manifest.json` and `COMPLETED` below `artifacts/` of a root. All paths
in it are relative to the root or to the repository, so that a root may be copied. It is written
when everything that it lists is on the disk.
"""

from __future__ import annotations

import dataclasses
import os
import pathlib
import re
from collections.abc import Iterator, Mapping
from typing import Any

from code_t5 import errors
from code_t5.hf_artifacts.cache_root import CacheRoot
from code_t5.hf_artifacts.requests import ArtefactRequest, request_from_json
from code_t5.storage import atomic, manifest

FORMAT_NAME = "code_t5_hf_artifact"
FORMAT_VERSION = 1
# No larger manifest is read.
_MAX_BYTES = 16 << 20
_COMMIT = re.compile(r"[0-9a-f]{40}")
_ARROW_DIR = re.compile(r"datasets/.+", re.DOTALL)
_BLOB = re.compile(r"[0-9A-Za-z]{0,64}")


@dataclasses.dataclass(frozen=True)
class StoredFile:
    """One file.

    Attributes:
      size_bytes: Its length.
      sha256: Of its content, hexadecimal.
      blob: The name that huggingface_hub keeps it under (of LFS files their SHA-256, else git's
        SHA-1); empty for files that are not the Hub's.
    """

    size_bytes: int
    sha256: str
    blob: str = ""


@dataclasses.dataclass(frozen=True)
class PreparedConfig:
    """One configuration of a data set that `datasets` prepared.

    Attributes:
      config: Its name.
      arrow_dir: Where its Arrow files lie, relative to the root.
      splits: Number of examples by split.
      files: Every file in `arrow_dir`, by its path in it.
    """

    config: str
    arrow_dir: str
    splits: Mapping[str, int]
    files: Mapping[str, StoredFile]


@dataclasses.dataclass(frozen=True)
class ArtefactRecord:
    """One artefact that was fetched.

    Attributes:
      request: What was asked for.
      repository: The repository's name on the Hub, where it now is.
      commit: 40 hexadecimal digits.
      files: Every file of the snapshot that was fetched, by its path in the repository.
      prepared: Of a data set: what was prepared of it.
      versions: Of the libraries that fetched and prepared it.
      is_proved: Whether it was loaded without a network since.
      others: The paths of the files of this commit that were not asked for; None if that is not
        known. With `files` they are all that the repository has.
    """

    request: ArtefactRequest
    repository: str
    commit: str
    files: Mapping[str, StoredFile]
    prepared: tuple[PreparedConfig, ...] = ()
    versions: Mapping[str, str] = dataclasses.field(default_factory=dict)
    is_proved: bool = False
    others: tuple[str, ...] | None = None

    @property
    def size_bytes(self) -> int:
        """Bytes of all its files."""
        prepared = [file for config in self.prepared for file in config.files.values()]
        return sum(file.size_bytes for file in [*self.files.values(), *prepared])

    def repository_dir(self, root: CacheRoot) -> pathlib.Path:
        """Returns the folder in `hub/` under the name that was asked for.

        Args:
          root: Which it is in.
        """
        folder = f"{self.request.repository_type}s/{self.request.name}".replace("/", "--")
        return root.hub_dir / folder

    def snapshot_dir(self, root: CacheRoot) -> pathlib.Path:
        """Returns the folder in which its files lie by their own names.

        Args:
          root: Which it is in.
        """
        return self.repository_dir(root) / "snapshots" / self.commit


def write_record(root: CacheRoot, record: ArtefactRecord) -> None:
    """Writes a record in one step; one of the same request is replaced.

    Args:
      root: Where.
      record: What.

    Raises:
      InputError: It has more files than a record can list.
    """
    fields = dataclasses.asdict(record)
    fields["request"] = record.request.as_json()
    with atomic.directory(root.artifacts_dir / record.request.slug) as folder:
        manifest.write_manifest(
            folder, {**fields, "format_name": FORMAT_NAME, "format_version": FORMAT_VERSION}
        )
        if (folder / manifest.MANIFEST_NAME).stat().st_size > _MAX_BYTES:
            raise errors.InputError(
                f"{record.request.where} has {len(record.files)} files, more than its record can "
                f"list in {_MAX_BYTES >> 20} MiB; wanted fewer at once; fetch it in "
                "parts, by patterns in a spec"
            )


def find_record(root: CacheRoot, request: ArtefactRequest) -> ArtefactRecord | None:
    """Returns the record of a request; None if there is none.

    Args:
      root: Where.
      request: What.

    Raises:
      ArtifactError: It is damaged.
    """
    folder = root.artifacts_dir / request.slug
    return read_record(folder) if manifest.is_complete(folder) else None


def read_record(folder: pathlib.Path) -> ArtefactRecord:
    """Reads one record.

    Args:
      folder: With its manifest.

    Returns:
      The record; its paths are checked to stay below the root and the repository.

    Raises:
      ArtifactError: It is not there, damaged, of another format, or names paths that leave.
    """
    if manifest.is_complete(folder) and not manifest.is_readable(folder):
        raise errors.ArtifactError(
            f"{folder} is not whole: its {manifest.MANIFEST_NAME} is no JSON object of at most "
            "16 MiB; wanted the record that precache.py wrote; remove it and run precache.py again"
        )
    fields = manifest.read_manifest(folder, format_name=FORMAT_NAME, format_version=FORMAT_VERSION)
    manifest.check_manifest(folder)
    try:
        record = ArtefactRecord(
            request=request_from_json(fields["request"]),
            repository=str(fields["repository"]),
            commit=_fitting(_COMMIT, fields["commit"]),
            files=_read_files(fields["files"]),
            prepared=tuple(_read_prepared(config) for config in fields["prepared"]),
            versions=dict(fields["versions"]),
            is_proved=fields.get("is_proved") is True,
            others=_read_others(fields.get("others")),
        )
        paths = [record.request.name, record.repository, *record.files, *(record.others or ())]
        paths += [config.arrow_dir for config in record.prepared]
        paths += [path for config in record.prepared for path in config.files]
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise errors.ArtifactError(
            f"{folder} is no record of an artefact ({type(error).__name__}: {error}); wanted the "
            "fields that precache.py writes; remove it and run precache.py again"
        ) from error
    for path in paths:
        if not _is_below(path):
            raise errors.ArtifactError(
                f"{folder} names the path {path!r}; wanted one inside of the cache; remove the "
                "record and run precache.py again"
            )
    return record


def list_records(root: CacheRoot) -> Iterator[tuple[pathlib.Path, ArtefactRecord | str]]:
    """Yields every record of a root by its folder, or what is wrong with it.

    Args:
      root: Where; it may hold none.
    """
    # Not by glob, for which a folder that may not be read is an empty one.
    names = os.listdir(root.artifacts_dir) if root.artifacts_dir.is_dir() else []
    for folder in (root.artifacts_dir / name for name in sorted(names) if name[:1] != "."):
        try:
            yield folder, read_record(folder)
        except errors.ArtifactError as error:
            yield folder, str(error)


def _read_files(fields: Mapping[str, Any]) -> dict[str, StoredFile]:
    return {str(path): _read_file(file) for path, file in fields.items()}


def _read_others(fields: Any) -> tuple[str, ...] | None:
    """Returns paths of files that were not asked for; None where a record does not name them.

    Raises:
      TypeError: They are no list.
    """
    if fields is None:
        return None
    if not isinstance(fields, list):
        raise TypeError("others are no list")
    return tuple(str(path) for path in fields)


def _read_file(fields: Mapping[str, Any]) -> StoredFile:
    """Returns one file.

    Raises:
      ValueError: It is none.
    """
    size_bytes = int(fields["size_bytes"])
    if size_bytes < 0:
        raise ValueError(f"a file of {size_bytes} bytes")
    return StoredFile(size_bytes, str(fields["sha256"]), _fitting(_BLOB, fields["blob"]))


def _fitting(shape: re.Pattern[str], value: object) -> str:
    """Returns a text of a shape.

    Raises:
      ValueError: It has another.
    """
    if not isinstance(value, str) or not shape.fullmatch(value):
        raise ValueError(f"{value!a} is not of the shape {shape.pattern}")
    return value


def _read_prepared(fields: Mapping[str, Any]) -> PreparedConfig:
    return PreparedConfig(
        config=str(fields["config"]),
        arrow_dir=_fitting(_ARROW_DIR, fields["arrow_dir"]),
        splits={str(split): int(number) for split, number in fields["splits"].items()},
        files=_read_files(fields["files"]),
    )


def _is_below(path: str) -> bool:
    parts = pathlib.PurePosixPath(path).parts
    return bool(parts) and not path.startswith("/") and ".." not in parts and "\0" not in path

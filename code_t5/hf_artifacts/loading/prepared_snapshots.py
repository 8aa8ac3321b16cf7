"""What was prepared of snapshots: Arrow files with a manifest that holds their hashes.

Each lies in a folder of its own, `CACHE/code_t5--snapshots/<name>/<configuration>-<key>/`: what
`datasets` wrote in `arrow/`, and beside it what it is of.
"""

from __future__ import annotations

import dataclasses
import os
import pathlib
import re
from collections.abc import Iterator, Mapping
from typing import Any

from code_t5 import errors
from code_t5.hf_artifacts import content_hashes
from code_t5.hf_artifacts.records import StoredFile
from code_t5.storage import manifest

FORMAT_NAME = "code_t5_prepared_snapshot"
FORMAT_VERSION = 2
HOME = "code_t5--snapshots"
ARROW = "arrow"
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclasses.dataclass(frozen=True)
class PreparedSnapshot:
    """One configuration that was prepared.

    Attributes:
      folder: Where.
      repository: Of which it was prepared, as its folder in `hub/` is called.
      commit: Likewise.
      files: Every file in `arrow/`, by its name.
    """

    folder: pathlib.Path
    repository: str
    commit: str
    files: Mapping[str, StoredFile]


def write_manifest(
    folder: pathlib.Path, *, repository: str, commit: str, config: str
) -> PreparedSnapshot:
    """Hashes what was prepared, and writes its manifest.

    Args:
      folder: With `arrow/`.
      repository: Of which it is.
      commit: Likewise.
      config: The configuration's name.
    """
    files = {}
    for path in sorted((folder / ARROW).iterdir()):
        found = content_hashes.hash_content(path)
        files[path.name] = StoredFile(found.size_bytes, found.sha256)
    fields = {"repository": repository, "commit": commit, "config": config}
    listed = {
        name: {"size_bytes": file.size_bytes, "sha256": file.sha256} for name, file in files.items()
    }
    named = {"format_name": FORMAT_NAME, "format_version": FORMAT_VERSION}
    manifest.write_manifest(folder, {**named, **fields, "files": listed})
    return PreparedSnapshot(folder, repository, commit, files)


def read_manifest(folder: pathlib.Path) -> PreparedSnapshot:
    """Reads what a folder says of itself; its files are not looked at.

    Args:
      folder: Which.

    Raises:
      ArtifactError: It says nothing, or something else than what was written.
    """
    fields = manifest.read_manifest(folder, format_name=FORMAT_NAME, format_version=FORMAT_VERSION)
    manifest.check_manifest(folder)
    try:
        files = {str(name): _read_file(name, file) for name, file in fields["files"].items()}
        return PreparedSnapshot(folder, str(fields["repository"]), str(fields["commit"]), files)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise errors.ArtifactError(
            f"{folder} has a manifest with other fields ({type(error).__name__}: {error}); wanted "
            "those of a prepared snapshot; remove the folder: it is prepared again when needed"
        ) from error


def list_prepared(datasets_dir: pathlib.Path) -> Iterator[tuple[pathlib.Path, Any]]:
    """Yields all that was prepared, by its folder, or what is wrong with its manifest.

    Args:
      datasets_dir: The cache of `datasets`; it may hold none.
    """
    for parent in _folders(datasets_dir / HOME):
        for folder in _folders(parent):
            if not manifest.is_complete(folder):
                continue
            try:
                yield folder, read_manifest(folder)
            except errors.ArtifactError as error:
                yield folder, str(error)


def _folders(folder: pathlib.Path) -> list[pathlib.Path]:
    """Returns the folders in a folder, but for locks and what is half-written."""
    try:
        names = sorted(os.listdir(folder))
    except (FileNotFoundError, NotADirectoryError):
        return []
    return [folder / name for name in names if name[:1] != "." and (folder / name).is_dir()]


def _read_file(name: str, fields: Mapping[str, Any]) -> StoredFile:
    """Returns one file.

    Raises:
      ValueError: It is none in the folder.
    """
    sha256 = str(fields["sha256"])
    if name in ("", ".", "..") or "/" in name or "\0" in name or not _SHA256.fullmatch(sha256):
        raise ValueError(f"the file {name!a} with the SHA-256 {sha256[:100]!a}")
    return StoredFile(int(fields["size_bytes"]), sha256)

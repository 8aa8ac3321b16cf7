"""What a built data set says of itself: `manifest.json` beside the files of `datasets`.

    <folder>/dataset_dict.json, <folder>/<split>/*.arrow ...   as `DatasetDict.save_to_disk` writes
    <folder>/manifest.json, <folder>/COMPLETED                 what it is, and that it is finished

So `datasets.load_from_disk` reads it as well. The *fingerprint* is of everything that decides on
the rows; its *parts* are kept, so that it can be said what differs.
"""

from __future__ import annotations

import dataclasses
import json
import os
import pathlib
from collections.abc import Mapping
from typing import Any, Callable, Union

from code_t5 import errors, progress
from code_t5.storage import fingerprints, manifest

FORMAT_NAME = "code_t5_built_dataset"
FORMAT_VERSION = 1
DICT_NAME = "dataset_dict.json"
_MAX_DICT_BYTES = 1 << 20

PathLike = Union[str, "os.PathLike[str]"]


@dataclasses.dataclass(frozen=True)
class BuiltFile:
    """One file: its length, and the hash of its content."""

    size_bytes: int
    sha256: str


@dataclasses.dataclass(frozen=True)
class BuiltSplit:
    """One split.

    Attributes:
      num_rows: How many it has.
      num_source_rows: How many the source's has.
      files: By their path in the data set's folder.
    """

    num_rows: int
    num_source_rows: int
    files: Mapping[str, BuiltFile]


@dataclasses.dataclass(frozen=True)
class BuiltDataset:
    """A data set that is built.

    Attributes:
      directory: Where it lies.
      parts: What decided on its rows, by name (see `build.fingerprint_parts`).
      splits: By name.
      repository: Its name on the Hub, where it was then; empty if it is none.
      label_names: Of tokenised word labels, what the numbers stand for; empty if they say nothing.
      versions: Of the libraries that wrote it.
    """

    directory: pathlib.Path
    parts: Mapping[str, Any]
    splits: Mapping[str, BuiltSplit]
    repository: str = ""
    label_names: tuple[str, ...] = ()
    versions: Mapping[str, str] = dataclasses.field(default_factory=dict)

    @property
    def fingerprint(self) -> str:
        """The hash of `parts`."""
        return fingerprints.hash_json(dict(self.parts))

    @property
    def request(self) -> Mapping[str, Any]:
        """What was asked for: `BuiltRequest.as_json()`."""
        return self.parts["request"]

    @property
    def dataset(self) -> str:
        """The name that it was asked for by."""
        return str(self.request["dataset"])

    @property
    def commit(self) -> str:
        """Of the repository; empty if it is not known."""
        return str(self.parts["commit"])

    @property
    def config(self) -> str:
        """Its configuration."""
        return str(self.parts["config"])

    @property
    def size_bytes(self) -> int:
        """Bytes of all splits."""
        return sum(f.size_bytes for split in self.splits.values() for f in split.files.values())

    @property
    def is_plain(self) -> bool:
        """Whether the rows are the source's, all and unchanged."""
        return "subset" not in self.request and "tokenizing" not in self.request

    def check_sizes(self) -> None:
        """Looks whether every file is there in its length, and the splits are those listed.

        Raises:
          ArtifactError: One is not.
        """
        if _listed_splits(self.directory) != list(self.splits):
            raise errors.ArtifactError(
                f"{self.directory / DICT_NAME} does not list the splits {', '.join(self.splits)}, "
                "which the manifest gives; wanted it as it was written; build it again with "
                "--rebuild"
            )
        for split in self.splits.values():
            check_sizes(self.directory, split)

    def check_content(self) -> None:
        """Reads every file and compares it with its hash."""
        self.check_sizes()
        with progress.progress_bar(
            description="checking", unit="B", total=self.size_bytes, unit_scale=True
        ) as bar:
            for split in self.splits.values():
                check_content(self.directory, split=split, tick_fn=bar.update)


def check_sizes(directory: pathlib.Path, split: BuiltSplit) -> None:
    """Looks whether the files of a split are there in their length.

    Args:
      directory: In which the split's folder is.
      split: What was written.

    Raises:
      ArtifactError: One is not.
    """
    for path, file in split.files.items():
        try:
            found: object = os.stat(directory / path).st_size
        except OSError:
            found = "no"
        if found != file.size_bytes:
            raise errors.ArtifactError(
                f"{directory / path} has {found} bytes; wanted {file.size_bytes}, which the "
                "manifest gives; build it again with --rebuild"
            )


def check_content(
    directory: pathlib.Path, *, split: BuiltSplit, tick_fn: Callable[[int], object] = bool
) -> None:
    """Compares the files of a split with their hashes.

    Args:
      directory: In which the split's folder is.
      split: What was written.
      tick_fn: Called with the bytes that were read.

    Raises:
      ArtifactError: One is missing or changed.
    """
    check_sizes(directory, split)
    for path, file in split.files.items():
        found = fingerprints.hash_file(directory / path)
        if found != file.sha256:
            raise errors.ArtifactError(
                f"{directory / path} has SHA-256 {found}; wanted {file.sha256}, which the manifest "
                "gives; build it again with --rebuild"
            )
        tick_fn(file.size_bytes)


def write_record(folder: PathLike, built: BuiltDataset) -> None:
    """Writes the manifest and the marker; everything else must be there.

    Args:
      folder: Where the files lie now.
      built: What they are.
    """
    fields = dataclasses.asdict(built)
    del fields["directory"]
    # A list, for they have an order.
    fields["splits"] = [{"name": name, **split} for name, split in fields["splits"].items()]
    manifest.write_manifest(
        folder,
        {
            **fields,
            "fingerprint": built.fingerprint,
            "format_name": FORMAT_NAME,
            "format_version": FORMAT_VERSION,
        },
    )


def read_record(folder: PathLike) -> BuiltDataset:
    """Reads what a folder holds.

    Args:
      folder: Of a built data set.

    Returns:
      It; its files are not looked at yet.

    Raises:
      ArtifactError: It is none, half-written, damaged or of another version.
    """
    directory = pathlib.Path(folder)
    fields = manifest.read_manifest(
        directory, format_name=FORMAT_NAME, format_version=FORMAT_VERSION
    )
    manifest.check_manifest(directory)
    try:
        built = BuiltDataset(
            directory=directory,
            parts=dict(fields["parts"]),
            splits={str(split["name"]): read_split(split) for split in fields["splits"]},
            repository=str(fields["repository"]),
            label_names=tuple(map(str, fields["label_names"])),
            versions=dict(fields["versions"]),
        )
        texts = [built.dataset, built.config, built.commit]
        is_same = fields["fingerprint"] == built.fingerprint and all(texts[:2])
        # Each split is one folder, and its files lie in it.
        leaving = [
            path
            for name, split in built.splits.items()
            for path in split.files
            if "/" in name or not path.startswith(f"{name}/") or not _is_below(path)
        ]
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise errors.ArtifactError(
            f"{directory} has a manifest without the fields of a built data set "
            f"({type(error).__name__}: {error}); wanted what build_dataset.py writes; build it "
            "again with --rebuild"
        ) from error
    if leaving or not is_same:
        found = f"names the path {leaving[0]!r}" if leaving else "has another fingerprint's parts"
        raise errors.ArtifactError(
            f"{directory} {found}; wanted a manifest as build_dataset.py writes it; build it again "
            "with --rebuild"
        )
    return built


def _listed_splits(directory: pathlib.Path) -> Any:
    """Returns what `datasets` would read as the splits; None if it cannot be read."""
    path = directory / DICT_NAME
    try:
        is_ours = path.stat().st_size <= _MAX_DICT_BYTES
        return json.loads(path.read_bytes())["splits"] if is_ours else None
    except (OSError, ValueError, TypeError, KeyError, RecursionError):
        return None


def read_split(fields: Mapping[str, Any]) -> BuiltSplit:
    """Returns the split that JSON values describe.

    Args:
      fields: As `dataclasses.asdict` gives them.
    """
    return BuiltSplit(
        num_rows=int(fields["num_rows"]),
        num_source_rows=int(fields["num_source_rows"]),
        files={
            str(path): BuiltFile(int(file["size_bytes"]), str(file["sha256"]))
            for path, file in fields["files"].items()
        },
    )


def _is_below(path: str) -> bool:
    parts = pathlib.PurePosixPath(path).parts
    return bool(parts) and not path.startswith("/") and ".." not in parts and "\0" not in path

"""Arrow files that `datasets` prepared, opened where they lie: nothing is locked, nothing written.

The library's own way takes a lock in the cache, which read-only caches and some network file
systems refuse. Files are mapped into memory; their number of rows is compared with what was
written down when they were made.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import json
import os
import pathlib
import re
from collections.abc import Callable, Mapping
from typing import Any

from code_t5 import library_errors
from code_t5.hf_artifacts.loading import places
from code_t5.hf_artifacts.loading.dataset_request import as_text
from code_t5.hf_artifacts.loading.tried import RefusedError
from code_t5.hf_artifacts.records import StoredFile
from code_t5.storage import fingerprints

INFO_NAME = "dataset_info.json"
# Splits with thousands of shards are described in a megabyte.
_MAX_INFO_BYTES = 64 << 20
_NAME = re.compile(r"[\w.-]+")
_SPLIT = re.compile(r"\w+(\.\w+)*")
_LINKS_LENGTH = 16
_MEDIA = {"Image", "Audio", "Video", "Pdf", "Nifti", "Mesh"}


@dataclasses.dataclass(frozen=True)
class ArrowFiles:
    """One directory of Arrow files.

    Attributes:
      directory: Where.
      info: Its `datasets.DatasetInfo`.
      home: The cache that it belongs to: links in it must not lead out of that.
      name: What the names of the files begin with.
      fingerprint: Names the content, wherever it lies: what `datasets` derives from it
        (`map`) is found again after a move.
      files: What a record says of every file; None if there is none.
    """

    directory: pathlib.Path
    info: Any
    home: pathlib.Path
    name: str
    fingerprint: str
    files: Mapping[str, StoredFile] | None = None

    @property
    def splits(self) -> list[str]:
        """The names of its splits."""
        return list(self.info.splits or {})


def read_origin(directory: pathlib.Path) -> tuple[str, tuple[str, ...]]:
    """Returns the name of the configuration that a directory holds, and what it was made of.

    Args:
      directory: With its description.

    Returns:
      The name, and the addresses of files; empty where it does not say.
    """
    try:
        if (directory / INFO_NAME).stat().st_size > _MAX_INFO_BYTES:
            return "", ()
        fields = json.loads((directory / INFO_NAME).read_bytes())
    except (OSError, ValueError, RecursionError):
        return "", ()
    if not isinstance(fields, dict):
        return "", ()
    name, files = fields.get("config_name"), fields.get("download_checksums")
    addresses = tuple(files) if isinstance(files, dict) else ()
    return name if isinstance(name, str) else "", addresses


def describe_arrow(
    directory: pathlib.Path,
    *,
    home: pathlib.Path,
    fingerprint: str,
    files: Mapping[str, StoredFile] | None = None,
) -> ArrowFiles:
    """Reads what is written down of a directory of Arrow files.

    Args:
      directory: Where.
      home: The cache that it belongs to.
      fingerprint: Names the content.
      files: What a record says of every file; they are compared by size.

    Raises:
      RefusedError: It is half-written, not as its record says, or a link out of the cache.
    """
    from datasets import DatasetInfo

    if not directory.is_dir():
        raise RefusedError("it is not there")
    check_inside(directory, home)
    for name, file in (files or {}).items():
        try:
            size = (directory / name).stat().st_size
        except OSError as error:
            raise RefusedError(f"{name} cannot be read ({error.strerror})") from error
        if size != file.size_bytes:
            raise RefusedError(f"{name} has {size} bytes; wanted {file.size_bytes} by its record")
    try:
        if (directory / INFO_NAME).stat().st_size > _MAX_INFO_BYTES:
            raise RefusedError(f"{INFO_NAME} has more than {_MAX_INFO_BYTES} bytes")
        info = DatasetInfo.from_directory(os.fspath(directory))
    except RefusedError:
        raise
    except Exception as error:  # JSON and features fail in a dozen ways
        raise RefusedError(
            f"{INFO_NAME} cannot be read ({library_errors.one_line(error)})"
        ) from error
    if not info.splits or not all(_SPLIT.fullmatch(str(split)) for split in info.splits):
        raise RefusedError(f"{INFO_NAME} names no splits that can be read")
    return ArrowFiles(directory, info, home, _find_name(directory, info), fingerprint, files)


def check_inside(path: pathlib.Path, home: pathlib.Path) -> None:
    """Refuses a link that leads out of a folder.

    Args:
      path: May be a link, or lie below one.
      home: The folder.

    Raises:
      RefusedError: It leads elsewhere.
    """
    if not os.path.realpath(path).startswith(os.path.realpath(home) + os.sep):
        raise RefusedError(f"{path.name} is a link out of {home}")


def check_splits(arrow: ArrowFiles, names: tuple[str, ...] | None) -> None:
    """Refuses splits that are not there, and files that are missing.

    Args:
      arrow: The files.
      names: The splits that are wanted; None for all.

    Raises:
      RefusedError: One is missing.
    """
    from datasets.naming import filenames_for_dataset_split

    lacking = [name for name in names or () if name not in arrow.info.splits]
    if lacking:
        raise RefusedError(f"it has no split {', '.join(lacking)}, only {', '.join(arrow.splits)}")
    for split in names or arrow.splits:
        paths = filenames_for_dataset_split(
            os.fspath(arrow.directory),
            dataset_name=arrow.name,
            split=split,
            filetype_suffix="arrow",
            shard_lengths=arrow.info.splits[split].shard_lengths,
        )
        for path in paths:
            if not os.path.isfile(path):
                raise RefusedError(f"{os.path.basename(path)} is not there")
            check_inside(pathlib.Path(path), arrow.home)


def open_arrow(arrow: ArrowFiles, *, split: Any, keep_in_memory: bool | None) -> Any:
    """Opens a split expression.

    Args:
      arrow: The files.
      split: The expression; None for all splits.
      keep_in_memory: As `datasets` takes it.

    Returns:
      A `datasets.Dataset`, a `DatasetDict` of all splits, or a list.

    Raises:
      RefusedError: The files are damaged, of other lengths than they should be, or name images
        that are not there.
    """
    from datasets import DatasetDict
    from datasets.utils.info_utils import is_small_dataset

    in_memory = is_small_dataset(arrow.info.dataset_size)
    in_memory = in_memory if keep_in_memory is None else keep_in_memory
    read = functools.partial(_read, arrow, in_memory=in_memory)
    if split is None:
        return DatasetDict({name: read(name) for name in arrow.splits})
    return over_leaves(split, read)


def over_leaves(split: Any, open_leaf: Callable[[Any], Any]) -> Any:
    """Returns what a split expression asks for, with its lists and mappings kept.

    Args:
      split: The expression.
      open_leaf: Opens a single one.
    """
    if isinstance(split, Mapping):
        from datasets import DatasetDict, IterableDatasetDict

        found = {name: over_leaves(part, open_leaf) for name, part in split.items()}
        are_rows = all(hasattr(rows, "__len__") for rows in found.values())
        return DatasetDict(found) if are_rows else IterableDatasetDict(found)
    if isinstance(split, (list, tuple)):
        return [over_leaves(part, open_leaf) for part in split]
    return open_leaf(split)


def as_streams(loaded: Any) -> Any:
    """Returns rows as streams, as they lie.

    Args:
      loaded: A `Dataset`, a `DatasetDict`, or a list of these.
    """
    from datasets import DatasetDict, IterableDatasetDict

    if isinstance(loaded, DatasetDict):
        return IterableDatasetDict({name: as_streams(rows) for name, rows in loaded.items()})
    if isinstance(loaded, list):
        return [as_streams(rows) for rows in loaded]
    return loaded.to_iterable_dataset()


def _find_name(directory: pathlib.Path, info: Any) -> str:
    """Returns what the names of the files begin with.

    Raises:
      RefusedError: There are no such files.
    """
    # A repository that was renamed may have links under its other name.
    folders = [part.rpartition("___")[2] for part in directory.parts[-4:-3]]
    for name in (info.dataset_name, info.builder_name, *folders):
        if name and _NAME.fullmatch(name) and any(directory.glob(f"{name}-*.arrow")):
            return str(name)
    raise RefusedError("it has no Arrow files of its name")


def _read(arrow: ArrowFiles, leaf: Any, *, in_memory: bool) -> Any:
    """Opens one single expression.

    Raises:
      RefusedError: The files are damaged.
    """
    from datasets import Dataset, ReadInstruction, Split
    from datasets.arrow_reader import ArrowReader

    text = "+".join(arrow.splits) if str(leaf) == "all" else leaf
    try:
        instructions = text if isinstance(text, ReadInstruction) else Split(str(text))
        given = ArrowReader(os.fspath(_writable(arrow)), arrow.info).read(
            name=arrow.name,
            instructions=instructions,
            split_infos=list(arrow.info.splits.values()),
            in_memory=in_memory,
        )
        rows = Dataset(fingerprint=_fingerprint(arrow, as_text(text)), **given)
        wanted = _count(arrow, text)
    except RefusedError:
        raise
    except Exception as error:  # pyarrow's and datasets' own, of a dozen kinds
        raise RefusedError(
            f"{as_text(leaf)} cannot be read ({library_errors.one_line(error)})"
        ) from error
    if len(rows) != wanted:
        raise RefusedError(f"{as_text(leaf)} has {len(rows)} rows; wanted {wanted} by {INFO_NAME}")
    _check_media(rows, arrow.info.features or rows.features)
    return rows


def _writable(arrow: ArrowFiles) -> pathlib.Path:
    """Returns a folder with the files beside which something may be written.

    `Dataset.map` puts its results beside the files: of a cache that is read-only, links to the
    files lie in a scratch directory.
    """
    if os.access(arrow.directory, os.W_OK):
        return arrow.directory
    real = os.path.realpath(arrow.directory)
    name = fingerprints.hash_json([real, arrow.fingerprint])[:_LINKS_LENGTH]
    folder = places.make_scratch_dir() / f"links-{name}"
    folder.mkdir(mode=0o700, exist_ok=True)
    for path in pathlib.Path(real).glob("*.arrow"):
        with contextlib.suppress(FileExistsError):
            (folder / path.name).symlink_to(os.path.realpath(path))
    return folder


def _count(arrow: ArrowFiles, text: Any) -> int:
    from datasets import ReadInstruction

    lengths = {name: split.num_examples for name, split in arrow.info.splits.items()}
    parsed = text if isinstance(text, ReadInstruction) else ReadInstruction.from_spec(str(text))
    parts = parsed.to_absolute(lengths)
    return sum((part.to or 0) - (part.from_ or 0) for part in parts)


def _fingerprint(arrow: ArrowFiles, text: str) -> str:
    from datasets.fingerprint import Hasher

    # As datasets makes it: what map() left behind online is found offline.
    hasher = Hasher()
    hasher.update(arrow.fingerprint)
    hasher.update(text)
    return str(hasher.hexdigest())


def _check_media(rows: Any, features: Mapping[str, Any]) -> None:
    """Refuses rows that name image files which are not there: the cache was moved.

    Raises:
      RefusedError: The first row names one.
    """
    columns = [name for name, kind in features.items() if type(kind).__name__ in _MEDIA]
    for column in columns if len(rows) else []:
        value = rows.data.column(column)[0].as_py()
        path = (value or {}).get("path") if isinstance(value, dict) else None
        if path and value.get("bytes") is None and "://" not in path and not os.path.exists(path):
            raise RefusedError(f"its rows name files that are not there ({path})")

"""Data sets that `datasets` wrote with `save_to_disk`: one `Dataset`, or a `DatasetDict`.

What decides on the documents is the content of the Arrow files, which is hashed. The fingerprint
that `datasets` keeps beside them is not used: it stands for what was done to the data, changes with
versions of the library, and is drawn at random where it could not be found out.
"""

from __future__ import annotations

import functools
import json
import os
import pathlib
from collections.abc import Iterator, Mapping
from typing import Union

from code_t5 import errors, progress
from code_t5.library_errors import one_line
from code_t5.storage import fingerprints
from code_t5.token_cache.sources import hub_source, row_choice
from code_t5.token_cache.sources.arrow_source import ArrowSource
from code_t5.token_cache.sources.row_options import RowOptions

PathLike = Union[str, "os.PathLike[str]"]

# Beside the Arrow files of each split.
_STATE_NAME = "state.json"


def open_disk_source(dataset_dir: PathLike, *, options: RowOptions) -> ArrowSource:
    """Opens a saved data set as documents.

    Args:
      dataset_dir: What `save_to_disk` wrote; a single `Dataset` counts as the split train.
      options: Which rows and columns.

    Returns:
      The source.

    Raises:
      InputError: There is no such data set, or it cannot be read.
    """
    hub_source.check_library()
    folder = pathlib.Path(os.path.expanduser(os.fspath(dataset_dir)))
    files = _find_files(folder)
    return ArrowSource(
        functools.partial(dict, files),
        options=options,
        where=f"the data set {folder}",
        fingerprint_parts={"source": "disk", "arrow_sha256": _hash_files(files)},
        config={"source": "disk", "dataset_dir": os.fspath(dataset_dir)},
    )


def _find_files(folder: pathlib.Path) -> dict[str, list[str]]:
    import datasets

    if not folder.is_dir():
        raise errors.InputError(
            f"there is no data set {folder}; wanted the folder that save_to_disk wrote; check the "
            "path"
        )
    try:
        found = datasets.load_from_disk(os.fspath(folder), keep_in_memory=False)
    except Exception as error:  # The library's own, and pyarrow's.
        for split in _find_empty_splits(folder):
            raise errors.InputError(
                f"the split {split!r} of the data set {folder} is empty, so that it was saved "
                "without a file; wanted documents; save the data set without it"
            ) from error
        raise errors.InputError(
            f"{folder} cannot be loaded ({one_line(error)}); wanted the whole folder "
            "that save_to_disk wrote; save it again"
        ) from error
    splits = found if isinstance(found, Mapping) else {row_choice.TRAIN: found}
    return {str(name): hub_source.list_files(rows) for name, rows in splits.items()}


def _find_empty_splits(folder: pathlib.Path) -> Iterator[str]:
    """Yields the splits of which no row was saved, which `datasets` cannot load."""
    for path in (folder / _STATE_NAME, *sorted(folder.glob(f"*/{_STATE_NAME}"))):
        try:
            files = json.loads(path.read_bytes())["_data_files"]
        except (OSError, ValueError, KeyError, TypeError):
            continue
        if not files:
            yield row_choice.TRAIN if path.parent == folder else path.parent.name


def _hash_files(files: Mapping[str, list[str]]) -> str:
    """Returns one hash of all files' content and the splits that they belong to."""
    found: dict[str, list[str]] = {}
    total = sum(map(len, files.values()))
    bar = progress.progress_bar(description="hashing", unit="file", total=total)
    with bar:
        for split, paths in files.items():
            found[split] = []
            for path in paths:
                found[split].append(fingerprints.hash_file(path))
                bar.update(1)
    return fingerprints.hash_json(found)

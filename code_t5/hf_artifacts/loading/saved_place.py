"""Directories that `save_to_disk` wrote: one that is named as a path, or one below `./data`."""

from __future__ import annotations

import json
import os
import pathlib
from typing import Any

from code_t5 import library_errors
from code_t5.hf_artifacts.loading import arrow_reading
from code_t5.hf_artifacts.loading.dataset_request import as_text
from code_t5.hf_artifacts.loading.tried import RefusedError

_STATE = "state.json"
_DICT = "dataset_dict.json"
_MAX_STATE_BYTES = 64 << 20


def is_saved(directory: pathlib.Path) -> bool:
    """Says whether `save_to_disk` wrote a directory."""
    return (directory / _STATE).is_file() or (directory / _DICT).is_file()


def open_saved(
    directory: pathlib.Path, *, split: Any, is_streaming: bool, keep_in_memory: bool | None
) -> Any:
    """Opens a directory of `save_to_disk`.

    Args:
      directory: Of a `Dataset` or a `DatasetDict`.
      split: A split expression; None for all that is there.
      is_streaming: Whether streams are wanted.
      keep_in_memory: As `datasets` takes it.

    Returns:
      What `datasets.load_dataset` would return.

    Raises:
      RefusedError: It is damaged, or has no such split.
    """
    import datasets

    for state in sorted(directory.glob(f"**/{_STATE}")):
        _check_state(state)
    try:
        loaded = datasets.load_from_disk(os.fspath(directory), keep_in_memory=keep_in_memory)
    except Exception as error:  # JSON, Arrow and features fail in a dozen ways
        raise RefusedError(f"it cannot be read ({library_errors.one_line(error)})") from error
    if isinstance(loaded, datasets.Dataset):
        name = str(loaded.split or "train")
        if split is None:
            return loaded.to_iterable_dataset() if is_streaming else loaded
        loaded = datasets.DatasetDict({name: loaded})
    if split is not None:
        return arrow_reading.over_leaves(
            split, lambda leaf: _select(loaded, leaf, is_streaming=is_streaming)
        )
    return arrow_reading.as_streams(loaded) if is_streaming else loaded


def _select(loaded: Any, leaf: Any, *, is_streaming: bool) -> Any:
    """Returns the rows of a single split expression.

    Raises:
      RefusedError: There is no such split, or it is no expression.
    """
    import datasets

    text = "+".join(loaded) if str(leaf) == "all" else leaf
    lengths = {name: len(rows) for name, rows in loaded.items()}
    try:
        is_parsed = isinstance(text, datasets.ReadInstruction)
        parsed = text if is_parsed else datasets.ReadInstruction.from_spec(str(text))
        parts = parsed.to_absolute(lengths)
    except Exception as error:  # assertions and others
        raise RefusedError(
            f"it has no {as_text(leaf)} ({library_errors.one_line(error)})"
        ) from error
    pieces = []
    for part in parts:
        rows = loaded[part.splitname]
        start, stop = part.from_ or 0, len(rows) if part.to is None else part.to
        is_all = (start, stop) == (0, len(rows))
        pieces.append(rows if is_all else rows.select(range(start, stop)))
    whole = pieces[0] if len(pieces) == 1 else datasets.concatenate_datasets(pieces)
    return whole.to_iterable_dataset() if is_streaming else whole


def _check_state(path: pathlib.Path) -> None:
    """Refuses a directory that names files outside of it.

    Raises:
      RefusedError: It does, or cannot be read.
    """
    try:
        if path.stat().st_size > _MAX_STATE_BYTES:
            raise RefusedError(f"{path.name} has more than {_MAX_STATE_BYTES} bytes")
        names = [str(file["filename"]) for file in json.loads(path.read_bytes())["_data_files"]]
    except RefusedError:
        raise
    except (OSError, ValueError, TypeError, KeyError, RecursionError) as error:
        raise RefusedError(
            f"{path.name} cannot be read ({library_errors.one_line(error)})"
        ) from error
    for name in names:
        if os.path.basename(name) != name or not (path.parent / name).is_file():
            raise RefusedError(f"{path.name} names the file {name!a}, which is not in it")

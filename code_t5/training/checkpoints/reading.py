"""Finds a model directory's checkpoints and reads what they hold.

A *checkpoint* is one saved state of a model: `model.ckpt-<step>.index`, which lists its variables,
and the `.data-` files beside it, which hold their numbers. Its *prefix* is what these names have in
common, `<model_dir>/model.ckpt-<step>`; TensorFlow takes it for the checkpoint's path. The *state
file*, `checkpoint`, is text that names the newest checkpoint and those that are kept. A checkpoint
is *whole* if its index can be read, and every variable in it with the right checksum.

Finding needs no TensorFlow; reading imports it where it is used.
"""

from __future__ import annotations

import contextlib
import os
import pathlib
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from code_t5 import errors, library_errors

if TYPE_CHECKING:
    import numpy as np

STATE_FILE = "checkpoint"
# TensorFlow writes names alone or whole paths; the files are looked for beside the state file.
_STATE_LINE = re.compile(
    r'^(all_)?model_checkpoint_paths?: "(?:[^"]*/)?model\.ckpt-(\d{1,18})"\s*$', re.MULTILINE
)
_FILE = re.compile(r"model\.ckpt-(\d{1,18})\.(index|meta|data-(\d{5})-of-(\d{5}))")
# A list of names; what is longer is none that TensorFlow wrote.
_MAX_STATE_BYTES = 1 << 20
HOW_TO_MEND = "train again with the same --model_dir, which goes on from the newest whole one"


def prefix_of(model_dir: str | os.PathLike[str], step: int) -> pathlib.Path:
    """Returns the prefix of a step's checkpoint, whether there is one or not."""
    return pathlib.Path(model_dir, f"model.ckpt-{step}")


def recorded_steps(model_dir: str | os.PathLike[str]) -> list[int]:
    """Returns the steps that the state file names, the newest last.

    Args:
      model_dir: The model directory.

    Returns:
      Steps, each once; empty where there is no state file, or it holds something else.
    """
    try:
        with open(pathlib.Path(model_dir, STATE_FILE), "rb") as file:
            text = file.read(_MAX_STATE_BYTES).decode("utf-8", errors="replace")
    except OSError:
        return []
    found = [(kept, int(step)) for kept, step in _STATE_LINE.findall(text)]
    newest = [step for kept, step in found if not kept][-1:]
    others = dict.fromkeys(step for kept, step in found if kept and step not in newest)
    return [*others, *newest] if newest else []


def newest_step(model_dir: str | os.PathLike[str]) -> int:
    """Returns the step of the checkpoint that the state file names as the newest.

    Args:
      model_dir: The model directory.

    Returns:
      Its step.

    Raises:
      InputError: There is none.
    """
    steps = recorded_steps(model_dir)
    if not steps:
        there = list_steps(model_dir)
        found = f"no file {STATE_FILE} that names one of {there}" if there else "no checkpoint"
        what_to_do = HOW_TO_MEND if there else "train one there first, or name another directory"
        raise errors.InputError(
            f"found {found} in {os.fspath(model_dir)}; wanted the newest checkpoint of a trained "
            f"model; {what_to_do}"
        )
    return steps[-1]


def files_by_step(model_dir: str | os.PathLike[str]) -> dict[int, list[str]]:
    """Returns the names of the files of each checkpoint: index, data and graph, both sorted."""
    found: dict[int, list[str]] = {}
    try:
        entries = sorted(os.scandir(model_dir), key=lambda entry: entry.name)
    except OSError:
        return {}
    for entry in entries:
        name = _FILE.fullmatch(entry.name)
        if name is not None and entry.is_file():
            found.setdefault(int(name[1]), []).append(entry.name)
    return dict(sorted(found.items()))


def list_steps(model_dir: str | os.PathLike[str]) -> list[int]:
    """Returns the steps of all checkpoints whose files are all there, smallest first.

    Args:
      model_dir: The model directory.

    Returns:
      Steps; no file is opened for it.
    """
    found = files_by_step(model_dir)
    return [step for step, names in found.items() if not missing_files(step, names)]


def missing_files(step: int, names: list[str]) -> list[str]:
    """Returns what a checkpoint lacks, as far as the names of its files tell.

    Args:
      step: The checkpoint's.
      names: Of its files that are there.

    Returns:
      Names of files; empty if all are there.
    """
    start = f"model.ckpt-{step}"
    missing = [] if f"{start}.index" in names else [f"{start}.index"]
    shards = [found for name in names if (found := _FILE.fullmatch(name)) and found[4]]
    total = max((int(found[4]) for found in shards), default=0)
    if total == 0:
        return [*missing, f"{start}.data-*"]
    wanted = (f"{start}.data-{index:05d}-of-{total:05d}" for index in range(total))
    return missing + [name for name in wanted if name not in names]


def checkpoint_path(model_dir: str | os.PathLike[str], step: int | None = None) -> pathlib.Path:
    """Returns the prefix of a checkpoint whose files are all there.

    That what they hold is whole shows when they are read: whoever reads variables, TensorFlow too,
    compares checksums. `check_whole` does it ahead.

    Args:
      model_dir: The model directory.
      step: Which; None for the newest.

    Returns:
      Its prefix.

    Raises:
      InputError: There is no such checkpoint.
      ArtifactError: Some of its files are missing.
    """
    wanted = newest_step(model_dir) if step is None else step
    prefix = prefix_of(model_dir, wanted)
    names = files_by_step(model_dir).get(wanted, [])
    if step is not None and not names:
        raise errors.InputError(
            f"found no checkpoint of step {step} in {os.fspath(model_dir)}; wanted one of "
            f"{list_steps(model_dir)}; name one of these steps"
        )
    _check_complete(prefix, missing_files(wanted, names))
    return prefix


def _check_complete(prefix: pathlib.Path, missing: list[str]) -> None:
    """Refuses a checkpoint that lacks files.

    Raises:
      ArtifactError: It does.
    """
    if missing:
        raise errors.ArtifactError(
            f"checkpoint {prefix} lacks {', '.join(missing[:3])}; wanted all of its files; "
            f"{HOW_TO_MEND}"
        )


@contextlib.contextmanager
def _reader(prefix: str | os.PathLike[str]) -> Iterator[Any]:
    """Yields TensorFlow's reader of a checkpoint.

    Raises:
      ArtifactError: TensorFlow cannot open it, or finds a wrong checksum.
    """
    import tensorflow as tf

    try:
        yield tf.compat.v1.train.NewCheckpointReader(os.fspath(prefix))
    except (tf.errors.OpError, RuntimeError, ValueError, LookupError, MemoryError) as error:
        raise errors.ArtifactError(
            f"checkpoint {os.fspath(prefix)} cannot be read: {library_errors.one_line(error)}; "
            f"wanted a whole one; {HOW_TO_MEND}"
        ) from error


def _check_sizes(prefix: str | os.PathLike[str], reader: Any) -> None:
    """Refuses an index that promises more than the data files hold, before anything is allocated.

    Raises:
      ValueError: It does.
    """
    shapes, dtypes = reader.get_variable_to_shape_map(), reader.get_variable_to_dtype_map()
    wanted = 0
    for name, shape in shapes.items():
        num_elements = 1
        for size in shape:
            num_elements *= size
        wanted += num_elements * dtypes[name].size
    start = pathlib.Path(prefix)
    found = sum(path.stat().st_size for path in start.parent.glob(f"{start.name}.data-*"))
    if wanted > found:
        raise ValueError(f"its variables take {wanted:,} bytes, its data files hold {found:,}")


def variable_shapes(prefix: str | os.PathLike[str]) -> dict[str, tuple[int, ...]]:
    """Returns the names and shapes of a checkpoint's variables; only its index is read.

    Args:
      prefix: The checkpoint's prefix.

    Returns:
      Shapes by name, sorted by name.

    Raises:
      ArtifactError: The index cannot be read.
    """
    with _reader(prefix) as reader:
        shapes = reader.get_variable_to_shape_map()
    return {name: tuple(shapes[name]) for name in sorted(shapes)}


def _variables(prefix: str | os.PathLike[str]) -> Iterator[tuple[str, np.ndarray]]:
    """Yields each variable, sorted by name, its checksum compared.

    Raises:
      ArtifactError: The checkpoint is damaged.
    """
    with _reader(prefix) as reader:
        _check_sizes(prefix, reader)
        for name in sorted(reader.get_variable_to_shape_map()):
            yield name, reader.get_tensor(name)


def read_variables(prefix: str | os.PathLike[str]) -> dict[str, np.ndarray]:
    """Returns a checkpoint's variables; each one's checksum is compared.

    Args:
      prefix: The checkpoint's prefix.

    Returns:
      Arrays of the shapes and dtypes that were saved, by name, sorted by name.

    Raises:
      ArtifactError: The checkpoint is damaged.
    """
    return dict(_variables(prefix))


def check_whole(prefix: str | os.PathLike[str]) -> None:
    """Reads every variable of a checkpoint, one at a time, and compares its checksum.

    Args:
      prefix: The checkpoint's prefix.

    Raises:
      ArtifactError: It is not whole.
    """
    start = pathlib.Path(prefix)
    step = int(start.name.rpartition("-")[2])
    _check_complete(start, missing_files(step, files_by_step(start.parent).get(step, [])))
    for _ in _variables(prefix):
        pass

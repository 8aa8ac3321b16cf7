"""Checks a cache: its bytes, what it says of itself, and that its teacher still says the same."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any, Union

import numpy as np

from code_t5 import errors
from code_t5.training.teachers import generating, registry
from code_t5.training.teachers.agreement import Agreement
from code_t5.training.teachers.batching import BatchRunner
from code_t5.training.teachers.opening import CachedSamples, how_to_mend
from code_t5.training.teachers.teacher import Teacher

PathLike = Union[str, "os.PathLike[str]"]

DEFAULT_NUM_ASKED = 16
_ROWS_AT_ONCE = 1 << 12


def verify(
    path: PathLike,
    *,
    name: str | None = None,
    settings: Mapping[str, Any] | None = None,
    device: str = "cpu",
    num_asked: int = DEFAULT_NUM_ASKED,
    batch_size: int = generating.DEFAULT_BATCH_SIZE,
) -> list[str]:
    """Checks a cache and asks its teacher about some of the samples again.

    Args:
      path: A directory, or a file that ends in `.pt`.
      name: Number or name of the teacher that it must be of; None for the one that it names.
      settings: Of the teacher; those that are not given are as the cache says.
      device: Of torch.
      num_asked: How many samples the teacher is asked about.
      batch_size: How many at once.

    Returns:
      Some lines about it.

    Raises:
      NotBuiltError: There is no cache, or no such teacher yet.
      ArtifactError: It is damaged, of another teacher, or says what the teacher does not.
      InputError: There is no such teacher or device.
    """
    samples = CachedSamples(path, mend=how_to_mend(path, name=name))
    teacher = teacher_of(samples, name=name, settings=settings or {}, device=device)
    split = _text(samples.parts.get("data"), "split")
    samples.check_teacher(teacher, split=split)
    samples.verify()
    lines = [f"{path}: {len(samples):,} {split} samples of {teacher.name}, all as written"]
    for field in samples.schema.fields:
        shape = " x ".join("any" if size is None else f"{size:,}" for size in field.shape)
        lines.append(f"{field.name}: {field.dtype}, {shape or 'one value'}")
    lines += _describe_ranges(samples, teacher)
    # Evenly, the first and the last among them.
    count = min(num_asked, len(samples))
    numbers = np.unique(np.linspace(0, len(samples) - 1, count).round().astype(int)).tolist()
    agreements = agree(samples, teacher=teacher, numbers=numbers, batch_size=batch_size)
    lines.append(f"asked again about {len(numbers)} samples:")
    lines += [str(one) for one in agreements]
    for one in agreements:
        if not one.is_close:
            raise errors.ArtifactError(
                f"{path} differs from its teacher: {one}; wanted {one.wanted}; "
                f"{how_to_mend(path, name=teacher.name, split=split)}"
            )
    return lines


def _text(part: Any, key: str) -> str:
    value = part.get(key) if isinstance(part, dict) else None
    return value if isinstance(value, str) else ""


def teacher_of(
    samples: CachedSamples, *, name: str | None, settings: Mapping[str, Any], device: str
) -> Teacher:
    """Returns the teacher that a cache is of, or must be of.

    Raises:
      ArtifactError: The cache names none that is known.
      CodeT5Error: There is no such teacher, or a setting does not do.
    """
    wanted = name if name is not None else _text(samples.parts.get("teacher"), "name")
    try:
        family = registry.family_of(wanted)
    except errors.CodeT5Error as error:
        if name is not None:
            raise
        raise errors.ArtifactError(
            f"{samples.path} is of no teacher that is known: {error}"
        ) from error
    options = samples.parts.get("options")
    stored = options if isinstance(options, dict) else {}
    chosen = {
        setting.name: stored[setting.name]
        for setting in family.settings
        if setting.is_stored and setting.name in stored
    }
    chosen.update({key: value for key, value in settings.items() if value is not None})
    return registry.open_teacher(wanted, settings=chosen, device=device)


def _describe_ranges(samples: CachedSamples, teacher: Teacher) -> list[str]:
    found: dict[str, list[float]] = {}
    for start in range(0, len(samples), _ROWS_AT_ONCE):
        numbers = range(start, min(start + _ROWS_AT_ONCE, len(samples)))
        columns = samples.read(numbers, teacher.described_fields)
        for name, values in teacher.describe_values(columns).items():
            found.setdefault(name, []).extend((float(values.min()), float(values.max())))
    return [f"{name}: {min(ends):.6g} to {max(ends):.6g}" for name, ends in found.items()]


def agree(
    samples: CachedSamples, *, teacher: Teacher, numbers: Sequence[int], batch_size: int
) -> list[Agreement]:
    """Asks the teacher about some samples and compares.

    Args:
      samples: What is stored.
      teacher: Who is asked.
      numbers: Of the samples.
      batch_size: How many at once.

    Returns:
      How far what is stored is from what the teacher says.

    Raises:
      ArtifactError: The cache has no seed, or a tensor is not as the schema says.
    """
    seed, split = samples.parts.get("seed"), _text(samples.parts.get("data"), "split")
    if not teacher.draws_at_random and seed is None:
        seed = 0
    if type(seed) is not int or seed < 0:
        raise errors.ArtifactError(
            f"{samples.path} was drawn with {seed!r}; wanted a seed, so that its teacher can be "
            f"asked again; {how_to_mend(samples.path, name=teacher.name)}"
        )
    runner = BatchRunner(teacher, batch_size=batch_size)
    with generating.one_thread():
        wanted = runner.run_window(numbers, seed=seed, split=split)
    found = samples.read(numbers)
    return teacher.compare(found, wanted)

"""Checks a cache: its bytes, what it says of itself, and that its teacher still says the same."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any, NamedTuple, Union

import numpy as np

from code_t5 import errors
from code_t5.encoding import ragged
from code_t5.teacher_outputs import plan as plans
from code_t5.training.teachers import generating, registry
from code_t5.training.teachers import teacher as teachers
from code_t5.training.teachers.batching import BatchRunner
from code_t5.training.teachers.opening import MEND, CachedSamples
from code_t5.training.teachers.teacher import Teacher

PathLike = Union[str, "os.PathLike[str]"]

DEFAULT_NUM_ASKED = 16
_ROWS_AT_ONCE = 1 << 12


class FieldAgreement(NamedTuple):
    """How far what is stored is from what the teacher says now.

    Attributes:
      name: Of the field.
      max_error: Largest difference; infinite where shapes differ or a value is no number.
      largest: Largest stored value, without its sign.
    """

    name: str
    max_error: float
    largest: float


def verify(
    path: PathLike,
    *,
    name: str | None = None,
    device: str = "cpu",
    num_asked: int = DEFAULT_NUM_ASKED,
    batch_size: int = generating.DEFAULT_BATCH_SIZE,
) -> list[str]:
    """Checks a cache and asks its teacher about some of the samples again.

    Args:
      path: A directory, or a file that ends in `.pt`.
      name: Number or name of the teacher that it must be of; None for the one that it names.
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
    samples = CachedSamples(path)
    teacher = _teacher_of(samples, name=name, device=device)
    split = _text(samples.parts.get("data"), "split")
    samples.check_parts(plans.as_json(teachers.expected_parts(teacher, split=split)))
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
    lines += [
        f"{one.name}: largest error {one.max_error:.3g} (values up to {one.largest:.4g})"
        for one in agreements
    ]
    for one in agreements:
        if not one.max_error <= teacher.tolerance:
            raise errors.ArtifactError(
                f"{path} differs from its teacher by {one.max_error:.3g} in {one.name}; wanted at "
                f"most {teacher.tolerance:.3g}; {MEND}"
            )
    return lines


def _text(part: Any, key: str) -> str:
    value = part.get(key) if isinstance(part, dict) else None
    return value if isinstance(value, str) else ""


def _teacher_of(samples: CachedSamples, *, name: str | None, device: str) -> Teacher:
    """Returns the teacher that a cache is of, or must be of.

    Raises:
      ArtifactError: The cache names none.
    """
    dtype = _text(samples.parts.get("options"), "dtype")
    found = name or _text(samples.parts.get("teacher"), "name")
    try:
        return registry.open_teacher(found, dtype=dtype, device=device)
    except errors.InputError as error:
        if name is not None:
            registry.resolve_name(name)
        raise errors.ArtifactError(
            f"{samples.path} is of no teacher that is known: {error}"
        ) from error


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
) -> list[FieldAgreement]:
    """Asks the teacher about some samples and compares.

    Args:
      samples: What is stored.
      teacher: Who is asked.
      numbers: Of the samples.
      batch_size: How many at once.

    Returns:
      How far each field is from what the teacher says.

    Raises:
      ArtifactError: The cache has no seed, or a tensor is not as the schema says.
    """
    seed, split = samples.parts.get("seed"), _text(samples.parts.get("data"), "split")
    if type(seed) is not int or seed < 0:
        raise errors.ArtifactError(
            f"{samples.path} was drawn with {seed!r}; wanted a seed, so that its teacher can be "
            f"asked again; {MEND}"
        )
    runner = BatchRunner(teacher, batch_size=batch_size)
    with generating.one_thread():
        wanted = runner.run_window(numbers, seed=seed, split=split)
    found = samples.read(numbers)
    return [_compare(name, found[name], wanted[name]) for name in samples.schema.names]


def _compare(name: str, found: Any, wanted: Any) -> FieldAgreement:
    if isinstance(found, ragged.Ragged):
        if not np.array_equal(found.offsets, wanted.offsets):
            return FieldAgreement(name, float("inf"), float("nan"))
        found, wanted = found.values, wanted.values
    largest = float(np.abs(found.astype(np.float64)).max(initial=0.0))
    if found.shape != np.shape(wanted):
        return FieldAgreement(name, float("inf"), largest)
    difference = np.abs(found.astype(np.float64) - np.asarray(wanted, dtype=np.float64))
    error = float(difference.max(initial=0.0))
    return FieldAgreement(name, float("inf") if np.isnan(error) else error, largest)

"""Samples as columns: for each field the arrays of many samples together.

A *column* is an array `[num_samples, ...]` for a fixed field and `Ragged` for a ragged one. Values
are brought to the dtype of the field; what it cannot hold is refused, never cut off silently.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Union

import numpy as np

from code_t5 import errors
from code_t5.encoding import ragged
from code_t5.teacher_outputs.schema import ArrayField, OutputSchema

Column = Union[np.ndarray, ragged.Ragged]
Sample = Mapping[str, Any]


def collect(samples: Iterable[Sample], *, schema: OutputSchema, num_samples: int) -> dict[str, Any]:
    """Puts samples into columns.

    Args:
      samples: For each sample its arrays by name; walked once.
      schema: What they are to be.
      num_samples: How many there must be.

    Returns:
      A column for each field.

    Raises:
      InputError: There are more or fewer, or one is not as the schema says.
    """
    fixed = {
        field.name: np.empty((num_samples, *field.row_shape), dtype=field.numpy_dtype)
        for field in schema.fields
        if not field.is_ragged
    }
    rows: dict[str, list[np.ndarray]] = {f.name: [] for f in schema.fields if f.is_ragged}
    count = 0
    for sample in samples:
        if count == num_samples:
            raise _wrong_count(f"more than {num_samples}", num_samples)
        _check_names(sample, schema)
        for field in schema.fields:
            array = _as_field(sample[field.name], field, where=f"sample {count}")
            if field.is_ragged:
                rows[field.name].append(array)
            else:
                fixed[field.name][count] = array
        count += 1
    if count != num_samples:
        raise _wrong_count(str(count), num_samples)
    columns: dict[str, Any] = {}
    for field in schema.fields:
        columns[field.name] = (
            _join(rows.pop(field.name), field) if field.is_ragged else fixed[field.name]
        )
    _check_lengths(columns, schema)
    return columns


def check_columns(
    columns: Mapping[str, Any], *, schema: OutputSchema, num_samples: int
) -> dict[str, Any]:
    """Returns columns in the dtypes of a schema.

    Args:
      columns: An array or `Ragged` for each field.
      schema: What they are to be.
      num_samples: How many samples they must hold.

    Raises:
      InputError: A column is missing or too many, or not as the schema says.
    """
    _check_names(columns, schema)
    found: dict[str, Any] = {}
    for field in schema.fields:
        column = columns[field.name]
        if not field.is_ragged:
            array = np.asarray(column)
            _check_shape(array.shape[1:], field, where="the column")
            count = len(array) if array.ndim else 0
            found[field.name] = _cast(array, field, where="the column")
        elif isinstance(column, ragged.Ragged):
            _check_shape(column.values.shape[1:], field, where="the column")
            begin, end = int(column.offsets[0]), int(column.offsets[-1])
            values = _cast(column.values[begin:end], field, where="the column")
            found[field.name] = ragged.Ragged(values, column.offsets - begin)
            count = column.num_rows
        else:
            raise errors.InputError(
                f"the column {field.name!r} is {type(column).__name__}; wanted Ragged, as the "
                "field is ragged; give that"
            )
        if count != num_samples:
            raise _wrong_count(f"{count} in {field.name!r}", num_samples)
    _check_lengths(found, schema)
    return found


def _wrong_count(found: str, wanted: int) -> errors.InputError:
    return errors.InputError(
        f"found {found} samples for a shard; wanted {wanted}; give as many as the plan says"
    )


def _check_names(sample: Mapping[str, Any], schema: OutputSchema) -> None:
    """Looks whether there is an array for each field, and no other.

    Raises:
      InputError: There is not.
    """
    if not isinstance(sample, Mapping) or set(sample) != set(schema.names):
        found = sorted(map(str, sample)) if isinstance(sample, Mapping) else type(sample).__name__
        raise errors.InputError(
            f"a sample has {found}; wanted arrays for {', '.join(schema.names)}; give these"
        )


def _check_shape(inner: Sequence[int], field: ArrayField, *, where: str) -> None:
    """Looks whether rows have the shape that the schema gives.

    Raises:
      InputError: They have another.
    """
    if tuple(inner) != field.row_shape:
        raise errors.InputError(
            f"{field.name!r} of {where} has rows of the shape {list(inner)}; wanted "
            f"{list(field.row_shape)}, which the schema gives; correct one of them"
        )


def _as_field(value: Any, field: ArrayField, *, where: str) -> np.ndarray:
    """Returns one field of one sample.

    Raises:
      InputError: It is not as the schema says.
    """
    array = np.asarray(value)
    if field.is_ragged and array.shape == (0,):
        # An empty list says nothing of its inner axes.
        array = array.reshape((0, *field.row_shape))
    inner = array.shape[1:] if field.is_ragged and array.ndim else array.shape
    if field.is_ragged and not array.ndim:
        raise errors.InputError(
            f"{field.name!r} of {where} is a single number; wanted an array of rows, as the field "
            "is ragged; give that"
        )
    _check_shape(inner, field, where=where)
    return _cast(array, field, where=where)


def _cast(array: np.ndarray, field: ArrayField, *, where: str) -> np.ndarray:
    """Brings values to a dtype that can hold them; floats are rounded to it.

    Raises:
      InputError: It cannot.
    """
    wanted = field.numpy_dtype
    if array.dtype == wanted:
        return array
    problem = None
    if not array.size:
        return array.astype(wanted)
    if array.dtype.kind in "iu" and wanted.kind in "iu":
        limits = np.iinfo(wanted)
        smallest, largest = int(array.min()), int(array.max())
        if smallest < limits.min or largest > limits.max:
            problem = str(smallest if smallest < limits.min else largest)
    elif not np.can_cast(array.dtype, wanted, "same_kind"):
        problem = array.dtype.name
    if problem is None:
        with np.errstate(over="ignore"):
            cast = array.astype(wanted)
        if wanted.kind != "f" or bool((np.isfinite(cast) == np.isfinite(array)).all()):
            return cast
        problem = "a number that is infinite there"
    raise errors.InputError(
        f"{field.name!r} of {where} holds {problem}; wanted {field.dtype}, which the schema gives; "
        "convert it before, or give the field another dtype"
    )


def _join(rows: list[np.ndarray], field: ArrayField) -> ragged.Ragged:
    lengths = np.array([len(row) for row in rows], dtype=np.int64)
    if rows:
        values = np.concatenate(rows)
    else:
        values = np.zeros((0, *field.row_shape), dtype=field.numpy_dtype)
    return ragged.Ragged(values, ragged.offsets_of(lengths))


def _check_lengths(columns: Mapping[str, Any], schema: OutputSchema) -> None:
    """Looks whether fields that share a length are equally long in each sample.

    Raises:
      InputError: They are not.
    """
    first: dict[str, ArrayField] = {}
    for field in schema.fields:
        if field.length is None:
            continue
        other = first.setdefault(field.length, field)
        found, wanted = columns[field.name].offsets, columns[other.name].offsets
        if not np.array_equal(found, wanted):
            index = int(np.argmax(np.diff(found) != np.diff(wanted)))
            lengths = [int(np.diff(offsets)[index]) for offsets in (found, wanted)]
            raise errors.InputError(
                f"{field.name!r} of sample {index} has {lengths[0]} rows and {other.name!r} has "
                f"{lengths[1]}; wanted as many, since both share the length {field.length!r}; "
                "correct one of them"
            )

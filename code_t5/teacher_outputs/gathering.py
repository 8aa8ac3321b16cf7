"""Copies samples out of mapped shards: fixed fields, ragged ones, and ragged ones padded.

*Padded* is a ragged field of several samples as one array: each sample has as many rows as the
longest, or as many as is asked for, and what is behind its own is filled with one value.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from code_t5 import errors
from code_t5.encoding import ragged
from code_t5.teacher_outputs.schema import ArrayField
from code_t5.teacher_outputs.shard_file import Shard

# Shorter rows are copied by one call of NumPy for each shard, longer ones one by one, as bytes.
_LONG_ROW_BYTES = 1 << 8
_ALIGNMENT = 64


class Group(NamedTuple):
    """Samples that lie in one shard.

    Attributes:
      shard: The shard.
      positions: Where they stand among those that are read.
      rows: Which of the shard's they are.
    """

    shard: Shard
    positions: list[int]
    rows: list[int]


class _Ranges(NamedTuple):
    """Where the rows of some samples lie in a shard.

    Attributes:
      group: The samples.
      starts: First row of each.
      stops: The row behind the last of each.
    """

    group: Group
    starts: list[int]
    stops: list[int]


class Gathered:
    """Where some samples lie, whatever is read of them.

    Attributes:
      num_samples: How many they are.
    """

    def __init__(self, groups: Sequence[Group], num_samples: int) -> None:
        """Reads nothing yet.

        Args:
          groups: The samples by shard.
          num_samples: Of all groups.
        """
        self.num_samples = num_samples
        self._groups = groups
        self._ranges: dict[str, tuple[list[_Ranges], np.ndarray]] = {}

    def _ranges_of(self, length: str) -> tuple[list[_Ranges], np.ndarray]:
        """Returns where samples lie, and how long each is by its position."""
        if length not in self._ranges:
            ranges, lengths = [], [0] * self.num_samples
            for group in self._groups:
                starts, stops = group.shard.bounds(length, group.rows)
                ranges.append(_Ranges(group, starts, stops))
                for position, start, stop in zip(group.positions, starts, stops):
                    lengths[position] = stop - start
            self._ranges[length] = ranges, np.array(lengths, dtype=np.int64)
        return self._ranges[length]

    def lengths(self, length: str) -> np.ndarray:
        """Returns how many rows each sample has, int64 `[n]`.

        Args:
          length: Name of the length.

        Raises:
          ArtifactError: A shard is damaged.
        """
        return self._ranges_of(length)[1]

    def read(self, field: ArrayField) -> Any:
        """Copies one field.

        Args:
          field: The field.

        Returns:
          `[n, ...]`, or `Ragged` of n rows.

        Raises:
          ArtifactError: A shard is damaged.
        """
        if field.length is None:
            return self.read_fixed(field, field.numpy_dtype)
        ranges, lengths = self._ranges_of(field.length)
        offsets = ragged.offsets_of(lengths)
        if int(offsets[-1]) * field.row_bytes >= _LONG_ROW_BYTES * self.num_samples:
            return ragged.Ragged(self._join(field, ranges), offsets)
        values = _empty((int(offsets[-1]), *field.row_shape), field.numpy_dtype)
        for group, starts, stops in ranges:
            first = np.array(starts, dtype=np.int64)
            counts = np.array(stops, dtype=np.int64) - first
            targets = ragged.positions_in_ranges(offsets[group.positions], counts)
            column = group.shard.columns[field.name]
            values[targets] = column[ragged.positions_in_ranges(first, counts)]
        return ragged.Ragged(values, offsets)

    def _join(self, field: ArrayField, ranges: Sequence[_Ranges]) -> np.ndarray:
        """Copies the rows of all samples, one after the other."""
        lengths = [0] * self.num_samples
        for group, starts, stops in ranges:
            for position, start, stop in zip(group.positions, starts, stops):
                lengths[position] = stop - start
        targets = list(itertools.accumulate(lengths, initial=0))
        values = _empty((targets[-1], *field.row_shape), field.numpy_dtype)
        # Slices of bytes: for rows of some length the quickest way to copy.
        target, size = values.reshape(-1).view(np.uint8).data, field.row_bytes
        for group, starts, stops in ranges:
            content = group.shard.column_bytes[field.name]
            for position, start, stop in zip(group.positions, starts, stops):
                place = slice(targets[position] * size, targets[position + 1] * size)
                target[place] = content[start * size : stop * size]
        return values

    def read_fixed(self, field: ArrayField, dtype: np.dtype) -> np.ndarray:
        """Copies one fixed field.

        Args:
          field: The field.
          dtype: Of the array that is returned.

        Returns:
          `[n, ...]`.
        """
        if field.row_bytes >= _LONG_ROW_BYTES:
            ranges = [_Ranges(g, g.rows, [row + 1 for row in g.rows]) for g in self._groups]
            return self._join(field, ranges).astype(dtype, copy=False)
        values = _empty((self.num_samples, *field.row_shape), dtype)
        for group in self._groups:
            values[group.positions] = group.shard.columns[field.name][group.rows]
        return values

    def read_padded(
        self, field: ArrayField, *, dtype: np.dtype, fill: Any = 0, num_rows: int | None = None
    ) -> np.ndarray:
        """Copies one ragged field, padded.

        Args:
          field: The field.
          dtype: Of the array that is returned.
          fill: What stands behind the rows of a sample.
          num_rows: To how many rows each sample is filled; None for those of the longest.

        Returns:
          `[n, num_rows, ...]`.

        Raises:
          InputError: A sample is longer.
          ArtifactError: A shard is damaged.
        """
        ranges, lengths = self._ranges_of(str(field.length))
        longest = int(lengths.max(initial=0))
        if num_rows is not None and longest > num_rows:
            raise errors.InputError(
                f"a sample has {longest} {field.length}; wanted at most the {num_rows} that "
                "pad_to gives; give more"
            )
        width = longest if num_rows is None else num_rows
        shape = (self.num_samples, width, *field.row_shape)
        # The kernel hands out zeros for nothing.
        values = _empty(shape, dtype, is_zero=True)
        if any(np.array(fill, dtype=dtype).tobytes()):
            values[...] = fill
        for group, starts, stops in ranges:
            column = group.shard.columns[field.name]
            for start, stop, position in zip(starts, stops, group.positions):
                values[position, : stop - start] = column[start:stop]
        return values


def _empty(shape: tuple[int, ...], dtype: np.dtype, *, is_zero: bool = False) -> np.ndarray:
    """Returns an array whose place in memory TensorFlow takes over without copying it."""
    size = math.prod(shape) * dtype.itemsize
    memory = (np.zeros if is_zero else np.empty)(size + _ALIGNMENT, dtype=np.uint8)
    start = -memory.ctypes.data % _ALIGNMENT
    return np.ndarray(shape, dtype=dtype, buffer=memory, offset=start)

"""Copies samples out of mapped shards: fixed fields, ragged ones, and ragged ones padded.

*Padded* is a ragged field of several samples as one array: each sample has as many rows as the
longest, or as many as is asked for, and what is behind its own is filled with one value.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from code_t5 import errors
from code_t5.encoding import ragged
from code_t5.teacher_outputs.schema import ArrayField
from code_t5.teacher_outputs.shard_file import Shard

# Longer rows are copied one by one, shorter ones by one call of NumPy.
_LONG_ROW_BYTES = 1 << 11


class Group(NamedTuple):
    """Samples that lie in one shard.

    Attributes:
      shard: The shard.
      positions: int64 `[n]`: where they stand among those that are read.
      rows: int64 `[n]`: which of the shard's they are.
    """

    shard: Shard
    positions: np.ndarray
    rows: np.ndarray


class _Ranges(NamedTuple):
    """Where the rows of some samples lie in a shard, and where they go.

    Attributes:
      group: The samples.
      starts: int64 `[n]`: first row of each.
      counts: int64 `[n]`: how many rows each has.
    """

    group: Group
    starts: np.ndarray
    counts: np.ndarray


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
            lengths = np.zeros(self.num_samples, dtype=np.int64)
            ranges = []
            for group in self._groups:
                starts, counts = group.shard.bounds(length, group.rows)
                lengths[group.positions] = counts
                ranges.append(_Ranges(group, starts, counts))
            self._ranges[length] = ranges, lengths
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
        values = np.empty((int(offsets[-1]), *field.row_shape), dtype=field.numpy_dtype)
        is_long = values.nbytes >= _LONG_ROW_BYTES * self.num_samples
        for group, starts, counts in ranges:
            column, targets = group.shard.columns[field.name], offsets[group.positions]
            if is_long:
                for start, target, count in _triples(starts, targets, counts):
                    values[target : target + count] = column[start : start + count]
            else:
                rows = ragged.positions_in_ranges(targets, counts)
                values[rows] = column[ragged.positions_in_ranges(starts, counts)]
        return ragged.Ragged(values, offsets)

    def read_fixed(self, field: ArrayField, dtype: np.dtype) -> np.ndarray:
        """Copies one fixed field.

        Args:
          field: The field.
          dtype: Of the array that is returned.

        Returns:
          `[n, ...]`.
        """
        values = np.empty((self.num_samples, *field.row_shape), dtype=dtype)
        for group in self._groups:
            column = group.shard.columns[field.name]
            if field.row_bytes < _LONG_ROW_BYTES:
                values[group.positions] = column[group.rows]
                continue
            for position, row in zip(group.positions.tolist(), group.rows.tolist()):
                values[position] = column[row]
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
        values = np.empty((self.num_samples, width, *field.row_shape), dtype=dtype)
        for group, starts, counts in ranges:
            column = group.shard.columns[field.name]
            for start, position, count in _triples(starts, group.positions, counts):
                row = values[position]
                row[:count] = column[start : start + count]
                row[count:] = fill
        return values


def _triples(*arrays: np.ndarray) -> Iterator[tuple[int, int, int]]:
    """Yields numbers of three arrays together, as Python's own."""
    first, second, third = (array.tolist() for array in arrays)
    return zip(first, second, third)

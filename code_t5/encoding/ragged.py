"""Ragged arrays: rows of different lengths in one flat array, with the offsets of each."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence

import numpy as np


@dataclasses.dataclass(frozen=True)
class Ragged:
    """Rows of different lengths.

    Attributes:
      values: Any dtype, `[total]`: the rows, one after the other.
      offsets: int64 `[num_rows + 1]`: row `i` is `values[offsets[i]:offsets[i + 1]]`.
    """

    values: np.ndarray
    offsets: np.ndarray

    @property
    def num_rows(self) -> int:
        """How many rows there are."""
        return len(self.offsets) - 1

    @property
    def lengths(self) -> np.ndarray:
        """Length of each row, int64 `[num_rows]`."""
        return np.diff(self.offsets)

    def row(self, index: int) -> np.ndarray:
        """Returns one row, a view."""
        return self.values[self.offsets[index] : self.offsets[index + 1]]

    @classmethod
    def from_rows(cls, rows: Sequence[Iterable[int]], dtype: np.dtype | type = np.int32) -> Ragged:
        """Joins rows.

        Args:
          rows: Sequences of numbers.
          dtype: Of the values.

        >>> Ragged.from_rows([[1, 2], [], [3]]).offsets.tolist()
        [0, 2, 2, 3]
        """
        arrays = [np.asarray(row, dtype=dtype) for row in rows]
        values = np.concatenate(arrays) if arrays else np.zeros(0, dtype=dtype)
        return cls(values, offsets_of(np.array([len(array) for array in arrays], dtype=np.int64)))


def offsets_of(lengths: np.ndarray) -> np.ndarray:
    """Returns where rows of these lengths begin, and where the last ends.

    Args:
      lengths: int `[num_rows]`.

    Returns:
      int64 `[num_rows + 1]`, from 0 on.

    >>> offsets_of(np.array([2, 0, 1])).tolist()
    [0, 2, 2, 3]
    """
    offsets = np.zeros(len(lengths) + 1, dtype=np.int64)
    np.cumsum(lengths, out=offsets[1:])
    return offsets


def positions_in_ranges(starts: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """Returns the numbers of several ranges, one range after the other.

    Args:
      starts: int64 `[num_ranges]`.
      lengths: int64 `[num_ranges]`, none negative.

    Returns:
      int64 `[sum of lengths]`.

    >>> positions_in_ranges(np.array([7, 0]), np.array([2, 3])).tolist()
    [7, 8, 0, 1, 2]
    """
    is_filled = lengths > 0
    starts, lengths = starts[is_filled], lengths[is_filled]
    offsets = offsets_of(lengths)
    # Sums of steps: 1 inside a range, and at its start the way from the end of the one before.
    # Four times as quick as np.repeat.
    positions = np.ones(offsets[-1], dtype=np.int64)
    if len(starts):
        positions[0] = starts[0]
        positions[offsets[1:-1]] = starts[1:] - starts[:-1] - lengths[:-1] + 1
    return np.cumsum(positions, out=positions)


def gather_ranges(values: np.ndarray, *, starts: np.ndarray, lengths: np.ndarray) -> Ragged:
    """Copies ranges of an array into rows.

    Args:
      values: `[total]`; a memory map is read at the ranges alone.
      starts: int64 `[num_rows]`.
      lengths: int64 `[num_rows]`.

    Returns:
      The rows, in the dtype of `values`.

    >>> gather_ranges(np.arange(10), starts=np.array([7, 0]), lengths=np.array([2, 3])).values
    array([7, 8, 0, 1, 2])
    """
    return Ragged(
        np.asarray(values[positions_in_ranges(starts, lengths)]), offsets_of(np.asarray(lengths))
    )

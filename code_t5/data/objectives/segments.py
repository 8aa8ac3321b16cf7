"""Segments: rows put together from stretches of one pool of tokens.

Each row is a fixed number of segments, one after the other; a segment that a row does without has
length 0.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from code_t5.encoding import ragged
from code_t5.encoding.ragged import Ragged


@dataclasses.dataclass(frozen=True)
class Segments:
    """Where the segments of some rows lie.

    Attributes:
      starts: int64 `[num_rows, num_segments]`: positions in the pool.
      lengths: int64 `[num_rows, num_segments]`.
    """

    starts: np.ndarray
    lengths: np.ndarray

    @property
    def row_lengths(self) -> np.ndarray:
        """Tokens of each row, int64 `[num_rows]`."""
        return self.lengths.sum(axis=1)

    @classmethod
    def join(cls, parts: Sequence[Segments]) -> Segments:
        """Lays the segments of the same rows one behind the other."""
        return cls(
            np.concatenate([part.starts for part in parts], axis=1),
            np.concatenate([part.lengths for part in parts], axis=1),
        )

    @classmethod
    def of_stretches(cls, starts: np.ndarray, lengths: np.ndarray) -> Segments:
        """Returns rows of one segment each."""
        return cls(starts[:, None], lengths[:, None])

    def where(self, is_kept: np.ndarray) -> Segments:
        """Returns the same segments, empty in the rows that are not kept (bool `[num_rows]`)."""
        return Segments(self.starts, np.where(is_kept[:, None], self.lengths, 0))

    def drop_first(self, counts: np.ndarray) -> Segments:
        """Takes tokens away at the start of each row.

        Args:
          counts: int64 `[num_rows]`; where negative, none.

        >>> rows = Segments(np.array([[10, 20]]), np.array([[3, 4]]))
        >>> rows.drop_first(np.array([4])).starts.tolist()
        [[13, 21]]
        """
        before = np.cumsum(self.lengths, axis=1) - self.lengths
        dropped = np.clip(counts[:, None] - before, 0, self.lengths)
        return Segments(self.starts + dropped, self.lengths - dropped)

    def keep_first(self, counts: np.ndarray) -> Segments:
        """Keeps so many tokens at the start of each row.

        Args:
          counts: int64 `[num_rows]`; where negative, none.
        """
        before = np.cumsum(self.lengths, axis=1) - self.lengths
        return Segments(self.starts, np.clip(counts[:, None] - before, 0, self.lengths))

    def gather(self, pool: np.ndarray) -> Ragged:
        """Copies the rows.

        Args:
          pool: int32 `[pool_size]`.

        Returns:
          int32, a row for each.
        """
        found = ragged.gather_ranges(
            pool, starts=self.starts.reshape(-1), lengths=self.lengths.reshape(-1)
        )
        return Ragged(found.values, ragged.offsets_of(self.row_lengths))

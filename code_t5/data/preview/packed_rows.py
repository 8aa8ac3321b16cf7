"""Takes the rows that the trainer reads apart into the examples that were packed into them.

The trainer's packing numbers the examples of a row from 1, in `<feature>_segmentation`; the number
0 is padding. A row without segmentation holds one example. Inputs and targets of one number belong
together: that is what the model attends by.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import numpy as np

_SEGMENTATION, _POSITION = "_segmentation", "_position"


@dataclasses.dataclass(frozen=True)
class Row:
    """One row of a batch.

    Attributes:
      features: Ids by feature, `[sequence_length]` each, padding included.
      segments: By feature, the number of each token's example, int `[sequence_length]`; 0 is
        padding.
      is_packed: Whether the row came with numbers.
    """

    features: dict[str, np.ndarray]
    segments: dict[str, np.ndarray]
    is_packed: bool

    @property
    def num_examples(self) -> int:
        """How many examples are in the row."""
        return max((int(numbers.max(initial=0)) for numbers in self.segments.values()), default=0)

    def example(self, number: int) -> dict[str, np.ndarray]:
        """Returns the ids of one example, by feature, without padding.

        Args:
          number: Of the example, counted from 1.
        """
        return {name: ids[self.segments[name] == number] for name, ids in self.features.items()}

    def num_tokens(self, feature: str) -> int:
        """Returns how many positions of a feature are no padding."""
        return int(np.count_nonzero(self.segments[feature]))

    @property
    def is_paired(self) -> bool:
        """Whether every feature has tokens of every example.

        Where one has not, the numbers shift and the model pairs inputs with targets of another
        example.
        """
        counts = {len(np.unique(numbers[numbers > 0])) for numbers in self.segments.values()}
        return len(counts) <= 1


def read_row(arrays: Mapping[str, np.ndarray]) -> Row:
    """Reads a row as the trainer's input function gives it.

    Args:
      arrays: By name, int `[sequence_length]`.

    Returns:
      The row; features that are no line of numbers are left out.

    >>> row = read_row({"targets": np.array([5, 1, 6, 1, 0]),
    ...                 "targets_segmentation": np.array([1, 1, 2, 2, 0])})
    >>> row.num_examples, row.example(2)["targets"].tolist(), row.num_tokens("targets")
    (2, [6, 1], 4)
    """
    features = {
        name: np.asarray(arrays[name])
        # The trainer's packing leaves them in the order of a set.
        for name in sorted(arrays)
        if not name.endswith((_SEGMENTATION, _POSITION)) and _is_line(arrays[name])
    }
    is_packed = any(name + _SEGMENTATION in arrays for name in features)
    segments = {
        name: np.asarray(arrays[name + _SEGMENTATION])
        if name + _SEGMENTATION in arrays
        else (ids != 0).astype(np.int64)
        for name, ids in features.items()
    }
    return Row(features, segments, is_packed)


def _is_line(values: np.ndarray) -> bool:
    array = np.asarray(values)
    return array.ndim == 1 and array.dtype.kind in "iu"


def example_lengths(rows: list[Row]) -> dict[str, np.ndarray]:
    """Returns how many tokens each example of some rows has.

    Args:
      rows: With the same features.

    Returns:
      By feature, int64 `[num_examples]`, row by row; 0 for a feature that an example lacks.
    """
    found: dict[str, list[np.ndarray]] = {}
    for row in rows:
        for name, numbers in row.segments.items():
            counts = np.bincount(numbers, minlength=row.num_examples + 1)
            found.setdefault(name, []).append(counts[1:])
    return {name: np.concatenate(parts).astype(np.int64) for name, parts in found.items()}

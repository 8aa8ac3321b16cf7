"""A part of a split's rows: chosen by a seed, in their order, smaller parts within larger ones.

Each row gets a number by a fixed formula of the seed, the split's name and its place: SplitMix64
(Steele, Lea, Flood: Fast Splittable Pseudorandom Number Generators, OOPSLA 2014, figure 13). Those
with the smallest numbers are taken. So the choice does not change with a library's version.
"""

from __future__ import annotations

import fractions
import hashlib
import math

import numpy as np

_STEP = np.uint64(0x9E3779B97F4A7C15)
_FIRST, _SECOND = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)


def num_chosen(num_rows: int, *, subset: float) -> int:
    """Returns how many rows a share of them is: rounded up, exactly.

    Args:
      num_rows: Of the split.
      subset: The share; 0 is all.

    >>> num_chosen(300, subset=0.1)
    30
    """
    if subset == 0.0:
        return num_rows
    return math.ceil(fractions.Fraction(str(subset)) * num_rows)


def choose_rows(num_rows: int, *, subset: float, seed: int, split: str) -> np.ndarray:
    """Chooses rows.

    Args:
      num_rows: Of the split.
      subset: The share; 0 is all.
      seed: Any whole number.
      split: Its name.

    Returns:
      Places of rows, ascending, int64 [num_chosen].

    >>> choose_rows(10, subset=0.3, seed=42, split="train").tolist()
    [0, 2, 6]
    """
    wanted = num_chosen(num_rows, subset=subset)
    places = np.arange(num_rows, dtype=np.int64)
    if wanted == num_rows:
        return places
    digest = hashlib.sha256(f"{seed} {split}".encode()).digest()
    start = np.uint64(int.from_bytes(digest[:8], "little"))
    # Equal numbers are all but impossible; the earlier row is taken.
    order = np.argsort(
        mix(start + (places.astype(np.uint64) + np.uint64(1)) * _STEP), kind="stable"
    )
    return np.sort(order[:wanted]).astype(np.int64)


def mix(numbers: np.ndarray) -> np.ndarray:
    """Returns the numbers of SplitMix64.

    Args:
      numbers: States of its counter, uint64.

    Returns:
      One for each, uint64.
    """
    mixed = (numbers ^ (numbers >> np.uint64(30))) * _FIRST
    mixed = (mixed ^ (mixed >> np.uint64(27))) * _SECOND
    return mixed ^ (mixed >> np.uint64(31))

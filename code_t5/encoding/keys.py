"""Random numbers by formula: the same key gives the same numbers, in any order and any process.

A *key* is 64 bits from which everything random about an example follows. Keys are mixed by the
finalising step of SplitMix64 (Steele, Lea and Flood, "Fast splittable pseudorandom number
generators", OOPSLA 2014).
"""

from __future__ import annotations

from typing import Union

import numpy as np

Integers = Union[int, np.ndarray, np.integer]

_GAMMA = np.uint64(0x9E3779B97F4A7C15)
_FIRST, _SECOND = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
_ODD = np.uint64(0x9FB21C651E98DF25)
_SHIFTS = np.uint64(30), np.uint64(27), np.uint64(31)
_HALF = np.uint64(32)
_LARGEST = (1 << 64) - 1


def _as_uint64(numbers: Integers) -> np.ndarray:
    """Returns numbers modulo 2^64, always as an array: NumPy warns of overflow in scalars only."""
    if isinstance(numbers, int):
        return np.array([numbers & _LARGEST], dtype=np.uint64)
    return np.atleast_1d(np.asarray(numbers)).astype(np.uint64)


def _scramble(state: np.ndarray) -> np.ndarray:
    state = state + _GAMMA
    state = (state ^ (state >> _SHIFTS[0])) * _FIRST
    state = (state ^ (state >> _SHIFTS[1])) * _SECOND
    return state ^ (state >> _SHIFTS[2])


def mix_keys(seed: Integers, *indexes: Integers) -> np.ndarray:
    """Returns the keys of some things that are told apart by a seed and one or more indexes.

    Args:
      seed: Any integer, or int `[...]`.
      *indexes: As the seed; all are broadcast together.

    Returns:
      uint64 of the common shape, `[1]` if all are single numbers.

    >>> mix_keys(0, np.arange(2), 7).tolist()
    [6137454258038357063, 12156021150353614762]
    """
    keys = _scramble(_as_uint64(seed))
    for index in indexes:
        # Odd, so that no two keys become one, and a seed and an equal index do not cancel out.
        keys = _scramble(keys * _ODD + _scramble(_as_uint64(index)))
    return keys


def draw(keys: np.ndarray, sizes: Integers) -> np.ndarray:
    """Draws a number below a size from each key.

    Args:
      keys: uint64 `[...]`.
      sizes: Positive and below 2^32, or int `[...]`.

    Returns:
      int64, from 0 to the size - 1, all alike likely (to within size / 2^32).

    >>> draw(mix_keys(0, np.arange(5)), 10).tolist()
    [5, 2, 7, 8, 9]
    """
    return (((keys >> _HALF) * _as_uint64(sizes)) >> _HALF).astype(np.int64)


def draw_chance(keys: np.ndarray, share: float) -> np.ndarray:
    """Says for each key whether a chance comes true.

    Args:
      keys: uint64 `[...]`.
      share: How often, between 0 and 1.

    Returns:
      bool `[...]`.
    """
    return (keys >> _HALF).astype(np.float64) < share * 2.0**32

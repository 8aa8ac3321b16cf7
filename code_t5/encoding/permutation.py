"""Shuffles numbers by a formula: no table, the same cost for any place of any size of list.

A *permutation* here is a rearrangement of `0 .. size - 1` that a *key* chooses. It is a Feistel
network whose halves are remainders (Black and Rogaway, "Ciphers with Arbitrary Finite Domains",
2002, section 6): a number is written as `left * columns + right`, and in turn each half is moved by
a hash of the other. That rearranges a rectangle hardly larger than the list. A number that falls
outside of the list is sent through again until it falls inside (*cycle walking*).
"""

from __future__ import annotations

import math

import numpy as np

from code_t5.encoding import byte_runs

_NUM_ROUNDS = 8
# 2^64 times the golden ratio's fraction: steps that never come near each other.
_ROUND_STEP = np.uint64(0x9E3779B97F4A7C15)


def permute(
    indexes: np.ndarray, *, size: int, keys: np.ndarray | np.uint64 | int = 0
) -> np.ndarray:
    """Returns where each number goes.

    Args:
      indexes: int `[num_indexes]`, each from 0 to `size - 1`.
      size: How many numbers are rearranged, at least 1.
      keys: uint64, one for all or `[num_indexes]`: which rearrangement counts for each number.

    Returns:
      int64 `[num_indexes]`; for one key and all numbers, each number once.

    Raises:
      IndexError: A number is outside of `0 .. size - 1`.

    >>> sorted(permute(np.arange(5), size=5, keys=1).tolist())
    [0, 1, 2, 3, 4]
    """
    numbers = np.array(indexes, dtype=np.int64)
    if numbers.size and (numbers.min() < 0 or numbers.max() >= size):
        raise IndexError(f"{numbers.min()} to {numbers.max()} to rearrange among {size} numbers")
    values = numbers.astype(np.uint64)
    walking = np.arange(len(values))
    all_keys = np.broadcast_to(np.asarray(keys, dtype=np.uint64), values.shape)
    while len(walking):
        values[walking] = _permute_rectangle(values[walking], size, all_keys[walking])
        walking = walking[values[walking] >= np.uint64(size)]
    return values.astype(np.int64)


def _permute_rectangle(values: np.ndarray, size: int, keys: np.ndarray) -> np.ndarray:
    """Sends numbers once through the network of the smallest rectangle that holds `size`."""
    columns = math.isqrt(size - 1) + 1
    rows = -(-size // columns)
    left, right = np.divmod(values, np.uint64(columns))
    round_keys = keys.copy()
    for number in range(_NUM_ROUNDS):
        round_keys += _ROUND_STEP
        if number % 2:
            right = _move(right, by=left, modulus=columns, keys=round_keys)
        else:
            left = _move(left, by=right, modulus=rows, keys=round_keys)
    return left * np.uint64(columns) + right


def _move(half: np.ndarray, *, by: np.ndarray, modulus: int, keys: np.ndarray) -> np.ndarray:
    hashes = keys.copy()
    byte_runs.mix_hashes(hashes)
    hashes += by
    byte_runs.mix_hashes(hashes)
    # The upper half of a hash scaled to the modulus: a division less, and as even.
    steps = (hashes >> np.uint64(32)) * np.uint64(modulus) >> np.uint64(32)
    moved = half + steps
    return np.where(moved >= np.uint64(modulus), moved - np.uint64(modulus), moved)

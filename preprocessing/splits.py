"""Splits by group: all files of repositories that belong together stand on one side.

A repository's *split key* is a stable hash of its name, and a group's (`repository_groups`) that of
its first member, so that adding repositories moves none that were there before unless it joins
them. Keys below the validation fraction of 2^64 are validation, keys below the sum of both
fractions test, the rest train. A data set too small for that still gets one group in each split
that was asked for: those with the smallest keys.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Sequence

import numpy as np

from code_t5 import errors

TRAIN = "train"
VALIDATION = "validation"
TEST = "test"
SPLITS = (TRAIN, VALIDATION, TEST)

# A new salt would move every repository: it belongs to the version of the data set.
_SALT = b"code_t5 split 1\0"
_KEY_RANGE = 1 << 64


@dataclasses.dataclass(frozen=True)
class SplitConfig:
    """How large the splits are.

    Attributes:
      validation_fraction: Share of the repositories, 0 for no such split.
      test_fraction: Likewise.
    """

    validation_fraction: float = 0.01
    test_fraction: float = 0.01


def split_key(repository: str) -> int:
    """Returns the split key of a repository's name, at least 0 and below 2^64.

    >>> split_key("org/name") == split_key("org/name") != split_key("org/name2")
    True
    """
    return int.from_bytes(hashlib.sha256(_SALT + repository.encode("utf-8")).digest()[:8], "big")


def check_config(config: SplitConfig) -> None:
    """Checks the fractions.

    Args:
      config: What the user asked for.

    Raises:
      InputError: A fraction is negative, or nothing is left for train.
    """
    fractions = (config.validation_fraction, config.test_fraction)
    # Written so that what is no number fails as well.
    if not (min(fractions) >= 0 and sum(fractions) < 1):
        raise errors.InputError(
            f"--validation_fraction and --test_fraction are {fractions[0]} and {fractions[1]}; "
            "wanted two numbers from 0 whose sum is below 1; change them"
        )


def wanted_splits(config: SplitConfig) -> list[str]:
    """Returns the splits that the data set gets, train first."""
    fractions = {
        TRAIN: 1.0,
        VALIDATION: config.validation_fraction,
        TEST: config.test_fraction,
    }
    return [split for split in SPLITS if fractions[split] > 0]


def assign_splits(keys: Sequence[int], config: SplitConfig) -> dict[int, str]:
    """Assigns each group of repositories to a split.

    Args:
      keys: Split keys of the groups that have a kept file; repeats do not matter.
      config: The fractions.

    Returns:
      Split key to split.

    Raises:
      InputError: There are fewer groups than splits.
    """
    wanted = wanted_splits(config)
    ordered = sorted({int(key) for key in keys})
    if len(ordered) < len(wanted):
        raise errors.InputError(
            f"{len(ordered)} repositories, or groups of forks, hold a kept file; wanted at least "
            f"{len(wanted)}, one for each of {', '.join(wanted)}; add repositories, or set "
            "--validation_fraction=0 or --test_fraction=0"
        )
    validation_end = config.validation_fraction * _KEY_RANGE
    test_end = validation_end + config.test_fraction * _KEY_RANGE
    assigned = {
        key: VALIDATION if key < validation_end else TEST if key < test_end else TRAIN
        for key in ordered
    }
    for split in wanted:
        _fill_empty_split(assigned, split)
    return assigned


def _fill_empty_split(assigned: dict[int, str], split: str) -> None:
    """Gives an empty split a group from the split that has most."""
    members: dict[str, list[int]] = {name: [] for name in SPLITS}
    for key, name in assigned.items():
        members[name].append(key)
    if not members[split]:
        largest = max(SPLITS, key=lambda name: len(members[name]))
        assigned[min(members[largest])] = split


def lookup_splits(split_keys: np.ndarray, assigned: dict[int, str]) -> np.ndarray:
    """Returns the position in `SPLITS` of each row's split.

    Args:
      split_keys: uint64 `[num_rows]`.
      assigned: What `assign_splits` returned.

    Returns:
      int8 `[num_rows]`; -1 for a key that was not assigned.
    """
    table = np.array(sorted(assigned), dtype=np.uint64)
    codes = np.array([SPLITS.index(assigned[int(key)]) for key in table], dtype=np.int8)
    if not len(table):
        return np.full(len(split_keys), -1, dtype=np.int8)
    positions = np.minimum(np.searchsorted(table, split_keys), len(table) - 1)
    return np.where(table[positions] == split_keys, codes[positions], np.int8(-1))

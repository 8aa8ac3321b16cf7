"""Shuffling by a formula."""

from __future__ import annotations

import collections

import numpy as np
import pytest

from code_t5.encoding import permutation


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5, 16, 17, 99, 100, 101, 4097])
@pytest.mark.parametrize("key", [0, 1, 2**64 - 1])
def test_every_number_comes_once(size, key):
    found = permutation.permute(np.arange(size), size=size, keys=key)
    assert found.dtype == np.int64
    assert sorted(found.tolist()) == list(range(size))


def test_the_place_of_a_number_does_not_depend_on_the_others_asked_for():
    whole = permutation.permute(np.arange(1000), size=1000, keys=7)
    some = np.array([999, 3, 3, 512])
    assert (permutation.permute(some, size=1000, keys=7) == whole[some]).all()


def test_keys_may_differ_from_number_to_number():
    indexes = np.arange(50)
    keys = np.array([3, 4] * 25, dtype=np.uint64)
    mixed = permutation.permute(indexes, size=50, keys=keys)
    for parity, key in enumerate((3, 4)):
        alone = permutation.permute(indexes, size=50, keys=key)
        assert (mixed[parity::2] == alone[parity::2]).all()


def test_a_list_too_long_to_hold_is_rearranged_at_once():
    size = 10**13 + 7
    indexes = np.arange(size - 1000, size)
    found = permutation.permute(indexes, size=size, keys=5)
    assert len(set(found.tolist())) == 1000
    assert found.min() >= 0 and found.max() < size
    # Neighbours land far from each other.
    assert abs(found.mean() / size - 0.5) < 0.05


def test_all_orders_of_four_numbers_come_equally_often():
    keys = np.repeat(np.arange(24_000, dtype=np.uint64) * np.uint64(977), 4)
    found = permutation.permute(np.tile(np.arange(4), 24_000), size=4, keys=keys)
    counts = collections.Counter(map(tuple, found.reshape(-1, 4).tolist()))
    assert len(counts) == 24
    # 1,000 expected of each; five standard deviations are 157.
    assert max(abs(count - 1000) for count in counts.values()) < 157


def test_places_of_neighbours_are_not_related():
    size = 100_003
    found = permutation.permute(np.arange(size), size=size, keys=11) / size
    # Correlation of independent numbers is within 5 / sqrt(size).
    for distance in (1, 2, 316, 317):
        correlation = np.corrcoef(found[:-distance], found[distance:])[0, 1]
        assert abs(correlation) < 5 / size**0.5


def test_the_order_is_the_same_in_every_version():
    found = permutation.permute(np.arange(10), size=10, keys=42)
    assert found.tolist() == [5, 3, 2, 1, 7, 4, 8, 0, 6, 9]


def test_a_number_outside_of_the_list_is_refused():
    with pytest.raises(IndexError, match="0 to 5 to rearrange among 5"):
        permutation.permute(np.array([0, 5]), size=5)

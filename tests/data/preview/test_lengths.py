from __future__ import annotations

import numpy as np
import pytest

from code_t5.data.preview import lengths


def test_percentiles_are_lengths_that_occur():
    values = np.arange(1, 101)
    assert [lengths.percentile(values, p) for p in (1, 10, 50, 99, 100)] == [1, 10, 50, 99, 100]
    assert lengths.percentile(np.array([7]), 10) == 7


def test_a_summary_counts_what_is_at_the_limit():
    found = lengths.summarise(np.array([4, 8, 8, 2]), limit=8)
    assert (found.num_lengths, found.mean, found.longest, found.num_at_limit) == (4, 5.5, 8, 2)
    assert found.percentiles == {10: 2, 50: 4, 90: 8, 99: 8}
    assert lengths.summarise(np.array([4])).num_at_limit == 0


def test_linear_bins_end_at_the_limit():
    found = lengths.linear_bins(np.array([0, 1, 16, 17, 100]), limit=100, num_bins=6)
    assert [(one.first, one.last, one.count) for one in found] == [
        (1, 17, 4), (18, 34, 0), (35, 51, 0), (52, 68, 0), (69, 85, 0), (86, 100, 1),
    ]  # fmt: skip


def test_a_small_limit_has_a_bin_per_length():
    found = lengths.linear_bins(np.array([1, 3, 3]), limit=3)
    assert [(one.first, one.last, one.count) for one in found] == [(1, 1, 1), (2, 2, 0), (3, 3, 2)]


@pytest.mark.parametrize(("length", "first", "last"), [(1, 1, 2), (2, 1, 2), (1024, 513, 1024)])
def test_doubling_bins_hold_their_ends(length, first, last):
    (found,) = lengths.doubling_bins(np.array([length]))
    assert (found.first, found.last, found.count) == (first, last, 1)


def test_no_lengths_have_no_bins():
    assert lengths.doubling_bins(np.array([], np.int64)) == []


def test_a_bar_of_little_can_be_seen():
    assert lengths.bar(1, whole=100_000, width=10) == "▏"
    assert lengths.bar(0, whole=100_000, width=10) == ""
    assert lengths.bar(2, whole=1, width=3) == "███"
    assert lengths.bar(0, whole=0, width=3) == ""

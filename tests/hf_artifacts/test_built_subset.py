from __future__ import annotations

import numpy as np
import pytest

from code_t5.hf_artifacts.built import subset


def _chosen(num_rows: int, share: float, *, seed: int = 42, split: str = "train") -> list[int]:
    return subset.choose_rows(num_rows, subset=share, seed=seed, split=split).tolist()


@pytest.mark.parametrize(
    ("num_rows", "share", "number"),
    [
        (300, 0.1, 30),
        (100, 0.07, 7),
        (300, 0.0, 300),
        (300, 1.0, 300),
        (7, 0.5, 4),
        (1, 0.01, 1),
        (0, 0.5, 0),
    ]
    + [(1000, 0.007, 7), (10, 1e-9, 1), (3, 0.999999, 3), (49, 0.3, 15)],
)
def test_the_number_of_rows_is_exact_and_rounded_up(num_rows, share, number):
    assert subset.num_chosen(num_rows, subset=share) == number
    assert len(_chosen(num_rows, share)) == number


def test_the_choice_is_what_it_always_was():
    assert _chosen(20, 0.25) == [2, 6, 10, 11, 15]
    assert _chosen(20, 0.25, seed=1) == [3, 4, 8, 9, 16]
    assert _chosen(20, 0.25, split="test") == [1, 2, 9, 10, 18]


def test_rows_keep_their_order_and_none_comes_twice():
    chosen = _chosen(5000, 0.3)
    assert chosen == sorted(set(chosen))
    assert chosen[0] >= 0 and chosen[-1] < 5000


def test_smaller_parts_are_within_larger_ones():
    shares = [0.001, 0.01, 0.1, 0.5, 0.9, 0.0]
    parts = [set(_chosen(3000, share)) for share in shares]
    for smaller, larger in zip(parts, parts[1:]):
        assert smaller < larger


def test_every_row_is_as_likely_as_another():
    counts = [0] * 10
    for seed in range(2000):
        for row in _chosen(10, 0.3, seed=seed):
            counts[row] += 1
    # 600 each on average; the standard deviation is 20.5.
    assert sum(counts) == 6000
    assert all(510 < count < 690 for count in counts)


def test_any_whole_number_is_a_seed():
    assert len({tuple(_chosen(50, 0.2, seed=seed)) for seed in (-1, 0, 1, 2**80)}) == 4


def test_the_numbers_are_those_of_splitmix64():
    # The first three of its stream from 0, as its authors' program prints them.
    states = np.arange(1, 4, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    assert [hex(number) for number in subset.mix(states).tolist()] == [
        "0xe220a8397b1dcdaf", "0x6e789e6aa1b965f4", "0x6c45d188009454f",
    ]  # fmt: skip

from __future__ import annotations

import numpy as np
import pytest

from code_t5.encoding import keys


def test_keys_are_the_same_in_every_process_and_release():
    # The first number of SplitMix64 with the seed 0, as its authors give it.
    assert keys.mix_keys(0).tolist() == [16294208416658607535]
    assert keys.mix_keys(1, 2, 3).tolist() == [15659361822605469270]


def test_keys_do_not_depend_on_how_many_are_made_at_once():
    many = keys.mix_keys(7, np.arange(100), np.arange(100) % 3)
    one = [keys.mix_keys(7, i, i % 3)[0] for i in range(100)]
    assert many.tolist() == one
    assert len(set(one)) == 100


@pytest.mark.parametrize("seed", [-1, 2**63, 2**64 - 1, 2**70 + 5])
def test_any_integer_is_a_seed(seed):
    assert keys.mix_keys(seed).tolist() == keys.mix_keys(seed % 2**64).tolist()


def test_indexes_in_another_order_give_other_keys():
    assert keys.mix_keys(0, 1, 2) != keys.mix_keys(0, 2, 1)
    assert keys.mix_keys(0, 0) != keys.mix_keys(0)
    # A seed and an index that are alike do not cancel out.
    assert len(set(keys.mix_keys(np.arange(1000), np.arange(1000)).tolist())) == 1000


def test_drawn_numbers_are_spread_evenly():
    drawn = keys.draw(keys.mix_keys(3, np.arange(60_000)), 6)
    counts = np.bincount(drawn, minlength=6)
    assert counts.sum() == 60_000
    # Five standard deviations of a count.
    assert abs(counts - 10_000).max() < 5 * np.sqrt(60_000 * 5 / 36)


def test_neighbouring_keys_are_unrelated():
    first = keys.draw(keys.mix_keys(0, np.arange(20_000)), 1000)
    assert abs(np.corrcoef(first[:-1], first[1:])[0, 1]) < 0.03
    second = keys.draw(keys.mix_keys(1, np.arange(20_000)), 1000)
    assert abs(np.corrcoef(first, second)[0, 1]) < 0.03


def test_chances_come_true_as_often_as_they_should():
    some = keys.mix_keys(5, np.arange(40_000))
    assert not keys.draw_chance(some, 0.0).any()
    assert keys.draw_chance(some, 1.0).all()
    assert keys.draw_chance(some, 0.25).mean() == pytest.approx(0.25, abs=0.011)

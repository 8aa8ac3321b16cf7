"""pass@k beside counting all ways to draw."""

from __future__ import annotations

import itertools

import pytest

from code_t5 import errors
from code_t5.training.problems import estimator


@pytest.mark.parametrize(
    ("total", "right", "k"), [(5, 2, 1), (5, 2, 3), (6, 1, 4), (4, 4, 2), (4, 0, 4)]
)
def test_estimate_is_the_share_of_draws_with_a_right_one(total, right, k):
    draws = list(itertools.combinations([True] * right + [False] * (total - right), k))
    wanted = sum(any(draw) for draw in draws) / len(draws)
    assert estimator.pass_at_k(total, num_right=right, k=k) == pytest.approx(wanted)


def test_many_programs_do_not_overflow():
    assert estimator.pass_at_k(100_000, num_right=1, k=50_000) == pytest.approx(0.5)


def test_rates_are_means_over_problems():
    rates = estimator.pass_rates([(4, 4), (4, 0), (2, 1)], ks=[2, 1, 1])
    assert [rate.k for rate in rates] == [1, 2]
    assert rates[0].estimate == pytest.approx(0.5)
    assert rates[0].standard_error == pytest.approx((0.25 / 3) ** 0.5)
    assert rates[1].estimate == pytest.approx(2 / 3)


@pytest.mark.parametrize(("counts", "k"), [([(3, 1)], 4), ([(3, 1)], 0), ([], 1)])
def test_too_few_programs_are_refused(counts, k):
    with pytest.raises(errors.InputError, match="pass@"):
        estimator.pass_rates(counts, ks=[k])

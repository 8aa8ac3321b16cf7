from __future__ import annotations

import numpy as np
import pytest

from code_t5.data.line_metrics import LineScore
from code_t5.training.evaluating import scores

_RIGHT, _WRONG = LineScore(True, 1.0, 10), LineScore(False, 0.25, 30)


def test_micro_counts_lines_and_macro_repositories():
    found = scores.summarize([_RIGHT, *[_WRONG] * 8, _RIGHT], ["small", *["big"] * 8, "other"])
    assert (found["num_lines"], found["num_repositories"]) == (10, 3)
    assert found["micro"]["exact_match"]["mean"] == pytest.approx(0.2)
    assert found["macro"]["exact_match"]["mean"] == pytest.approx(2 / 3)
    assert found["micro"]["edit_similarity"]["mean"] == pytest.approx((2 + 8 * 0.25) / 10)
    assert found["micro"]["characters_saved"]["mean"] == pytest.approx(20 / 260)
    assert found["macro"]["characters_saved"]["mean"] == pytest.approx(2 / 3)


def test_intervals_are_those_of_drawing_repositories():
    sizes, shares = [40, 3, 9, 25], [0.1, 0.67, 0.33, 0.2]
    lines, names = [], []
    for i, (size, share) in enumerate(zip(sizes, shares)):
        right = round(size * share)
        lines += [_RIGHT] * right + [_WRONG] * (size - right)
        names += [f"r{i}"] * size
    found = scores.summarize(lines, names)["micro"]["exact_match"]
    draw = np.random.default_rng(7)
    right = np.array([round(size * share) for size, share in zip(sizes, shares)])
    drawn = draw.integers(4, size=(20_000, 4))
    wanted = np.percentile(right[drawn].sum(1) / np.array(sizes)[drawn].sum(1), [2.5, 97.5])
    np.testing.assert_allclose(found["interval"], wanted, atol=0.02)
    assert found == scores.summarize(lines, names)["micro"]["exact_match"]


def test_one_repository_says_nothing_of_others():
    found = scores.summarize([_RIGHT, _WRONG], ["a", "a"])["micro"]["exact_match"]
    assert found == {"mean": 0.5, "interval": [0.5, 0.5]}


def test_cursors_are_told_apart_and_repositories_listed():
    found = scores.summarize_cursors(
        [_RIGHT, _WRONG, _WRONG], repositories=["b", "a", "b"], is_line_start=[True, False, False]
    )
    assert found["line_start"]["micro"]["exact_match"]["mean"] == 1.0
    assert found["mid_line"]["num_lines"] == 2
    assert list(found["repositories"]) == ["a", "b"]
    assert found["repositories"]["b"]["exact_match"] == 0.5


def test_no_lines_have_no_interval():
    found = scores.summarize_cursors([], repositories=[], is_line_start=[])
    assert found["all"]["micro"]["exact_match"] == {"mean": 0.0, "interval": []}

from __future__ import annotations

import random

import pytest

from code_t5 import errors
from code_t5.data import line_metrics
from code_t5.data.line_metrics import Answer, LineScore


def _plain_distance(first: str, second: str) -> int:
    """Levenshtein's distance by its recurrence, row by row."""
    row = list(range(len(second) + 1))
    for i, a in enumerate(first, start=1):
        above, row = row, [i]
        for j, b in enumerate(second, start=1):
            row.append(min(above[j] + 1, row[-1] + 1, above[j - 1] + (a != b)))
    return row[-1]


def test_similarity_is_one_minus_the_distance_by_the_longer_line():
    draw = random.Random(0)
    for _ in range(300):
        first, second = ("".join(draw.choices("abé語", k=draw.randrange(1, 9))) for _ in range(2))
        found = line_metrics.score_line(first, second)
        wanted = 1 - _plain_distance(first, second) / max(len(first), len(second))
        assert found.similarity == pytest.approx(wanted)
        assert found.is_exact == (first == second)


def test_what_stands_behind_the_line_or_is_white_space_at_its_end_does_not_count():
    assert line_metrics.score_line("return x \t\r\n  y = 1", "return x") == LineScore(True, 1.0, 8)
    assert not line_metrics.score_line(" return x", "return x").is_exact
    assert line_metrics.score_line("\nreturn x", "return x") == LineScore(False, 0.0, 8)


def test_saved_characters_are_those_of_exact_lines_alone():
    scores = [
        line_metrics.score_line("abc", "abc"),
        line_metrics.score_line("abcdefgh", "abcdefghi"),
    ]
    assert line_metrics.mean_scores(scores)["characters_saved"] == pytest.approx(3 / 12)
    assert line_metrics.mean_scores([]) == dict.fromkeys(line_metrics.MEASURES, 0.0)


def test_line_starts_and_mid_lines_are_measured_apart():
    targets = [Answer("a", True), Answer("bc", False), Answer("def", False)]
    found = line_metrics.line_metrics(targets, ["a", "bx", "def"])
    assert found["exact_match"] == pytest.approx(2 / 3)
    assert found["line_start_exact_match"] == 1.0
    assert found["mid_line_exact_match"] == 0.5
    assert found["mid_line_characters_saved"] == pytest.approx(3 / 5)
    assert "mid_line_exact_match" not in line_metrics.line_metrics(targets[:1], ["a"])


def test_a_line_whose_answer_was_cut_off_is_never_exact():
    found = line_metrics.line_metrics([Answer("abc", True, is_cut=True)], ["abc"])
    assert (found["exact_match"], found["edit_similarity"]) == (0.0, 1.0)


def test_predictions_without_answers_are_refused():
    with pytest.raises(errors.InputError, match="mesh_eval_dataset_fn"):
        line_metrics.line_metrics([], ["a"])

"""Which rows become a validation split."""

from __future__ import annotations

import numpy as np
import pytest

from code_t5 import errors
from code_t5.token_cache.sources import row_choice
from code_t5.token_cache.sources.row_choice import RowChoice


def _rows(choice, *, step=7):
    cuts = [*range(0, choice.num_rows, step), choice.num_rows]
    return np.flatnonzero(
        np.concatenate([choice.mask(start, stop) for start, stop in zip(cuts, cuts[1:])])
    ).tolist()


def test_exactly_so_many_rows_are_chosen_however_they_are_asked_for():
    choice = RowChoice(100, 13, 5, True)
    assert len(_rows(choice)) == 13 == choice.num_taken
    assert _rows(choice, step=1) == _rows(choice, step=100)


def test_the_others_are_what_is_left():
    chosen, others = (RowChoice(50, 9, 1, takes_chosen) for takes_chosen in (True, False))
    assert sorted(_rows(chosen) + _rows(others)) == list(range(50))
    assert others.num_taken == 41


def test_another_seed_chooses_other_rows():
    assert _rows(RowChoice(1000, 20, 1, True)) != _rows(RowChoice(1000, 20, 2, True))


def test_chosen_rows_come_from_everywhere():
    rows = np.array(_rows(RowChoice(10_000, 1000, 42, True)))
    counts = np.bincount(rows // 1000)
    assert counts.min() > 70
    assert counts.max() < 130


def test_validation_is_made_of_train_and_stands_behind_it():
    plan = row_choice.plan_splits({"train": 40, "test": 3}, validation_split=0.25, seed=1)
    assert list(plan) == ["train", "validation", "test"]
    assert plan["test"] == ("test", None)
    assert [plan[name].choice.num_taken for name in ("train", "validation")] == [30, 10]
    assert plan["validation"].origin == "train"


@pytest.mark.parametrize("validation_split", [None, 0.5])
def test_validation_that_is_there_is_left_as_it_is(validation_split):
    plan = row_choice.plan_splits(
        {"train": 4, "validation": 2}, validation_split=validation_split, seed=1
    )
    assert plan == {"train": ("train", None), "validation": ("validation", None)}


@pytest.mark.parametrize(
    ("validation_split", "wanted"), [(0.1, 10), (0.004, 1), (1, 1), (99, 99), (7.0, 7)]
)
def test_share_and_number_say_how_many(validation_split, wanted):
    assert row_choice.count_chosen(validation_split, 100) == wanted


@pytest.mark.parametrize("validation_split", [100, 0.999])
def test_train_is_never_used_up(validation_split):
    with pytest.raises(errors.InputError, match="left in both"):
        row_choice.count_chosen(validation_split, 100)


@pytest.mark.parametrize(
    ("given", "wanted"),
    [(None, None), (0, None), (0.0, None), (np.int64(5), 5), (np.float64(0.5), 0.5), (7, 7)],
)
def test_numbers_are_read_as_plain_ones(given, wanted):
    found = row_choice.read_validation_split(given)
    assert (found, type(found)) == (wanted, type(wanted))


@pytest.mark.parametrize("validation_split", [-1, 1.5, True, "0.1", float("nan")])
def test_what_is_neither_share_nor_number_is_refused(validation_split):
    with pytest.raises(errors.InputError, match="share between 0 and 1"):
        row_choice.read_validation_split(validation_split)


def test_without_train_there_is_nothing_to_make_it_of():
    with pytest.raises(errors.InputError, match="no split 'train'"):
        row_choice.plan_splits({"test": 4}, validation_split=0.5, seed=1)


def test_places_spread_over_the_whole_split():
    assert row_choice.spread_places(160) == list(range(0, 160, 10))
    assert row_choice.spread_places(0) == []

"""What stands in the judge for objects of the solution's process."""

from __future__ import annotations

import copy
import json
import os
import types

import numpy as np
import pytest

from code_t5.training.problems import solution_line, wire
from code_t5.training.problems.solution_line import UnjudgedError


@pytest.fixture
def ends():
    question_end, question_start = os.pipe()
    answer_end, answer_start = os.pipe()
    yield question_end, answer_start, solution_line.SolutionLine(question_start, answer_end)
    for descriptor in (question_end, question_start, answer_end, answer_start):
        try:
            os.close(descriptor)
        except OSError:
            pass


@pytest.fixture
def line(ends):
    return ends[2]


def _object(ends, *replies):
    """Returns what stands for an object, with the solution's next answers."""
    _, answers, line = ends
    for reply in ({"value": ["handle", 3]}, *replies):
        wire.write_frame(answers, reply)
    return line.ask("name", name="x")


@pytest.mark.parametrize(
    "ask",
    [
        *(bool, hash, repr, str, int, float, copy.copy, copy.deepcopy, np.array, next, dir, abs),
        lambda one: one == one,
        lambda one: one != 3,
        lambda one: one < 3,
        lambda one: 3 - one,
        lambda one: one @ one,
        lambda one: 3 in one,
        lambda one: isinstance(one, list),
        lambda one: isinstance(3, one),
        lambda one: f"{one}",
        lambda one: {one},
        lambda one: one.__array_interface__,
        lambda one: np.allclose(one, [1.0]),
        lambda one: types.new_class("Derived", (one,)),
    ],
)
def test_what_an_object_says_of_itself_is_not_asked(ends, ask):
    one = _object(ends)
    with pytest.raises(BaseException):  # noqa: B017 - numpy may make another of it
        ask(one)
    line = ends[2]
    assert isinstance(line.spoiled, UnjudgedError)
    # Whatever the tests made of it.
    with pytest.raises(UnjudgedError):
        line.ask("name", name="y")
    question_end = ends[0]
    assert wire.read_frame(question_end)["name"] == "x"
    os.set_blocking(question_end, False)
    with pytest.raises(BlockingIOError):
        os.read(question_end, 1)


def test_attributes_and_items_are_asked_for(ends):
    one = _object(ends, {"value": 5}, {"value": ["list", [1]]}, {"value": None})
    assert one.size == 5
    assert one["a", 2] == [1]
    one.left = 7
    asked = [wire.read_frame(ends[0]) for _ in range(4)]
    assert [(it["operation"], it["name"]) for it in asked[1:]] == [
        ("get", "size"),
        ("item", ""),
        ("set", "left"),
    ]
    assert asked[3]["values"] == [7]


def test_same_object_is_the_same_here(ends):
    one = _object(ends, {"value": ["handle", 3]}, {"value": ["handle", 4]})
    assert one.next is one
    assert one.next is not one


def test_object_that_counts_other_items_than_it_has_is_not_judged(ends):
    one = _object(ends, {"value": 3}, {"value": ["list", []]})
    assert len(one) == 3
    with pytest.raises(UnjudgedError, match="not the items it counts"):
        list(one)


def test_errors_are_raised_and_ends_are_not_swallowed(ends, line):
    one = _object(
        ends,
        {"error": ["OwnError", "x", "ValueError", ["list", ["x"]]]},
        {"error": ["SystemExit", "0", "SystemExit", ["list", [0]]]},
    )
    with pytest.raises(ValueError, match="x") as caught:
        one(1)
    assert line.raised is caught.value
    assert line.has_lost
    with pytest.raises(solution_line.SolutionGoneError):
        one(1)
    with pytest.raises(solution_line.SolutionGoneError):
        one(1)


@pytest.mark.parametrize(
    "reply",
    [5, {"unsendable": "deep"}, {"value": ["list", 1]}, {"value": 1, "changed": {"1": 2}}],
    ids=json.dumps,
)
def test_answer_that_is_none_spoils_the_line(ends, line, reply):
    one = _object(ends, reply)
    with pytest.raises(UnjudgedError):
        one.size  # noqa: B018 - asks
    assert line.spoiled is not None


def test_what_the_solution_cannot_be_given_is_said(ends):
    class Own(list):
        pass

    one = _object(ends)
    with pytest.raises(UnjudgedError, match="a Own cannot be given to the solution"):
        one(Own())

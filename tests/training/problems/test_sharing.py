"""Mutable values that two sides keep the same."""

from __future__ import annotations

import collections
import json

import numpy as np
import pytest

from code_t5.training.problems import wire
from code_t5.training.problems.decoding_values import Decoder
from code_t5.training.problems.encoding_values import Encoder
from code_t5.training.problems.sharing import SharedValues


class _Sides:
    """A caller and a function on the other side, with JSON in between."""

    def __init__(self):
        self.here, self.there = SharedValues(first_number=1), SharedValues(first_number=2)
        self.sent = []

    def _carry(self, source, target, values):
        messages, changed = json.loads(json.dumps(source.pack(values, encoder=Encoder())))
        self.sent.append(changed)
        decoder = Decoder(None, value_of=target.value_of)
        target.unpack(changed, decoder=decoder)
        return [decoder.decode(one) for one in messages]

    def call(self, function, *arguments):
        """Calls it there with twins of the arguments."""
        found = function(*self._carry(self.here, self.there, arguments))
        (found,) = self._carry(self.there, self.here, [found])
        self.here.forget(self.there.forget_unheld())
        return found


@pytest.mark.parametrize(
    ("value", "change", "wanted"),
    [
        ([3, 1, 2], lambda it: it.sort(), "[1, 2, 3]"),
        ({1: 2}, lambda it: it.update({0: 1}), "{1: 2, 0: 1}"),
        ({1, 2}, lambda it: it.discard(1), "{2}"),
        (bytearray(b"ab"), lambda it: it.reverse(), "bytearray(b'ba')"),
        (collections.deque([1, 2]), lambda it: it.rotate(), "deque([2, 1])"),
        (collections.Counter("aab"), lambda it: it.update("b"), "Counter({'a': 2, 'b': 2})"),
        (
            collections.defaultdict(list),
            lambda it: it[3].append(1),
            "defaultdict(<class 'list'>, {3: [1]})",
        ),
        ([1, [2]], lambda it: it[1].append(it[0]), "[1, [2, 1]]"),
        ([1], lambda it: it.__setitem__(0, True), "[True]"),
    ],
    ids=range(9),
)
def test_change_in_place_comes_back(value, change, wanted):
    assert _Sides().call(change, value) is None
    assert repr(value) == wanted


def test_numbers_of_an_array_come_back():
    numbers = np.arange(4.0).reshape(2, 2)
    _Sides().call(lambda it: it.sort(axis=0), numbers[::-1])
    assert numbers.tolist() == [[2.0, 3.0], [0.0, 1.0]]


def test_value_that_comes_back_is_the_one_that_was_given():
    sides, given = _Sides(), [1]
    assert sides.call(lambda it: it, given) is given
    assert sides.call(lambda it: (0, [it]), given)[1][0] is given
    assert sides.call(list, given) is not given


def test_values_deep_in_each_other_cross_and_are_forgotten():
    given = []
    for _ in range(20_000):
        given = [given]
    sides = _Sides()
    sides.call(list.clear, given)
    assert given == []
    assert sides.here._values == sides.there._values == {}


def test_one_row_that_stands_three_times_is_one_row_there_too():
    grid = [[0] * 2] * 3
    _Sides().call(lambda it: it[0].append(5), grid)
    assert grid == [[0, 0, 5]] * 3
    own = []
    own.append(own)
    assert _Sides().call(lambda it: it[0] is it, own)


def test_value_that_the_function_keeps_stays_the_same_on_both_sides():
    sides, kept, given = _Sides(), [], [1]
    sides.call(kept.append, given)
    given.append(2)
    assert sides.call(lambda: kept[0] + [9]) == [1, 2, 9]
    sides.call(lambda: kept[0].append(3))
    assert given == [1, 2, 3]


def test_values_that_nobody_keeps_are_forgotten_and_what_is_unchanged_is_not_sent():
    sides = _Sides()
    for number in range(3):
        assert sides.call(sum, [number, 1]) == number + 1
        sides.call(lambda it: None, [[number]])
    assert sides.here._values == sides.there._values == {}
    kept = []
    given = list(range(100))
    sides.call(kept.append, given)
    sides.call(len, given)
    assert sides.sent[-2:] == [{}, {}]


@pytest.mark.parametrize(
    "changed", [5, {"x": ["list", []]}, {"1": ["tuple", []]}, {"1": ["set", []]}, {"2": 5}]
)
def test_table_that_is_none_is_refused(changed):
    side = SharedValues(first_number=1)
    given = [1]
    side.pack([given], encoder=Encoder())
    with pytest.raises(wire.WireError):
        side.unpack(changed, decoder=Decoder(None, value_of=side.value_of))
    side.forget([True, "1", 77, None])
    side.forget(5)
    assert given == [1]

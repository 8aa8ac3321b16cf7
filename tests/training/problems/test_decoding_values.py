"""Messages of a solution that lies."""

from __future__ import annotations

import collections

import numpy as np
import pytest

from code_t5.training.problems import decoding_values, wire


class _SaysWhereItLies:
    """Has numpy read from an address of its choice."""

    asked = False

    @property
    def __array_interface__(self):
        type(self).asked = True
        raise AssertionError


def test_numpy_is_given_no_object_of_the_solution():
    found = _SaysWhereItLies()
    for message in (["handle", 1], ["list", [["handle", 1]]], [["handle", 1]]):
        for kind in ("array", "number"):
            for content in (message, ["<f8", [1], message]):
                with pytest.raises(wire.WireError):
                    decoding_values.decode_value([kind, content], object_of=lambda _: found)
    assert not _SaysWhereItLies.asked


@pytest.mark.parametrize(
    "message",
    [
        *(
            [],
            ["list"],
            ["list", 5],
            ["unknown", 1],
            ["int", "zz"],
            ["class", []],
            ["set", [["list", []]]],
        ),
        *(["Fraction", "1/0"], ["range", ["x"]], ["handle", "x"], {"a": 1}, ["datetime", 4]),
        # Numbers alone make an array: no object that says where its memory lies.
        ["array", ["|O8", [1], [5]]],
        ["array", ["<f8", [1], [["handle", 1]]]],
        ["array", ["<f8", [], ["handle", 1]]],
        ["array", ["<f8", [3], [1.0]]],
        ["array", ["<U99999999", [1], ["a"]]],
        ["number", ["|O8", 5]],
        ["number", ["<i8", ["handle", 1]]],
        ["same", 7],
    ],
    ids=repr,
)
def test_what_is_no_value_is_refused(message):
    with pytest.raises(wire.WireError):
        decoding_values.decode_value(message, object_of=lambda handle: handle)


def test_value_is_filled_only_by_one_of_its_kind():
    decoder = decoding_values.Decoder(object_of=None)
    numbers = np.zeros(2, "i4")
    decoder.fill(numbers, ["array", ["<i4", [2], [3, 4]]])
    assert numbers.tolist() == [3, 4]
    for value, message in (
        ([1], ["set", [2]]),
        (collections.deque([1], maxlen=2), ["deque", [3, [1]]]),
        (numbers, ["array", ["<i4", [3], [1, 2, 3]]]),
        (numbers, ["array", ["<i8", [2], [1, 2]]]),
        ((1,), ["tuple", [2]]),
        ([1], ["list", [["unknown", 1]]]),
    ):
        before = str(value)
        with pytest.raises(wire.WireError):
            decoder.fill(value, message)
        assert str(value) == before

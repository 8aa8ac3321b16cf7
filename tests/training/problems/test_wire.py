"""Values and frames between the judge and the solution."""

from __future__ import annotations

import collections
import datetime
import decimal
import enum
import fractions
import itertools
import json
import os
import struct

import numpy as np
import pytest

from code_t5.training.problems import wire


def _cross(value):
    def refuse(one):
        raise wire.UnsendableError(type(one).__name__)

    message = json.loads(json.dumps(wire.encode_value(value, handle_of=refuse)))
    return wire.decode_value(message, object_of=refuse)


_Point = collections.namedtuple("_Point", "x y")


class _Color(enum.IntEnum):
    RED = 3


@pytest.mark.parametrize(
    "value",
    [
        *(None, True, 0, -7, 1 << 200, 0.1, -0.0, float("inf"), 2 - 3j, "", "é\ud800\0", b"\0\xff"),
        *([1, [2, ()]], (1,), {3, 4}, frozenset({5}), {(1, 2): {"a": None}}, bytearray(b"x")),
        *(range(1, 9, 2), collections.deque([1]), collections.OrderedDict([(2, 1), (1, 2)])),
        *(collections.Counter("aab"), decimal.Decimal("1.10"), fractions.Fraction(1, 3)),
        *(
            datetime.date(2020, 2, 29),
            datetime.datetime(2020, 1, 1, 3),
            datetime.timedelta(1, 2, 3),
        ),
        *(int, dict, {"a": 1}.keys(), {"a": 1}.items()),
    ],
    ids=repr,
)
def test_plain_values_come_back_as_they_were(value):
    found = _cross(value)
    assert found == value
    assert type(found) is type(value)


def test_subclasses_come_back_as_what_they_hold():
    class Liar(int):
        def __eq__(self, other):
            return True

        __hash__ = None

    assert type(_cross(Liar(3))) is int
    assert _cross(Liar(3)) != 4
    assert _cross(_Point(1, 2)) == (1, 2)
    assert type(_cross(_Point(1, 2))) is tuple
    assert type(_cross(_Color.RED)) is int
    assert dict(_cross(collections.defaultdict(list, {1: [2]}))) == {1: [2]}


def test_iterators_and_arrays_cross():
    assert list(_cross(one * 2 for one in (1, 2))) == [2, 4]
    assert list(_cross({1: 2}.values())) == [2]
    array = _cross(np.array([[1, 2], [3, 4]]))
    assert array.tolist() == [[1, 2], [3, 4]]
    assert _cross(np.int64(5)) == 5


def test_what_never_ends_or_lies_too_deep_is_refused():
    nested = []
    for _ in range(100_000):
        nested = [nested]
    for value in (itertools.count(), nested):
        with pytest.raises(wire.UnsendableError):
            _cross(value)


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
    ],
    ids=repr,
)
def test_what_is_no_value_is_refused(message):
    with pytest.raises(wire.WireError):
        wire.decode_value(message, object_of=lambda handle: handle)


def test_frames_are_bounded_and_whole():
    end, start = os.pipe()
    wire.write_frame(start, {"a": [1, "é"]})
    assert wire.read_frame(end) == {"a": [1, "é"]}
    os.write(start, struct.pack("<I", wire.MAX_FRAME_BYTES + 1))
    with pytest.raises(wire.WireError, match="the most"):
        wire.read_frame(end)
    os.write(start, struct.pack("<I", 3) + b"[1,")
    with pytest.raises(wire.WireError, match="not JSON"):
        wire.read_frame(end)
    os.write(start, struct.pack("<I", 3) + b"[")
    os.close(start)
    with pytest.raises(EOFError):
        wire.read_frame(end)
    os.close(end)


def test_errors_are_rebuilt_from_their_names_alone():
    assert repr(wire.rebuild_error(["ValueError", "bad"])) == "ValueError('bad')"
    # Neither what is no Exception nor what is no error at all.
    for name in ("SystemExit", "KeyboardInterrupt", "print", "_Own"):
        found = wire.rebuild_error([name, "x"])
        assert (type(found), str(found)) == (Exception, f"{name}: x")
    assert str(wire.rebuild_error({"a": 1})) == "error"

"""Values between the judge and the solution."""

from __future__ import annotations

import collections
import datetime
import decimal
import enum
import fractions
import itertools
import json

import numpy as np
import pytest

from code_t5.training.problems import decoding_values, encoding_values, wire


def _cross(value):
    message = json.loads(json.dumps(encoding_values.encode_value(value)))
    return decoding_values.decode_value(message, object_of=None)


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
        *(int, dict, {"a": 1}.keys(), {"a": 1}.items(), collections.deque("abc", maxlen=2)),
        *(collections.defaultdict(list, {1: [2]}), collections.defaultdict(None, {1: 2})),
        *(np.float32(0.5), np.bool_(True), np.int64(5), np.str_("ab"), np.complex128(1 + 2j)),
    ],
    ids=repr,
)
def test_plain_values_come_back_as_they_were(value):
    found = _cross(value)
    assert found == value
    assert type(found) is type(value)
    if isinstance(value, collections.defaultdict):
        assert found.default_factory is value.default_factory


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
    own_factory = collections.defaultdict(lambda: 0, {1: [2]})
    assert type(_cross(own_factory)) is dict
    lost = []
    told = encoding_values.Encoder(less_fn=lost.append)
    told.encode([_Point(1, 2), 3, Liar(4), (5,), own_factory])
    assert [type(one).__name__ for one in lost] == ["_Point", "Liar", "defaultdict"]


def test_iterators_and_arrays_cross():
    assert list(_cross(one * 2 for one in (1, 2))) == [2, 4]
    values = _cross({1: 2}.values())
    assert (list(values), len(values)) == ([2], 1)
    for array in (np.array([[1, 2], [3, 4]]), np.zeros((0, 3), "f4"), np.array(["a", "bc"])):
        found = _cross(array)
        assert (found.dtype, found.shape) == (array.dtype, array.shape)
        assert found.tolist() == array.tolist()
    # Of objects numpy would cross with what they say of themselves.
    with pytest.raises(wire.UnsendableError):
        _cross(np.array([object()]))


def test_what_never_ends_or_lies_too_deep_is_refused():
    nested = []
    for _ in range(100_000):
        nested = [nested]
    for value in (itertools.count(), nested):
        with pytest.raises(wire.UnsendableError):
            _cross(value)

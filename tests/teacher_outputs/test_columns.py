"""Samples become columns."""

from __future__ import annotations

import numpy as np
import pytest
from refusals import assert_refused
from small_teacher_outputs import SCHEMA, small_sample

from code_t5.encoding.ragged import Ragged
from code_t5.teacher_outputs import columns
from code_t5.teacher_outputs.schema import ArrayField, OutputSchema

_SMALL = OutputSchema((ArrayField("a", "int8"), ArrayField("b", "float16", (None,))))


def _collect(*samples, schema=_SMALL):
    return columns.collect(samples, schema=schema, num_samples=len(samples))


def test_samples_are_put_together():
    found = _collect({"a": 1, "b": [0.5]}, {"a": -2, "b": []}, {"a": 3, "b": [1, 2]})
    assert found["a"].tolist() == [1, -2, 3]
    assert found["a"].dtype == np.int8
    assert found["b"].values.tolist() == [0.5, 1, 2]
    assert found["b"].values.dtype == np.float16
    assert found["b"].offsets.tolist() == [0, 1, 1, 3]


def test_columns_and_samples_give_the_same():
    samples = [small_sample(number) for number in range(5)]
    by_sample = columns.collect(iter(samples), schema=SCHEMA, num_samples=5)
    whole = {
        "x": np.stack([sample["x"] for sample in samples]),
        "f0": [sample["f0"] for sample in samples],
    }
    for name in ("ids", "log_probabilities", "text"):
        rows = [sample[name] for sample in samples]
        lengths = np.cumsum([7] + [len(row) for row in rows])
        # Columns may be a part of something larger.
        values = np.concatenate([np.zeros((7, *rows[0].shape[1:]), rows[0].dtype), *rows])
        whole[name] = Ragged(values, lengths)
    by_column = columns.check_columns(whole, schema=SCHEMA, num_samples=5)
    for field in SCHEMA.fields:
        one, other = by_sample[field.name], by_column[field.name]
        if field.is_ragged:
            assert one.offsets.tolist() == other.offsets.tolist()
            one, other = one.values, other.values
        assert one.dtype == other.dtype == field.numpy_dtype
        assert one.tobytes() == other.tobytes()


@pytest.mark.parametrize(
    ("sample", "match"),
    [
        ({"a": 1}, r"a sample has \['a'\]; wanted arrays for a, b"),
        ({"a": 1, "b": [], "c": 2}, "a sample has"),
        ([1, 2], "a sample has list"),
        ({"a": [1], "b": []}, r"'a' of sample 0 has rows of the shape \[1\]; wanted \[\]"),
        ({"a": 1, "b": [[1.0]]}, r"'b' of sample 0 has rows of the shape \[1\]"),
        ({"a": 1, "b": 2.0}, "is a single number"),
        ({"a": 200, "b": []}, "holds 200; wanted int8"),
        ({"a": -129, "b": []}, "holds -129; wanted int8"),
        ({"a": 1.0, "b": []}, "holds float64; wanted int8"),
        ({"a": 1, "b": [1e6]}, "holds a number that is infinite there; wanted float16"),
        ({"a": 1, "b": ["no"]}, "holds str"),
    ],
)
def test_samples_that_do_not_fit_are_refused(sample, match):
    assert_refused(lambda: _collect(sample), match=match)


def test_floats_are_rounded_and_infinities_stay():
    found = _collect({"a": True, "b": np.array([1 / 3, np.inf, np.nan])})
    assert found["b"].values.tolist()[:2] == [float(np.float16(1 / 3)), np.inf]
    assert np.isnan(found["b"].values[2])


@pytest.mark.parametrize(("num_samples", "found"), [(1, "more than 1"), (3, "2")])
def test_the_number_of_samples_must_be_right(num_samples, found):
    samples = [{"a": 1, "b": []}] * 2
    assert_refused(
        lambda: columns.collect(samples, schema=_SMALL, num_samples=num_samples),
        match=f"found {found} samples",
    )


def test_fields_that_share_a_length_must_be_equally_long():
    sample = {**small_sample(2), "ids": np.zeros((1, 3), np.uint16)}
    assert_refused(
        lambda: _collect(small_sample(1), sample, schema=SCHEMA),
        match="'log_probabilities' of sample 1 has 2 rows and 'ids' has 1.*length 'tokens'",
    )


def test_columns_that_do_not_fit_are_refused():
    good = {"a": np.zeros(2, np.int8), "b": Ragged.from_rows([[1], []], np.float16)}
    for change, match in [
        ({"b": np.zeros((2, 3))}, "'b' is ndarray; wanted Ragged"),
        ({"a": np.zeros((2, 1))}, "rows of the shape"),
        ({"a": np.zeros(3, np.int8)}, "found 3 in 'a' samples"),
        ({"b": Ragged.from_rows([[1]])}, "found 1 in 'b' samples"),
        ({"a": np.int8(1)}, "found 0 in 'a' samples"),
    ]:
        changed = {**good, **change}
        assert_refused(
            lambda changed=changed: columns.check_columns(changed, schema=_SMALL, num_samples=2),
            match=match,
        )

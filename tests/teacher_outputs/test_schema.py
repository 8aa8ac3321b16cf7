"""The schema of a sample."""

from __future__ import annotations

import numpy as np
import pytest
from refusals import assert_refused
from small_teacher_outputs import SCHEMA

from code_t5.teacher_outputs.schema import ArrayField, OutputSchema


def test_schema_comes_back_out_of_json():
    assert OutputSchema.from_json(SCHEMA.to_json()) == SCHEMA
    assert SCHEMA.to_json()[2] == {
        "name": "ids",
        "dtype": "uint16",
        "shape": [None, 3],
        "length": "tokens",
    }


def test_ragged_fields_share_a_length_or_have_their_own():
    assert SCHEMA.lengths == ("tokens", "text")
    assert [field.is_ragged for field in SCHEMA.fields] == [False, False, True, True, True]
    assert SCHEMA.field("ids").row_bytes == 6
    assert SCHEMA.field("f0").row_shape == ()
    assert SCHEMA.field("x").numpy_dtype == np.dtype("<f4")


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        (("x.y", "float32", (2,)), "'x.y' wanted a name"),
        (("", "float32", (2,)), "wanted a name"),
        (("x", "complex64", (2,)), "holds 'complex64'; wanted one of float64"),
        (("x", ">f4", (2,)), "wanted one of"),
        (("x", "float32", (2, None)), "None in front alone"),
        (("x", "float32", (None, 0)), "wanted positive sizes"),
        (("x", "float32", (2.0,)), "wanted positive sizes"),
        (("x", "float32", (1,) * 9), "wanted positive sizes"),
        (("x", "float32", (2,), "tokens"), "the fixed shape"),
        (("x", "float32", (None,), "a b"), "'a b' wanted a name"),
    ],
)
def test_fields_that_cannot_be_are_refused(arguments, match):
    assert_refused(lambda: ArrayField(*arguments), match=match)


def test_schemas_that_cannot_be_are_refused():
    field = ArrayField("x", "float32", (2,))
    assert_refused(lambda: OutputSchema(()), match="has 0 fields")
    assert_refused(lambda: OutputSchema((field, field)), match="'x' is there twice")


@pytest.mark.parametrize(
    "value", [None, {}, [1], [{"name": "x"}], [{**SCHEMA.to_json()[0], "shape": 5}], [[]] * 200]
)
def test_json_that_is_no_schema_is_refused(value):
    assert_refused(lambda: OutputSchema.from_json(value), match="wanted|has no usable")


def test_fields_are_selected_by_name():
    assert SCHEMA.select(None) == SCHEMA.names
    assert SCHEMA.select(["f0", "x"]) == ("f0", "x")
    assert SCHEMA.select("x") == ("x",)
    assert_refused(lambda: SCHEMA.select(["y"]), match="no field 'y'; wanted one of x, f0")
    assert_refused(lambda: SCHEMA.select([]), match="one or more")
    assert_refused(lambda: SCHEMA.select(["x", "x"]), match="each once")

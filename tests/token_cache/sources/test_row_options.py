"""What users may ask of rows."""

from __future__ import annotations

import json

import datasets
import numpy as np
import pytest

from code_t5 import errors
from code_t5.token_cache.sources import row_options


def _read(**changes):
    options = {"mapping_column_name": None, "split": None, "validation_split": None, "seed": 42}
    return row_options.read_options(**{**options, **changes})


def test_one_column_may_be_given_by_name():
    assert _read(mapping_column_name="text").columns == ("text",)
    assert _read(mapping_column_name=["a", "b"]).columns == ("a", "b")
    assert _read().columns is None


@pytest.mark.parametrize(
    ("split", "wanted"),
    [
        (None, None),
        ("test[:5]", {"train": "test[:5]"}),
        (["train[:9]", "validation"], {"train": "train[:9]", "validation": "validation"}),
        ({"dev": "train[9:]"}, {"dev": "train[9:]"}),
        (datasets.Split.TEST, {"train": "test"}),
        (" train [:5] + test\n", {"train": "train[:5]+test"}),
        ([" train[:5]", "test "], {"train": "train[:5]", "test": "test"}),
    ],
)
def test_splits_get_names(split, wanted):
    assert _read(split=split).split == wanted


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"split": ["train[:5]", "train[5:]"]}, "a split comes twice"),
        ({"split": {"a/b": "train"}}, "letters, digits"),
        ({"split": {"train": 5}}, "'train': 5"),
        ({"split": []}, "at least one"),
        ({"mapping_column_name": []}, "names of columns"),
        ({"mapping_column_name": [1]}, "names of columns"),
        ({"seed": 1.5}, "whole number"),
        ({"seed": True}, "whole number"),
        ({"split": "train[:2]+"}, "names no split before or after"),
        ({"split": "+train"}, "names no split before or after"),
        ({"split": {"train": " "}}, "names no split before or after"),
        ({"validation_split": 2.5}, "share between 0 and 1"),
    ],
)
def test_what_does_not_do_is_refused(changes, match):
    with pytest.raises(errors.InputError, match=match):
        _read(**changes)


def test_numbers_of_numpy_are_numbers():
    options = _read(seed=np.int64(7), validation_split=np.float32(0.5))
    assert json.loads(json.dumps(options.config)) == _read(seed=7, validation_split=0.5).config


def test_no_share_is_no_validation_split():
    assert _read(validation_split=0) == _read()


def test_expressions_are_those_of_datasets():
    num_rows = {"train": 200, "test": 10}

    def resolve(expression):
        return row_options.resolve_expression(expression, num_rows=num_rows)

    assert resolve("train") == [("train", 0, 200)]
    assert resolve("train[:10%]") == [("train", 0, 20)]
    assert resolve("train[-5:]+test[2:4]") == [("train", 195, 200), ("test", 2, 4)]
    with pytest.raises(errors.InputError, match="cannot be read"):
        resolve("train[oops]")


def test_options_are_recorded_under_the_names_of_the_arguments():
    assert _read(split="train", mapping_column_name="a", seed=7).config == {
        "mapping_column_name": ["a"],
        "split": {"train": "train"},
        "validation_split": None,
        "seed": 7,
    }

"""What is asked of `load_dataset`, in one form."""

from __future__ import annotations

import pathlib

import pytest

from code_t5 import errors
from code_t5.hf_artifacts.loading import dataset_request
from code_t5.hf_artifacts.loading.dataset_request import DatasetRequest, patterns_by_split


def test_every_form_of_data_files_becomes_patterns_by_split():
    cases = [
        ("a.json", {"train": ("a.json",)}),
        (["a.json", "b.json"], {"train": ("a.json", "b.json")}),
        ({"test": "a.json", "dev": ("b", "c")}, {"test": ("a.json",), "dev": ("b", "c")}),
        ([{"split": "test", "path": ["a", "b"]}], {"test": ("a", "b")}),
        (pathlib.Path("x/a.json"), {"train": ("x/a.json",)}),
        ("hf://datasets/org/name@main/x/a.json", {"train": ("x/a.json",)}),
        (None, None),
    ]
    for given, wanted in cases:
        assert patterns_by_split(given, path="org/name") == wanted


def test_an_address_of_another_repository_stays_one():
    files = patterns_by_split("hf://datasets/org/other/a.json", path="org/name")
    with pytest.raises(errors.InputError, match="it names the address"):
        DatasetRequest("org/name", data_files=files).check()


@pytest.mark.parametrize("given", [[], "", {}, {"train": []}, [3], {"train": [None]}])
def test_data_files_that_are_none_are_refused(given):
    with pytest.raises(errors.InputError, match="data_files"):
        patterns = patterns_by_split(given, path="org/name")
        DatasetRequest("org/name", data_files=patterns).check()


@pytest.mark.parametrize(
    ("split", "names"),
    [
        (None, None),
        ("all", None),
        ("train", ("train",)),
        ("train[:10%]+test[5:]+train", ("train", "test")),
        (["a.b", "c"], ("a.b", "c")),
        ({"x": "a", "y": ["b"]}, ("a", "b")),
    ],
)
def test_the_splits_of_an_expression_are_known(split, names):
    assert DatasetRequest("org/name", split=split).split_names == names


def test_a_request_is_told_in_words():
    request = DatasetRequest(
        "org/name", "en", data_files={"train": ("a", "b")}, split="train", revision="v1"
    )
    assert request.where == (
        "the data set org/name, configuration en, split train, data_files a, b, revision v1"
    )
    assert list(dataset_request.leaves({"x": ["a", ("b",)]})) == ["a", "b"]

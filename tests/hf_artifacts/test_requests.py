from __future__ import annotations

import pytest

from code_t5.hf_artifacts import requests
from code_t5.hf_artifacts.requests import ArtefactRequest

_FULL = ArtefactRequest(
    "dataset",
    "org/set",
    revision="refs/pr/1",
    patterns=("*.json",),
    ignore_patterns=("a*",),
    configs=("en",),
    data_dir="data",
    data_files={"train": ("a", "b"), "test": "c"},
)


@pytest.mark.parametrize(
    "request_",
    [_FULL, ArtefactRequest("model", "x"), ArtefactRequest("dataset", "x", data_files=("a", "b"))],
)
def test_a_request_is_read_as_it_was_written(request_):
    assert requests.request_from_json(request_.as_json()) == request_


def test_slugs_are_readable_and_differ_by_the_whole_request():
    assert _FULL.slug.startswith("datasets--org--set--")
    others = [ArtefactRequest("dataset", "org/set"), ArtefactRequest("dataset", "org/set", "main")]
    assert len({_FULL.slug, *(other.slug for other in others)}) == 3
    assert ArtefactRequest("metric", "evaluate-metric/f1").slug.startswith(
        "spaces--evaluate-metric"
    )


def test_a_data_set_that_is_not_prepared_is_another_request():
    plain = ArtefactRequest("dataset", "org/set")
    unprepared = ArtefactRequest("dataset", "org/set", prepare=False)
    # As records of before there was a choice have it.
    assert "prepare" not in plain.as_json()
    assert plain.slug == "datasets--org--set--b9d710c3864d"
    assert requests.request_from_json(unprepared.as_json()) == unprepared
    assert unprepared.slug != plain.slug
    for wrong in (
        ArtefactRequest("model", "x", prepare=False),
        ArtefactRequest("dataset", "x", prepare="no"),
    ):
        assert requests.find_fault(wrong).startswith("its prepare is ")


def test_titles_tell_requests_of_one_revision_apart():
    makers = {
        "x": {},
        "x (en, de)": {"configs": ("en", "de")},
        "x [data_dir en]": {"data_dir": "en"},
        "x [data_files a.json]": {"data_files": "a.json"},
        "x [data_dir en; data_files train=a, b, test=c]": {
            "data_dir": "en", "data_files": {"train": ("a", "b"), "test": "c"},
        },
        "x [patterns *.json]": {"patterns": ("*.json",)},
        "x [not prepared]": {"prepare": False},
    }  # fmt: skip
    for title, more in makers.items():
        assert ArtefactRequest("dataset", "x", **more).title == title
    assert ArtefactRequest("dataset", "x", "v2", data_dir="en").full_title == (
        "x [data_dir en] at v2"
    )


def test_a_request_says_what_it_is():
    assert _FULL.where == "the dataset org/set (en) at refs/pr/1"
    assert ArtefactRequest("model", "x").where == "the model x"


@pytest.mark.parametrize(
    "name", ["x", "org/x", "evaluate-metric/accuracy", "a_b/C.d-1", "_under/score", "0x/0"]
)
def test_names_as_the_hub_has_them_are_taken(name):
    assert requests.find_fault(ArtefactRequest("model", name)) == ""


@pytest.mark.parametrize(
    "revision", ["main", "v1.0", "refs/convert/parquet", "refs/pr/3", "feature/x-1", "a" * 40]
)
def test_revisions_as_the_hub_has_them_are_taken(revision):
    assert requests.find_fault(ArtefactRequest("model", "x", revision)) == ""


@pytest.mark.parametrize("name", ["", "a/b/c", "../x", "a..b", "a--b", "/x", "x/", "a b", "a\n"])
def test_other_names_are_not(name):
    found = requests.find_fault(ArtefactRequest("model", name))
    assert found.startswith("its name is ")
    assert found.isprintable()


@pytest.mark.parametrize("revision", ["", "..", "a/../b", "/a", "a b", "-x", "a\0", "x" * 500])
def test_other_revisions_are_not(revision):
    assert requests.find_fault(ArtefactRequest("model", "x", revision)).startswith("its revision")


@pytest.mark.parametrize("path", ["/etc", "..", "a/../../b", "~/x", "a\0b"])
def test_paths_stay_in_the_repository(path):
    for more in ({"data_dir": path}, {"data_files": path}, {"data_files": {"train": (path,)}}):
        found = requests.find_fault(ArtefactRequest("dataset", "x", **more))
        assert found.startswith("it names the path"), more

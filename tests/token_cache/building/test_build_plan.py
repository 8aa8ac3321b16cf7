from __future__ import annotations

import pytest
from small_token_source import store_words

from code_t5 import errors
from code_t5.token_cache.building import build_plan


def test_parts_are_what_json_gives_back(tmp_path):
    class Source:
        fingerprint_parts = {"columns": ("a", "b")}

    parts = build_plan.fingerprint_parts(
        Source(), tokenizer=store_words(tmp_path / "t"), use_eos_token=True
    )
    assert parts["data"] == {"columns": ["a", "b"]}
    assert parts["options"] == {"use_eos_token": True}


def test_each_differing_part_is_named_with_both_values():
    found = {"data": {"revision": "a", "split": None, "same": [1]}, "old": 1}
    wanted = {"data": {"revision": "b", "split": {"train": "x"}, "same": [1]}, "new": "\x1b"}
    assert build_plan.differing_parts(found, wanted=wanted) == [
        "data.revision is 'a', wanted 'b'",
        "data.split is None, wanted {'train': 'x'}",
        "new is absent, wanted '\\x1b'",
        "old is 1, wanted absent",
    ]


def test_missing_part_differs_from_none():
    assert build_plan.differing_parts({}, wanted={"a": None}) != []


def test_long_values_are_cut():
    (line,) = build_plan.differing_parts({"a": "x" * 500}, wanted={"a": 1})
    assert len(line) < 120


def test_what_only_looks_like_a_cache_is_not_replaced(tmp_path):
    cache_dir = tmp_path / "cache"
    build_plan.check_replaceable(cache_dir)
    cache_dir.mkdir()
    for name in ("train.npy", "manifest.json", "tokenizer.pkl", "config.json"):
        (cache_dir / name).touch()
    build_plan.check_replaceable(cache_dir)
    (cache_dir / "folder.npy").mkdir()
    with pytest.raises(errors.InputError, match=r"holds 'folder\.npy'"):
        build_plan.check_replaceable(cache_dir)


def test_empty_folder_is_no_cache_and_not_in_the_way(tmp_path):
    (tmp_path / "cache").mkdir()
    assert build_plan.open_present(tmp_path / "cache", parts={}) is None

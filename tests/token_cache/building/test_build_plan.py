from __future__ import annotations

import pathlib

from small_token_source import store_words

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


def test_empty_folder_is_no_cache_and_not_in_the_way(tmp_path):
    (tmp_path / "cache").mkdir()
    assert build_plan.open_present(tmp_path / "cache", parts={}) is None


def test_no_more_than_six_differing_parts_are_shown():
    differing = [f"part{number} is 1, wanted 2" for number in range(8)]
    said = str(build_plan.other_cache(pathlib.Path("c"), differing))
    assert "part5 is 1, wanted 2; and 2 more; nothing was written" in said
    assert "part6" not in said and "--overwrite" in said

"""Data sets read from snapshots that were put together by hand, whole and in part."""

from __future__ import annotations

import io
import json
import logging
import os
import shutil

import datasets
import plain_caches
import pytest
from plain_caches import json_lines, put_files

from code_t5 import errors
from code_t5.hf_artifacts import load_dataset
from code_t5.hf_artifacts.loading import load
from code_t5.hf_artifacts.loading.load import NotCachedError, find_dataset

NAME = "acme/rows"
_CARD = plain_caches.card(
    {
        "default": {"train": "data/train-*", "test": "data/test-*"},
        "small": {"train": "small.jsonl"},
    }
)
_WHOLE = {
    "README.md": _CARD,
    "data/train-00000-of-00002.jsonl": json_lines("a", "b"),
    "data/train-00001-of-00002.jsonl": json_lines("c"),
    "data/test-00000-of-00001.jsonl": json_lines("d"),
    "small.jsonl": json_lines("e"),
}


def _texts(loaded):
    return {split: list(rows["text"]) for split, rows in loaded.items()}


def _without(*paths):
    return {path: text for path, text in _WHOLE.items() if path not in paths}


def test_configurations_of_the_card_are_read(tmp_path):
    put_files(tmp_path, _WHOLE)
    loaded = load_dataset(NAME, cache_dir=tmp_path)
    assert _texts(loaded) == {"train": ["a", "b", "c"], "test": ["d"]}
    assert _texts(load_dataset(NAME, "small", cache_dir=tmp_path)) == {"train": ["e"]}
    with pytest.raises(NotCachedError, match="no configuration large, only default, small"):
        load_dataset(NAME, "large", cache_dir=tmp_path)


def test_nothing_but_one_commit_and_no_reference_is_enough(tmp_path, caplog):
    put_files(tmp_path, {"train.csv": "text\na\n", "test.csv": "text\nb\n"}, refs=())
    with caplog.at_level(logging.WARNING):
        loaded = load_dataset(NAME, cache_dir=tmp_path)
    assert _texts(loaded) == {"train": ["a"], "test": ["b"]}
    assert "no record says whether" in caplog.text


def test_the_main_branch_is_read_and_not_the_youngest_folder(tmp_path):
    put_files(tmp_path, {"rows.jsonl": json_lines("main")}, commit="1" * 40)
    put_files(tmp_path, {"rows.jsonl": json_lines("young")}, commit="2" * 40, refs=("v2",))
    assert _texts(load_dataset(NAME, cache_dir=tmp_path)) == {"train": ["main"]}
    assert _texts(load_dataset(NAME, cache_dir=tmp_path, revision="v2")) == {"train": ["young"]}
    assert _texts(load_dataset(NAME, cache_dir=tmp_path, revision="2" * 40)) == {"train": ["young"]}


def test_a_main_branch_of_which_only_the_readme_is_here_does_not_count(tmp_path):
    put_files(tmp_path, {"rows.jsonl": json_lines("old")}, commit="1" * 40, refs=("v1",))
    put_files(tmp_path, {"README.md": "---\n---\n", "rows.py": ""}, commit="2" * 40)
    assert find_dataset(NAME, cache_dir=tmp_path).commit == "1" * 40


def test_a_missing_shard_is_named(tmp_path):
    put_files(tmp_path, _without("data/train-00001-of-00002.jsonl"))
    with pytest.raises(NotCachedError, match=r"data/train-00001-of-00002\.jsonl is not there"):
        load_dataset(NAME, cache_dir=tmp_path)


def test_other_splits_are_read_where_one_is_missing_in_part(tmp_path):
    put_files(tmp_path, _without("data/train-00001-of-00002.jsonl"))
    rows = load_dataset(NAME, split="test", cache_dir=tmp_path)
    assert list(rows["text"]) == ["d"]
    with pytest.raises(NotCachedError, match="fetched in part"):
        load_dataset(NAME, split="test+train", cache_dir=tmp_path)


def test_a_missing_split_is_named(tmp_path):
    put_files(tmp_path, _without("data/test-00000-of-00001.jsonl"))
    with pytest.raises(NotCachedError, match="no file of the split test is in it, only of train"):
        load_dataset(NAME, cache_dir=tmp_path)
    assert len(load_dataset(NAME, split="train[:2]", cache_dir=tmp_path)) == 2
    with pytest.raises(NotCachedError, match="no file of the split none"):
        load_dataset(NAME, split="none", cache_dir=tmp_path)


def test_a_shard_that_is_chosen_by_name_needs_no_others(tmp_path):
    put_files(tmp_path, _without("data/train-00001-of-00002.jsonl"))
    loaded = load_dataset(NAME, data_files="data/train-00000-of-00002.jsonl", cache_dir=tmp_path)
    assert _texts(loaded) == {"train": ["a", "b"]}
    with pytest.raises(NotCachedError, match="fetched in part"):
        load_dataset(NAME, data_files="data/train-*", cache_dir=tmp_path)


def test_files_that_do_not_match_are_refused(tmp_path):
    put_files(tmp_path, _WHOLE)
    for chosen in ({"data_files": "none-*.jsonl"}, {"data_files": "no.jsonl"}, {"data_dir": "no"}):
        with pytest.raises(NotCachedError, match=r"\(3\) hub snapshot"):
            load_dataset(NAME, cache_dir=tmp_path, **chosen)


def test_a_link_to_nothing_was_not_fetched_whole(tmp_path):
    snapshot = put_files(tmp_path, _WHOLE)
    os.remove(os.path.realpath(snapshot / "data/train-00001-of-00002.jsonl"))
    with pytest.raises(NotCachedError, match=r"train-00001-of-00002\.jsonl was not fetched whole"):
        load_dataset(NAME, cache_dir=tmp_path)


def test_a_download_that_was_cut_short_is_not_taken_for_whole(tmp_path):
    snapshot = put_files(tmp_path, {"a.jsonl": json_lines("a")})
    (snapshot.parents[1] / "blobs" / "0123.incomplete").write_text("{")
    with pytest.raises(NotCachedError, match=r"cut short \(blobs/0123\.incomplete is there\)"):
        load_dataset(NAME, cache_dir=tmp_path)


def test_fewer_rows_than_the_card_says_are_refused(tmp_path):
    card = (
        "---\ndataset_info:\n  features:\n  - {name: text, dtype: string}\n"
        "  splits:\n  - {name: train, num_bytes: 10, num_examples: 3}\n---\n"
    )
    put_files(tmp_path, {"README.md": card, "train.jsonl": json_lines("a", "b")})
    with pytest.raises(NotCachedError, match="cannot be prepared"):
        load_dataset(NAME, cache_dir=tmp_path)
    assert not list((tmp_path / "datasets").rglob("COMPLETED"))


def test_damaged_files_are_refused_and_leave_nothing(tmp_path):
    put_files(tmp_path, {"train.parquet": b"PAR1 and no more"})
    with pytest.raises(NotCachedError, match="cannot be prepared"):
        load_dataset(NAME, cache_dir=tmp_path)
    assert not list((tmp_path / "datasets").rglob("*.arrow"))
    assert not list((tmp_path / "datasets").rglob("*.tmp"))


def test_links_and_patterns_that_lead_out_of_the_cache_are_refused(tmp_path):
    outside = tmp_path / "secret.jsonl"
    outside.write_text(json_lines("secret"))
    root = tmp_path / "root"
    snapshot = put_files(root, {"a.jsonl": json_lines("a")})
    (snapshot / "b.jsonl").symlink_to(outside)
    with pytest.raises(NotCachedError, match=r"b\.jsonl is a link out of the cache"):
        load_dataset(NAME, cache_dir=root)
    for number, path in enumerate(
        [str(outside), "../../../../../secret.jsonl", "~/x", "http://h/x"]
    ):
        name = f"acme/evil{number}"
        files = {"README.md": plain_caches.card({"default": {"train": path}}), "a.jsonl": "{}"}
        put_files(root, files, name=name)
        with pytest.raises(NotCachedError, match="which is not in the repository"):
            load_dataset(name, cache_dir=root)


def test_a_card_that_is_none_is_refused(tmp_path):
    put_files(tmp_path, {"README.md": "---\nconfigs: 7\n---\n", "a.jsonl": json_lines("a")})
    with pytest.raises(NotCachedError, match=r"README\.md cannot be read"):
        load_dataset(NAME, cache_dir=tmp_path)
    long = "---\n# " + 17 * (1 << 20) * "x" + "\n---\n"
    put_files(tmp_path, {"README.md": long, "a.jsonl": json_lines("a")}, name="acme/long")
    with pytest.raises(NotCachedError, match="wanted at most 16777216"):
        load_dataset("acme/long", cache_dir=tmp_path)


def test_yaml_that_would_make_objects_makes_none(tmp_path):
    evil = f"---\nconfigs: !!python/object/apply:os.mkdir ['{tmp_path}/made']\n---\n"
    put_files(tmp_path, {"README.md": evil, "a.jsonl": json_lines("a")})
    with pytest.raises(NotCachedError, match=r"README\.md cannot be read"):
        load_dataset(NAME, cache_dir=tmp_path)
    assert not (tmp_path / "made").exists()


def test_control_characters_of_a_cache_do_not_reach_the_terminal(tmp_path):
    card = plain_caches.card({"red\x1b[31m": {"train": "a.jsonl"}})
    put_files(tmp_path, {"README.md": card, "a.jsonl": json_lines("a")})
    with pytest.raises(errors.InputError) as caught:
        load_dataset(NAME, "blue", cache_dir=tmp_path)
    assert "\x1b" not in str(caught.value)
    assert "red" in str(caught.value)


def test_it_is_prepared_once_and_again_where_that_is_damaged(tmp_path):
    put_files(tmp_path, _WHOLE)
    load_dataset(NAME, cache_dir=tmp_path)
    (arrow,) = (tmp_path / "datasets").rglob("rows-test.arrow")
    first = arrow.stat().st_ino
    load_dataset(NAME, cache_dir=tmp_path)
    assert arrow.stat().st_ino == first
    arrow.write_bytes(arrow.read_bytes()[:-20])
    loaded = load_dataset(NAME, cache_dir=tmp_path)
    assert _texts(loaded) == {"train": ["a", "b", "c"], "test": ["d"]}


def test_a_copy_needs_no_preparing_again(tmp_path):
    put_files(tmp_path / "here", _WHOLE)
    load_dataset(NAME, cache_dir=tmp_path / "here")
    copied = shutil.copytree(tmp_path / "here", tmp_path / "there", symlinks=True)
    before = plain_caches.tree(copied)
    loaded = load_dataset(NAME, cache_dir=copied)
    assert _texts(loaded) == {"train": ["a", "b", "c"], "test": ["d"]}
    assert plain_caches.tree(copied) == before


def _png(shade):
    import PIL.Image

    sink = io.BytesIO()
    PIL.Image.new("RGB", (4, 3), (shade, 0, 0)).save(sink, "PNG")
    return sink.getvalue()


def test_images_that_lie_beside_their_rows_are_found_after_the_move(tmp_path):
    files = {f"train/{kind}/{shade}.png": _png(shade) for kind, shade in (("a", 10), ("b", 200))}
    put_files(tmp_path / "here", files)
    loaded = load_dataset(NAME, split="train", cache_dir=tmp_path / "here")
    assert sorted(row["image"].getpixel((0, 0))[0] for row in loaded) == [10, 200]
    os.rename(tmp_path / "here", tmp_path / "there")
    moved = load_dataset(NAME, split="train", cache_dir=tmp_path / "there")
    assert [row["label"] for row in moved] == [0, 1]
    assert [row["image"].getpixel((0, 0))[0] for row in moved] == [10, 200]
    stream = load_dataset(NAME, split="train", streaming=True, cache_dir=tmp_path / "there")
    assert [row["image"].size for row in stream] == [(4, 3), (4, 3)]


@pytest.mark.parametrize(
    ("path", "content", "first"),
    [
        ("train.csv", "text\na\n", {"text": "a"}),
        ("train.tsv", "text\tsize\na\t1\n", {"text": "a", "size": 1}),
        ("train.txt", "a\nb\n", {"text": "a"}),
        ("train.json", json.dumps([{"text": "a"}]), {"text": "a"}),
    ],
)
def test_formats_are_told_by_the_files(tmp_path, path, content, first):
    put_files(tmp_path, {path: content})
    assert load_dataset(NAME, split="train", cache_dir=tmp_path)[0] == first


def test_the_feature_types_of_the_card_are_kept(tmp_path):
    card = (
        "---\ndataset_info:\n  features:\n  - name: label\n    dtype:\n      class_label:\n"
        "        names: {'0': bad, '1': good}\n---\n"
    )
    put_files(tmp_path, {"README.md": card, "train.jsonl": '{"label": 1}\n'})
    for is_streaming in (False, True):
        rows = load_dataset(NAME, split="train", cache_dir=tmp_path, streaming=is_streaming)
        assert rows.features == {"label": datasets.ClassLabel(names=["bad", "good"])}


def test_streams_refuse_what_is_not_whole(tmp_path):
    put_files(tmp_path, _without("data/train-00001-of-00002.jsonl"))
    with pytest.raises(NotCachedError, match="fetched in part"):
        load_dataset(NAME, cache_dir=tmp_path, streaming=True)
    stream = load_dataset(NAME, split="test", cache_dir=tmp_path, streaming=True)
    assert [row["text"] for row in stream] == ["d"]
    assert find_dataset(NAME, split="test", cache_dir=tmp_path).place == load.SNAPSHOT


def test_a_split_that_only_the_description_names_is_missed(tmp_path):
    card = (
        "---\ndataset_info:\n  features:\n  - {name: text, dtype: string}\n  splits:\n"
        "  - {name: train, num_bytes: 9, num_examples: 1}\n"
        "  - {name: test, num_bytes: 9, num_examples: 1}\n---\n"
    )
    put_files(tmp_path, {"README.md": card, "train.jsonl": json_lines("a")})
    for is_streaming in (False, True):
        with pytest.raises(NotCachedError, match="the split test is in it, which its README"):
            load_dataset(NAME, cache_dir=tmp_path, streaming=is_streaming)
    assert len(load_dataset(NAME, split="train", cache_dir=tmp_path)) == 1


def test_what_was_prepared_of_one_commit_is_not_read_for_another(tmp_path):
    for commit, text in (("1" * 40, "one"), ("2" * 40, "two")):
        put_files(tmp_path, {"a.jsonl": json_lines(text)}, commit=commit, refs=())
    for _ in range(2):
        for commit, text in (("1" * 40, "one"), ("2" * 40, "two")):
            loaded = load_dataset(NAME, revision=commit, cache_dir=tmp_path)
            assert _texts(loaded) == {"train": [text]}


def test_what_was_prepared_with_options_is_not_read_without(tmp_path):
    put_files(tmp_path, {"a.csv": "x;y\n1;2\n"})
    for _ in range(2):
        assert load_dataset(NAME, split="train", cache_dir=tmp_path)[0] == {"x;y": "1;2"}
        rows = load_dataset(NAME, split="train", cache_dir=tmp_path, sep=";")
        assert rows[0] == {"x": 1, "y": 2}

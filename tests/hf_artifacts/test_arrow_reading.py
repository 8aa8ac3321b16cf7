"""Arrow files that are damaged, of other lengths, or not where they should be."""

from __future__ import annotations

import json
import os
import shutil

import datasets
import plain_caches
import pytest

from code_t5.hf_artifacts import load_dataset
from code_t5.hf_artifacts.loading import load
from code_t5.hf_artifacts.loading.load import NotCachedError, find_dataset

NAME = "acme/rows"
COMMIT = "c0ffee" + 34 * "0"


def _prepare(root, *, config="default", commit=COMMIT, texts=("a", "b", "c")):
    """Prepares Arrow files as datasets keeps them, and returns their folder."""
    target = root / "datasets" / "acme___rows" / config / "0.0.0" / commit
    rows = root / "rows.jsonl"
    rows.write_text(plain_caches.json_lines(*texts))
    builder = datasets.load_dataset_builder(
        "json", data_files=str(rows), cache_dir=str(root / "scratch")
    )
    builder.dataset_name = "rows"
    builder.info.dataset_name, builder.info.config_name = "rows", config
    builder.download_and_prepare(output_dir=str(target))
    shutil.rmtree(root / "scratch")
    (root / "artifacts").mkdir(exist_ok=True)
    return target


def _refusal(root, **options):
    with pytest.raises(NotCachedError) as caught:
        load_dataset(NAME, cache_dir=root, **options)
    return str(caught.value)


def test_arrow_files_alone_are_enough(tmp_path):
    folder = _prepare(tmp_path)
    loaded = load_dataset(NAME, cache_dir=tmp_path)
    assert list(loaded["train"]["text"]) == ["a", "b", "c"]
    found = find_dataset(NAME, cache_dir=tmp_path)
    assert (found.place, found.directory, found.commit) == (load.ARROW, folder, COMMIT)


def test_files_cut_short_are_refused(tmp_path):
    folder = _prepare(tmp_path)
    arrow = folder / "rows-train.arrow"
    content = arrow.read_bytes()
    for kept in (0, 40, len(content) // 2):
        arrow.write_bytes(content[:kept])
        assert "rows-train.arrow" in _refusal(tmp_path) or "cannot be read" in _refusal(tmp_path)
    arrow.unlink()
    assert "Arrow files of its name" in _refusal(tmp_path)


def test_another_number_of_rows_is_refused(tmp_path):
    folder = _prepare(tmp_path)
    info = json.loads((folder / "dataset_info.json").read_text())
    info["splits"]["train"]["num_examples"] = 4
    (folder / "dataset_info.json").write_text(json.dumps(info))
    assert "train has 3 rows; wanted 4 by dataset_info.json" in _refusal(tmp_path)


def test_a_description_that_is_none_is_refused(tmp_path):
    folder = _prepare(tmp_path)
    info = json.loads((folder / "dataset_info.json").read_text())
    for content in ("{", "[]", json.dumps({**info, "splits": None})):
        (folder / "dataset_info.json").write_text(content)
        assert str(tmp_path) in _refusal(tmp_path, name="default")
    info["splits"] = {"../../x": {**info["splits"]["train"], "name": "../../x"}}
    (folder / "dataset_info.json").write_text(json.dumps(info))
    assert "names no splits that can be read" in _refusal(tmp_path)


def test_half_prepared_directories_are_passed_over(tmp_path):
    folder = _prepare(tmp_path)
    os.rename(folder, folder.with_name(folder.name + ".incomplete"))
    assert "it has nothing of it" in _refusal(tmp_path)


def test_links_out_of_the_cache_are_refused(tmp_path):
    root = tmp_path / "root"
    root.mkdir()
    folder = _prepare(root)
    os.rename(folder / "rows-train.arrow", tmp_path / "rows-train.arrow")
    (folder / "rows-train.arrow").symlink_to(tmp_path / "rows-train.arrow")
    assert "rows-train.arrow is a link out of" in _refusal(root)
    os.rename(folder, tmp_path / "elsewhere")
    folder.symlink_to(tmp_path / "elsewhere")
    assert f"{COMMIT} is a link out of" in _refusal(root)


def test_two_commits_are_told_apart_and_never_by_age(tmp_path):
    _prepare(tmp_path, commit="1" * 40, texts=("old",))
    _prepare(tmp_path, commit="2" * 40, texts=("new",))
    for commit, text in (("1" * 40, "old"), ("2" * 40, "new")):
        rows = load_dataset(NAME, revision=commit, split="train", cache_dir=tmp_path)
        assert list(rows["text"]) == [text]
    with pytest.raises(Exception, match="wanted one; name it as revision"):
        load_dataset(NAME, cache_dir=tmp_path)


def test_a_directory_that_does_not_say_its_commit_serves_no_pinned_request(tmp_path):
    _prepare(tmp_path, commit="f" * 64)
    assert len(load_dataset(NAME, split="train", cache_dir=tmp_path)) == 3
    refusal = _refusal(tmp_path, revision="1" * 40)
    assert "its commit is not known" in refusal


def test_several_configurations_have_a_default_or_are_listed(tmp_path):
    _prepare(tmp_path, config="one", texts=("1",))
    assert find_dataset(NAME, cache_dir=tmp_path).config == "one"
    _prepare(tmp_path, config="two", texts=("2",))
    with pytest.raises(Exception, match="there are one, two; wanted one"):
        load_dataset(NAME, cache_dir=tmp_path)
    _prepare(tmp_path, config="default", texts=("3",))
    assert list(load_dataset(NAME, split="train", cache_dir=tmp_path)["text"]) == ["3"]


def test_an_unknown_split_and_no_expression_are_refused(tmp_path):
    _prepare(tmp_path)
    assert "it has no split test, only train" in _refusal(tmp_path, split="train+test")
    assert "cannot be read" in _refusal(tmp_path, split="train[:300%]")


def test_rows_can_be_kept_in_memory(tmp_path):
    _prepare(tmp_path)
    rows = load_dataset(NAME, split="train", cache_dir=tmp_path, keep_in_memory=True)
    assert rows.cache_files == []
    assert list(rows["text"]) == ["a", "b", "c"]

"""Which place, commit and configuration is read where several could be."""

from __future__ import annotations

import datasets
import plain_caches
import pytest
from plain_caches import json_lines, put_files

from code_t5 import errors
from code_t5.hf_artifacts import load_dataset
from code_t5.hf_artifacts.built import built_record
from code_t5.hf_artifacts.built.built_record import BuiltDataset, BuiltFile, BuiltSplit
from code_t5.hf_artifacts.built.built_request import BuiltRequest
from code_t5.hf_artifacts.loading import load
from code_t5.hf_artifacts.loading.load import NotCachedError, find_dataset
from code_t5.storage import fingerprints

NAME = "acme/rows"
ONE, TWO = "1" * 40, "2" * 40


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path, monkeypatch):
    """Runs each test in a folder without `./data`."""
    monkeypatch.chdir(tmp_path)


def _build(folder, *, commit=ONE, config="default", texts=("built",)):
    """Puts a built data set into `./data`."""
    request = BuiltRequest(NAME, config)
    target = folder / "data" / request.folder_name
    rows = datasets.DatasetDict({"train": datasets.Dataset.from_dict({"text": list(texts)})})
    rows.save_to_disk(str(target))
    files = {
        f"train/{path.name}": BuiltFile(path.stat().st_size, fingerprints.hash_file(path))
        for path in sorted((target / "train").iterdir())
    }
    parts = {"request": request.as_json(), "commit": commit, "config": config, "rows": {}}
    made = {"train": BuiltSplit(len(texts), len(texts), files)}
    built_record.write_record(target, BuiltDataset(target, parts, made, NAME))
    return target


def test_what_was_built_is_read_where_nothing_is_cached(tmp_path):
    target = _build(tmp_path, texts=("a", "b"))
    found = find_dataset(NAME, cache_dir=tmp_path / "cache")
    assert (found.place, found.directory.resolve()) == (load.BUILT, target)
    assert [tried.place for tried in found.tried] == [load.RECORDED, load.ARROW, load.SNAPSHOT]
    loaded = load_dataset(NAME, cache_dir=tmp_path / "cache")
    assert list(loaded["train"]["text"]) == ["a", "b"]
    some = load_dataset(NAME, split="train[1:]", cache_dir=tmp_path / "cache")
    assert list(some["text"]) == ["b"]
    with pytest.raises(NotCachedError, match="has no test, only train"):
        load_dataset(NAME, split="test", cache_dir=tmp_path / "cache")


def test_what_was_built_by_one_name_is_read_by_another(tmp_path):
    target = _build(tmp_path, texts=("a", "b"))
    link = tmp_path / "cache" / "hub" / "datasets--acme--older"
    link.parent.mkdir(parents=True)
    (link.parent / "datasets--acme--rows").mkdir()
    link.symlink_to("datasets--acme--rows")
    assert find_dataset("acme/older", cache_dir=tmp_path / "cache").directory.resolve() == target
    with pytest.raises(NotCachedError, match="nothing built of acme/other"):
        load_dataset("acme/other", cache_dir=tmp_path / "cache")


def test_the_cache_goes_before_what_was_built(tmp_path):
    _build(tmp_path)
    put_files(tmp_path / "cache", {"a.jsonl": json_lines("cached")}, commit=ONE)
    loaded = load_dataset(NAME, cache_dir=tmp_path / "cache")
    assert list(loaded["train"]["text"]) == ["cached"]


def test_what_was_built_of_another_commit_is_refused(tmp_path):
    _build(tmp_path, commit=TWO, config="de")
    card = plain_caches.card({"en": {"train": "en.jsonl"}, "de": {"train": "de.jsonl"}})
    put_files(tmp_path / "cache", {"README.md": card, "en.jsonl": json_lines("en")}, commit=ONE)
    with pytest.raises(NotCachedError, match=f"built of the commit {TWO}; wanted {ONE}"):
        load_dataset(NAME, "de", cache_dir=tmp_path / "cache")


def test_features_and_options_are_not_looked_for_in_what_was_built(tmp_path):
    _build(tmp_path)
    with pytest.raises(NotCachedError, match="features or options are asked for"):
        load_dataset(NAME, cache_dir=tmp_path / "cache", sep=";")


def test_the_default_of_the_card_is_meant_and_nothing_else(tmp_path):
    card = "---\nconfigs:\n- {config_name: en, data_files: en.jsonl, default: true}\n"
    card += "- {config_name: de, data_files: de.jsonl}\n---\n"
    put_files(tmp_path, {"README.md": card, "de.jsonl": json_lines("de")})
    with pytest.raises(NotCachedError, match=r"en\.jsonl"):
        load_dataset(NAME, cache_dir=tmp_path)
    put_files(tmp_path, {"en.jsonl": json_lines("en")})
    assert list(load_dataset(NAME, cache_dir=tmp_path)["train"]["text"]) == ["en"]


def test_the_only_configuration_with_files_is_meant_or_they_are_listed(tmp_path):
    card = plain_caches.card({name: {"train": f"{name}.jsonl"} for name in ("en", "de", "ace")})
    put_files(tmp_path, {"README.md": card}, commit=ONE)
    put_files(tmp_path, {"notes.txt": "no data"}, commit=ONE)
    with pytest.raises(errors.InputError, match="none of its configurations is cached") as caught:
        load_dataset(NAME, cache_dir=tmp_path)
    assert "lists en, de, ace" in str(caught.value)
    put_files(tmp_path, {"de.jsonl": json_lines("de")}, commit=ONE)
    assert find_dataset(NAME, cache_dir=tmp_path).config == "de"
    put_files(tmp_path, {"en.jsonl": json_lines("en")}, commit=ONE)
    with pytest.raises(errors.InputError, match="there are de, en; wanted one"):
        load_dataset(NAME, cache_dir=tmp_path)


def test_another_commit_that_is_here_is_told(tmp_path):
    card = plain_caches.card({"en": {"train": "en.jsonl"}, "de": {"train": "de.jsonl"}})
    both = {"README.md": card, "en.jsonl": json_lines("en"), "de.jsonl": json_lines("de")}
    put_files(tmp_path, both, commit=ONE, refs=("v1",))
    put_files(tmp_path, {"README.md": card, "en.jsonl": json_lines("en")}, commit=TWO)
    with pytest.raises(NotCachedError, match=rf"cached: the revision {ONE} \(v1\); wanted {TWO}"):
        load_dataset(NAME, "de", cache_dir=tmp_path)
    assert find_dataset(NAME, "de", revision="v1", cache_dir=tmp_path).commit == ONE


def test_references_that_are_none_are_passed_over(tmp_path):
    snapshot = put_files(tmp_path, {"a.jsonl": json_lines("a")}, commit=ONE)
    main = snapshot.parents[1] / "refs" / "main"
    for content in ("", "../../../etc", "x" * 40, ONE.upper() + "\0"):
        main.write_text(content)
        assert find_dataset(NAME, cache_dir=tmp_path).commit == ONE
    main.unlink()
    main.mkdir()
    assert find_dataset(NAME, cache_dir=tmp_path).commit == ONE


def test_a_plain_directory_of_arrow_files_leaves_the_hub_to_the_environment(tmp_path):
    put_files(tmp_path / "home", {"a.jsonl": json_lines("a")}, commit=ONE)
    with pytest.raises(NotCachedError) as caught:
        load_dataset(NAME, cache_dir=tmp_path / "arrow")
    assert f"{load.ARROW} {tmp_path}/arrow: it has nothing of it" in str(caught.value)
    assert f"{tmp_path}/home" not in str(caught.value)
    loaded = load_dataset(NAME, cache_dir=tmp_path / "home")
    assert list(loaded["train"]["text"]) == ["a"]


def test_a_commit_is_found_by_its_beginning_or_they_are_listed(tmp_path):
    put_files(tmp_path, {"a.jsonl": json_lines("a")}, commit="abcdefa" + 33 * "0", refs=())
    assert find_dataset(NAME, revision="abcdefa", cache_dir=tmp_path).commit is not None
    put_files(tmp_path, {"a.jsonl": json_lines("a")}, commit="abcdefa" + 33 * "1", refs=())
    with pytest.raises(errors.InputError, match="could be any of the commits abcdefa0"):
        load_dataset(NAME, revision="abcdefa", cache_dir=tmp_path)
    with pytest.raises(NotCachedError, match="nothing here says which commit abcdef is"):
        load_dataset(NAME, revision="abcdef", cache_dir=tmp_path)

"""Data sets loaded offline from what the plain libraries cached, by every way to name them.

The tests call `load_dataset` in their own process: it has the offline flags set, and its sockets
refuse all but loopback. What must hold for a process without a network runs in fenced children.
"""

from __future__ import annotations

import inspect
import json
import logging
import os
import pathlib
import shutil

import datasets
import hub_artefacts
import offline_children
import plain_caches
import pytest
from offline_children import asked

from code_t5 import errors
from code_t5.hf_artifacts import load_dataset
from code_t5.hf_artifacts.loading import load, places
from code_t5.hf_artifacts.loading.load import NotCachedError, find_dataset

REVIEWS = hub_artefacts.REVIEWS


@pytest.fixture(scope="module")
def plain_home(tmp_path_factory):
    """A cache that `datasets` filled; not to be changed."""
    for hub in plain_caches.serve():
        home = plain_caches.fill(hub, tmp_path_factory.mktemp("plain") / "home")
    return home


@pytest.fixture
def copied_home(plain_home, tmp_path):
    """A copy of it under a path with spaces, to be changed at will."""
    return shutil.copytree(plain_home, tmp_path / "another place", symlinks=True)


def _rows(language, split, column="tokens"):
    return hub_artefacts.wikiann_rows(language, split)[column]


def _reviews(*paths):
    sizes = hub_artefacts.REVIEWS_SIZES
    return [hub_artefacts.review(path, row)["text"] for path in paths for row in range(sizes[path])]


def test_a_configuration_is_found_by_its_name_with_all_its_rows(plain_home):
    for config in ("en", "de"):
        loaded = load_dataset("wikiann", config, cache_dir=plain_home)
        assert list(loaded) == ["train", "validation", "test"]
        for split, rows in loaded.items():
            assert list(rows["tokens"]) == _rows(config, split)


def test_a_split_expression_is_read_as_datasets_reads_it(plain_home):
    rows = load_dataset("wikiann", "de", split="train[:10%]+validation[-2:]", cache_dir=plain_home)
    assert list(rows["tokens"]) == _rows("de", "train")[:3] + _rows("de", "validation")[-2:]
    whole = load_dataset("wikiann", "de", split="all", cache_dir=plain_home)
    assert len(whole) == 50
    instruction = datasets.ReadInstruction("test", from_=1, to=4, unit="abs")
    chosen = load_dataset("wikiann", "de", split=instruction, cache_dir=plain_home)
    assert list(chosen["tokens"]) == _rows("de", "test")[1:4]
    pair = load_dataset("wikiann", "de", split=["test", "validation"], cache_dir=plain_home)
    assert [len(rows) for rows in pair] == [10, 10]


def test_the_old_name_is_found_by_the_name_it_was_cached_under(plain_home):
    with pytest.raises(NotCachedError, match="unimelb-nlp/wikiann"):
        load_dataset("unimelb-nlp/wikiann", "en", cache_dir=plain_home)
    link = plain_home / "hub" / "datasets--unimelb-nlp--wikiann"
    link.symlink_to("datasets--wikiann")
    try:
        rows = load_dataset("unimelb-nlp/wikiann", "en", split="test", cache_dir=plain_home)
        assert list(rows["tokens"]) == _rows("en", "test")
    finally:
        link.unlink()


_BOTH = {"train": "reviews-2024.jsonl", "test": "reviews-2025.jsonl"}


def test_files_are_found_by_data_files_and_data_dir(plain_home):
    one = load_dataset(
        REVIEWS, data_files="reviews-2024.jsonl", revision="v2", cache_dir=plain_home
    )
    assert list(one["train"]["text"]) == _reviews("reviews-2024.jsonl")
    split = load_dataset(REVIEWS, data_files=_BOTH, cache_dir=plain_home)
    assert list(split["train"]["text"]) == _reviews("reviews-2024.jsonl")
    assert list(split["test"]["text"]) == _reviews("reviews-2025.jsonl")
    folder = load_dataset(REVIEWS, data_dir="en/", cache_dir=plain_home)
    assert list(folder["train"]["text"]) == _reviews("en/a.jsonl")


def test_data_files_are_taken_from_the_arrow_cache_that_datasets_made_of_them(plain_home):
    for chosen in ({"data_files": _BOTH}, {"data_dir": "en"}):
        found = find_dataset(REVIEWS, cache_dir=plain_home, **chosen)
        assert found.place == load.ARROW
        assert found.directory.parts[-3].startswith("default-")


def test_what_a_pattern_means_is_not_guessed_where_no_record_lists_the_repository(plain_home):
    """`datasets` was asked for this very pattern here, but nothing that it left says so."""
    both = {"train": "reviews-2024.jsonl", "test": "reviews-*.jsonl"}
    with pytest.raises(NotCachedError, match="datasets fetched only some files of this commit"):
        load_dataset(REVIEWS, data_files=both, cache_dir=plain_home)


def test_a_revision_is_pinned_whatever_is_younger(copied_home):
    for folder in (copied_home / "datasets").rglob("*"):
        os.utime(folder, (0, 0))
    early = load_dataset(REVIEWS, revision="v1", cache_dir=copied_home)
    assert list(early["train"]["text"]) == _reviews("reviews-2024.jsonl")
    commit = find_dataset(REVIEWS, revision="v1", cache_dir=copied_home).commit
    assert commit is not None
    for revision in (commit, commit[:8]):
        found = find_dataset(REVIEWS, revision=revision, cache_dir=copied_home)
        assert found.commit == commit
        assert found.directory.name == commit


def test_a_revision_that_is_not_there_is_refused_though_others_are(plain_home):
    with pytest.raises(NotCachedError, match=r"nothing here says which commit v9 is"):
        load_dataset("wikiann", "en", revision="v9", cache_dir=plain_home)
    with pytest.raises(NotCachedError, match=r"wanted 0{40}"):
        load_dataset("wikiann", "en", revision="0" * 40, cache_dir=plain_home)


def test_the_only_revision_is_read_where_the_main_branch_is_not_cached(plain_home, caplog):
    with caplog.at_level(logging.WARNING):
        loaded = load_dataset("conll2003", cache_dir=plain_home)
    assert {split: len(rows) for split, rows in loaded.items()} == hub_artefacts.CONLL2003_SIZES
    assert loaded["train"][0]["tokens"] == hub_artefacts.sentence(0)[0]
    assert "the only one that is" in caplog.text
    assert "refs/convert/parquet" in caplog.text


def test_several_revisions_without_the_main_branch_are_listed(copied_home):
    (copied_home / "hub" / "datasets--acme--reviews" / "refs" / "main").unlink()
    with pytest.raises(errors.InputError, match=r"\(v2\).*name it as revision") as caught:
        load_dataset(REVIEWS, cache_dir=copied_home)
    assert "(v1)" in str(caught.value)


def test_the_converted_branch_has_a_configuration_for_each_folder(copied_home):
    rows = load_dataset("conll2003", "conll2003", split="test", cache_dir=copied_home)
    assert len(rows) == 8
    assert rows.features["ner_tags"].feature.names[:2] == ["O", "B-PER"]
    with pytest.raises(NotCachedError, match="its folders are conll2003"):
        load_dataset("conll2003", "conll2004", cache_dir=copied_home)


def test_two_configurations_and_none_named_are_listed(plain_home):
    with pytest.raises(errors.InputError, match=r"there are de, en; wanted one") as caught:
        load_dataset("wikiann", cache_dir=plain_home)
    assert "load_dataset('wikiann', 'de')" in str(caught.value)


def test_the_only_configuration_that_is_cached_is_taken(copied_home):
    shutil.rmtree(copied_home / "datasets" / "wikiann" / "de")
    for path in (copied_home / "hub").glob("datasets--wikiann/snapshots/*/de/*"):
        path.unlink()
    assert find_dataset("wikiann", cache_dir=copied_home).config == "en"
    assert len(load_dataset("wikiann", split="train", cache_dir=copied_home)) == 200


def test_a_copy_of_the_cache_is_read_where_it_lies(copied_home):
    loaded = load_dataset("wikiann", "en", cache_dir=copied_home)
    names = [file["filename"] for rows in loaded.values() for file in rows.cache_files]
    assert len(names) == 3
    assert all(name.startswith(f"{copied_home}/datasets/wikiann/en/") for name in names)


def test_a_derived_data_set_is_found_again_after_the_move(plain_home, copied_home):
    prints = [
        load_dataset("wikiann", "en", split="train", cache_dir=home)._fingerprint
        for home in (plain_home, copied_home)
    ]
    assert prints[0] == prints[1]


def test_what_is_not_prepared_is_read_from_the_snapshot(copied_home):
    shutil.rmtree(copied_home / "datasets")
    found = find_dataset("wikiann", "de", cache_dir=copied_home)
    assert found.place == load.SNAPSHOT
    for _ in range(2):
        loaded = load_dataset("wikiann", "de", cache_dir=copied_home)
        for split, rows in loaded.items():
            assert list(rows["tokens"]) == _rows("de", split)
            assert rows.features["ner_tags"].feature.names[1] == "B-PER"
    prepared = list((copied_home / "datasets").rglob("COMPLETED"))
    assert len(prepared) == 1


def test_options_of_the_reader_and_features_are_kept_apart(copied_home):
    rows = load_dataset("acme/tables", "one", sep=";", split="train", cache_dir=copied_home)
    assert rows[1] == {"name": "b", "size": 2}
    assert load_dataset("acme/tables", "one", cache_dir=copied_home)["train"].column_names == [
        "name;size"
    ]
    wanted = datasets.Features({"name": datasets.Value("string"), "size": datasets.Value("string")})
    texts = load_dataset("acme/tables", "one", sep=";", features=wanted, cache_dir=copied_home)
    assert texts["train"][1] == {"name": "b", "size": "2"}


def test_streams_come_from_the_snapshot_and_nothing_is_written(copied_home):
    before = plain_caches.tree(copied_home)
    streams = load_dataset("wikiann", "de", streaming=True, cache_dir=copied_home)
    assert [row["tokens"] for row in streams["test"]] == _rows("de", "test")
    one = load_dataset("wikiann", "de", split="validation", streaming=True, cache_dir=copied_home)
    assert isinstance(one, datasets.IterableDataset)
    assert [row["tokens"] for row in one] == _rows("de", "validation")
    assert plain_caches.tree(copied_home) == before
    shutil.rmtree(copied_home / "hub")
    (copied_home / "artifacts").mkdir()
    again = load_dataset("wikiann", "de", split="test", streaming=True, cache_dir=copied_home)
    assert [row["tokens"] for row in again] == _rows("de", "test")


def test_nothing_of_the_process_is_changed(plain_home):
    before = (
        dict(os.environ),
        {name: getattr(datasets.config, name) for name in dir(datasets.config)},
    )
    load_dataset("wikiann", "en", cache_dir=plain_home)
    after = (
        dict(os.environ),
        {name: getattr(datasets.config, name) for name in dir(datasets.config)},
    )
    assert after == before


def test_downloading_again_is_refused_and_preparing_again_is_not(copied_home):
    with pytest.raises(errors.InputError, match="force_redownload"):
        load_dataset("wikiann", "de", cache_dir=copied_home, download_mode="force_redownload")
    rows = load_dataset(
        "wikiann", "de", cache_dir=copied_home, download_mode="reuse_cache_if_exists"
    )
    assert len(rows["train"]) == 30
    assert (copied_home / "datasets" / "code_t5--snapshots" / "wikiann").is_dir()


def test_names_that_lead_elsewhere_are_refused(plain_home):
    cases = [
        (("../wikiann",), {}),
        (("wikiann", "../../de"), {}),
        (("wikiann", "en"), {"revision": "../main"}),
        (("wikiann", "en"), {"data_dir": "../.."}),
        ((REVIEWS,), {"data_files": "/etc/passwd"}),
        ((REVIEWS,), {"data_files": {"train": ["../../x.json"]}}),
        ((REVIEWS,), {"data_files": "https://me:word@host/a.json?token=1"}),
    ]
    for names, options in cases:
        with pytest.raises(errors.InputError, match="cannot be looked up") as caught:
            load_dataset(*names, cache_dir=plain_home, **options)
        assert "\n" not in str(caught.value)


def test_the_error_lists_every_place_and_the_command_that_mends(plain_home):
    with pytest.raises(NotCachedError) as caught:
        load_dataset("wikiann", "ace", cache_dir=plain_home)
    text = str(caught.value)
    assert "\n" not in text
    assert f"(1) {load.RECORDED} {plain_home}/artifacts: none names it" in text
    assert f"(2) {load.ARROW} {plain_home}/datasets: it has de, en; wanted ace" in text
    assert f"(3) {load.SNAPSHOT} {plain_home}/hub/datasets--wikiann/snapshots/" in text
    assert f"(4) {load.BUILT}" in text
    assert text.endswith(
        f"python scripts/precache.py --cache_dir {plain_home} --no_conll2003 --no_models "
        "--wikiann_langs ace"
    )


def test_nothing_cached_says_so(tmp_path):
    with pytest.raises(NotCachedError, match=r"\(3\) hub snapshot .*: it is not there"):
        load_dataset("acme/nothing", cache_dir=tmp_path / "none")


def test_a_process_without_a_network_or_a_token_reads_it_all(plain_home, tmp_path):
    copied = shutil.copytree(plain_home, tmp_path / "moved", symlinks=True)
    requests = [
        asked("wikiann", "en"),
        asked("wikiann", "de", split="train[:10%]+test"),
        asked("conll2003"),
        asked(REVIEWS, data_files="reviews-2024.jsonl", revision="v2"),
        asked(REVIEWS, data_dir="en"),
    ]
    kept = {key: value for key, value in os.environ.items() if not key.startswith("HF_")}
    for flag in ("HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE"):
        outcomes = offline_children.load_with(
            "code_t5.hf_artifacts", requests, restrict=offline_children.FENCED,
            environment={**kept, "HF_HOME": str(copied), flag: "1"}, cwd=tmp_path,
        )  # fmt: skip
        assert [outcome.error for outcome in outcomes] == [""] * len(requests)
        assert outcomes[0].rows == {"train": 200, "validation": 20, "test": 20}
        assert outcomes[1].rows == {"the only one": 13}
        assert outcomes[3].first == repr(hub_artefacts.review("reviews-2024.jsonl", 0))


_ONLINE = """
import json, sys
from code_t5.hf_artifacts import load_dataset
loaded = load_dataset("wikiann", "de", split="test")
print(json.dumps([len(loaded), loaded[0]["tokens"]]))
"""


def test_online_the_hub_is_asked(tmp_path):
    for hub in plain_caches.serve():
        environment = {**hub.environment(tmp_path / "home"), "HF_HUB_OFFLINE": "0"}
        environment.update({"HF_DATASETS_OFFLINE": "0", "TRANSFORMERS_OFFLINE": "0"})
        done = offline_children.run_python(_ONLINE, environment=environment)
        assert done.returncode == 0, done.stderr[-2000:]
        assert json.loads(done.stdout) == [10, _rows("de", "test")[0]]
        assert hub.paths("/resolve/")


def test_online_every_argument_is_handed_on_as_it_was_given(monkeypatch):
    theirs = inspect.signature(datasets.load_dataset).parameters
    named = [name for name, one in theirs.items() if one.kind is not one.VAR_KEYWORD]
    assert {"path", "split", "cache_dir", "revision", "streaming", "num_proc"} <= set(named)
    given = {name: object() for name in named}
    handed = {}

    def take(**arguments):
        handed.update(arguments)
        return "loaded"

    monkeypatch.setattr(places, "is_offline", lambda: False)
    monkeypatch.setattr(datasets, "load_dataset", take)
    assert load_dataset(**given, sep=";", columns=["a"]) == "loaded"
    assert handed == {**given, "sep": ";", "columns": ["a"]}


_READ_ONLY = """
import json, sys, logging
logging.basicConfig(level=logging.WARNING)
from code_t5.hf_artifacts import load_dataset
arrow = load_dataset("wikiann", "en", split="test")
derived = arrow.map(lambda row: {"size": len(row["tokens"])})
snapshot = load_dataset("wikiann", "de", split="test", download_mode="reuse_cache_if_exists")
print(json.dumps([derived["size"][:2], len(snapshot)]))
"""


@pytest.fixture
def read_only_home(copied_home):
    """A cache in which nothing may be written."""
    folders = [copied_home, *(path for path in copied_home.rglob("*") if path.is_dir())]
    folders = [path for path in folders if not path.is_symlink()]
    for folder in folders:
        folder.chmod(0o555)
    yield copied_home
    for folder in folders:
        folder.chmod(0o755)


def test_a_read_only_cache_is_read_and_what_is_derived_goes_elsewhere(read_only_home, tmp_path):
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    before = plain_caches.tree(read_only_home)
    done = offline_children.run_python(
        _READ_ONLY, terms="root=no",
        environment={**os.environ, "HF_HOME": str(read_only_home), "TMPDIR": str(scratch)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    sizes = [len(tokens) for tokens in _rows("en", "test")[:2]]
    assert json.loads(done.stdout) == [sizes, 10]
    assert f"go to {scratch}/code_t5-datasets-" in done.stderr
    assert plain_caches.tree(read_only_home) == before


def test_a_cache_that_may_not_be_read_says_so(copied_home):
    (copied_home / "artifacts").mkdir()
    (copied_home / "artifacts").chmod(0)
    (copied_home / "hub").chmod(0)
    environment = {**os.environ, "HF_HOME": str(copied_home)}
    outcomes = offline_children.load_with(
        "code_t5.hf_artifacts", [asked("wikiann", "en")], environment=environment, terms="root=no"
    )
    (copied_home / "artifacts").chmod(0o755)
    (copied_home / "hub").chmod(0o755)
    assert outcomes[0].error.startswith("InputError: ")
    assert "Permission denied" in outcomes[0].error
    assert str(copied_home) in outcomes[0].error


def test_a_file_system_without_locks_is_read(copied_home):
    environment = {**os.environ, "HF_HOME": str(copied_home)}
    for refusal in ("ENOLCK", "ENOSYS", "EIO"):
        outcomes = offline_children.load_with(
            "code_t5.hf_artifacts", [asked("wikiann", "en")],
            environment=environment, terms=f"flock={refusal}",
        )  # fmt: skip
        assert outcomes[0].rows == hub_artefacts.WIKIANN_SIZES["en"]
    done = offline_children.run_python(_STREAM, environment=environment, terms="flock=ENOLCK")
    assert done.stdout == "10\n", done.stderr


_STREAM = """
from code_t5.hf_artifacts import load_dataset
print(len(list(load_dataset("wikiann", "de", split="test", streaming=True))))
"""


def test_a_directory_of_save_to_disk_is_read_by_its_path(plain_home, tmp_path):
    saved = tmp_path / "saved here"
    load_dataset("wikiann", "de", cache_dir=plain_home).save_to_disk(saved)
    loaded = load_dataset(str(saved))
    assert {split: len(rows) for split, rows in loaded.items()} == {
        "train": 30, "validation": 10, "test": 10,
    }  # fmt: skip
    rows = load_dataset(str(saved), split="train[:2]+test")
    assert list(rows["tokens"]) == _rows("de", "train")[:2] + _rows("de", "test")
    stream = load_dataset(str(saved), split="test", streaming=True)
    assert [row["tokens"] for row in stream] == _rows("de", "test")
    with pytest.raises(errors.InputError, match="it has no nothing"):
        load_dataset(str(saved), split="nothing")
    assert find_dataset(str(saved)).place == load.SAVED


def test_readers_and_local_folders_are_left_to_datasets(tmp_path):
    folder = tmp_path / "a folder"
    folder.mkdir()
    (folder / "rows.jsonl").write_text(plain_caches.json_lines("a", "b"))
    requests = [
        asked("json", data_files=str(folder / "rows.jsonl")),
        asked(str(folder)),
        asked("json", data_files="https://me:word@host/rows.jsonl"),
    ]
    kept = {key: value for key, value in os.environ.items() if not key.startswith("HF_")}
    outcomes = offline_children.load_with(
        "code_t5.hf_artifacts", requests, restrict=offline_children.FENCED,
        environment={**kept, "HF_HOME": str(tmp_path / "home"), "HF_HUB_OFFLINE": "1"},
    )  # fmt: skip
    assert [outcome.rows for outcome in outcomes] == [{"train": 2}, {"train": 2}, {}]
    assert outcomes[2].error.startswith("InputError: https://host/rows.jsonl is an address")


def test_a_path_object_for_the_cache_is_taken(plain_home):
    assert isinstance(plain_home, pathlib.Path)
    assert find_dataset("wikiann", "en", cache_dir=str(plain_home)) == find_dataset(
        "wikiann", "en", cache_dir=plain_home
    )

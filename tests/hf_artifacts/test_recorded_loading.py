"""Data sets that `precache.py` fetched and recorded, read where the cache was copied to."""

from __future__ import annotations

import concurrent.futures
import json
import os
import shutil

import hub_artefacts
import offline_children
import pytest
from offline_children import asked

from code_t5.hf_artifacts import load_dataset, records
from code_t5.hf_artifacts.cache_root import CacheRoot
from code_t5.hf_artifacts.loading import load
from code_t5.hf_artifacts.loading.load import NotCachedError, find_dataset

REVIEWS = hub_artefacts.REVIEWS


def _texts(path):
    size = hub_artefacts.REVIEWS_SIZES[path]
    return [hub_artefacts.review(path, row)["text"] for row in range(size)]


def test_every_data_set_is_found_by_its_old_and_its_present_name(copied_root):
    for names in (("wikiann", "unimelb-nlp/wikiann"), ("conll2003", "eriktks/conll2003")):
        config = "en" if "wikiann" in names else None
        loaded = [load_dataset(name, config, cache_dir=copied_root) for name in names]
        assert loaded[0]["test"][3] == loaded[1]["test"][3]
        for name in names:
            found = find_dataset(name, config, cache_dir=copied_root)
            assert found.place == load.RECORDED
            assert copied_root in found.directory.parents


def test_records_tell_files_chosen_by_pattern_from_all(copied_root):
    options = {"revision": "v2", "cache_dir": copied_root}
    chosen = load_dataset(REVIEWS, data_files="reviews-*.jsonl", **options)
    wanted = _texts("reviews-2024.jsonl") + _texts("reviews-2025.jsonl")
    assert list(chosen["train"]["text"]) == wanted
    folder = load_dataset(REVIEWS, data_dir="en", **options)
    assert list(folder["train"]["text"]) == _texts("en/a.jsonl")
    with pytest.raises(NotCachedError, match=r"de/a\.jsonl is not there, which the split train"):
        load_dataset(REVIEWS, **options)


def test_a_tag_is_read_though_another_commit_was_fetched_later(copied_root):
    rows = load_dataset(REVIEWS, revision="v1", split="train", cache_dir=copied_root)
    assert list(rows["text"]) == _texts("reviews-2024.jsonl")


def test_a_tag_is_known_from_its_record_where_references_are_gone(copied_root):
    shutil.rmtree(copied_root / "hub" / "datasets--acme--reviews" / "refs")
    assert len(load_dataset(REVIEWS, revision="v1", split="train", cache_dir=copied_root)) == 9


def test_arrow_files_that_are_not_as_recorded_are_refused_for_the_snapshot(copied_root):
    found = find_dataset("wikiann", "en", cache_dir=copied_root)
    arrow = found.directory / "wikiann-test.arrow"
    arrow.write_bytes(arrow.read_bytes() + b"\0")
    again = find_dataset("wikiann", "en", cache_dir=copied_root)
    assert again.place == load.SNAPSHOT
    assert any("by its record" in tried.reason for tried in again.tried)
    rows = load_dataset("wikiann", "en", split="test", cache_dir=copied_root)
    assert list(rows["tokens"]) == hub_artefacts.wikiann_rows("en", "test")["tokens"]


def test_files_of_the_snapshot_that_are_not_as_recorded_are_refused(copied_root):
    shutil.rmtree(copied_root / "datasets")
    (snapshot,) = (copied_root / "hub" / "datasets--wikiann" / "snapshots").iterdir()
    blob = os.path.realpath(snapshot / "en" / "test-00000-of-00001.parquet")
    with open(blob, "ab") as file:
        file.write(b"\0")
    with pytest.raises(NotCachedError, match=r"en/test-00000-of-00001\.parquet has \d+ bytes"):
        load_dataset("wikiann", "en", cache_dir=copied_root)
    assert len(load_dataset("wikiann", "en", split="train", cache_dir=copied_root)) == 200
    assert len(load_dataset("wikiann", "de", cache_dir=copied_root)["test"]) == 10


def test_a_damaged_record_is_named(copied_root):
    root = CacheRoot(copied_root)
    for folder, record in records.list_records(root):
        if not isinstance(record, str) and record.request.name == "wikiann":
            (folder / "manifest.json").write_text("{")
    found = find_dataset("wikiann", "en", cache_dir=copied_root)
    assert found.place == load.ARROW
    assert [tried.place for tried in found.tried][:2] == [load.RECORDED] * 2


def test_images_are_streamed_from_the_shards_where_they_lie(copied_root):
    stream = load_dataset("imagenet-1k", split="train", streaming=True, cache_dir=copied_root)
    assert stream.num_shards == len(hub_artefacts.IMAGENET_SHARDS["train"])
    rows = list(stream)
    assert len(rows) == sum(hub_artefacts.IMAGENET_SHARDS["train"])
    assert rows[3]["image"].mode == "L"
    assert [row["label"] for row in rows[:6]] == [0, 1, 2, 3, 4, 0]


_PREPARE = """
import json
from code_t5.hf_artifacts import load_dataset
print(json.dumps([len(load_dataset("wikiann", "en", split="train"))]))
"""


def test_many_processes_prepare_at_once_and_all_read_it(copied_root):
    shutil.rmtree(copied_root / "datasets")
    environment = {**os.environ, "HF_HOME": str(copied_root)}
    with concurrent.futures.ThreadPoolExecutor(3) as pool:
        runs = [
            pool.submit(offline_children.run_python, _PREPARE, environment=environment)
            for _ in range(3)
        ]
        done = [run.result() for run in runs]
    assert [json.loads(one.stdout or "null") for one in done] == [[200]] * 3, done[0].stderr
    left = [path.name for path in (copied_root / "datasets" / "code_t5--snapshots").rglob("*.tmp")]
    assert left == []
    assert len(list((copied_root / "datasets").rglob("COMPLETED"))) == 1


def test_the_environment_of_the_root_is_enough_behind_the_fence(copied_root, tmp_path):
    settings = CacheRoot(copied_root).environment(is_offline=True)
    requests = [asked("conll2003"), asked("unimelb-nlp/wikiann", "de"), asked("imagenet-1k")]
    outcomes = offline_children.load_with(
        "code_t5.hf_artifacts", requests, restrict=offline_children.FENCED,
        environment={**os.environ, **settings}, cwd=tmp_path,
    )  # fmt: skip
    assert [outcome.error for outcome in outcomes] == [""] * 3
    assert outcomes[0].rows == hub_artefacts.CONLL2003_SIZES
    assert outcomes[1].rows == hub_artefacts.WIKIANN_SIZES["de"]

from __future__ import annotations

import dataclasses
import json
import pathlib
import shutil

import pytest
from absl import logging

from code_t5 import errors
from code_t5.data.task_cache import build, check, layout
from code_t5.storage import prepared


@pytest.fixture
def cached(copied_data_dir):
    """A data set, and the cache of one of its Tasks."""
    output = copied_data_dir.parent / "out"
    build.cache_tasks(
        build.CacheConfig(
            tasks=("small_prefix_lm",),
            output_cache_dir=str(output),
            data_dir=str(copied_data_dir),
            num_workers=1,
            min_shards=2,
        )
    )
    return prepared.PreparedDataset("small", str(copied_data_dir)), output / "small_prefix_lm"


def _change(path: pathlib.Path, **changes) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def _refusal(cached) -> str:
    dataset, folder = cached
    with pytest.raises(errors.ArtifactError) as caught:
        check.check_task_cache(folder, dataset=dataset)
    message = str(caught.value)
    command = (
        f"python scripts/cache_tasks.py --tasks small_prefix_lm --data_dir={dataset.data_dir} "
        f"--output_cache_dir={folder.parent} --overwrite"
    )
    assert message.endswith(command)
    assert "\n" not in message
    return message


def test_a_cache_of_the_data_set_as_it_is_passes(cached):
    dataset, folder = cached
    check.check_task_cache(folder, dataset=dataset)


def test_another_vocabulary_is_named_with_both_fingerprints(cached):
    dataset, _ = cached
    old = json.loads((dataset.vocabulary_dir / "manifest.json").read_text())["fingerprint"]
    _change(dataset.vocabulary_dir / "manifest.json", fingerprint="1" * 64)
    _change(dataset.dataset_dir / "manifest.json", vocabulary_fingerprint="1" * 64)
    assert f"is stale: its vocabulary is {old}, wanted {'1' * 64}; write it" in _refusal(cached)


def test_another_data_set_is_named_with_both_fingerprints(cached):
    dataset, _ = cached
    old = dataset.read_manifest()["fingerprint"]
    _change(dataset.dataset_dir / "manifest.json", fingerprint="2" * 64)
    assert f"is stale: its data set is {old}, wanted {'2' * 64}; write it" in _refusal(cached)


def test_another_version_of_the_code_is_named(cached, monkeypatch):
    monkeypatch.setattr(layout, "PRECACHE_VERSION", 7)
    assert "is stale: its code version is 1, wanted 7; write it" in _refusal(cached)


def test_another_release_of_the_tokenizers_library_is_named(cached, monkeypatch):
    wanted = json.loads((cached[1] / "manifest.json").read_text())["fingerprint_parts"]
    assert wanted["tokenizer library"].startswith("sentencepiece 0.")
    monkeypatch.setattr(layout, "_version_of", lambda name: "9.9")
    found = wanted["tokenizer library"]
    assert f"its tokenizer library is {found}, wanted sentencepiece 9.9; write" in _refusal(cached)


def test_everything_that_differs_is_named(cached, monkeypatch):
    monkeypatch.setattr(layout, "PRECACHE_VERSION", 7)
    monkeypatch.setattr(layout, "_version_of", lambda name: "9.9")
    message = _refusal(cached)
    assert "its code version is 1, wanted 7" in message
    assert "wanted sentencepiece 9.9" in message


def test_another_format_version_is_refused(cached):
    _change(cached[1] / "manifest.json", format_version=2)
    assert "says format 'code_t5_task_cache' version 2; wanted" in _refusal(cached)


def test_a_manifest_that_says_nothing_of_its_making_is_refused(cached):
    _change(cached[1] / "manifest.json", fingerprint_parts=None)
    assert "its vocabulary is None, wanted" in _refusal(cached)


def test_a_half_written_cache_is_refused(cached):
    (cached[1] / "COMPLETED").unlink()
    assert "has no manifest.json with a COMPLETED marker" in _refusal(cached)


def test_a_half_written_shard_is_refused(cached):
    shard = cached[1] / "train.tfrecord-00001-of-00002"
    data = shard.read_bytes()
    shard.write_bytes(data[:-1])
    wanted = f"train.tfrecord-00001-of-00002 has {len(data) - 1} bytes, wanted {len(data)}"
    assert wanted in _refusal(cached)
    shard.unlink()
    assert "train.tfrecord-00001-of-00002 cannot be read (No such file" in _refusal(cached)


def test_a_cache_without_its_tokens_is_refused_and_so_is_writing_it_without_overwrite(cached):
    dataset, folder = cached
    shutil.rmtree(folder / "tokens")
    assert "tokens/COMPLETED cannot be read (No such file" in _refusal(cached)
    config = build.CacheConfig(
        tasks=(folder.name,), output_cache_dir=str(folder.parent), data_dir=dataset.data_dir,
        num_workers=1, min_shards=2,
    )  # fmt: skip
    with pytest.raises(errors.ArtifactError, match="tokens/COMPLETED cannot.*add --overwrite"):
        build.cache_tasks(config)
    build.cache_tasks(dataclasses.replace(config, overwrite=True))
    check.check_task_cache(folder, dataset=dataset)


@pytest.mark.parametrize("sizes", [None, {}, [], "sizes"])
def test_a_manifest_without_sizes_is_refused(cached, sizes):
    _change(cached[1] / "manifest.json", sizes=sizes)
    (cached[1] / "train.tfrecord-00001-of-00002").unlink()
    assert "its manifest gives no sizes" in _refusal(cached)


@pytest.mark.parametrize(
    "name", ["train.tfrecord-00001-of-00002", "stats.test.json", "tokens/manifest.json"]
)
def test_a_manifest_without_the_size_of_a_file_is_refused(cached, name):
    path = cached[1] / "manifest.json"
    sizes = json.loads(path.read_text())["sizes"]
    del sizes[name]
    _change(path, sizes=sizes)
    assert f"its manifest gives no size of {name}" in _refusal(cached)


@pytest.mark.parametrize(
    "changes",
    [
        {"splits": None},
        {"splits": {"train": {"num_examples": "45"}}},
        {"splits": {"\x1b[2J": dict.fromkeys(["num_examples", "num_tokens", "max_tokens"], 1)}},
    ],
)
def test_a_manifest_without_counts_is_refused(cached, changes):
    _change(cached[1] / "manifest.json", **changes)
    assert "its manifest gives no counts of its splits" in _refusal(cached)


def test_a_fingerprint_that_is_not_that_of_its_parts_is_refused(cached):
    _change(cached[1] / "manifest.json", fingerprint="3" * 64)
    assert "fingerprint is not that of its fingerprint_parts" in _refusal(cached)


def test_found_values_reach_no_terminal_as_they_stand(cached):
    evil = "\x1b]0;owned\x07\u202e"
    path = cached[1] / "manifest.json"
    fields = json.loads(path.read_text())
    _change(path, sizes={**fields["sizes"], evil: evil})
    assert "\\x1b]0;owned\\x07\\u202e" in _refusal(cached)
    _change(path, fingerprint_parts={**fields["fingerprint_parts"], "vocabulary": evil * 99})
    message = _refusal(cached)
    assert message.isprintable() and "\u202e" not in message
    assert "its vocabulary is '\\x1b]0;owned\\x07" in message
    assert len(message) < 1000


def test_a_cache_of_beam_is_let_pass_with_a_warning(cached, caplog):
    dataset, folder = cached
    (folder / "manifest.json").unlink()
    logging.set_verbosity(logging.WARNING)
    with caplog.at_level("WARNING", logger="absl"):
        check.check_task_cache(folder, dataset=dataset)
    (record,) = caplog.records
    assert "has no manifest.json, so nobody can say whether it still fits" in record.getMessage()


def test_a_data_set_that_is_gone_is_told(cached):
    dataset, folder = cached
    (dataset.dataset_dir / "COMPLETED").unlink()
    with pytest.raises(errors.NotBuiltError, match="the data set small is not built"):
        check.check_task_cache(folder, dataset=dataset)

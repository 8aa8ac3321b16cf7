"""Caches that are in the way, that are kept, and that others link to."""

from __future__ import annotations

import dataclasses
import json
import pathlib
import shutil

import pytest
from cached_examples import small_cache_config
from small_build import tree_bytes

from code_t5 import errors
from code_t5.data.task_cache import build, layout


def _flipped(data: bytes) -> bytes:
    middle = len(data) // 2
    return data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :]


def _spoil(folder: pathlib.Path, **changes) -> None:
    fields = json.loads((folder / "manifest.json").read_text())
    (folder / "manifest.json").write_text(json.dumps({**fields, **changes}))


def test_another_cache_in_the_way_is_refused_and_stays(small_data_dir, tmp_path):
    config = small_cache_config(small_data_dir, tmp_path)
    build.cache_tasks(config)
    parts = layout.read_task_manifest(tmp_path / "small")["fingerprint_parts"]
    _spoil(tmp_path / "small", fingerprint_parts={**parts, "vocabulary": "0" * 64})
    before = tree_bytes(tmp_path / "small")
    with pytest.raises(errors.ArtifactError, match="its vocabulary is 0{64}, wanted .*--overwrite"):
        build.cache_tasks(config)
    assert tree_bytes(tmp_path / "small") == before
    build.cache_tasks(dataclasses.replace(config, overwrite=True))
    assert layout.read_task_manifest(tmp_path / "small")["fingerprint_parts"] == parts


def test_another_versions_files_in_the_way_are_refused_and_stay(small_data_dir, tmp_path):
    config = small_cache_config(small_data_dir, tmp_path)
    build.cache_tasks(config)
    _spoil(tmp_path / "small", format_version=2)
    with pytest.raises(errors.ArtifactError, match="version 2; wanted .* version 1.*--overwrite"):
        build.cache_tasks(config)
    assert (tmp_path / "small/train.tfrecord-00000-of-00003").exists()


def test_a_cache_of_beam_in_the_way_is_refused_and_stays(small_data_dir, tmp_path):
    (tmp_path / "small").mkdir()
    (tmp_path / "small/COMPLETED").write_text("tfrecord")
    with pytest.raises(errors.ArtifactError, match="it has no manifest.json, so it is Beam's"):
        build.cache_tasks(small_cache_config(small_data_dir, tmp_path))
    assert (tmp_path / "small/COMPLETED").read_text() == "tfrecord"
    (tmp_path / "empty/small").mkdir(parents=True)
    build.cache_tasks(small_cache_config(small_data_dir, tmp_path / "empty"))
    assert (tmp_path / "empty/small/COMPLETED").exists()


def test_a_damaged_cache_is_no_donor(small_data_dir, tmp_path):
    build.cache_tasks(small_cache_config(small_data_dir, tmp_path))
    shard = tmp_path / "small/train.tfrecord-00000-of-00003"
    shard.write_bytes(shard.read_bytes()[:-1])
    with pytest.raises(errors.ArtifactError, match=r"train.tfrecord-00000-of-00003 has \d+ bytes"):
        build.cache_tasks(small_cache_config(small_data_dir, tmp_path))
    (outcome,) = build.cache_tasks(
        small_cache_config(small_data_dir, tmp_path, tasks=("small_prefix_lm",))
    )
    assert outcome.how == "written"


def test_overwriting_replaces_what_is_there_by_the_same_bytes(small_data_dir, tmp_path, encoded):
    config = small_cache_config(small_data_dir, tmp_path, overwrite=True)
    build.cache_tasks(config)
    before = tree_bytes(tmp_path / "small")
    build.cache_tasks(config)
    assert len(encoded) == 18
    assert tree_bytes(tmp_path / "small") == before


def test_overwriting_a_second_task_links_to_the_equal_cache_of_the_first(
    small_data_dir, tmp_path, encoded
):
    first = small_cache_config(small_data_dir, tmp_path, overwrite=True)
    second = dataclasses.replace(first, tasks=("small_prefix_lm",))
    build.cache_tasks(first)
    assert [o.how for o in build.cache_tasks(second)] == ["linked"]
    assert len(encoded) == 9
    assert tree_bytes(tmp_path / "small_prefix_lm") == tree_bytes(tmp_path / "small")


def test_overwriting_links_to_no_cache_with_other_shards_or_other_bytes(
    small_data_dir, tmp_path, encoded
):
    first = small_cache_config(small_data_dir, tmp_path)
    build.cache_tasks(first)
    second = dataclasses.replace(first, tasks=("small_prefix_lm",), overwrite=True)
    (outcome,) = build.cache_tasks(dataclasses.replace(second, min_shards=2))
    assert (outcome.how, outcome.num_shards["train"]) == ("written", 2)
    shutil.rmtree(tmp_path / "small_prefix_lm")
    path = tmp_path / "small/train.tfrecord-00000-of-00003"
    path.write_bytes(_flipped(path.read_bytes()))
    assert [o.how for o in build.cache_tasks(second)] == ["written"]
    assert len(encoded) == 9 + 6 + 9

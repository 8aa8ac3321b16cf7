"""seqio reads our caches as its own."""

from __future__ import annotations

import collections
import json
import os
import pathlib
import subprocess
import sys

import pytest
import seqio
import tensorflow as tf
from cached_examples import read_examples

from code_t5.data import tasks
from code_t5.data.task_cache import build

_ROOT = pathlib.Path(__file__).resolve().parents[3]
_LENGTHS = {"inputs": 64, "targets": 64}


@pytest.fixture(autouse=True)
def _registries(monkeypatch):
    """Gives each test registries and cache directories of its own."""
    monkeypatch.setattr(seqio.TaskRegistry, "_REGISTRY", {})
    monkeypatch.setattr(seqio.MixtureRegistry, "_REGISTRY", {})
    before = list(seqio.utils.get_global_cache_dirs())
    yield
    seqio.set_global_cache_dirs(before)


def _cache(data_dir, output, **changes) -> pathlib.Path:
    config = build.CacheConfig(
        tasks=("small_prefix_lm",), output_cache_dir=str(output), data_dir=str(data_dir),
        num_workers=1, **changes,
    )  # fmt: skip
    build.cache_tasks(config)
    return pathlib.Path(output, "small_prefix_lm")


def _task(data_dir, output):
    tasks.register_tasks(str(data_dir))
    seqio.set_global_cache_dirs([str(output)])
    return seqio.TaskRegistry.get("small_prefix_lm")


@pytest.mark.parametrize("data_dir_name", ["sharded_data_dir", "byte_level_data_dir"])
def test_it_holds_what_the_cache_of_seqios_own_program_holds(data_dir_name, request, tmp_path):
    data_dir = request.getfixturevalue(data_dir_name)
    command = [
        *(sys.executable, "-m", "seqio.scripts.cache_tasks_main"),
        *("--module_import=code_t5", "--tasks=small_prefix_lm"),
        f"--output_cache_dir={tmp_path / 'theirs'}",
    ]
    environment = {**os.environ, "CODE_T5_DATA_DIR": str(data_dir)}
    done = subprocess.run(
        command, cwd=_ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    ours = _cache(data_dir, tmp_path / "ours")
    theirs = tmp_path / "theirs/small_prefix_lm"
    names = {path.name for path in theirs.iterdir()}
    assert {path.name for path in ours.iterdir()} - names == {"manifest.json", "tokens"}
    assert names <= {path.name for path in ours.iterdir()}
    for split in ("train", "validation", "test"):
        wanted = read_examples(theirs, split)
        assert len(wanted) >= 5
        found = read_examples(ours, split)
        assert collections.Counter(found) == collections.Counter(wanted)
        for kind in ("info", "stats"):
            name = f"{kind}.{split}.json"
            assert json.loads((ours / name).read_text()) == json.loads((theirs / name).read_text())


def _examples(task, split, **kwargs):
    dataset = task.get_dataset(_LENGTHS, split=split, shuffle=False, seed=0, **kwargs)
    return [
        (tuple(example["inputs"].tolist()), tuple(example["targets"].tolist()))
        for example in dataset.as_numpy_iterator()
    ]


def test_seqio_reads_it_as_a_cached_task(small_data_dir, tmp_path):
    folder = _cache(small_data_dir, tmp_path)
    task = _task(small_data_dir, tmp_path)
    assert pathlib.Path(task.cache_dir) == folder
    assert task.get_cached_stats("train")["examples"] == len(read_examples(folder, "train")) == 45
    assert set(task.splits) == {"train", "validation", "test"}
    found = list(task._get_cached_source("train").get_dataset("train", shuffle=False))
    wanted = read_examples(folder, "train")
    assert sorted(tuple(example["targets"].numpy().tolist()) for example in found) == sorted(
        ids for _, _, ids in wanted
    )
    assert {example["targets"].dtype for example in found} == {tf.int32}
    assert {example["path"].numpy() for example in found} == {path for _, path, _ in wanted}
    examples = _examples(task, "validation", use_cached=True)
    assert len(examples) >= len(read_examples(folder, "validation"))
    assert all(inputs[-1] == targets[-1] == 1 for inputs, targets in examples)


def test_a_flipped_byte_is_noticed_by_seqio(small_data_dir, tmp_path):
    folder = _cache(small_data_dir, tmp_path, min_shards=1)
    shard = folder / "validation.tfrecord-00000-of-00001"
    data = bytearray(shard.read_bytes())
    data[len(data) // 2] ^= 1
    shard.write_bytes(bytes(data))
    task = _task(small_data_dir, tmp_path)
    with pytest.raises(tf.errors.DataLossError):
        _examples(task, "validation", use_cached=True)

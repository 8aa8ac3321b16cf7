"""Streams over the token caches of Tasks and Mixtures."""

from __future__ import annotations

import json
import shutil

import gin
import numpy as np
import pytest
import seqio
from training import cached_small

from code_t5 import errors
from code_t5.data import task_streams
from code_t5.storage import fingerprints

LENGTHS = {"inputs": 32, "targets": 32}


@pytest.fixture(scope="module")
def cache_dir(small_data_dir, tmp_path_factory):
    folder = tmp_path_factory.mktemp("cache")
    cached_small.write_caches(small_data_dir, folder)
    return folder


@pytest.fixture(autouse=True)
def registered(small_data_dir, cache_dir, monkeypatch):
    cached_small.register(small_data_dir, monkeypatch)
    seqio.add_global_cache_dirs([str(cache_dir)])


def open_training(name="small_prefix_lm", **changes):
    options = {"split": "train", "sequence_length": LENGTHS, **changes}
    return task_streams.open_training(name, **options)


def tokens_of_files(task, split):
    """Each file's tokens, as seqio reads them from the cache."""
    source = seqio.TaskRegistry.get(task)._get_cached_source(split)
    dataset = source.get_dataset(split=split, shuffle=False)
    return sorted(example["targets"].numpy().tolist() for example in dataset)


def test_an_epoch_holds_the_tokens_of_every_file():
    stream, _ = open_training(shuffle=False)
    examples = stream.at(np.arange(stream.num_examples))
    windows = [
        examples.inputs.row(i).tolist() + examples.targets.row(i).tolist()
        for i in range(examples.inputs.num_rows)
    ]
    joined = [token for window in windows for token in window]
    files = tokens_of_files("small_prefix_lm", "train")
    assert sorted(joined) == sorted(token for file in files for token in file)
    starts = {tuple(file[:8]) for file in files}
    assert sum(tuple(window[:8]) in starts for window in windows) >= len(files)


def test_a_mixture_has_its_tasks_at_their_rates():
    seqio.MixtureRegistry.add("mixed", [("small_prefix_lm", 3.0), ("small_span_corruption", 1.0)])
    stream, parts = open_training("mixed")
    assert parts["rates"] == {"small_prefix_lm": 0.75, "small_span_corruption": 0.25}
    examples = stream.at(np.arange(1024))
    # Only span corruption writes sentinels.
    sentinel = int(examples.targets.values.max())
    firsts = examples.targets.values[examples.targets.offsets[:-1]]
    assert abs((firsts == sentinel).sum() - 256) <= 2


def test_each_cache_is_opened_once(monkeypatch):
    opened = []

    def open_once(task):
        opened.append(task.name)
        return open_tokens(task)

    open_tokens = task_streams.open_tokens
    monkeypatch.setattr(task_streams, "open_tokens", open_once)
    seqio.MixtureRegistry.add("mixed", [(name, 1.0) for name in cached_small.TASKS])
    open_training("mixed")
    assert sorted(opened) == sorted(cached_small.TASKS)


def test_two_tasks_over_the_same_files_read_them_in_different_orders():
    orders = []
    for name in cached_small.TASKS:
        stream, _ = open_training(name)
        orders.append(stream.requests(np.arange(50)).documents.tolist())
    assert orders[0] != orders[1]


def test_the_parts_name_all_that_the_examples_follow_from():
    _, parts = open_training()
    assert parts["split"] == "train" and parts["seed"] == 0 and parts["shuffle"] is True
    (task,) = parts["tasks"].values()
    assert len(task["tokens"]) == 64
    assert task["objective"]["objective"] == "prefix_lm"
    assert task["objective"]["sequence_length"] == LENGTHS


def test_gin_sets_the_objective_up():
    with gin.unlock_config():
        gin.bind_parameter("code_t5.objectives.PrefixLm.with_path", True)
    try:
        _, parts = open_training(sequence_length={"inputs": 128, "targets": 32})
    finally:
        with gin.unlock_config():
            gin.clear_config()
    assert parts["tasks"]["small_prefix_lm"]["objective"]["with_path"] is True


def test_a_task_that_is_not_cached_names_the_command(monkeypatch):
    monkeypatch.setattr(seqio.utils, "_GLOBAL_CACHE_DIRECTORIES", [])
    with pytest.raises(errors.NotBuiltError) as caught:
        open_training()
    message = str(caught.value)
    assert "python scripts/cache_tasks.py --tasks small_prefix_lm --data_dir=" in message
    assert "--additional_task_cache_dirs=DIR" in message
    assert "\n" not in message


def test_a_cache_of_seqios_own_script_is_not_enough(tmp_path, cache_dir, monkeypatch):
    shutil.copytree(cache_dir / "small_prefix_lm", tmp_path / "small_prefix_lm")
    shutil.rmtree(tmp_path / "small_prefix_lm/tokens")
    (tmp_path / "small_prefix_lm/manifest.json").unlink()
    monkeypatch.setattr(seqio.utils, "_GLOBAL_CACHE_DIRECTORIES", [str(tmp_path)])
    with pytest.raises(errors.NotBuiltError, match="holds no tokens, as if seqio's script"):
        open_training()


@pytest.fixture
def copied(tmp_path, cache_dir, monkeypatch):
    """A cache that the test may damage, the only one."""
    folder = tmp_path / "small_prefix_lm"
    shutil.copytree(cache_dir / "small_prefix_lm", folder)
    monkeypatch.setattr(seqio.utils, "_GLOBAL_CACHE_DIRECTORIES", [str(tmp_path)])
    return folder


def test_a_cache_of_seqios_own_script_names_the_command_that_replaces_it(copied):
    shutil.rmtree(copied / "tokens")
    (copied / "manifest.json").unlink()
    with pytest.raises(errors.NotBuiltError) as caught:
        open_training()
    assert str(caught.value).endswith(f"--output_cache_dir={copied.parent} --overwrite")


def test_tokens_of_something_else_are_refused(copied):
    path = copied / "tokens/manifest.json"
    fields = json.loads(path.read_text())
    fields["fingerprint_parts"]["vocabulary"] = "0" * 64
    fields["fingerprint"] = fingerprints.hash_json(fields["fingerprint_parts"])
    assert len(json.dumps(fields, indent=2, sort_keys=True)) + 1 == path.stat().st_size
    path.write_text(json.dumps(fields, indent=2, sort_keys=True) + "\n")
    with pytest.raises(errors.ArtifactError, match="tokens is stale: its vocabulary is 00.*--over"):
        open_training()


@pytest.mark.parametrize("name", [*cached_small.TASKS, "small_infilling", "small_line_completion"])
def test_ids_that_the_vocabulary_has_not_are_refused(copied, cache_dir, name):
    # The caches of all Tasks of a data set are alike.
    shutil.copytree(cache_dir / "small_prefix_lm", copied.parent / name, dirs_exist_ok=True)
    path = copied.parent / name / "tokens/train.npy"
    tokens = np.load(path)
    tokens[:] = np.iinfo(tokens.dtype).max
    np.save(path, tokens)
    stream, _ = open_training(name)
    with pytest.raises(errors.ArtifactError, match="documents hold ids from .* to 65535; wanted"):
        stream.at(np.arange(4))


def test_documents_out_of_order_are_refused(copied):
    path = copied / "tokens/train.offsets.npy"
    offsets = np.load(path)
    offsets[2] = offsets[1] - 1
    np.save(path, offsets)
    with pytest.raises(errors.ArtifactError, match=r"train.offsets.npy falls from .* at 2"):
        open_training()


def test_a_split_that_is_not_there_lists_those_that_are():
    with pytest.raises(errors.InputError, match="no split 'held_out'; wanted one of test, train, "):
        open_training(split="held_out")


def test_a_task_of_other_data_is_refused():
    seqio.TaskRegistry.add(
        "other",
        source=seqio.FunctionDataSource(lambda split, shuffle_files: None, splits=["train"]),
        output_features={"targets": seqio.Feature(seqio.ByteVocabulary())},
    )
    with pytest.raises(errors.InputError, match="the Task other is not one of a prepared data set"):
        open_training("other")


def test_an_unknown_name_is_one_line_with_near_names():
    with pytest.raises(errors.InputError, match="small_prefix_lm"):
        open_training("small_prefixlm")


def test_lengths_too_short_for_the_objective_are_refused():
    with pytest.raises(errors.InputError, match="too short for the objective prefix_lm"):
        open_training(sequence_length={"inputs": 1, "targets": 32})

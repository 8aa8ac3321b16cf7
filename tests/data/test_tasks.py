from __future__ import annotations

import json
import os
import pathlib
import shutil
import subprocess
import sys

import pytest
import seqio
import tensorflow as tf
import tensorflow_datasets as tfds

from code_t5 import errors
from code_t5.data import objectives, sources, tasks
from code_t5.data.vocabularies import CodeVocabulary
from code_t5.storage import manifest, prepared, tfrecords

_ROOT = pathlib.Path(__file__).resolve().parents[2]
_LENGTHS = {"inputs": 32, "targets": 32}


pytestmark = pytest.mark.usefixtures("own_registries")


@pytest.fixture
def copied_data_dir(small_data_dir, tmp_path):
    """A data directory that the test may damage."""
    return pathlib.Path(shutil.copytree(small_data_dir, tmp_path / "copy"))


def _texts(data_dir: pathlib.Path, split: str) -> list[bytes]:
    folder = data_dir / "flcc/small/2.0.0"
    return sorted(
        tfrecords.decode_example(data)["text"]
        for path in folder.glob(f"flcc-{split}.*")
        for data in tfrecords.read_records(path)
    )


def test_each_data_set_gets_a_task_per_objective_and_published_names_are_known(small_data_dir):
    assert tasks.register_tasks(str(small_data_dir)) == ["small"]
    names = set(seqio.TaskRegistry.names())
    for dataset in ("small", *prepared.PUBLISHED):
        assert {dataset, f"{dataset}_prefix_lm", f"{dataset}_span_corruption"} <= names
    assert tasks.register_tasks(str(small_data_dir)) == ["small"]


def test_another_data_directory_takes_the_names_over(small_data_dir, tmp_path):
    tasks.register_tasks(str(tmp_path))
    tasks.register_tasks(str(small_data_dir))
    names = seqio.TaskRegistry.names()
    assert "small" in names
    sources_found = [seqio.TaskRegistry.get(name).source for name in names]
    assert {source.dataset.data_dir for source in sources_found} == {str(small_data_dir)}


def test_tfds_reads_every_text_and_counts_exactly(small_data_dir):
    loaded = tfds.load("flcc/small", data_dir=str(small_data_dir))
    info = tfds.builder("flcc/small", data_dir=str(small_data_dir)).info
    for split in ("train", "validation", "test"):
        texts = sorted(example["text"] for example in tfds.as_numpy(loaded[split]))
        assert texts == _texts(small_data_dir, split)
        assert info.splits[split].num_examples == len(texts) > 0


def test_seqio_source_counts_exactly_and_lists_shards(small_data_dir):
    tasks.register_tasks(str(small_data_dir))
    source = seqio.TaskRegistry.get("small").source
    assert source.num_input_examples("train") == len(_texts(small_data_dir, "train"))
    assert [path.rsplit("/", 1)[1] for path in source.list_shards("train")] == [
        "flcc-train.tfrecord-00000-of-00001"
    ]
    assert set(source.splits) == {"train", "validation", "test"}


def test_prefix_lm_windows_give_back_the_text(small_data_dir):
    tasks.register_tasks(str(small_data_dir))
    task = seqio.TaskRegistry.get("small_prefix_lm")
    vocabulary = task.output_features["targets"].vocabulary
    dataset = task.get_dataset(
        {"inputs": 5000, "targets": 5000}, split="validation", shuffle=False, seed=0
    )
    texts = []
    for example in dataset.as_numpy_iterator():
        assert example["inputs"][-1] == example["targets"][-1] == 1
        ids = [*example["inputs"][:-1].tolist(), *example["targets"][:-1].tolist()]
        texts.append(vocabulary.decode(ids).encode())
    assert sorted(texts) == _texts(small_data_dir, "validation")


def test_span_corruption_masks_with_sentinels_above_the_pieces(small_data_dir):
    tasks.register_tasks(str(small_data_dir))
    task = seqio.TaskRegistry.get("small_span_corruption")
    vocabulary = task.output_features["targets"].vocabulary
    dataset = task.get_dataset(_LENGTHS, split="train", shuffle=False, seed=0)
    for example in dataset.take(20).as_numpy_iterator():
        assert example["targets"].max() == vocabulary.vocab_size - 1
        assert example["inputs"].max() == vocabulary.vocab_size - 1


def test_objective_of_the_plain_task_is_chosen_by_gin(small_data_dir):
    import gin
    import t5.models  # also defines the names that gin binds

    tasks.register_tasks(str(small_data_dir))
    task = seqio.TaskRegistry.get("small")
    with gin.unlock_config():
        gin.clear_config()
        with pytest.raises(errors.InputError, match="gin chooses no objective"):
            task.get_dataset(_LENGTHS, split="train", shuffle=False)
        gin.add_config_file_search_path(pathlib.Path(t5.models.__file__).parent / "gin")
        gin.add_config_file_search_path(_ROOT / "gin_configs")
        gin.parse_config_file("objectives/code_prefix_lm.gin")
        plain = task.get_dataset(_LENGTHS, split="train", shuffle=False, seed=3)
        fixed = seqio.TaskRegistry.get("small_prefix_lm").get_dataset(
            _LENGTHS, split="train", shuffle=False, seed=3
        )
        pairs = zip(plain.as_numpy_iterator(), fixed.as_numpy_iterator())
        for first, second in pairs:
            assert first["targets"].tolist() == second["targets"].tolist()
        gin.clear_config()


def test_the_cache_comes_before_the_objective():
    tasks.register_tasks("/nowhere")
    names = [
        getattr(getattr(p, "func", p), "__name__", type(p).__name__)
        for p in seqio.TaskRegistry.get("fl_py_50stars_2019_prefix_lm").preprocessors
    ]
    assert names == [
        "text_to_targets", "tokenize", "CacheDatasetPlaceholder", "prefix_lm",
        "append_eos_after_trim",
    ]  # fmt: skip


def test_a_task_that_is_not_built_says_which_command_builds_it(tmp_path):
    tasks.register_tasks(str(tmp_path))
    task = seqio.TaskRegistry.get("fl_py_10stars_2019_prefix_lm")
    for attempt in (
        lambda: task.get_dataset(_LENGTHS, split="train"),
        lambda: task.source.num_input_examples("train"),
        lambda: task.source.list_shards("train"),
        lambda: task.splits,
    ):
        with pytest.raises(errors.NotBuiltError, match="build it with: python -m preprocessing"):
            attempt()


def test_a_data_set_and_another_vocabulary_are_refused_with_both_fingerprints(copied_data_dir):
    tasks.register_tasks(str(copied_data_dir))
    path = copied_data_dir / "flcc/small/2.0.0/manifest.json"
    fields = json.loads(path.read_text())
    wanted = "0" * 64
    found, fields["vocabulary_fingerprint"] = fields["vocabulary_fingerprint"], wanted
    path.write_text(json.dumps(fields))
    with pytest.raises(errors.VocabularyMismatchError) as caught:
        seqio.TaskRegistry.get("small").get_dataset(_LENGTHS, split="train")
    assert wanted in str(caught.value)
    assert found in str(caught.value)


def test_a_damaged_vocabulary_is_refused_when_it_encodes(copied_data_dir):
    model = copied_data_dir / "vocabularies/default/sentencepiece.model"
    data = bytearray(model.read_bytes())
    data[len(data) // 2] ^= 1
    model.write_bytes(bytes(data))
    with pytest.raises(errors.ArtifactError, match="sentencepiece.model"):
        CodeVocabulary(str(model.parent)).encode("x")


_TRAINER = """
import sys
from absl import app, flags
import seqio
flags.DEFINE_multi_string("module_import", "", "")
flags.DEFINE_multi_string("gin_param", "", "")
flags.DEFINE_string("t5_tfds_data_dir", None, "")
def main(_):
    import code_t5
    print(sorted(name for name in seqio.TaskRegistry.names() if name.startswith("small")))
app.run(main)
"""


def _run_like_the_trainer(*args):
    command = [sys.executable, "-c", _TRAINER, "--module_import=code_t5", *args]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_the_trainers_flag_names_the_data_directory(small_data_dir):
    done = _run_like_the_trainer(f"--t5_tfds_data_dir={small_data_dir}")
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == str(
        sorted(["small", *(f"small_{name}" for name in objectives.OBJECTIVES)])
    )


def test_registering_tasks_imports_no_trainer(small_data_dir):
    script = (
        "import sys, seqio, code_t5; print(*sorted({'t5', 'mesh_tensorflow'} & {*sys.modules}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, "CODE_T5_DATA_DIR": str(small_data_dir)},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (0, "\n"), done.stderr


def test_damaged_manifest_is_refused_when_the_data_is_read(copied_data_dir):
    manifest_path = copied_data_dir / "flcc/small/2.0.0" / manifest.MANIFEST_NAME
    manifest_path.write_text("{")
    assert tasks.register_tasks(str(copied_data_dir)) == ["small"]
    with pytest.raises(errors.ArtifactError, match="wanted 'code_t5_dataset' version 2"):
        seqio.TaskRegistry.get("small").get_dataset(_LENGTHS, split="train")


def test_flipped_byte_in_a_shard_is_noticed(copied_data_dir):
    (path,) = (copied_data_dir / "flcc/small/2.0.0").glob("flcc-train*")
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(bytes(data))
    tasks.register_tasks(str(copied_data_dir))
    dataset = seqio.TaskRegistry.get("small_prefix_lm").get_dataset(
        _LENGTHS, split="train", shuffle=False
    )
    with pytest.raises(tf.errors.DataLossError):
        list(dataset)
    with pytest.raises(errors.ArtifactError, match="is damaged at byte"):
        list(tfrecords.read_records(path))


def test_source_warns_of_nothing_and_opens_nothing_when_it_is_made(tmp_path):
    dataset = prepared.PreparedDataset("gone", str(tmp_path / "gone"))
    source = sources.FlccDataSource(dataset, CodeVocabulary(str(dataset.vocabulary_dir)))
    with pytest.raises(errors.NotBuiltError):
        source.check()


def test_a_data_set_that_became_another_version_is_not_read_as_the_old_one(copied_data_dir):
    folder = copied_data_dir / "flcc/small"
    dataset = prepared.PreparedDataset("small", str(copied_data_dir))
    os.rename(folder / "2.0.0", folder / "1.0.0")
    source = sources.FlccDataSource(dataset, CodeVocabulary(str(dataset.vocabulary_dir)))
    os.rename(folder / "1.0.0", folder / "2.0.0")
    with pytest.raises(errors.ArtifactError, match="has become version 2.0.0 .* for 1.0.0"):
        source.list_shards("train")

from __future__ import annotations

import dataclasses

import pytest
import seqio
import small_build
import tensorflow as tf
from mesh_tensorflow.transformer import dataset as mesh_dataset

from code_t5.data import tasks
from code_t5.data.vocabularies import ByteBpeVocabulary
from code_t5.storage import prepared
from fakes import write_code_repositories


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bytes")
    write_code_repositories(folder / "in")
    vocabulary = dataclasses.replace(small_build.VOCABULARY, kind="byte_bpe")
    small_build.run_build(small_build.config_for(folder, vocabulary=vocabulary))
    return folder / "data"


@pytest.fixture
def registered(data_dir):
    """Registries with the Tasks of the data directory and no others."""
    saved = seqio.TaskRegistry._REGISTRY, seqio.MixtureRegistry._REGISTRY
    seqio.TaskRegistry._REGISTRY, seqio.MixtureRegistry._REGISTRY = {}, {}
    tasks.register_tasks(str(data_dir))
    yield
    seqio.TaskRegistry._REGISTRY, seqio.MixtureRegistry._REGISTRY = saved


def _texts(data_dir, split):
    config = small_build.config_for(data_dir.parent)
    return sorted(e["text"] for name, e in small_build.examples_of(config) if name == split)


@pytest.mark.usefixtures("registered")
def test_prefix_lm_windows_of_a_byte_vocabulary_give_back_the_text(data_dir):
    assert prepared.list_datasets(str(data_dir))[0].name == "small"
    task = seqio.TaskRegistry.get("small_prefix_lm")
    vocabulary = task.output_features["targets"].vocabulary
    assert isinstance(vocabulary, ByteBpeVocabulary)
    lengths = {"inputs": 5000, "targets": 5000}
    texts = []
    for example in task.get_dataset(lengths, "train", shuffle=False, seed=0).as_numpy_iterator():
        ids = [*example["inputs"][:-1].tolist(), *example["targets"][:-1].tolist()]
        texts.append(vocabulary.decode(ids).encode())
    assert sorted(texts) == _texts(data_dir, "train")


@pytest.mark.usefixtures("registered")
def test_batches_are_packed_and_decoded_in_a_graph_as_the_trainer_does():
    task = seqio.TaskRegistry.get("small_span_corruption")
    vocabulary = task.output_features["targets"].vocabulary
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        dataset = task.get_dataset({"inputs": 64, "targets": 64}, "train", shuffle=False, seed=0)
        dataset = mesh_dataset.pack_or_pad(dataset, length=64, pack=True)
        row = tf.compat.v1.data.make_one_shot_iterator(dataset).get_next()
        found = session.run([row["inputs"], vocabulary.decode_tf(row["inputs"])])
    assert found[0].max() == vocabulary.vocab_size - 1
    assert found[1].decode() == vocabulary.decode(found[0])

"""Teacher outputs for TensorFlow."""

from __future__ import annotations

import itertools
import json

import pytest
import tensorflow as tf
from refusals import assert_refused
from small_teacher_outputs import write_small

from code_t5 import errors
from code_t5.teacher_outputs.sample_batches import OutputBatches
from code_t5.teacher_outputs.tf_outputs import TfOutputBatches


@pytest.fixture(name="outputs")
def _outputs(tmp_path):
    return write_small(tmp_path / "outputs")


def _numbers(epoch):
    return [(batch["f0"].numpy() - 440).astype(int).tolist() for batch in epoch]


def test_batches_are_those_of_numpy(outputs):
    options = {"batch_size": 3, "fill": {"ids": 7}}
    wanted = list(OutputBatches(outputs, **options))
    found = list(TfOutputBatches(outputs, **options))
    assert len(found) == len(wanted) == 3
    for one, other in zip(found, wanted):
        assert list(one) == list(other)
        for name, array in other.items():
            assert one[name].dtype == array.dtype
            assert one[name].numpy().tolist() == array.tolist()


def test_shapes_are_known_where_they_are_fixed(outputs):
    batches = TfOutputBatches(outputs, batch_size=3, fields=["x", "ids"], pad_to={"tokens": 5})
    assert batches.dataset().element_spec == {
        "x": tf.TensorSpec((3, 5, 1), tf.float32),
        "ids": tf.TensorSpec((3, 5, 3), tf.int32),
        "tokens_lengths": tf.TensorSpec((3,), tf.int64),
    }
    batches = TfOutputBatches(outputs, batch_size=3, fields=["ids"], drop_last=False)
    assert batches.dataset().element_spec["ids"].shape.as_list() == [None, None, 3]
    assert [len(batch["ids"]) for batch in batches.dataset()] == [3, 3, 3, 1]


def test_a_pipeline_walks_epochs_as_its_reader_does(outputs):
    batches = TfOutputBatches(outputs, batch_size=4)
    alone = OutputBatches(outputs, batch_size=4)
    wanted = [(batch["f0"] - 440).astype(int).tolist() for _ in range(3) for batch in alone]
    dataset = batches.dataset(num_epochs=3)
    assert int(dataset.cardinality()) == 6
    assert _numbers(dataset) == wanted
    endless = batches.dataset(num_epochs=None)
    assert int(endless.cardinality()) == tf.data.INFINITE_CARDINALITY
    assert _numbers(itertools.islice(endless, 6)) == wanted
    assert batches.state_after(3)["epoch"] == 1
    assert_refused(lambda: batches.dataset(0), match="num_epochs is 0")


def test_a_run_goes_on_where_it_was(outputs):
    whole = _numbers(TfOutputBatches(outputs, batch_size=2))
    begun = TfOutputBatches(outputs, batch_size=2)
    had = _numbers(itertools.islice(begun, 2))
    state = json.loads(json.dumps(begun.state_dict()))
    assert state == TfOutputBatches(outputs, batch_size=2).state_after(2)
    again = TfOutputBatches(outputs, batch_size=2)
    again.load_state_dict(state)
    assert had + _numbers(again) == whole
    again.load_state_dict(state)
    assert had + _numbers(again.dataset()) == whole


def test_damage_is_told_in_our_words(outputs):
    path = outputs.path / "shard-00000.safetensors"
    content = bytearray(path.read_bytes())
    content[20] ^= 1
    path.write_bytes(content)
    batches = TfOutputBatches(outputs, batch_size=10)
    outputs._open.clear()
    with pytest.raises(errors.ArtifactError, match="a header that is not its own"):
        list(batches)

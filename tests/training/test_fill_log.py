"""What is logged of the training's rows."""

from __future__ import annotations

import logging

import pytest
import tensorflow as tf

from code_t5.training import event_files
from code_t5.training.fill_log import FOLDER, FillLog

# Batches of two rows: 3 and 6 tokens of inputs, 2 and 4 of targets, 3 examples and 2.
BATCHES = {
    "inputs": [[[5, 1, 0, 0], [1, 0, 0, 0]], [[5, 5, 5, 1], [5, 1, 0, 0]]],
    "targets": [[[1, 0], [1, 0]], [[5, 1], [5, 1]]],
    "targets_segmentation": [[[1, 2], [1, 0]], [[1, 1], [1, 1]]],
}


def batches(names=tuple(BATCHES)):
    features = {name: tf.constant(BATCHES[name], tf.int32) for name in names}
    return tf.data.Dataset.from_tensor_slices(features)


def scalars(model_dir):
    (path,) = event_files.list_files(model_dir / FOLDER)
    return {
        tag: [(scalar.step, pytest.approx(scalar.value)) for scalar in values]
        for tag, values in event_files.read_scalars(path).items()
    }


def test_rates_and_tokens_per_step_are_means_over_the_steps_reported(tmp_path):
    log = FillLog(tmp_path, first_step=40, every_steps=2)
    for _ in log.watch(batches().repeat(2)):
        pass
    assert scalars(tmp_path) == {
        "input/inputs_fill": [(42, 4.5 / 8), (44, 4.5 / 8)],
        "input/inputs_tokens_per_step": [(42, 4.5), (44, 4.5)],
        "input/targets_fill": [(42, 3 / 4), (44, 3 / 4)],
        "input/targets_tokens_per_step": [(42, 3), (44, 3)],
        "input/examples_per_step": [(42, 2.5), (44, 2.5)],
    }


def test_batches_pass_unchanged(tmp_path):
    passed = list(FillLog(tmp_path, every_steps=1).watch(batches()))
    for name, wanted in BATCHES.items():
        assert [batch[name].numpy().tolist() for batch in passed] == wanted


def test_the_log_says_it_in_one_line(caplog):
    caplog.set_level(logging.INFO, logger="absl")
    for _ in FillLog(None, every_steps=2).watch(batches()):
        pass
    (record,) = [record for record in caplog.records if "a batch held" in record.getMessage()]
    assert record.getMessage() == (
        "Step 2: a batch held 4 tokens of inputs (56.2% of the room), 3 tokens of targets (75.0% "
        "of the room), 2 examples"
    )


def test_rows_that_are_not_packed_or_have_no_inputs_are_counted_too(tmp_path):
    for _ in FillLog(tmp_path, every_steps=2).watch(batches(["targets"])):
        pass
    assert scalars(tmp_path) == {
        "input/targets_fill": [(2, 3 / 4)],
        "input/targets_tokens_per_step": [(2, 3)],
    }


def test_nothing_is_reported_before_its_time(tmp_path):
    for _ in FillLog(tmp_path, every_steps=3).watch(batches()):
        pass
    assert not (tmp_path / FOLDER).exists()


def test_counting_works_in_the_graph_of_an_estimator(tmp_path):
    with tf.Graph().as_default():
        log = FillLog(tmp_path, every_steps=1)
        iterator = tf.compat.v1.data.make_one_shot_iterator(log.watch(batches()))
        following = iterator.get_next()
        with tf.compat.v1.Session() as session:
            for wanted in BATCHES["inputs"]:
                assert session.run(following)["inputs"].tolist() == wanted
    assert [step for step, _ in scalars(tmp_path)["input/inputs_fill"]] == [1, 2]


def test_a_model_directory_on_another_machine_gets_its_file_there(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    # TensorFlow's file system in memory, in place of gs://.
    for _ in FillLog("ram://model", every_steps=1).watch(batches()):
        pass
    assert list(tmp_path.iterdir()) == []
    (name,) = tf.io.gfile.listdir(f"ram://model/{FOLDER}")
    assert name.startswith("events.out.tfevents.")
    tf.io.gfile.rmtree(f"ram://model/{FOLDER}")

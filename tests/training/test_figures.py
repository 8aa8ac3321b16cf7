"""Figures from tiny event files that the test writes as TensorFlow does."""

from __future__ import annotations

import pytest
import tensorflow as tf

from code_t5 import errors
from code_t5.training import event_files, figures


def write_events(folder, points, *, suffix=""):
    """Writes `(step, wall_time, {tag: value})` to a new event file."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"events.out.tfevents.{len(list(folder.iterdir())):010d}{suffix}"
    with tf.io.TFRecordWriter(str(path)) as writer:
        for step, wall_time, values in points:
            event = tf.compat.v1.Event(step=step, wall_time=wall_time)
            for tag, value in values.items():
                event.summary.value.add(tag=tag, simple_value=value)
            writer.write(event.SerializeToString())
    return path


def speeds(steps, *, start, seconds):
    return [(step, start + i * seconds, {"global_step/sec": 1.0}) for i, step in enumerate(steps)]


def test_speed_is_that_of_the_newest_run(tmp_path):
    write_events(tmp_path, speeds(range(2, 12), start=100, seconds=9))
    write_events(
        tmp_path, [(11, 999, {"loss": 3.0}), *speeds(range(12, 22), start=1000, seconds=0.25)]
    )
    found = figures.read_training(tmp_path)
    assert found.steps_per_second == pytest.approx(4)
    assert found.last_step == 21


def test_losses_come_from_the_log_where_there_is_one(tmp_path):
    write_events(tmp_path, [(1, 0, {"loss": 4.0}), *speeds(range(2, 100), start=1, seconds=1)])
    (tmp_path / "logs").mkdir()
    lines = [f"step, tf_loss[{100 - step}][{step}]\n" for step in range(1, 101)]
    (tmp_path / "logs" / "train-1.log").write_text("".join(lines))
    found = figures.read_training(tmp_path)
    assert found.num_losses == 100
    # The first 5, and a tenth of the 100 at the end.
    assert found.first_logged_loss == (99 + 98 + 97 + 96 + 95) / 5
    assert found.last_logged_loss == sum(range(10)) / 10


def test_losses_come_from_event_files_where_there_is_no_log(tmp_path):
    write_events(
        tmp_path,
        [
            (1, 0, {"loss": 4.0}),
            *speeds(range(2, 200), start=1, seconds=1),
            (101, 99, {"loss": 2.0}),
        ],
    )
    found = figures.read_training(tmp_path)
    assert (found.first_logged_loss, found.last_logged_loss, found.num_losses) == (4.0, 2.0, 2)


def test_directory_without_a_training_is_refused(tmp_path):
    with pytest.raises(errors.InputError, match="train first"):
        figures.read_training(tmp_path)


def test_speed_needs_two_points_in_time():
    with pytest.raises(ValueError, match="two"):
        figures.steps_per_second([event_files.Scalar(1, 5.0, 0.0)])


def evaluation(step, nats, *, wall_time=0.0, tokens=1000):
    values = {"neg_log_perplexity": -nats, "token_accuracy": 0.25, "num_eval_tokens": tokens}
    return (step, wall_time, {"loss": nats / 3, **values})


def test_evaluation_is_the_loss_over_tokens_of_the_newest_checkpoint(tmp_path):
    folder = tmp_path / "eval_dev_validation_1600"
    write_events(folder, [evaluation(300, 4.5), evaluation(200, 5.5)])
    found = figures.read_evaluation(tmp_path, name="dev")
    assert found == figures.EvaluationFigures(
        step=300, nats_per_token=4.5, token_accuracy=0.25, num_tokens=1000, max_examples=1600
    )


def test_of_two_evaluations_of_a_checkpoint_the_later_one_counts(tmp_path):
    write_events(tmp_path / "eval_dev_validation_1600", [evaluation(300, 4.5, wall_time=20.0)])
    write_events(tmp_path / "eval_dev_validation_320", [evaluation(300, 4.25, wall_time=30.0)])
    assert figures.read_evaluation(tmp_path, name="dev").max_examples == 320


def test_evaluations_of_other_tasks_and_splits_do_not_count(tmp_path):
    for name in ("eval_dev_two_validation_16", "eval_dev_test_16", "eval_de_validation_16"):
        write_events(tmp_path / name, [evaluation(300, 1.0)])
    with pytest.raises(errors.InputError, match="evaluate"):
        figures.read_evaluation(tmp_path, name="dev")

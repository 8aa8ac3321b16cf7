"""The hooks of a training: compare, be alone, stop when asked. With TensorFlow's own loop."""

from __future__ import annotations

import fcntl
import os
import signal

import pytest
import tensorflow.compat.v1 as tf
from absl import logging
from training.checkpoints import tiny_checkpoints

from code_t5 import errors
from code_t5.training.checkpoints import choosing, going_on, reading, saving


def train(model_dir, *, to_step, shape=(6, 4), at_step=None, wired=True):
    """Trains a weight as the estimator does: restores, saves at the start and the end."""
    hooks = going_on.going_on_hooks(str(model_dir))
    with tf.Graph().as_default():
        step = tf.train.get_or_create_global_step()
        weight = tf.Variable(tf.zeros(shape), name="shared/embedding")
        train_op = tf.group(tf.assign_add(step, 1), tf.assign_add(weight, tf.ones(shape)))
        with tf.control_dependencies([train_op]):
            count = step.read_value()
        saver = tf.train.Saver(tf.global_variables(), sharded=True, save_relative_paths=True)
        tf.add_to_collection(tf.GraphKeys.SAVERS, saver)
        saver_hook = tf.train.CheckpointSaverHook(str(model_dir), save_steps=1000, saver=saver)
        scaffold = tf.train.Scaffold(saver=saver)
        creator = tf.train.ChiefSessionCreator(scaffold, checkpoint_dir=str(model_dir))

        def loop():
            with tf.train.MonitoredSession(creator, [*hooks, saver_hook]) as session:
                while not session.should_stop():
                    number = int(session.run(count))
                    if at_step is not None:
                        at_step(number)
                    if number >= to_step:
                        break

        if not wired:
            loop()
            return
        with going_on.clear_ending(str(model_dir), hooks):
            loop()


def test_training_goes_on_and_saves(tmp_path):
    going_on.prepare(str(tmp_path))
    train(tmp_path, to_step=3)
    going_on.prepare(str(tmp_path))
    train(tmp_path, to_step=5)
    found = reading.read_variables(reading.checkpoint_path(tmp_path))
    assert found["global_step"] == 5
    assert found["shared/embedding"].tolist() == [[5.0] * 4] * 6


def test_damage_is_warned_of_in_one_line(tmp_path, monkeypatch):
    tiny_checkpoints.save(tmp_path, [10, 20])
    tiny_checkpoints.data_file(tmp_path, 20).write_bytes(b"")
    said = []
    monkeypatch.setattr(logging, "warning", lambda text, *words: said.append(text % words))
    going_on.prepare(str(tmp_path))
    assert len(said) == 1 and "\n" not in said[0]
    assert said[0].startswith(f"In {tmp_path}: not whole: step 20 (")
    assert reading.newest_step(tmp_path) == 10


def test_checkpoint_of_another_model_is_refused_before_it_is_read(tmp_path):
    train(tmp_path, to_step=2)
    before = tiny_checkpoints.contents(tmp_path)
    with pytest.raises(errors.InputError) as caught:
        train(tmp_path, to_step=4, shape=(6, 8))
    assert "width 4" in str(caught.value) and "width 8" in str(caught.value)
    assert f"found in {tmp_path}/model.ckpt-2 a model with" in str(caught.value)
    after = tiny_checkpoints.contents(tmp_path)
    kept = {name for name in before if name.startswith(("model.ckpt", "checkpoint"))}
    assert {name: after[name] for name in kept} == {name: before[name] for name in kept}
    # The refusal let the directory go.
    train(tmp_path, to_step=3)


def test_second_training_in_a_directory_is_refused(tmp_path):
    with open(tmp_path / ".training.lock", "wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(errors.BusyError, match="trains there"):
            going_on.prepare(str(tmp_path))
        with pytest.raises(errors.BusyError, match="trains there"):
            train(tmp_path, to_step=2)
    train(tmp_path, to_step=2)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_signal_ends_the_training_after_its_step_with_all_saved(tmp_path, number):
    def ask(step):
        if step == 4:
            os.kill(os.getpid(), number)

    earlier = signal.getsignal(number)
    with pytest.raises(SystemExit) as caught:
        train(tmp_path, to_step=1000, at_step=ask)
    assert caught.value.code == 128 + number
    assert signal.getsignal(number) == earlier
    found = reading.read_variables(reading.checkpoint_path(tmp_path))
    # Python hears the signal when the next step has begun.
    assert found["global_step"] == 5
    train(tmp_path, to_step=8)
    assert reading.newest_step(tmp_path) == 8


def test_second_interrupt_ends_it_at_once(tmp_path):
    def ask_twice(step):
        os.kill(os.getpid(), signal.SIGTERM)
        os.kill(os.getpid(), signal.SIGTERM)
        os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        train(tmp_path, to_step=1000, at_step=ask_twice)
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL


def test_without_an_ending_signals_are_left_alone(tmp_path):
    seen = []
    train(
        *(tmp_path,),
        to_step=2,
        at_step=lambda _: seen.append(signal.getsignal(signal.SIGTERM)),
        wired=False,
    )
    assert set(seen) == {signal.SIG_DFL}


def test_file_limit_does_not_pass_for_the_end_of_the_data(tmp_path, monkeypatch):
    """TensorFlow's loop ends quietly at an OutOfRangeError, which a file limit is."""
    train(tmp_path, to_step=2)

    def too_large(*_, **__):
        raise tf.errors.OutOfRangeError(None, None, "model.ckpt-2; File too large")

    monkeypatch.setattr(tf.train.Saver, "save", too_large)
    with pytest.raises(saving.NotSavedError, match="File too large while saving .*step 2 is kept"):
        train(tmp_path, to_step=4)
    monkeypatch.undo()
    assert choosing.choose(tmp_path).step == 2


def test_directory_on_another_machine_is_left_to_tensorflow():
    going_on.prepare("gs://bucket/model")
    assert going_on.going_on_hooks("gs://bucket/model") == []

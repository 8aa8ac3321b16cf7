"""What is said of a training's steps."""

from __future__ import annotations

import logging

import pytest
import tensorflow.compat.v1 as tf

from code_t5.training import event_files
from code_t5.training.stepping import session as session_module
from code_t5.training.stepping import watch
from code_t5.training.stepping.data_watch import DataCounts, DataWatch


class Clock:
    """A clock that goes on by so many seconds a step."""

    def __init__(self, seconds):
        self.now, self.seconds = 100.0, seconds

    def __call__(self):
        self.now += self.seconds
        return self.now


class CountedData(DataWatch):
    """Data of 30 tokens in 40 positions a step, each waited for a fixed time."""

    def __init__(self, waited):
        super().__init__()
        self.steps, self.waited = 0, waited

    @property
    def counts(self):
        return DataCounts(self.steps, 30 * self.steps, 40 * self.steps, self.waited * self.steps)


def train(hooks, *, steps, first_step=0, data=None):
    """Runs steps as an estimator does."""
    with tf.Graph().as_default():
        step = tf.train.create_global_step()
        x = tf.get_variable("x", [4, 4])
        train_op = tf.group(tf.assign(x, tf.matmul(x, x)), tf.assign_add(step, 1))
        set_step = tf.assign(step, first_step)
        scaffold = tf.train.Scaffold(init_fn=lambda _, session: session.run(set_step))
        creator = tf.train.ChiefSessionCreator(scaffold)
        with tf.train.MonitoredSession(creator, hooks=hooks) as session:
            for _ in range(steps):
                if data is not None:
                    data.steps += 1
                session.run(train_op)


def lines(caplog):
    return [record.getMessage() for record in caplog.records if "steps/s" in record.getMessage()]


@pytest.fixture(autouse=True)
def _told(caplog):
    caplog.set_level(logging.INFO, logger="absl")


def test_a_line_comes_every_ten_seconds_and_at_the_end(tmp_path, caplog):
    data = CountedData(waited=0.02)
    hook = watch.SpeedHook(tmp_path, data_watch=data, clock=Clock(0.5))
    train([hook], steps=26, first_step=300, data=data)
    # The first step is no measure: it compiles.
    assert lines(caplog) == [
        "step 321: 2.00 steps/s, 60 tokens/s, fill 75.0%, waited 4.0% for data",
        "step 326: 2.00 steps/s, 60 tokens/s, fill 75.0%, waited 4.0% for data",
    ]


def test_quick_steps_are_reported_by_the_hundred(tmp_path, caplog):
    data = CountedData(waited=0.0)
    train([watch.SpeedHook(tmp_path, data_watch=data, clock=Clock(0.01))], steps=201, data=data)
    assert lines(caplog) == [
        "step 101: 100.00 steps/s, 3000 tokens/s, fill 75.0%, waited 0.0% for data",
        "step 201: 100.00 steps/s, 3000 tokens/s, fill 75.0%, waited 0.0% for data",
    ]


def test_tensorboard_gets_the_same_figures(tmp_path):
    data = CountedData(waited=0.02)
    train([watch.SpeedHook(tmp_path, data_watch=data, clock=Clock(0.5))], steps=21, data=data)
    (path,) = event_files.list_files(tmp_path / watch.FOLDER)
    scalars = event_files.read_scalars(path)
    assert {tag: [(s.step, pytest.approx(s.value)) for s in scalars[tag]] for tag in scalars} == {
        "speed/steps_per_second": [(21, 2.0)],
        "speed/tokens_per_second": [(21, 60.0)],
        "speed/fill": [(21, 0.75)],
        "speed/data_wait": [(21, 0.04)],
    }


def test_the_devices_are_told_once(caplog):
    train([watch.PlacementHook()], steps=6)
    told = [record for record in caplog.records if "a step executes" in record.getMessage()]
    assert len(told) == 1
    assert "1 of them matrix products: CPU:0 100.0% of operations" in told[0].getMessage()
    assert told[0].levelname == "INFO"


def test_a_mesh_of_gpus_on_the_cpu_is_warned_of(caplog, monkeypatch):
    monkeypatch.setattr(session_module, "mesh_devices", lambda: ("gpu:0",))
    train([watch.PlacementHook()], steps=4)
    (warning,) = [record for record in caplog.records if record.levelname == "WARNING"]
    assert "1 of 1 matrix products are on the CPU" in warning.getMessage()


def test_without_anybody_to_time_the_data_only_the_devices_are_told(tmp_path):
    hooks = watch.step_hooks(str(tmp_path), first_step=0, fill_log=None)
    assert [type(hook) for hook in hooks] == [watch.PlacementHook]
    hooks = watch.step_hooks(str(tmp_path), first_step=0, fill_log=None, data_watch=DataWatch())
    assert [type(hook) for hook in hooks] == [watch.PlacementHook, watch.SpeedHook]

"""Watches a training's steps: speed, devices, waiting for data; says so in the log and TensorBoard.

Import this module only in a trainer's process: it imports TensorFlow.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import Any

import tensorflow.compat.v1 as tf
from absl import logging

from code_t5.training.fill_log import FillLog
from code_t5.training.stepping import placement, session
from code_t5.training.stepping.data_watch import DataCounts, DataWatch

# Below the model directory: TensorBoard follows one event file per folder.
FOLDER = "speed"
# A line is due after so many steps or so much time, whichever comes first.
_EVERY_STEPS = 100
_EVERY_SECONDS = 10.0
# The first steps compile and fill buffers: they are no measure, and their graph may change.
_TRACED_RUN = 3


class SpeedHook(tf.estimator.SessionRunHook):
    """Says every so often how fast steps are and what part of their time they waited for data."""

    def __init__(
        self,
        model_dir: str | os.PathLike[str],
        *,
        data_watch: DataWatch,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Starts before the first step.

        Args:
          model_dir: Whose folder `speed` gets an event file.
          data_watch: Counts what the steps are given.
          clock: Seconds from any moment on.
        """
        # Not a path of this machine: it may be gs://...
        self._folder = os.path.join(model_dir, FOLDER)
        self._data = data_watch
        self._clock = clock
        self._writer: tf.summary.FileWriter | None = None
        self._step = 0
        # Where the time of the next line begins; None until a first step is done.
        self._since: tuple[int, float, DataCounts] | None = None
        # When the last step was done: a checkpoint may follow before the end.
        self._now = 0.0

    def begin(self) -> None:
        """Opens the event file, while the graph may still be changed."""
        self._writer = tf.summary.FileWriter(self._folder)

    def after_create_session(self, session: tf.Session, coord: tf.train.Coordinator) -> None:
        """Counts from the step that the session begins with.

        Args:
          session: Its weights are restored.
          coord: Not looked at.
        """
        del coord
        self._step = int(session.run(tf.train.get_global_step()))
        self._since = None

    def after_run(
        self, run_context: tf.estimator.SessionRunContext, run_values: tf.estimator.SessionRunValues
    ) -> None:
        """Counts a step and reports if it is time.

        Args:
          run_context: Not looked at.
          run_values: Not looked at.
        """
        del run_context, run_values
        self._step += 1
        self._now = now = self._clock()
        if self._since is None:
            self._since = (self._step, now, self._data.counts)
        elif self._step - self._since[0] >= _EVERY_STEPS or now - self._since[1] >= _EVERY_SECONDS:
            self._report(self._since)

    def end(self, session: tf.Session) -> None:
        """Reports of the last steps.

        Args:
          session: Not looked at.
        """
        del session
        if self._since is not None and self._step > self._since[0]:
            self._report(self._since)
        if self._writer is not None:
            self._writer.close()

    def _report(self, since: tuple[int, float, DataCounts]) -> None:
        first, began, counts_before = since
        self._since = (self._step, self._now, self._data.counts)
        seconds = max(self._now - began, 1e-9)
        counts = self._since[2].since(counts_before)
        values = {
            "steps_per_second": (self._step - first) / seconds,
            "tokens_per_second": counts.num_tokens / seconds,
            "fill": counts.num_tokens / max(counts.num_positions, 1),
            "data_wait": min(counts.waited_seconds / seconds, 1.0),
        }
        logging.info(
            "step %d: %.2f steps/s, %.0f tokens/s, fill %.1f%%, waited %.1f%% for data",
            self._step,
            values["steps_per_second"],
            values["tokens_per_second"],
            100 * values["fill"],
            100 * values["data_wait"],
        )
        if self._writer is not None:
            found = [
                tf.Summary.Value(tag=f"{FOLDER}/{name}", simple_value=value)
                for name, value in values.items()
            ]
            self._writer.add_summary(tf.Summary(value=found), self._step)
            self._writer.flush()


class PlacementHook(tf.estimator.SessionRunHook):
    """Says once, after the first steps, which devices do the work and in what precision."""

    def __init__(self) -> None:
        """Starts before the first step."""
        self._num_runs = 0

    def before_run(
        self, run_context: tf.estimator.SessionRunContext
    ) -> tf.estimator.SessionRunArgs | None:
        """Asks for the graph as it is executed, of one step.

        Args:
          run_context: Not looked at.
        """
        del run_context
        self._num_runs += 1
        if self._num_runs != _TRACED_RUN:
            return None
        options = tf.RunOptions(output_partition_graphs=True)
        return tf.estimator.SessionRunArgs(fetches=[], options=options)

    def after_run(self, run_context: tf.estimator.SessionRunContext, run_values: Any) -> None:
        """Says what that graph holds.

        Args:
          run_context: Not looked at.
          run_values: Hold the graph.
        """
        del run_context
        if self._num_runs != _TRACED_RUN:
            return
        devices = placement.count_operations(run_values.run_metadata.partition_graphs)
        if not devices:
            return
        logging.info("%s", placement.describe(devices))
        warning = placement.misplaced(devices, mesh_devices=session.mesh_devices())
        if warning is not None:
            logging.warning("%s", warning)


def step_hooks(
    model_dir: str,
    *,
    first_step: int,
    fill_log: FillLog | None,
    data_watch: DataWatch | None = None,
) -> list[tf.estimator.SessionRunHook]:
    """Returns the hooks that watch a training.

    Args:
      model_dir: Gets event files.
      first_step: Steps that the model has been trained for.
      fill_log: Counts the tokens that pass, None where nobody counts.
      data_watch: Times the data that pass, None where nobody does.
    """
    del first_step, fill_log
    hooks: list[tf.estimator.SessionRunHook] = [PlacementHook()]
    if data_watch is not None:
        hooks.append(SpeedHook(model_dir, data_watch=data_watch))
    return hooks

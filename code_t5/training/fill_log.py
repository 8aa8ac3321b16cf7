"""Says in the log and to TensorBoard how full the training's rows are.

The *fill rate* of a feature is the share of a batch's positions that hold a token; the rest is
padding, which the model computes all the same. Counts are kept in the input pipeline, which runs a
few batches ahead of the training.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping

import tensorflow as tf
from absl import logging

from code_t5.pipeline_calls import pipeline_call

FEATURES = ("inputs", "targets")
# Below the model directory: TensorBoard follows one event file per folder.
FOLDER = "input"


class FillLog:
    """Counts tokens, and reports every so many steps."""

    def __init__(
        self,
        model_dir: str | os.PathLike[str] | None,
        *,
        first_step: int = 0,
        every_steps: int = 100,
    ) -> None:
        """Sets what is reported when.

        Args:
          model_dir: Whose folder `input` gets an event file; None for the log alone.
          first_step: Steps that the model has been trained for.
          every_steps: A report tells of this many steps.
        """
        # Not a path of this machine: it may be gs://...
        self._folder = None if model_dir is None else os.path.join(model_dir, FOLDER)
        self._every_steps = every_steps
        self._step = first_step
        self._reported_step = first_step
        self._sums: dict[str, int] = {}
        self._write: Callable[[int, Mapping[str, float]], None] | None = None

    def watch(self, batches: tf.data.Dataset) -> tf.data.Dataset:
        """Returns the same batches, counted as they pass.

        Args:
          batches: Each with int `[batch_size, length]` arrays, `inputs` perhaps and `targets`.
        """
        spec = tf.nest.map_structure(lambda tensor: tensor.shape, batches.element_spec)
        names = [name for name in FEATURES if name in spec]
        positions = {name: spec[name].num_elements() for name in names}
        # How many examples a row holds is the number of its last segment.
        has_segments = "targets_segmentation" in spec

        @pipeline_call
        def count(*counts: int) -> None:
            keys = [*names, "examples"]
            self.add(dict(zip(keys, map(int, counts))), positions=positions)

        def pass_on(batch: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
            counts = [tf.math.count_nonzero(batch[name]) for name in names]
            if has_segments:
                rows = tf.math.reduce_max(batch["targets_segmentation"], axis=1)
                counts.append(tf.cast(tf.math.reduce_sum(rows), tf.int64))
            with tf.control_dependencies([tf.numpy_function(count, counts, [])]):
                return tf.nest.map_structure(tf.identity, batch)

        return batches.map(pass_on)

    def add(self, counts: Mapping[str, int], *, positions: Mapping[str, int]) -> None:
        """Counts one batch, and reports if it is time.

        Args:
          counts: Tokens by feature, and perhaps `examples`.
          positions: Room for tokens, by feature.
        """
        for name, value in counts.items():
            self._sums[name] = self._sums.get(name, 0) + value
        self._step += 1
        num_steps = self._step - self._reported_step
        if num_steps < self._every_steps:
            return
        means = {name: total / num_steps for name, total in self._sums.items()}
        self._report(means, positions)
        self._sums = {}
        self._reported_step = self._step

    def _report(self, means: Mapping[str, float], positions: Mapping[str, int]) -> None:
        scalars, words = {}, []
        for name, room in positions.items():
            scalars[f"{name}_fill"] = means[name] / room
            scalars[f"{name}_tokens_per_step"] = means[name]
            words.append(
                f"{means[name]:,.0f} tokens of {name} ({means[name] / room:.1%} of the room)"
            )
        if "examples" in means:
            scalars["examples_per_step"] = means["examples"]
            words.append(f"{means['examples']:,.0f} examples")
        logging.info("Step %d: a batch held %s", self._step, ", ".join(words))
        if self._folder is not None:
            self._write = self._write or _event_writer(self._folder)
            self._write(self._step, scalars)


def _event_writer(folder: str) -> Callable[[int, Mapping[str, float]], None]:
    """Returns what writes scalars into a new event file, in graph mode and out of it."""
    from tensorboard.compat.proto import event_pb2, summary_pb2
    from tensorboard.summary.writer.event_file_writer import EventFileWriter

    writer = EventFileWriter(folder)

    def write(step: int, scalars: Mapping[str, float]) -> None:
        values = [
            summary_pb2.Summary.Value(tag=f"input/{name}", simple_value=value)
            for name, value in scalars.items()
        ]
        summary = summary_pb2.Summary(value=values)
        writer.add_event(event_pb2.Event(wall_time=time.time(), step=step, summary=summary))
        writer.flush()

    return write

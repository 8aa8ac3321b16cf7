"""Measures how long steps wait for their data, and counts the tokens that they get.

The last stage of the input pipeline asks the stages before it for a batch and looks at the clock
before and after: the step that asked can do nothing in between. Batches made ahead cost no time.

Import this module only in a trainer's process: it imports TensorFlow.
"""

from __future__ import annotations

import dataclasses

import tensorflow as tf

from code_t5.pipeline_calls import pipeline_call
from code_t5.training.fill_log import FEATURES


@dataclasses.dataclass(frozen=True)
class DataCounts:
    """What was handed to steps since the training began.

    Attributes:
      num_batches: Batches.
      num_tokens: Tokens of inputs and targets, padding left out.
      num_positions: Room for tokens.
      waited_seconds: Time that steps waited.
    """

    num_batches: int = 0
    num_tokens: int = 0
    num_positions: int = 0
    waited_seconds: float = 0.0

    def since(self, before: DataCounts) -> DataCounts:
        """Returns what was counted after an earlier count."""
        return DataCounts(
            self.num_batches - before.num_batches,
            self.num_tokens - before.num_tokens,
            self.num_positions - before.num_positions,
            self.waited_seconds - before.waited_seconds,
        )


def _without_prefetch(batches: tf.data.Dataset) -> tf.data.Dataset:
    """Keeps TensorFlow from making batches ahead of the clock, which it does unasked."""
    options = tf.data.Options()
    options.experimental_optimization.inject_prefetch = False
    return batches.with_options(options)


class DataWatch:
    """Looks at what one training's steps are given."""

    def __init__(self) -> None:
        """Starts at zero."""
        self._counts = DataCounts()

    @property
    def counts(self) -> DataCounts:
        """What was handed out so far."""
        return self._counts

    def watch(self, batches: tf.data.Dataset) -> tf.data.Dataset:
        """Returns the same batches, timed; nothing may come between them and the steps.

        Args:
          batches: Each with int `[batch_size, length]` arrays, `inputs` perhaps and `targets`;
            made ahead, if they are, before this stage.
        """
        spec = batches.element_spec
        names = [name for name in FEATURES if name in spec]

        @pipeline_call
        def count(seconds: float, num_tokens: int, num_positions: int) -> None:
            old = self._counts
            # One assignment: the training's thread reads while a pipeline's writes.
            self._counts = DataCounts(
                old.num_batches + 1,
                old.num_tokens + int(num_tokens),
                old.num_positions + int(num_positions),
                old.waited_seconds + float(seconds),
            )

        def pass_on(
            before: tf.Tensor, batch: dict[str, tf.Tensor], after: tf.Tensor
        ) -> dict[str, tf.Tensor]:
            num_tokens = tf.add_n([tf.math.count_nonzero(batch[name]) for name in names])
            room = tf.add_n([tf.size(batch[name], tf.int64) for name in names])
            counted = tf.numpy_function(count, [after - before, num_tokens, room], [])
            with tf.control_dependencies([counted]):
                return tf.nest.map_structure(tf.identity, batch)

        clock = tf.data.Dataset.range(1).repeat().map(lambda _: tf.timestamp())
        # Each element asks the three in this order.
        return _without_prefetch(tf.data.Dataset.zip((clock, batches, clock)).map(pass_on))

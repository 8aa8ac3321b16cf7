"""What a Task `<name>_line_completion` has beyond others: t5's `eval` mode can measure it.

That mode decodes a prediction for each example of a split, hands it and the example to the Task's
`postprocess_fn`, and all of them to its `metric_fns` (`code_t5.data.line_metrics`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from code_t5.data import line_metrics, trainer_errors
from code_t5.data.t5_vocabulary import T5Vocabulary
from code_t5.encoding.piece_model import EOS_ID
from code_t5.pipeline_calls import pipeline_call

# t5 takes what stands under this name for the answer.
_ANSWER = "targets_pretokenized"


class LineQuestions:
    """Turns examples into questions with answers.

    Attributes:
      metric_fns: What the Task is measured by.
    """

    metric_fns = (line_metrics.line_metrics,)

    def __init__(self, vocabulary: T5Vocabulary) -> None:
        """Remembers how ids become text.

        Args:
          vocabulary: Of the Task.
        """
        self._vocabulary = vocabulary

    def add_answers(self, dataset: tf.data.Dataset) -> tf.data.Dataset:
        """Gives each example the text of its targets, as a string scalar.

        Args:
          dataset: Examples with int32 `targets` `[num_tokens]`.

        Returns:
          The same with `targets_pretokenized`; packing leaves it out.
        """

        @pipeline_call
        def decode(token_ids: np.ndarray) -> bytes:
            return self._vocabulary.decode(token_ids.tolist()).encode("utf-8")

        def add(example: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
            text = tf.numpy_function(decode, [example["targets"]], tf.string, stateful=False)
            return {**example, _ANSWER: tf.ensure_shape(text, [])}

        return dataset.map(add, num_parallel_calls=1)

    def postprocess(
        self,
        text: str,
        *,
        example: Mapping[str, Any] | None = None,
        is_target: bool = False,
    ) -> line_metrics.Answer | str:
        """Returns what `line_metrics` compares; seqio and t5 call it.

        Args:
          text: What the model wrote, or the answer.
          example: The example, padded to the lengths that were evaluated with.
          is_target: Whether the text is the answer.

        Returns:
          The answer, or the rest of the line that was predicted.
        """
        if not is_target or example is None:
            return line_metrics.rest_of_line(text)
        with trainer_errors.one_line_errors():
            inputs = np.asarray(example["inputs"])
            prompt = self._vocabulary.decode(inputs[inputs > EOS_ID].tolist())
        targets = np.asarray(example["targets"])
        # No room was left for padding: the line had more tokens than there was room for, or, very
        # seldom, just as many.
        is_cut = bool(len(targets) and targets[-1] != 0)
        return line_metrics.Answer(text, line_metrics.is_line_start(prompt), is_cut)

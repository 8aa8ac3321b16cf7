"""Preprocessors of the Tasks: the trainer's own objectives, imported when they first run.

Importing `t5` takes a second, which registering a Task must not. In the trainer it is imported
already, so that gin knows the names under which the objectives are configured.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import gin
import tensorflow as tf

from code_t5 import errors

_OBJECTIVE_PARAMETER = "t5.data.preprocessors.unsupervised.preprocessors"


def text_to_targets(dataset: tf.data.Dataset) -> tf.data.Dataset:
    """Keeps the text of each example as `targets`.

    Args:
      dataset: Examples with a string scalar `text`.

    Returns:
      Examples with the string scalar `targets` alone.
    """
    return dataset.map(lambda example: {"targets": example["text"]}, num_parallel_calls=2)


def unsupervised(
    dataset: tf.data.Dataset,
    *,
    sequence_length: Mapping[str, int],
    output_features: Mapping[str, Any],
) -> tf.data.Dataset:
    """Runs the objective that gin binds to `t5.data.preprocessors.unsupervised`.

    Args:
      dataset: Examples with int32 `targets` `[num_tokens]`.
      sequence_length: Most tokens by feature.
      output_features: Of the Task.

    Returns:
      Examples with int32 `inputs` and `targets`, as the objective makes them.

    Raises:
      InputError: gin binds no objective.
    """
    from t5.data import preprocessors

    try:
        chosen = gin.query_parameter(_OBJECTIVE_PARAMETER)
    except ValueError:
        chosen = None
    if not chosen:
        raise errors.InputError(
            "gin chooses no objective for this Task; wanted one of gin_configs/objectives; add "
            "--gin_file=objectives/prefix_lm.gin, or use the Task's name followed by _prefix_lm"
        )
    return preprocessors.unsupervised(
        dataset, sequence_length=sequence_length, output_features=output_features
    )


def prefix_lm(
    dataset: tf.data.Dataset,
    *,
    sequence_length: Mapping[str, int],
    output_features: Mapping[str, Any],
) -> tf.data.Dataset:
    """Prefix language modelling: the start of a chunk is given, the rest is predicted.

    From "Exploring the Limits of Transfer Learning with a Unified Text-to-Text Transformer"
    (Raffel et al., 2020), section 3.2.1.

    Args:
      dataset: Examples with int32 `targets` `[num_tokens]`.
      sequence_length: Most tokens by feature.
      output_features: Of the Task.

    Returns:
      Examples with int32 `inputs` and `targets`.
    """
    from t5.data import preprocessors

    return preprocessors.prefix_lm(
        dataset, sequence_length=sequence_length, output_features=output_features
    )


def span_corruption(
    dataset: tf.data.Dataset,
    *,
    sequence_length: Mapping[str, int],
    output_features: Mapping[str, Any],
) -> tf.data.Dataset:
    """Span corruption: 15 % of the tokens, in spans of mean length 3, behind sentinels.

    From Raffel et al., 2020, section 3.1.4.

    Args:
      dataset: Examples with int32 `targets` `[num_tokens]`.
      sequence_length: Most tokens by feature.
      output_features: Of the Task.

    Returns:
      Examples with int32 `inputs` and `targets`.
    """
    from t5.data import preprocessors

    return preprocessors.span_corruption(
        dataset, sequence_length=sequence_length, output_features=output_features
    )


# The suffix of a Task's name to the objective that it fixes.
OBJECTIVES = {"prefix_lm": prefix_lm, "span_corruption": span_corruption}

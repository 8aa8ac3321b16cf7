"""How the trainer's steps are executed: precision, XLA, threads. Gin sets `session_config`.

Import this module only in a trainer's process: it registers with gin and imports TensorFlow.
"""

from __future__ import annotations

from typing import Any

import gin
import tensorflow.compat.v1 as tf


@gin.configurable(module="code_t5")
def session_config() -> tf.ConfigProto:
    """Returns what the training's session is made with."""
    return tf.ConfigProto(allow_soft_placement=True)


def configure(estimator: Any) -> None:
    """Has an estimator train in a session of `session_config`.

    Args:
      estimator: The trainer's.
    """
    estimator._session_config = session_config()

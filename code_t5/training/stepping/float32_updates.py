"""Keeps what an optimizer computes in float32 while a step is in mixed precision.

TensorFlow's rewrite goes on to 16 bits from a matrix product through every sum and product behind
it. The last matrix product of a training is a gradient, so it would go on through the optimizer:
`weight - rate * gradient` in bfloat16 has three digits, and a weight would hardly move. A *barrier*
hands a gradient on as it is, by an operation that the rewrite does not know and stops at.

Import this module only in a trainer's process: it imports TensorFlow.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import mesh_tensorflow as mtf
import tensorflow.compat.v1 as tf
from mesh_tensorflow import optimize


class BarrierOperation(mtf.Operation):
    """A tensor as it is."""

    def __init__(self, tensor: mtf.Tensor) -> None:
        """Adds itself to the graph.

        Args:
          tensor: Of any shape and dtype.
        """
        super().__init__([tensor], name="barrier")
        self._outputs = [mtf.Tensor(self, tensor.shape, tensor.dtype)]

    def lower(self, lowering: Any) -> None:
        """Makes TensorFlow's operations.

        Args:
          lowering: Holds those of the inputs.
        """

        def hand_on(values: tf.Tensor) -> tf.Tensor:
            # In none of the rewrite's lists, and nothing folds it: it might be fed.
            return tf.placeholder_with_default(values, values.shape)

        (found,) = self.inputs
        values = lowering.tensors[found].to_laid_out_tensor()
        lowering.set_tensor_lowering(
            self.outputs[0], lowering.mesh_impl(self).slicewise(hand_on, values)
        )


@contextlib.contextmanager
def barriers() -> Iterator[None]:
    """Has every optimizer of mesh-tensorflow get its gradients behind barriers."""
    apply_grads = optimize.Optimizer.apply_grads

    def apply_behind_barriers(self: Any, grads: Sequence[Any], variables: Sequence[Any]) -> Any:
        behind = [None if grad is None else BarrierOperation(grad).outputs[0] for grad in grads]
        return apply_grads(self, behind, variables)

    optimize.Optimizer.apply_grads = apply_behind_barriers
    try:
        yield
    finally:
        optimize.Optimizer.apply_grads = apply_grads


def with_barriers(model_fn: Callable[..., Any]) -> Callable[..., Any]:
    """Returns an estimator's function that makes a training's graph with barriers in it.

    Args:
      model_fn: The trainer's, as an estimator keeps it.
    """

    # Estimators look at the names.
    def found(features: Any, labels: Any, mode: str, config: Any, params: Any) -> Any:
        with barriers():
            return model_fn(
                features=features, labels=labels, mode=mode, config=config, params=params
            )

    return found

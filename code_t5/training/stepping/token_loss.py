"""The training's loss from the positions that hold a token, in place of all positions.

mesh-tensorflow computes a logit for every piece of the vocabulary at every position of the targets,
multiplies with one-hot rows, and sets what belongs to padding to zero. Here positions with padding
are left out before the product; the loss and its gradients are the same sums. Logits, their
gradient and the gradients of both factors are computed in one operation, so that the number of
tokens may differ from step to step.

Gin: `transformer.Unitransformer.loss_fn = @code_t5.token_loss`, together with
`code_t5.training.stepping.embedding`, without which it falls back to mesh-tensorflow's loss.

Import this module only in a trainer's process: it registers with gin and imports TensorFlow.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import gin
import mesh_tensorflow as mtf
import tensorflow.compat.v1 as tf

from code_t5.training.stepping.embedding import PROJECTION, is_split, mesh_axes


def _row_gradients(logits: tf.Tensor, labels: tf.Tensor, *, z_loss: float) -> tuple[Any, Any]:
    """Returns the loss of each row and its gradient by the logits.

    Args:
      logits: float32 `[num_tokens, vocab]`.
      labels: int32 `[num_tokens]`.
      z_loss: Weight of the squared logarithm of the partition function.

    Returns:
      float32 `[num_tokens]` and float32 `[num_tokens, vocab]`.
    """
    # Its second output is softmax minus one-hot, made on the way.
    losses, gradients = tf.raw_ops.SparseSoftmaxCrossEntropyWithLogits(
        features=logits, labels=labels
    )
    if not z_loss:
        return losses, gradients
    log_z = losses + tf.gather(logits, labels, batch_dims=1)
    # d(z_loss * log_z^2) = 2 * z_loss * log_z * softmax, and softmax is gradients + one-hot.
    factors = 2.0 * z_loss * log_z
    places = tf.stack([tf.range(tf.size(labels)), labels], axis=1)
    gradients = tf.tensor_scatter_nd_add(gradients * (1.0 + factors)[:, None], places, factors)
    return losses + z_loss * tf.square(log_z), gradients


def _slice_loss(
    hidden: tf.Tensor, weights: tf.Tensor, targets: tf.Tensor, *, z_loss: float
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Returns the summed loss of one slice, and its gradients by the hidden state and weights."""
    d_model = hidden.shape[-1]
    labels = tf.reshape(targets, [-1])
    places = tf.where_v2(labels > 0)
    labels = tf.gather_nd(labels, places)
    rows = tf.gather_nd(tf.reshape(hidden, [-1, d_model]), places)
    logits = tf.matmul(rows, weights, transpose_b=True)
    losses, gradients = _row_gradients(logits, labels, z_loss=z_loss)
    all_rows = tf.constant([targets.shape.num_elements(), d_model], tf.int64)
    hidden_gradient = tf.scatter_nd(places, tf.matmul(gradients, weights), all_rows)
    weights_gradient = tf.matmul(gradients, rows, transpose_a=True)
    return tf.reduce_sum(losses), tf.reshape(hidden_gradient, hidden.shape), weights_gradient


class TokenLossOperation(mtf.Operation):
    """The loss summed over tokens, and its gradients, made along with it."""

    def __init__(
        self, hidden: mtf.Tensor, *, weights: mtf.Tensor, targets: mtf.Tensor, z_loss: float
    ) -> None:
        """Adds itself to the graph.

        Args:
          hidden: float32, the shape of the targets, and `d_model`.
          weights: float32 `[vocab, d_model]`; may not be split by `vocab`.
          targets: int32; what is not above 0 is padding.
          z_loss: Weight of the squared logarithm of the partition function.
        """
        super().__init__([hidden, weights, targets], name="token_loss")
        shapes = [mtf.Shape([]), hidden.shape, weights.shape]
        self._outputs = [
            mtf.Tensor(self, shape, hidden.dtype, index=index) for index, shape in enumerate(shapes)
        ]
        self._z_loss = z_loss

    def gradient(self, grad_ys: Sequence[mtf.Tensor]) -> list[mtf.Tensor | None]:
        """Returns the gradients of the inputs.

        Args:
          grad_ys: The first is that of the loss.
        """
        return [grad_ys[0] * self.outputs[1], grad_ys[0] * self.outputs[2], None]

    def lower(self, lowering: Any) -> None:
        """Makes TensorFlow's operations.

        Args:
          lowering: Holds those of the inputs.
        """
        mesh_impl = lowering.mesh_impl(self)

        def compute(hidden: tf.Tensor, weights: tf.Tensor, targets: tf.Tensor) -> tuple[Any, ...]:
            # How many tokens there are is not known ahead, which XLA would have to know.
            with tf.xla.experimental.jit_scope(compile_ops=False):
                return _slice_loss(hidden, weights, targets, z_loss=self._z_loss)

        parts = [lowering.tensors[tensor] for tensor in self.inputs]
        loss, hidden_gradient, weights_gradient = mesh_impl.slicewise(compute, *parts)
        axes = mesh_axes(mesh_impl, self.inputs[2].shape.dims)
        if axes:
            loss = mtf.LazyAllreduceSum(mesh_impl, loss, axes)
            weights_gradient = mtf.LazyAllreduceSum(mesh_impl, weights_gradient, axes)
        for output, value in zip(self.outputs, (loss, hidden_gradient, weights_gradient)):
            lowering.set_tensor_lowering(output, value)


def _standard_loss(model: Any, *arguments: Any) -> mtf.Tensor:
    """Returns mesh-tensorflow's own loss of a model that has been given another."""
    ours, model._loss_fn = model._loss_fn, None
    try:
        return model._compute_loss(*arguments)
    finally:
        model._loss_fn = ours


@gin.configurable("token_loss", module="code_t5")
def _token_loss(
    model: Any, context: Any, logits: mtf.Tensor, targets: mtf.Tensor, output_vocab_dim: Any
) -> mtf.Tensor:
    """Returns a model's loss, as `Unitransformer.loss_fn` must.

    Label smoothing, a loss on a part of the targets, ensembles, activations other than float32 and
    a vocabulary that the mesh divides get mesh-tensorflow's own.

    Args:
      model: Its decoder.
      context: What its layers share.
      logits: Not computed unless needed.
      targets: int32; what is not above 0 is padding.
      output_vocab_dim: The vocabulary's dimension.
    """
    projection = context.cache.get(PROJECTION)
    if (
        projection is None
        or model.label_smoothing
        or model.loss_on_targets_only
        or projection[0].dtype != tf.float32
        or is_split(model, [output_vocab_dim, model.model_dim])
    ):
        return _standard_loss(model, context, logits, targets, output_vocab_dim)
    hidden, weights = projection
    z_loss = model.z_loss if context.train else 0.0
    total = TokenLossOperation(hidden, weights=weights, targets=targets, z_loss=z_loss).outputs[0]
    return total / model.loss_denominator(targets, context.num_microbatches)

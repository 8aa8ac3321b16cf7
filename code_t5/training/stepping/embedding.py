"""An embedding that looks vectors up, in place of mesh-tensorflow's product with one-hot rows.

mesh-tensorflow multiplies a matrix of `num_tokens x vocabulary` ones and zeros with the embedding,
for the vectors and again for their gradient. Looking them up and summing gives the same numbers:
the same sums, in another order. Weights have the same names, so checkpoints go both ways.

Gin: `get_vocab_embedding_cls.cls = @code_t5.LookupEmbedding`.

Import this module only in a trainer's process: it registers with gin and imports TensorFlow.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import gin
import mesh_tensorflow as mtf
import tensorflow.compat.v1 as tf
from mesh_tensorflow.transformer import transformer

# What `token_loss` reads: the last hidden state and what it would be multiplied with.
PROJECTION = "code_t5_projection"


def mesh_axes(mesh_impl: Any, dims: Sequence[mtf.Dimension]) -> list[int]:
    """Returns the axes of the mesh over which dimensions are split.

    Args:
      mesh_impl: How a mesh is laid out.
      dims: Dimensions of a tensor.
    """
    axes = (mesh_impl.tensor_dimension_to_mesh_axis(dim) for dim in dims)
    return [axis for axis in axes if axis is not None]


def is_split(model: Any, dims: Sequence[mtf.Dimension]) -> bool:
    """Returns whether a model's mesh divides any of some dimensions.

    Args:
      model: A transformer of mesh-tensorflow, with its layout and mesh.
      dims: The dimensions.
    """
    if model.layout is None or model.mesh_shape is None:
        return False
    layout = mtf.convert_to_layout_rules(model.layout)
    mesh_shape = mtf.convert_to_shape(model.mesh_shape)
    axes = (layout.tensor_dimension_to_mesh_axis(dim, mesh_shape) for dim in dims)
    return any(axis is not None and mesh_shape.dims[axis].size > 1 for axis in axes)


def _local_ids(lowering: Any, ids: mtf.Tensor, vocab_dim: mtf.Dimension) -> tuple[Any, int]:
    """Returns ids counted from each slice's first row, -1 for rows of others, and the rows."""
    mesh_impl = lowering.mesh_impl(ids.mesh)
    (num_rows,) = mesh_impl.slice_shape(mtf.Shape([vocab_dim]))
    axis = mesh_impl.tensor_dimension_to_mesh_axis(vocab_dim)

    def count_from_first(found: tf.Tensor, slice_index: Any) -> tf.Tensor:
        local = found - slice_index * num_rows
        inside = tf.logical_and(local >= 0, local < num_rows)
        return tf.where_v2(inside, local, -1)

    slice_index = 0 if axis is None else mesh_impl.laid_out_pcoord(axis)
    return mesh_impl.slicewise(count_from_first, lowering.tensors[ids], slice_index), num_rows


class LookupOperation(mtf.Operation):
    """Rows of a matrix by id; zeros for ids that it does not have."""

    def __init__(self, weights: mtf.Tensor, ids: mtf.Tensor) -> None:
        """Adds itself to the graph.

        Args:
          weights: `[vocab, d_model]`.
          ids: int32, of any shape.
        """
        super().__init__([weights, ids], name="lookup")
        shape = mtf.Shape(ids.shape.dims + weights.shape.dims[1:])
        self._outputs = [mtf.Tensor(self, shape, weights.dtype)]

    def gradient(self, grad_ys: Sequence[mtf.Tensor]) -> list[mtf.Tensor | None]:
        """Returns the gradients of the inputs.

        Args:
          grad_ys: That of the output.
        """
        weights, ids = self.inputs
        rows = mtf.transpose(grad_ys[0], self.outputs[0].shape)
        return [RowSumOperation(rows, ids=ids, shape=weights.shape).outputs[0], None]

    def lower(self, lowering: Any) -> None:
        """Makes TensorFlow's operations.

        Args:
          lowering: Holds those of the inputs.
        """
        weights, ids = self.inputs
        mesh_impl = lowering.mesh_impl(self)
        local, _ = _local_ids(lowering, ids, weights.shape.dims[0])

        def look_up(rows: tf.Tensor, found: tf.Tensor) -> tf.Tensor:
            values = tf.gather(rows, tf.maximum(found, 0))
            return values * tf.cast(found >= 0, values.dtype)[..., tf.newaxis]

        values = mesh_impl.slicewise(look_up, lowering.tensors[weights], local)
        axes = mesh_axes(mesh_impl, weights.shape.dims[:1])
        if axes:
            values = mtf.LazyAllreduceSum(mesh_impl, values, axes)
        lowering.set_tensor_lowering(self.outputs[0], values)


class RowSumOperation(mtf.Operation):
    """Sums rows by id into a matrix: the gradient of a lookup."""

    def __init__(self, rows: mtf.Tensor, *, ids: mtf.Tensor, shape: mtf.Shape) -> None:
        """Adds itself to the graph.

        Args:
          rows: The shape of the ids, and `d_model`.
          ids: int32.
          shape: `[vocab, d_model]`.
        """
        super().__init__([rows, ids], name="row_sum")
        self._outputs = [mtf.Tensor(self, shape, rows.dtype)]

    def lower(self, lowering: Any) -> None:
        """Makes TensorFlow's operations.

        Args:
          lowering: Holds those of the inputs.
        """
        rows, ids = self.inputs
        mesh_impl = lowering.mesh_impl(self)
        local, num_rows = _local_ids(lowering, ids, self.outputs[0].shape.dims[0])

        def add_up(values: tf.Tensor, found: tf.Tensor) -> tf.Tensor:
            values = tf.reshape(values, [-1, values.shape[-1]])
            # Negative ids are left out.
            return tf.math.unsorted_segment_sum(values, tf.reshape(found, [-1]), num_rows)

        total = mesh_impl.slicewise(add_up, lowering.tensors[rows], local)
        axes = mesh_axes(mesh_impl, ids.shape.dims)
        if axes:
            total = mtf.LazyAllreduceSum(mesh_impl, total, axes)
        lowering.set_tensor_lowering(self.outputs[0], total)


@gin.configurable(module="code_t5")
class LookupEmbedding(transformer.VocabEmbedding):
    """mesh-tensorflow's embedding of the vocabulary, without one-hot rows."""

    def ids_to_embedding(self, ids: mtf.Tensor, context: Any) -> mtf.Tensor:
        """Returns a vector per id.

        Args:
          ids: int32.
          context: What the layers share.
        """
        weights = self._embedding_weights
        # An ensemble has a matrix for each member.
        if len(weights.shape.dims) != 2:
            return super().ids_to_embedding(ids, context)
        values = LookupOperation(weights, ids).outputs[0]
        if self._scale_variable_like_classifier_weights:
            values *= self._output_dim.size**0.5
        return values

    def hidden_to_logits(self, hidden: mtf.Tensor, context: Any) -> mtf.Tensor:
        """Returns a logit per piece of the vocabulary, and notes what they are made of.

        Args:
          hidden: The last layer's output.
          context: What the layers share.
        """
        scaled = hidden
        if not self._scale_variable_like_classifier_weights:
            scaled = hidden * self._output_dim.size**-0.5
        if len(self._embedding_weights.shape.dims) == 2:
            context.cache[PROJECTION] = (scaled, self._embedding_weights)
        return super().hidden_to_logits(hidden, context)

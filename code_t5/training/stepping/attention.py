"""Attention in fewer passes over its weights, in place of mesh-tensorflow's.

*Weights* here are the numbers from 0 to 1 by which a position looks at others, `[batch, heads,
length, memory_length]`: the largest arrays of a layer. mesh-tensorflow adds up a bias of that
size, in an order of dimensions that must be transposed for every product, and takes the softmax
apart. Here the mask (alike for all heads) and the relative positions (alike for all examples) stay
apart, and the gradient is written by hand: the same sums, in another order.

Gin: `@code_t5.QuickSelfAttention` and `@code_t5.QuickEncDecAttention` in
`transformer.make_layer_stack.layers`. Both take the settings of `transformer_layers.SelfAttention`
and have its variables. Dropout of the weights, decoding, and whatever else this module does not
know are mesh-tensorflow's own.

Import this module only in a trainer's process: it registers with gin and imports TensorFlow.
"""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Sequence
from typing import Any

import gin
import mesh_tensorflow as mtf
import tensorflow.compat.v1 as tf
from mesh_tensorflow.transformer import attention, transformer_layers

from code_t5.training.stepping.embedding import is_split, mesh_axes

_MODES = (tf.estimator.ModeKeys.TRAIN, tf.estimator.ModeKeys.EVAL)
_RELATIVE = (None, "bias", "bias_shared")


@dataclasses.dataclass(frozen=True)
class _Sizes:
    """The dimensions of one attention.

    Attributes:
      batch: Whatever comes before the length.
      length: Positions that look.
      memory: Positions that are looked at.
      heads: Heads.
      kv: Numbers per position and head.
    """

    batch: tuple[mtf.Dimension, ...]
    length: mtf.Dimension
    memory: mtf.Dimension
    heads: mtf.Dimension
    kv: mtf.Dimension

    @property
    def queries(self) -> mtf.Shape:
        """Shape of the queries and of the output."""
        return mtf.Shape([*self.batch, self.length, self.heads, self.kv])

    @property
    def keys(self) -> mtf.Shape:
        """Shape of the keys and values."""
        return mtf.Shape([*self.batch, self.memory, self.heads, self.kv])

    @property
    def weights(self) -> mtf.Shape:
        """Shape of the weights."""
        return mtf.Shape([*self.batch, self.heads, self.length, self.memory])

    @property
    def mask(self) -> mtf.Shape:
        """Shape of what all heads add."""
        return mtf.Shape([*self.batch, self.length, self.memory])

    @property
    def positions(self) -> mtf.Shape:
        """Shape of what all examples add."""
        return mtf.Shape([self.heads, self.length, self.memory])


@dataclasses.dataclass(frozen=True)
class SplitBias:
    """What is added to the products of queries and keys, in two parts.

    Attributes:
      mask: `[batch..., length, memory_length]`, without gradient; None for none.
      positions: `[heads, length, memory_length]`; None for none.
    """

    mask: mtf.Tensor | None
    positions: mtf.Tensor | None


def _heads_first(values: tf.Tensor) -> tf.Tensor:
    """Turns `[batch..., length, heads, kv]` into `[rows, heads, length, kv]`."""
    values = tf.reshape(values, [-1, *values.shape[-3:]])
    return tf.transpose(values, [0, 2, 1, 3])


def _heads_last(values: tf.Tensor, shape: Sequence[int]) -> tf.Tensor:
    """Undoes `_heads_first`."""
    return tf.reshape(tf.transpose(values, [0, 2, 1, 3]), shape)


class AttentionOperation(mtf.Operation):
    """The weighted means of the values, and the weights."""

    def __init__(
        self,
        tensors: Sequence[mtf.Tensor],
        *,
        sizes: _Sizes,
        has_mask: bool,
        has_positions: bool,
    ) -> None:
        """Adds itself to the graph.

        Args:
          tensors: Queries, keys, values, and if there are such mask and positions.
          sizes: Their dimensions.
          has_mask: Whether there is a mask.
          has_positions: Whether there are relative positions.
        """
        super().__init__(list(tensors), name="attention")
        dtype = tensors[0].dtype
        self._outputs = [
            mtf.Tensor(self, sizes.queries, dtype, index=0),
            mtf.Tensor(self, sizes.weights, dtype, index=1),
        ]
        self._sizes = sizes
        self._has_mask, self._has_positions = has_mask, has_positions

    def gradient(self, grad_ys: Sequence[mtf.Tensor]) -> list[mtf.Tensor | None]:
        """Returns the gradients of the inputs.

        Args:
          grad_ys: The first is that of the means.
        """
        grad = mtf.transpose(grad_ys[0], self._sizes.queries)
        found = AttentionGradientOperation([*self.inputs[:3], *self.outputs, grad], self._sizes)
        gradients: list[mtf.Tensor | None] = list(found.outputs[:3])
        if self._has_mask:
            gradients.append(None)
        if self._has_positions:
            gradients.append(found.outputs[3])
        return gradients

    def lower(self, lowering: Any) -> None:
        """Makes TensorFlow's operations.

        Args:
          lowering: Holds those of the inputs.
        """

        def attend(q: tf.Tensor, k: tf.Tensor, v: tf.Tensor, *biases: tf.Tensor) -> tuple[Any, Any]:
            rest = list(biases)
            logits = tf.matmul(_heads_first(q), _heads_first(k), transpose_b=True)
            if self._has_positions:
                logits += rest.pop()[tf.newaxis]
            if self._has_mask:
                mask = rest.pop()
                logits += tf.reshape(mask, [-1, 1, *mask.shape[-2:]])
            weights = tf.nn.softmax(logits)
            means = _heads_last(tf.matmul(weights, _heads_first(v)), q.shape)
            return means, tf.reshape(weights, [*q.shape[:-3], *weights.shape[1:]])

        parts = [lowering.tensors[tensor] for tensor in self.inputs]
        values = lowering.mesh_impl(self).slicewise(attend, *parts)
        for output, value in zip(self.outputs, values):
            lowering.set_tensor_lowering(output, value)


class AttentionGradientOperation(mtf.Operation):
    """The gradients of queries, keys, values and relative positions."""

    def __init__(self, tensors: Sequence[mtf.Tensor], sizes: _Sizes) -> None:
        """Adds itself to the graph.

        Args:
          tensors: Queries, keys, values, means, weights, and the gradient of the means.
          sizes: Their dimensions.
        """
        super().__init__(list(tensors), name="attention_gradient")
        shapes = (sizes.queries, sizes.keys, sizes.keys, sizes.positions)
        dtype = tensors[0].dtype
        self._outputs = [
            mtf.Tensor(self, shape, dtype, index=index) for index, shape in enumerate(shapes)
        ]
        self._sizes = sizes

    def lower(self, lowering: Any) -> None:
        """Makes TensorFlow's operations.

        Args:
          lowering: Holds those of the inputs.
        """

        def differentiate(*slices: tf.Tensor) -> tuple[tf.Tensor, ...]:
            q, k, v, means, weights, grad = slices
            weights = tf.reshape(weights, [-1, *weights.shape[-3:]])
            first = _heads_first(grad)
            # The softmax's gradient: the row sums of weights x gradient equal means x gradient.
            row_sums = tf.reduce_sum(_heads_first(means) * first, axis=-1, keepdims=True)
            of_weights = tf.matmul(first, _heads_first(v), transpose_b=True)
            of_logits = weights * (of_weights - row_sums)
            return (
                _heads_last(tf.matmul(of_logits, _heads_first(k)), q.shape),
                _heads_last(tf.matmul(of_logits, _heads_first(q), transpose_a=True), k.shape),
                _heads_last(tf.matmul(weights, first, transpose_a=True), v.shape),
                tf.reduce_sum(of_logits, axis=0),
            )

        mesh_impl = lowering.mesh_impl(self)
        parts = [lowering.tensors[tensor] for tensor in self.inputs]
        values = list(mesh_impl.slicewise(differentiate, *parts))
        axes = mesh_axes(mesh_impl, self._sizes.batch)
        if axes:
            values[3] = mtf.LazyAllreduceSum(mesh_impl, values[3], axes)
        for output, value in zip(self.outputs, values):
            lowering.set_tensor_lowering(output, value)


def _sizes(q: mtf.Tensor, k: mtf.Tensor, memory: mtf.Dimension, kv: mtf.Dimension) -> _Sizes | None:
    """Returns the dimensions of an attention; None for those of other kinds."""
    dims = q.shape.dims
    if len(dims) < 4 or dims[-1] != kv:
        return None
    found = _Sizes(tuple(dims[:-3]), length=dims[-3], memory=memory, heads=dims[-2], kv=kv)
    return found if k.shape == found.keys else None


def _quick_attention(
    q: mtf.Tensor,
    k: mtf.Tensor,
    v: mtf.Tensor,
    memory_length_dim: mtf.Dimension,
    key_dim: mtf.Dimension,
    value_dim: mtf.Dimension,
    bias: SplitBias | mtf.Tensor | None = None,
    **options: Any,
) -> mtf.Tensor:
    """Returns weighted means of values, as `attention.attention` does.

    Args:
      q: Queries.
      k: Keys.
      v: Values.
      memory_length_dim: Dimension of the positions that are looked at.
      key_dim: Dimension of the numbers of a query.
      value_dim: Dimension of the numbers of a value.
      bias: What is added to the products of queries and keys.
      **options: `context`, and what else mesh-tensorflow's function takes.
    """
    if isinstance(bias, mtf.Tensor):
        bias = SplitBias(bias, None)
    bias = bias or SplitBias(None, None)
    sizes = _sizes(q, k, memory_length_dim, key_dim)
    positions = bias.positions
    context = options["context"]
    if (
        sizes is None
        or v.shape != sizes.keys
        or (bias.mask is not None and bias.mask.shape != sizes.mask)
        # Where positions are the examples' own, so are the distances.
        or (positions is not None and set(positions.shape.dims) != set(sizes.positions.dims))
        or is_split(context.model, [sizes.length, sizes.memory, sizes.kv])
    ):
        parts = [part for part in (bias.mask, bias.positions) if part is not None]
        whole = mtf.add_n(parts) if parts else None
        places = (memory_length_dim, key_dim, value_dim)
        return attention.attention(q, k, v, *places, whole, **options)
    tensors = [q, k, v]
    if bias.mask is not None:
        tensors.append(bias.mask)
    if bias.positions is not None:
        tensors.append(mtf.transpose(bias.positions, sizes.positions))
    has = {"has_mask": bias.mask is not None, "has_positions": bias.positions is not None}
    return AttentionOperation(tensors, sizes=sizes, **has).outputs[0]


def _is_known(layer: Any, context: Any) -> bool:
    """Returns whether a layer computes nothing but plain attention over whole sequences."""
    has_dropout = context.train and layer.dropout_rate
    # To the encoder's output no distances are known.
    relative = (None,) if isinstance(layer, transformer_layers.EncDecAttention) else _RELATIVE
    return (
        context.mode in _MODES
        and not has_dropout
        and not layer.attention_kwargs
        and layer.z_loss_coeff is None
        and layer.attention_func is None
        and layer.relative_attention_type in relative
        and not layer.hyperprompt_length_encoder
        and not layer.hyperprompt_length_decoder
        and not context.model.ensemble_dims
    )


class _Quick:
    """What makes an attention layer of mesh-tensorflow a quick one, where it can be."""

    # Of the call that is being made.
    _is_quick = False

    @property
    def attention_fn(self) -> Any:
        """The function that computes it."""
        return _quick_attention if self._is_quick else super().attention_fn  # type: ignore[misc]

    def call(self, context: Any, *arguments: Any) -> mtf.Tensor:
        """Returns the layer's output.

        Args:
          context: What the layers share.
          *arguments: The layer's input, and perhaps a list of losses.
        """
        self._is_quick = _is_known(self, context)
        return super().call(context, *arguments)  # type: ignore[misc]


# Variables are named after the classes, so these have mesh-tensorflow's names, and gin others.
@gin.configurable("QuickSelfAttention", module="code_t5")
class SelfAttention(_Quick, transformer_layers.SelfAttention):
    """mesh-tensorflow's self-attention, quicker."""

    def compute_bias(self, context: Any, *arguments: Any, **options: Any) -> Any:
        """Returns what is added to the products of queries and keys.

        Args:
          context: What the layers share.
          *arguments: Those of mesh-tensorflow: first the positions looked at; third the heads.
          **options: More of them.
        """
        if not self._is_quick:
            return super().compute_bias(context, *arguments, **options)
        mask = self._without_positions().compute_bias(context, *arguments, **options)
        if mask is not None and not any(dim in mask.shape.dims for dim in context.batch_dims):
            mask = mtf.broadcast(mask, mtf.Shape([*context.batch_dims, *mask.shape.dims]))
        return SplitBias(mask, self._positions(context, arguments[0], heads_dims=arguments[2]))

    def _without_positions(self) -> transformer_layers.SelfAttention:
        """Returns a layer like this one whose bias is the mask alone."""
        other = copy.copy(self)
        other._is_quick, other.relative_attention_type = False, None
        return other

    def _positions(
        self, context: Any, memory_position: mtf.Tensor, *, heads_dims: list[mtf.Dimension]
    ) -> mtf.Tensor | None:
        """Returns the part that depends on how far apart two positions are."""
        if self.relative_attention_type is None:
            return None
        buckets_dim = mtf.Dimension("buckets", self.relative_attention_num_buckets)
        # Where mesh-tensorflow keeps what its layers share.
        key = (
            "self_attention_bias",
            self.min_relative_position(context),
            self.max_relative_position(context),
            tuple(heads_dims),
        )
        is_shared = self.relative_attention_type == "bias_shared"
        values = context.cache.get(key) if is_shared else None
        if values is None:
            shape = mtf.Shape([*heads_dims, buckets_dim])
            values = mtf.get_variable(
                context.mesh, "relative_attention_bias", shape, dtype=context.variable_dtype
            )
        if is_shared:
            context.cache[key] = values
        buckets = transformer_layers._relative_position_bucket(
            memory_position - context.position,
            bidirectional=not context.model.fully_autoregressive,
            num_buckets=buckets_dim.size,
        )
        return mtf.gather(values, buckets, buckets_dim)


@gin.configurable("QuickEncDecAttention", module="code_t5")
class EncDecAttention(_Quick, transformer_layers.EncDecAttention):
    """mesh-tensorflow's attention to the encoder's output, quicker."""

"""The trainer's model run step by step, as a decoder for export needs it.

The model's own layers do all of it, called as mesh-tensorflow's beam search calls them.

Import this module only in a trainer's process: it imports TensorFlow.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import mesh_tensorflow as mtf
import tensorflow.compat.v1 as tf
from mesh_tensorflow.transformer import transformer


def on_one_device(
    function: Callable[..., Any],
    *,
    tensors: Sequence[mtf.Tensor],
    shapes: Sequence[mtf.Shape] | None = None,
    dtypes: Sequence[Any] | None = None,
) -> Any:
    """Applies plain TensorFlow to whole tensors: right on a mesh of one device alone.

    Args:
      function: From TensorFlow tensors to one, or to as many as there are shapes.
      tensors: What it is given.
      shapes: Of what it returns; None for one like the first given.
      dtypes: The same.

    Returns:
      A tensor, or a list of them.
    """
    shapes = [tensors[0].shape] if shapes is None else shapes
    dtypes = [tensors[0].dtype] if dtypes is None else dtypes
    # On a mesh of one device nothing is split, whatever the layout calls it.
    dims = [dim for shape in [*(x.shape for x in tensors), *shapes] for dim in shape.dims]
    many = len(shapes) > 1
    return mtf.slicewise(
        # Several results are told from one by their type.
        (lambda *values: tuple(function(*values))) if many else function,
        list(tensors),
        output_shape=list(shapes) if many else shapes[0],
        output_dtype=list(dtypes) if many else dtypes[0],
        splittable_dims=dims,
    )


class StepDecoder:
    """The model's decoder over an encoded batch of prompts, a step at a time."""

    def __init__(
        self,
        model: Any,
        *,
        inputs: mtf.Tensor,
        variable_dtype: Any,
        beam_dim: mtf.Dimension,
        length_dim: mtf.Dimension,
    ) -> None:
        """Encodes the prompts and prepares what every step reads.

        Args:
          model: The trainer's Bitransformer.
          inputs: int32 [batch, length], padding 0.
          variable_dtype: The trainer's.
          beam_dim: How many candidates are decoded side by side.
          length_dim: How many tokens at most.
        """
        shared = model._shared_params(inputs.mesh, variable_dtype)
        sequence_id = mtf.minimum(inputs, 1)
        layer_outputs: list[mtf.Tensor] = []
        encoded, _ = model.encoder.call_simple(
            inputs=inputs,
            targets=None,
            compute_loss=False,
            mode=tf.estimator.ModeKeys.PREDICT,
            variable_dtype=variable_dtype,
            sequence_id=sequence_id,
            shared_params=shared,
            layer_outputs=layer_outputs,
        )
        as_memory = mtf.layers.rename_length_to_memory_length
        self._model = model.decoder
        self._constant_states: list[Any] = []
        length_range = mtf.range(inputs.mesh, length_dim, tf.int32)
        self._settings = {
            "model": model.decoder,
            "mesh": inputs.mesh,
            "batch_dims": [*inputs.shape.dims[:-1], beam_dim],
            "length_dim": length_dim,
            "variable_dtype": variable_dtype,
            "sequence_id": 1,
            "encoder_output": as_memory(encoded),
            "encoder_sequence_id": as_memory(sequence_id),
            "constant_states": self._constant_states,
            "shared_params": shared,
            "encoder_layer_outputs": layer_outputs,
            "write_priority": length_range,
            "encoder_inputs": as_memory(inputs),
        }
        self._length_range = length_range

    def first_states(self) -> list[mtf.Tensor]:
        """Returns the states before the first step, zeros; later steps need this to have run."""
        dims = [*self._settings["batch_dims"], self._settings["length_dim"]]
        nothing = mtf.zeros(self._settings["mesh"], mtf.Shape(dims), dtype=tf.int32)
        context = transformer.Context(
            **self._settings,
            mode="first_part",
            position=self._length_range,
            position_is_default=True,
            new_states=[],
            initial_position=mtf.reduce_sum(nothing, reduced_dim=dims[-1]),
            read_priority=self._length_range,
            inputs=nothing,
        )
        with tf.variable_scope(self._model.name):
            self._model._call_internal(context, nothing)
        return [mtf.zeros_like(state) for state in context.new_states]

    def step(
        self, position: mtf.Tensor, *, tokens: mtf.Tensor, states: Sequence[mtf.Tensor]
    ) -> tuple[mtf.Tensor, list[mtf.Tensor]]:
        """Returns the logits after one more token, and the states that the next step reads.

        Args:
          position: int32 [], of the token that is predicted.
          tokens: int32 [batch, beam], the last ones; 0 at the beginning.
          states: As the step before returned them.
        """
        context = transformer.Context(
            **self._settings,
            mode="incremental",
            position=position,
            states=states,
            new_states=[],
            read_priority=position,
            inputs=tokens,
        )
        with tf.variable_scope(self._model.name, reuse=True):
            logits = self._model._call_internal(context, tokens)
        return mtf.to_float(logits), context.new_states

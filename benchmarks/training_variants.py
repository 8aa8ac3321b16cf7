"""The trainer's step, built as the trainer builds it, for benchmarks to time.

A *variant* is one way to compute the same step: mesh-tensorflow's own parts or ours, in one
precision or another. Each has a graph and a session of its own; rows are made up, as full of
padding as is asked for.
"""

from __future__ import annotations

import dataclasses
import functools
import logging
import os
import pathlib
import types
from typing import Any

import numpy as np

_LAYERS = "mesh_tensorflow.transformer.transformer_layers"
_ROOT = pathlib.Path(__file__).resolve().parents[1]
_VOCAB_DIVISOR = 128
NUM_BATCHES = 4


@dataclasses.dataclass(frozen=True)
class Shape:
    """What is trained on what.

    Attributes:
      size: Name of a file of `gin_configs/models/shared_*.gin`.
      batch: Rows per step.
      length: Positions of inputs, and of targets.
      vocabulary: Pieces.
      fill: Share of the positions that hold a token.
    """

    size: str
    batch: int
    length: int
    vocabulary: int
    fill: float

    @property
    def padded_vocabulary(self) -> int:
        """Rows of the embedding."""
        return -(-self.vocabulary // _VOCAB_DIVISOR) * _VOCAB_DIVISOR


def make_rows(shape: Shape, *, seed: int = 0) -> dict[str, np.ndarray]:
    """Returns some batches of rows: int32 `[num_batches, batch, length]` by name."""
    random = np.random.default_rng(seed)
    found: dict[str, np.ndarray] = {}
    for name in ("inputs", "targets"):
        dims = (NUM_BATCHES, shape.batch, 1)
        low = max(1, int(shape.length * (2 * shape.fill - 1)))
        ends = random.integers(low, shape.length + 1, dims)
        places = np.broadcast_to(np.arange(shape.length), (*dims[:2], shape.length))
        has_token = (places < ends).astype(np.int32)
        # Frequencies like those of tokens; the lowest ids are padding and the end.
        ids = 2 + random.zipf(1.3, places.shape) % (shape.vocabulary - 2)
        found[name] = ids.astype(np.int32) * has_token
        found[f"{name}_segmentation"] = has_token
        found[f"{name}_position"] = places.astype(np.int32) * has_token
    return found


def layer_bindings(*, is_quick: bool) -> list[str]:
    """Returns the gin bindings of our faster parts, or of mesh-tensorflow's own."""
    own, cross = (
        ("code_t5.QuickSelfAttention", "code_t5.QuickEncDecAttention")
        if is_quick
        else (f"{_LAYERS}.SelfAttention", f"{_LAYERS}.EncDecAttention")
    )
    embedding = "code_t5.LookupEmbedding" if is_quick else "transformer.VocabEmbedding"
    loss = "@code_t5.token_loss" if is_quick else "None"
    own, dense = f"('self_attention', @{own})", f"('dense_relu_dense', @{_LAYERS}.DenseReluDense)"
    cross = f"('enc_dec_attention', @{cross})"
    return [
        f"get_vocab_embedding_cls.cls = @{embedding}",
        f"transformer.Unitransformer.loss_fn = {loss}",
        f"encoder/transformer.make_layer_stack.layers = [{own}, {dense}]",
        f"decoder/transformer.make_layer_stack.layers = [{own}, {cross}, {dense}]",
    ]


class TrainerVariant:
    """Steps of mesh-tensorflow's training graph."""

    def __init__(
        self,
        shape: Shape,
        *,
        is_quick: bool,
        device: str = "cpu:0",
        bindings: tuple[str, ...] = (),
        num_ahead: int = 2,
        **session_settings: Any,
    ) -> None:
        """Builds the graph and runs nothing yet.

        Args:
          shape: What is trained.
          is_quick: Whether with our parts.
          device: The mesh's one device.
          bindings: Further ones for gin.
          num_ahead: Batches made before they are asked for.
          **session_settings: Of `session_config`.
        """
        import gin
        import tensorflow.compat.v1 as tf

        settings = [f"code_t5.session_config.{k} = {v!r}" for k, v in session_settings.items()]
        gin.clear_config()
        bindings = (*layer_bindings(is_quick=is_quick), *settings, *bindings)
        _parse(shape, list(bindings), device=device)
        self._graph = tf.Graph()
        with self._graph.as_default():
            tf.set_random_seed(0)
            tf.train.create_global_step()
            spec, config = _train_spec(shape, device=device, num_ahead=num_ahead)
            # What the trainer fetches, but for the line that it prints.
            self._fetches = [spec.train_op, spec.loss.op.inputs[0]]
            self._session = tf.Session(config=config)
            self._session.run([tf.global_variables_initializer(), tf.local_variables_initializer()])
            restore = spec.training_chief_hooks[0]
            restore.begin()
            restore.after_create_session(self._session, None)
            self.num_parameters = sum(
                variable.shape.num_elements()
                for variable in tf.global_variables()
                if "_slot_" not in variable.op.name and variable.op.name != "global_step"
            )
        gin.clear_config()

    def step(self) -> float:
        """Trains one step; returns its loss, over all positions."""
        return float(self._session.run(self._fetches)[1])


def _parse(shape: Shape, bindings: list[str], *, device: str) -> None:
    import gin
    import mesh_tensorflow
    import t5.models

    # Registered for the bindings.
    from code_t5.training.stepping import attention, embedding, session, token_loss  # noqa: F401

    for folder in (
        os.path.join(os.path.dirname(mesh_tensorflow.__file__), "transformer", "gin"),
        os.path.join(os.path.dirname(t5.models.__file__), "gin"),
        str(_ROOT / "gin_configs"),
    ):
        gin.add_config_file_search_path(folder)
    # gin reports each folder in which a file is not before it looks into the next.
    logging.disable(logging.ERROR)
    gin.parse_config_files_and_bindings(
        ["defaults.gin", "runs/dev_prefix_lm.gin", f"models/shared_{shape.size}.gin"],
        [
            f"transformer.Unitransformer.max_length = {shape.length}",
            "get_variable_dtype.slice_dtype = 'float32'",
            "get_variable_dtype.activation_dtype = 'float32'",
            "MIXTURE_NAME = 'none'",
            f"utils.run.mesh_devices = ['{device}']",
            # The whole batch at once, and every layer computed once, as the peer does.
            "utils.serialize_num_microbatches.tokens_per_microbatch_per_replica = None",
            "transformer.LayerStack.recompute_grads = False",
            *bindings,
        ],
        finalize_config=False,
    )
    logging.disable(logging.NOTSET)


def _train_spec(shape: Shape, *, device: str, num_ahead: int) -> tuple[Any, Any]:
    """Returns the trainer's own training graph, fed with made-up rows, and its session's config."""
    import gin
    import mesh_tensorflow as mtf
    import tensorflow.compat.v1 as tf
    from mesh_tensorflow.transformer import learning_rate_schedules, utils

    from code_t5.training.stepping import session

    mesh_shape = mtf.convert_to_shape("model:1,batch:1")
    layout = mtf.convert_to_layout_rules("batch:batch,d_ff:model,heads:model,vocab:model")
    model = utils.build_model(
        "bitransformer", shape.vocabulary, shape.vocabulary, layout, mesh_shape
    )
    schedule = learning_rate_schedules.learning_rate_schedule_noam
    model_fn = utils.tpu_estimator_model_fn(
        *("bitransformer", model, None, os.devnull, False, mesh_shape, layout, shape.batch),
        {"inputs": shape.length, "targets": shape.length},
        *(True, 1, 1 << 30),
        learning_rate_schedule=functools.partial(schedule, total_train_steps=1000),
        optimizer=gin.query_parameter("utils.run.optimizer").scoped_configurable_fn,
        mesh_devices=[device],
    )
    # What of an estimator the trainer's own set-up looks at.
    estimator = types.SimpleNamespace(_model_fn=model_fn, _session_config=None)
    session.configure(estimator)
    rows = tf.data.Dataset.from_tensor_slices(make_rows(shape)).repeat()
    if num_ahead:
        rows = rows.prefetch(num_ahead)
    features = tf.data.make_one_shot_iterator(rows).get_next()
    mode = tf.estimator.ModeKeys.TRAIN
    spec = estimator._model_fn(features=features, labels=None, mode=mode, config=None, params={})
    return spec, estimator._session_config

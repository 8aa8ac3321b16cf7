"""Trains a tiny model by mesh-tensorflow's own training graph, with the parts that gin names.

No Task, no estimator and no files: rows are made here, and every variant begins with the same
weights, whatever its mesh.
"""

from __future__ import annotations

import functools
import os
import pathlib
import types
from typing import NamedTuple

import gin
import mesh_tensorflow as mtf
import numpy as np
import t5.models
import tensorflow.compat.v1 as tf
from mesh_tensorflow.transformer import learning_rate_schedules, utils

from code_t5.training.stepping import attention, embedding, session, token_loss

ROOT = pathlib.Path(__file__).resolve().parents[3]
BATCH, INPUTS, TARGETS, VOCABULARY = 4, 16, 12, 100
SIZES = (
    *("d_model = 16", "num_layers = 1", "d_ff = 32", "num_heads = 2", "d_kv = 8"),
    "transformer.Unitransformer.max_length = 16",
    "get_variable_dtype.slice_dtype = 'float32'",
    "get_variable_dtype.activation_dtype = 'float32'",
    "MIXTURE_NAME = 'none'",
    # Like for like: what a step adds to the weights, not what an optimizer makes of it.
    "run.optimizer = @optimize.SgdOptimizer",
)
_LAYERS = "mesh_tensorflow.transformer.transformer_layers"
_DENSE = f"('dense_relu_dense', @{_LAYERS}.DenseReluDense)"


def _layers(own: str, cross: str) -> tuple[str, str]:
    """Returns the bindings of a shared model's layers."""
    first = f"('self_attention', @{own})"
    return (
        f"encoder/transformer.make_layer_stack.layers = [{first}, {_DENSE}]",
        "decoder/transformer.make_layer_stack.layers = "
        f"[{first}, ('enc_dec_attention', @{cross}), {_DENSE}]",
    )


# mesh-tensorflow's parts by name, and ours, whatever the gin files choose.
STANDARD = (
    "get_vocab_embedding_cls.cls = @transformer.VocabEmbedding",
    "transformer.Unitransformer.loss_fn = None",
    *_layers(f"{_LAYERS}.SelfAttention", f"{_LAYERS}.EncDecAttention"),
)
EMBEDDING = ("get_vocab_embedding_cls.cls = @code_t5.LookupEmbedding",)
LOSS = (*EMBEDDING, "transformer.Unitransformer.loss_fn = @code_t5.token_loss")
ATTENTION = _layers("code_t5.QuickSelfAttention", "code_t5.QuickEncDecAttention")
REGISTERED = (attention, embedding, token_loss)


def rows(seed: int = 0) -> dict[str, np.ndarray]:
    """Returns packed rows with padding: int32 `[steps, batch, length]` by name."""
    random = np.random.default_rng(seed)
    found = {}
    for name, length in (("inputs", INPUTS), ("targets", TARGETS)):
        places = np.tile(np.arange(length, dtype=np.int32), (3, BATCH, 1))
        ends = random.integers(length // 2, length + 1, (3, BATCH, 1))
        # Two examples in each row.
        segments = np.where(places < ends, 1 + (places >= ends // 2), 0).astype(np.int32)
        ids = random.integers(1, VOCABULARY, places.shape, dtype=np.int32)
        found[name] = ids * (segments > 0)
        found[f"{name}_segmentation"] = segments
        found[f"{name}_position"] = places * (segments > 0)
    return found


def _parse(params: tuple[str, ...]) -> None:
    with gin.unlock_config():
        gin.clear_config()
        folders = (
            os.path.join(os.path.dirname(mtf.__file__), "transformer", "gin"),
            os.path.join(os.path.dirname(t5.models.__file__), "gin"),
            str(ROOT / "gin_configs"),
        )
        for folder in folders:
            gin.add_config_file_search_path(folder)
        gin.parse_config_files_and_bindings(
            ["defaults.gin", "runs/dev_prefix_lm.gin"],
            [*SIZES, *STANDARD, *params],
            finalize_config=False,
        )


def _model_fn(mesh: str, devices: list[str], *, model_dir: str):
    mesh_shape = mtf.convert_to_shape(mesh)
    layout = mtf.convert_to_layout_rules(
        "ensemble:ensemble,batch:batch,d_ff:model,heads:model,vocab:model,experts:batch"
    )
    model = utils.build_model("bitransformer", VOCABULARY, VOCABULARY, layout, mesh_shape)
    schedule = functools.partial(
        learning_rate_schedules.learning_rate_schedule_noam, total_train_steps=10
    )
    return utils.tpu_estimator_model_fn(
        *("bitransformer", model, None, model_dir, False, mesh_shape, layout, BATCH),
        {"inputs": INPUTS, "targets": TARGETS},
        *(True, 1, 100),
        learning_rate_schedule=schedule,
        optimizer=gin.query_parameter("utils.run.optimizer").scoped_configurable_fn,
        mesh_devices=devices,
    )


class Trained(NamedTuple):
    """What a variant's steps were: losses, weights by name at the beginning and at the end."""

    losses: list[float]
    initial: dict[str, np.ndarray]
    weights: dict[str, np.ndarray]


def train(
    model_dir,
    *params,
    mesh="model:1,batch:1",
    weights=None,
    config=None,
    mode="train",
    precision=None,
):
    """Trains three steps.

    Args:
      model_dir: Named to the trainer's functions, which write nothing here.
      *params: Gin bindings.
      mesh: Shape of the mesh, of CPU devices.
      weights: Those to begin with, by name; None for random ones.
      config: Of the session.
      mode: `train`, or `eval` for the loss alone.
      precision: What `session.configure` is to have an estimator compute in; None not to ask it.
    """
    num_devices = mtf.convert_to_shape(mesh).size
    config = tf.ConfigProto() if config is None else config
    try:
        _parse(params)
        with tf.Graph().as_default():
            # Rounding must not depend on the day.
            tf.set_random_seed(0)
            tf.train.create_global_step()
            devices = [f"cpu:{index}" for index in range(num_devices)]
            model_fn = _model_fn(mesh, devices, model_dir=str(model_dir))
            if precision is not None:
                model_fn, config = _configured(model_fn, precision)
            config.device_count["CPU"] = num_devices
            dataset = tf.data.Dataset.from_tensor_slices(rows())
            features = tf.data.make_one_shot_iterator(dataset).get_next()
            spec = model_fn(features=features, labels=None, mode=mode, config=None, params={})
            with tf.Session(config=config) as running:
                return _run(running, spec, weights=weights or {})
    finally:
        with gin.unlock_config():
            gin.clear_config()


def _configured(model_fn, precision):
    """Returns what `session.configure` makes of an estimator: its function and its session's."""
    with gin.unlock_config():
        gin.bind_parameter("code_t5.session_config.precision", precision)
    estimator = types.SimpleNamespace(_model_fn=model_fn, _session_config=None)
    session.configure(estimator)
    return estimator._model_fn, estimator._session_config


def _run(session, spec, *, weights):
    variables = {variable.op.name: variable for variable in tf.global_variables()}
    session.run([tf.global_variables_initializer(), tf.local_variables_initializer()])
    for name, value in weights.items():
        variables[name].load(value, session)
    initial = session.run(variables)
    if spec.mode != "train":
        _copy_to_slices(session, spec.evaluation_hooks[0])
        return Trained([float(session.run(spec.loss)) for _ in range(3)], initial, initial)
    restore, saver = spec.training_chief_hooks[:2]
    _copy_to_slices(session, restore)
    losses = [float(session.run([spec.loss, spec.train_op])[0]) for _ in range(3)]
    # As before a checkpoint: the mesh's slices go back to where they came from.
    saver._listeners[0].before_save(session, 3)
    return Trained(losses, initial, session.run(variables))


def _copy_to_slices(session, hook):
    hook.begin()
    hook.after_create_session(session, None)

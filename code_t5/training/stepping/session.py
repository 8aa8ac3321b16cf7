"""How the trainer's steps are executed: precision, XLA, threads. Gin sets `session_config`.

*Mixed precision* here is TensorFlow's rewrite of the graph: matrix products and what lies between
them are computed in a 16-bit type, the rest, the weights and the optimizer in float32 (which
`float32_updates` takes care of, whatever the optimizer). t5's own
dtypes (`utils.get_variable_dtype`) are overruled without `--tpu`; the rewrite is not. It concerns
training alone: evaluation and completion make sessions of their own, in float32.

Import this module only in a trainer's process: it registers with gin and imports TensorFlow.
"""

from __future__ import annotations

import pathlib
from collections.abc import Collection
from typing import Any

import gin
import tensorflow.compat.v1 as tf
from absl import logging
from tensorflow.core.protobuf import rewriter_config_pb2

from code_t5 import errors
from code_t5.data import trainer_errors
from code_t5.training.stepping import float32_updates

PRECISIONS = ("auto", "float32", "bfloat16", "float16")
# What Linux calls the instructions that multiply matrices of bfloat16.
_BFLOAT16_FLAGS = frozenset({"avx512_bf16", "amx_bf16"})
_CPU_INFO = pathlib.Path("/proc/cpuinfo")
_SETTING = "code_t5.session_config.precision"


def cpu_flags(cpu_info: pathlib.Path = _CPU_INFO) -> frozenset[str]:
    """Returns what the processor can do, as Linux names it; nothing where that is not told.

    Args:
      cpu_info: The kernel's description of the processors.
    """
    try:
        lines = cpu_info.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return frozenset()
    found = next((line for line in lines if line.startswith("flags")), "")
    return frozenset(found.partition(":")[2].split())


def mesh_devices() -> tuple[str, ...]:
    """Returns the devices that gin gives the mesh; none where it names none."""
    try:
        devices = gin.query_parameter("utils.run.mesh_devices")
    except ValueError:
        return ()
    return tuple(str(device) for device in devices or ())


def has_gpus(devices: Collection[str]) -> bool:
    """Returns whether a mesh's devices, such as `gpu:0`, hold a GPU."""
    return any("gpu" in device.lower() for device in devices)


def settled_precision(precision: str, *, on_gpu: bool, flags: Collection[str]) -> str:
    """Returns the precision that steps will have.

    Args:
      precision: One of `PRECISIONS`.
      on_gpu: Whether the mesh has GPUs.
      flags: Of the processor, as `cpu_flags` gives them.

    Returns:
      `float32`, `bfloat16` or `float16`.

    Raises:
      InputError: There is no such precision, or not on such a device.
    """
    if precision not in PRECISIONS:
        raise errors.InputError(
            f"{_SETTING} is {precision!r}; wanted one of {', '.join(PRECISIONS)}; correct it in "
            "the gin file or --gin_param"
        )
    can_bfloat16 = not _BFLOAT16_FLAGS.isdisjoint(flags)
    if precision == "auto":
        return "bfloat16" if can_bfloat16 and not on_gpu else "float32"
    if precision == "bfloat16" and on_gpu:
        raise errors.InputError(
            f"{_SETTING} is 'bfloat16' on a mesh of GPUs; TensorFlow {tf.version.VERSION} rewrites "
            f"graphs to bfloat16 on CPUs alone; set {_SETTING} = 'float16', or 'float32' with TF32"
        )
    if precision == "float16" and not on_gpu:
        raise errors.InputError(
            f"{_SETTING} is 'float16' on a mesh of CPUs; that is for GPUs; set {_SETTING} = "
            "'bfloat16' or 'auto'"
        )
    if precision == "bfloat16" and not can_bfloat16:
        logging.warning(
            "%s is 'bfloat16', but this processor has none of %s: steps will be slower than in "
            "float32; 'auto' takes bfloat16 only where it helps",
            _SETTING,
            ", ".join(sorted(_BFLOAT16_FLAGS)),
        )
    return precision


@gin.configurable(module="code_t5")
def session_config(
    precision: str = "auto",
    *,
    tf32: bool = True,
    xla: bool = False,
    intra_op_threads: int = 0,
    inter_op_threads: int = 0,
) -> tf.ConfigProto:
    """Returns what the training's session is made with.

    Args:
      precision: `float32`; `bfloat16`, mixed, on a CPU; `float16`, mixed, on a GPU; `auto`:
        bfloat16 on a CPU that multiplies it in hardware, float32 otherwise.
      tf32: Whether GPUs from Ampere on round the inputs of float32 matrix products to TF32.
      xla: Whether XLA compiles what it can into clusters.
      intra_op_threads: Threads that share an operation, of the whole process; 0 for one per core.
      inter_op_threads: Operations run at a time; 0 for one per core.

    Raises:
      InputError: The precision does not do.
    """
    on_gpu = has_gpus(mesh_devices())
    settled = settled_precision(precision, on_gpu=on_gpu, flags=cpu_flags())
    config = tf.ConfigProto(
        allow_soft_placement=True,
        intra_op_parallelism_threads=intra_op_threads,
        inter_op_parallelism_threads=inter_op_threads,
    )
    rewrites = config.graph_options.rewrite_options
    if settled == "bfloat16":
        rewrites.auto_mixed_precision_onednn_bfloat16 = rewriter_config_pb2.RewriterConfig.ON
    elif settled == "float16":
        rewrites.auto_mixed_precision = rewriter_config_pb2.RewriterConfig.ON
    if xla:
        optimizer_options = config.graph_options.optimizer_options
        optimizer_options.global_jit_level = tf.OptimizerOptions.ON_1
        optimizer_options.cpu_global_jit = True
    tf.config.experimental.enable_tensor_float_32_execution(tf32)
    logging.info(
        "Steps are in %s%s%s",
        settled if settled == "float32" else f"{settled} mixed with float32",
        " (matrix products in TF32 where a GPU has it)" if on_gpu and tf32 else "",
        ", compiled by XLA" if xla else "",
    )
    return config


def _is_mixed(config: tf.ConfigProto) -> bool:
    rewrites = config.graph_options.rewrite_options
    mixed = (rewrites.auto_mixed_precision, rewrites.auto_mixed_precision_onednn_bfloat16)
    return rewriter_config_pb2.RewriterConfig.ON in mixed


def configure(estimator: Any) -> None:
    """Has an estimator train in a session of `session_config`.

    Args:
      estimator: The trainer's.

    Raises:
      InputError: A setting does not do.
      SystemExit: In the trainer, the same; the message is one line.
    """
    with trainer_errors.one_line_errors():
        config = session_config()
    # Estimators offer no public way once they are made.
    estimator._session_config = config
    if _is_mixed(config):
        estimator._model_fn = float32_updates.with_barriers(estimator._model_fn)

"""What the training's session is made with."""

from __future__ import annotations

import importlib
import types

import gin
import pytest
import tensorflow.compat.v1 as tf
from tensorflow.core.protobuf import rewriter_config_pb2

from code_t5 import errors
from code_t5.training.stepping import session

ON = rewriter_config_pb2.RewriterConfig.ON
QUICK = ("avx2", "avx512_bf16")


@pytest.fixture(autouse=True)
def _gin():
    yield
    with gin.unlock_config():
        gin.clear_config()


def bind(*bindings):
    with gin.unlock_config():
        gin.parse_config(list(bindings))


def test_flags_are_those_of_the_first_processor(tmp_path):
    path = tmp_path / "cpuinfo"
    path.write_text("processor\t: 0\nflags\t\t: fpu avx512_bf16\n\nflags\t\t: fpu\n")
    assert session.cpu_flags(path) == {"fpu", "avx512_bf16"}


def test_a_system_that_tells_no_flags_has_none(tmp_path):
    assert session.cpu_flags(tmp_path / "nothing") == frozenset()


@pytest.mark.parametrize(
    ("precision", "on_gpu", "flags", "wanted"),
    [
        ("auto", False, QUICK, "bfloat16"),
        ("auto", False, ("amx_bf16",), "bfloat16"),
        ("auto", False, ("avx2",), "float32"),
        ("auto", True, QUICK, "float32"),
        ("float32", False, QUICK, "float32"),
        ("bfloat16", False, QUICK, "bfloat16"),
        ("float16", True, (), "float16"),
    ],
)
def test_the_precision_follows_what_the_hardware_can(precision, on_gpu, flags, wanted):
    assert session.settled_precision(precision, on_gpu=on_gpu, flags=flags) == wanted


@pytest.mark.parametrize(
    ("precision", "on_gpu", "words"),
    [
        ("bf16", False, "is 'bf16'; wanted one of auto, float32, bfloat16, float16"),
        (
            "bfloat16",
            True,
            "on a mesh of GPUs; .* set .*session_config.precision = 'float16'",
        ),
        ("float16", False, "on a mesh of CPUs; that is for GPUs; set .* = 'bfloat16' or 'auto'"),
    ],
)
def test_what_a_device_cannot_is_refused(precision, on_gpu, words):
    with pytest.raises(errors.InputError, match=words):
        session.settled_precision(precision, on_gpu=on_gpu, flags=QUICK)


def test_bfloat16_without_hardware_is_slow_and_says_so(caplog):
    assert session.settled_precision("bfloat16", on_gpu=False, flags=()) == "bfloat16"
    assert "has none of amx_bf16, avx512_bf16: steps will be slower" in caplog.text


def test_gin_sets_precision_threads_and_xla():
    bind(
        "code_t5.session_config.precision = 'bfloat16'",
        "code_t5.session_config.intra_op_threads = 3",
        "code_t5.session_config.inter_op_threads = 2",
        "code_t5.session_config.xla = True",
    )
    config = session.session_config()
    assert config.graph_options.rewrite_options.auto_mixed_precision_onednn_bfloat16 == ON
    assert (config.intra_op_parallelism_threads, config.inter_op_parallelism_threads) == (3, 2)
    assert config.graph_options.optimizer_options.cpu_global_jit
    assert config.graph_options.optimizer_options.global_jit_level == tf.OptimizerOptions.ON_1
    assert config.allow_soft_placement


def test_float32_rewrites_nothing():
    config = session.session_config("float32")
    assert not config.graph_options.rewrite_options.auto_mixed_precision_onednn_bfloat16
    assert not config.graph_options.rewrite_options.auto_mixed_precision
    assert not config.graph_options.optimizer_options.global_jit_level


def test_a_mesh_of_gpus_gets_tf32_unless_gin_turns_it_off():
    importlib.import_module("mesh_tensorflow.transformer.utils")
    bind("utils.run.mesh_devices = ['gpu:0', 'gpu:1']")
    try:
        config = session.session_config("float16")
        assert config.graph_options.rewrite_options.auto_mixed_precision == ON
        assert tf.config.experimental.tensor_float_32_execution_enabled()
        session.session_config("float32", tf32=False)
        assert not tf.config.experimental.tensor_float_32_execution_enabled()
    finally:
        tf.config.experimental.enable_tensor_float_32_execution(True)


@pytest.mark.parametrize(("precision", "is_mixed"), [("float32", False), ("bfloat16", True)])
def test_an_estimator_trains_with_it(precision, is_mixed):
    estimator = types.SimpleNamespace(_session_config=None, _model_fn=print)
    bind(
        "code_t5.session_config.intra_op_threads = 5",
        f"code_t5.session_config.precision = {precision!r}",
    )
    session.configure(estimator)
    assert estimator._session_config.intra_op_parallelism_threads == 5
    # Optimizers stay in float32 behind barriers, which float32 itself does not need.
    assert (estimator._model_fn is not print) is is_mixed


def test_the_rewrite_reaches_the_matrix_products_of_a_session():
    from code_t5.training.stepping import placement

    def count(precision):
        with tf.Graph().as_default():
            x = tf.random.normal([64, 64])
            # What is fetched keeps its type, so it is not a product itself.
            y = tf.reduce_sum(tf.matmul(tf.nn.relu(tf.matmul(x, x)), x))
            metadata = tf.RunMetadata()
            options = tf.RunOptions(output_partition_graphs=True)
            with tf.Session(config=session.session_config(precision)) as running:
                running.run(y, options=options, run_metadata=metadata)
        (found,) = placement.count_operations(metadata.partition_graphs).values()
        return found.num_matrix_products, found.num_halves

    assert count("float32") == (2, 0)
    assert count("bfloat16") == (2, 2)

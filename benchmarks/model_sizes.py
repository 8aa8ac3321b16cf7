"""Prints each model size's parameters, and the memory and time that training it takes on this CPU.

Parameters are counted on the trainer's own model, built but not allocated. Memory is the peak
resident memory of the whole trainer process over a few steps; most of a small model's is
TensorFlow itself. Run from the repository's root: `python benchmarks/model_sizes.py`.
"""

from __future__ import annotations

import os
import pathlib
import subprocess
import tempfile
import time
from collections.abc import Sequence
from typing import NamedTuple

# Imported first inside absl's app.run, TensorFlow reads no data sets.
import tensorflow as tf
from absl import flags

from code_t5 import command_line
from code_t5.training import figures, launch, logs

_SIZES = flags.DEFINE_list("sizes", ["dev", "small", "base", "large"], "Sizes, smallest first.")
_MEASURED = flags.DEFINE_list("measured", ["dev", "small", "base"], "Sizes that are also trained.")
_TRAIN_STEPS = flags.DEFINE_integer("train_steps", 4, "Steps of each.", lower_bound=3)
_VOCABULARY_SIZE = flags.DEFINE_enum("vocabulary_size", "32100", ["8100", "32100"], "Pieces.")


class Measured(NamedTuple):
    """What training a size takes: peak resident bytes, and seconds per step."""

    memory_bytes: int
    seconds_per_step: float


def _gin_files(size: str) -> tuple[str, ...]:
    if size == "dev":
        return ("runs/dev_prefix_lm.gin",)
    return ("models/shared-prefix_lm.gin", f"models/shared_{size}.gin", "meshes/cpu_1.gin")


def count_parameters(size: str, vocabulary_size: int) -> int:
    """Counts the trainable parameters of a size.

    Args:
      size: Name of the size.
      vocabulary_size: Pieces of the vocabulary, sentinels included.

    Returns:
      How many numbers training changes.
    """
    import gin
    import mesh_tensorflow as mtf
    import t5.models
    from mesh_tensorflow.transformer import utils

    gin.add_config_file_search_path(str(pathlib.Path(t5.models.__file__).parent / "gin"))
    gin.add_config_file_search_path("gin_configs")
    with gin.unlock_config():
        gin.clear_config()
        gin.parse_config_file(str(pathlib.Path(utils.__file__).parent / "gin" / "defaults.gin"))
        gin.parse_config_files_and_bindings(_gin_files(size), None, finalize_config=False)
    with tf.Graph().as_default():
        mesh = mtf.Mesh(mtf.Graph(), "mesh")
        model = utils.build_model(
            input_vocab_size=vocabulary_size, output_vocab_size=vocabulary_size
        )
        shape = mtf.Shape([mtf.Dimension("batch", 1), mtf.Dimension("length", 8)])
        tokens = mtf.zeros(mesh, shape, dtype=tf.int32)
        model.call_simple(tokens, tokens, compute_loss=True)
        return sum(variable.shape.size for variable in mesh.graph.trainable_variables)


def measure(size: str, *, vocabulary_size: int, train_steps: int) -> Measured:
    """Trains a size for a few steps on random tokens.

    Args:
      size: Name of the size.
      vocabulary_size: Pieces of the vocabulary.
      train_steps: How many steps.

    Returns:
      Memory and time; the first step, in which TensorFlow still prepares, is not timed.

    Raises:
      TrainerError: The trainer failed.
    """
    with tempfile.TemporaryDirectory() as folder:
        model_dir, log_path = pathlib.Path(folder, "model"), pathlib.Path(folder, "log")
        config = launch.TrainerConfig(
            model_dir=model_dir,
            mixture_or_task_name=f"random_tokens_{vocabulary_size}",
            gin_files=_gin_files(size),
            gin_params=(f"run.train_steps = {train_steps}", "run.iterations_per_loop = 100"),
            module_imports=("benchmarks.random_tokens",),
        )
        with open(log_path, "wb") as log_file:
            child = subprocess.Popen(
                launch.trainer_command(config), stdout=log_file, stderr=subprocess.STDOUT
            )
            _, status, usage = os.wait4(child.pid, 0)
        if status != 0:
            raise launch.TrainerError(f"training {size} failed: {logs.last_error(log_path)}")
        speed = figures.read_training(model_dir).steps_per_second
        return Measured(memory_bytes=usage.ru_maxrss * 1024, seconds_per_step=1 / speed)


def main(argv: Sequence[str]) -> None:
    """Prints a Markdown table, a row as soon as it is known."""
    del argv
    vocabulary_size = int(_VOCABULARY_SIZE.value)
    print(f"vocabulary {vocabulary_size:,}, {os.cpu_count()} CPUs, {time.strftime('%Y-%m-%d')}")
    print("| size | parameters | weights in float32 | peak memory | seconds per step |")
    print("|---|---|---|---|---|")
    for size in _SIZES.value:
        count = count_parameters(size, vocabulary_size)
        row = f"| {size} | {count / 1e6:.1f} M | {count * 4 / 2**20:,.0f} MiB |"
        if size not in _MEASURED.value:
            print(f"{row} not measured | not measured |", flush=True)
            continue
        found = measure(size, vocabulary_size=vocabulary_size, train_steps=_TRAIN_STEPS.value)
        print(
            f"{row} {found.memory_bytes / 2**30:.1f} GiB | {found.seconds_per_step:.2f} |",
            flush=True,
        )


if __name__ == "__main__":
    command_line.run(main)

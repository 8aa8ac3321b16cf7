"""Trains a model on one Task with t5's trainer, evaluates it and shows what it has learned.

The last part of `make demo`. Run again, it goes on from the newest checkpoint.
"""

from __future__ import annotations

import pathlib
from collections.abc import Sequence

import tensorflow as tf  # noqa: F401 - imported first inside absl's app.run it reads no data sets
from absl import flags, logging

from code_t5 import command_line
from code_t5.training import demonstration, launch

_DATA_DIR = flags.DEFINE_string("data_dir", None, "Where the data set was built.")
_MODEL_DIR = flags.DEFINE_string("model_dir", None, "Gets checkpoints and figures.", required=True)
_TASK = flags.DEFINE_string("task", None, "The Task to train on.", required=True)
_TRAIN_STEPS = flags.DEFINE_integer("train_steps", 300, "Steps in all.", lower_bound=1)
_GIN_FILE = flags.DEFINE_string("gin_file", "runs/dev_prefix_lm.gin", "The run's gin file.")


def main(argv: Sequence[str]) -> None:
    """Trains, evaluates, compares with the unigram baseline and prints three completions."""
    del argv
    # Importing TensorFlow turned on what it, seqio and TFDS say of every step.
    logging.set_verbosity(logging.WARNING)
    run = launch.TrainerConfig(
        model_dir=pathlib.Path(_MODEL_DIR.value),
        mixture_or_task_name=_TASK.value,
        data_dir=pathlib.Path(_DATA_DIR.value) if _DATA_DIR.value else None,
        gin_files=(_GIN_FILE.value,),
        gin_params=(f"run.train_steps = {_TRAIN_STEPS.value}",),
    )
    for line in demonstration.demonstrate(run, num_steps=_TRAIN_STEPS.value):
        print(line, flush=True)


if __name__ == "__main__":
    command_line.run(main)

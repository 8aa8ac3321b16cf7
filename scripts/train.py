"""Trains a model: TASK SIZE MESH [-- more trainer flags]. `scripts/train.sh` finds a Python for it.

    python scripts/train.py dev_python_prefix_lm dev cpu_1 --data_dir=data --model_dir=model

SIZE is dev, small, base or large, MESH a file of gin_configs/meshes/. The trainer's whole command
is printed, then run; behind the progress bar its log goes to a file. Run again, it goes on.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from absl import flags

from code_t5 import command_line
from code_t5.training import launch, train_command

_DEFAULT_STEPS = ", ".join(f"{size} {n:,}" for size, n in train_command.SIZES.items())
_DATA_DIR = flags.DEFINE_string("data_dir", None, "Where data sets were built; $DATA_DIR.")
_MODEL_DIR = flags.DEFINE_string("model_dir", None, "Gets the model and its logs; $MODEL_DIR.")
_TRAIN_STEPS = flags.DEFINE_integer(
    "train_steps", None, f"At the end, in all; default: {_DEFAULT_STEPS}.", lower_bound=1
)
_OBJECTIVE = flags.DEFINE_string("objective", None, "Of a Task that leaves it open.")
_DRY_RUN = flags.DEFINE_bool("dry_run", False, "Only print the trainer's command.")


def main(argv: Sequence[str]) -> int:
    """Prints the trainer's command and runs it.

    Raises:
      InputError: A word is missing or one too many, or a name is not known.
    """
    words, more_flags = train_command.split_words(argv[1:], typed=sys.argv[1:])
    found = train_command.plan(
        train_command.TrainRequest(
            *words,
            data_dir=_DATA_DIR.value or os.environ.get("DATA_DIR"),
            model_dir=_MODEL_DIR.value or os.environ.get("MODEL_DIR"),
            train_steps=_TRAIN_STEPS.value,
            objective=_OBJECTIVE.value,
            more_flags=more_flags,
        )
    )
    print(launch.format_command(launch.trainer_command(found.config)), flush=True)
    if _DRY_RUN.value:
        return 0
    outcome = train_command.run(found)
    print(outcome.line, file=sys.stderr if outcome.status else sys.stdout)
    return outcome.status


if __name__ == "__main__":
    flags.FLAGS.set_gnu_getopt()
    command_line.run(main)

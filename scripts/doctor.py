"""Says whether this machine can train: distributions, CPU, memory, disk, GPUs, CUDA libraries.

    python scripts/doctor.py
    python scripts/doctor.py --tensorflow --json

What is wrong comes with the command that mends it, and makes the exit status 1. `--tensorflow` also
imports what the trainer imports, in a process of its own, which takes some seconds.
"""

from __future__ import annotations

import os
from collections.abc import Sequence

from absl import app, flags

from code_t5 import command_line, errors
from code_t5.training.devices import examination

_JSON = flags.DEFINE_bool("json", False, "Print a JSON object in place of lines.")
_TENSORFLOW = flags.DEFINE_bool(
    "tensorflow", False, "Import the trainer's libraries and ask TensorFlow for its devices."
)
_MODEL_DIR = flags.DEFINE_string("model_dir", ".", "Where checkpoints are going to be written.")


def main(argv: Sequence[str]) -> int:
    """Examines, and prints what was found.

    Args:
      argv: Nothing but the program's name.

    Returns:
      The exit status: 1 if there is a problem.

    Raises:
      UsageError: There is more.
      InputError: The model directory is not there.
    """
    if len(argv) > 1:
        raise app.UsageError(f"{argv[1]!a} is no flag; wanted --NAME=VALUE")
    if not os.path.isdir(_MODEL_DIR.value):
        raise errors.InputError(
            f"found no folder {_MODEL_DIR.value}; wanted one in the file system that checkpoints "
            "go to; name its parent, or make it"
        )
    found = examination.examine(with_tensorflow=_TENSORFLOW.value, folder=_MODEL_DIR.value)
    print(examination.as_json(found) if _JSON.value else examination.as_text(found))
    return 0 if examination.is_well(found) else 1


if __name__ == "__main__":
    command_line.run(main)

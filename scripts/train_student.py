r"""Trains a student from what its teacher said before, or from the teacher itself.

    python scripts/train_student.py --config 0 --use_cached_data \
        --cached_train_path cached_train.pt --cached_val_path cached_val.pt [--wandb]
    python scripts/train_student.py --config 0 --num_samples 2000

The same command goes on where an interrupted one stopped. `tensorboard --logdir students` shows
losses, and how long batches were waited for.
"""

from __future__ import annotations

from collections.abc import Sequence

from absl import flags

from code_t5 import command_line, errors, torch_threads
from code_t5.training.students import train_flags
from code_t5.training.teachers import generate_flags


def main(argv: Sequence[str]) -> None:
    """Trains, and prints what there is.

    Args:
      argv: Nothing but the program's name.

    Raises:
      InputError: There is more.
    """
    if len(argv) > 1:
        raise errors.InputError(f"found {argv[1]!a} after the flags; wanted flags only; see --help")
    torch_threads.wait_without_spinning()
    print("\n".join(train_flags.run()))


if __name__ == "__main__":
    train_flags.define_flags()
    # Makes `--help` list them, and the settings of teachers and students.
    flags.adopt_module_key_flags(train_flags)
    flags.adopt_module_key_flags(generate_flags)
    command_line.run(main)

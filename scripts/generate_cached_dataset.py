r"""Asks a teacher about many samples once, and stores what it says for its students.

    python scripts/generate_cached_dataset.py --config 0 --num_samples 50000 \
        --output cached_train.pt --batch_size 64
    python scripts/generate_cached_dataset.py --config 0 --validation --output cached_val.pt
    python scripts/generate_cached_dataset.py --output cached_val.pt --verify

The same command goes on where an interrupted one stopped. `--estimate` says bytes and time first.
"""

from __future__ import annotations

from collections.abc import Sequence

from absl import flags

from code_t5 import command_line, errors
from code_t5.training.teachers import generate_flags


def main(argv: Sequence[str]) -> None:
    """Generates, estimates or verifies, and prints what there is.

    Args:
      argv: Nothing but the program's name.

    Raises:
      InputError: There is more.
    """
    if len(argv) > 1:
        raise errors.InputError(f"found {argv[1]!a} after the flags; wanted flags only; see --help")
    print("\n".join(generate_flags.run()))


if __name__ == "__main__":
    generate_flags.define_flags()
    # Makes `--help` list them.
    flags.adopt_module_key_flags(generate_flags)
    command_line.run(main)

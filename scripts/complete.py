"""Completes code at a cursor, of standard input, or a whole file of prompts.

    python scripts/complete.py FILE:LINE:COLUMN --model_dir M --num_candidates 3
    python scripts/complete.py --model_dir M --lines one < FILE
    python scripts/complete.py --prompts PROMPTS.jsonl --output OUT.jsonl --model_dir M

Lines and columns are counted from 1. The first call for a checkpoint exports it, later ones are
quick. The same command goes on where an interrupted one stopped.
"""

from __future__ import annotations

from collections.abc import Sequence

from absl import flags

from code_t5 import command_line
from code_t5.training.completing import complete_flags


def main(argv: Sequence[str]) -> None:
    """Completes, and prints candidates, best first."""
    for line in complete_flags.run(argv[1:]):
        print(line)


if __name__ == "__main__":
    complete_flags.define()
    flags.adopt_module_key_flags(complete_flags)
    command_line.run(main)

"""Measures pass@k over problems in the format of HumanEval or MBPP, from a local path.

    python scripts/pass_at_k.py --problems F --output_dir D --model_dir M -k 1,10

`--samples S` takes programs from a file in place of a model's. Generated code runs behind a fence:
without network, and with limits on time, memory, processes and files. The same command goes on
where an interrupted one stopped.
"""

from __future__ import annotations

from collections.abc import Sequence

from absl import flags

from code_t5 import command_line, errors
from code_t5.training.problems import pass_flags, passing


def main(argv: Sequence[str]) -> None:
    """Measures, and prints the table.

    Raises:
      InputError: A word was given that belongs to no flag.
    """
    if argv[1:]:
        raise errors.InputError(f"found the word {argv[1]!r}; wanted flags alone; see --help")
    print("\n".join(passing.measure(pass_flags.config())))


if __name__ == "__main__":
    # For --help.
    flags.adopt_module_key_flags(pass_flags)
    command_line.run(main, list_flags=["k"])

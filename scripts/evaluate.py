"""Measures a trained model on held-out code: its loss, and how well it completes lines.

Beside it stand two baselines counted on the training split: an n-gram model and the most frequent
next line. Results, a table and a plot go to MODEL_DIR/evaluation; run again, it goes on where it
stopped.
"""

from __future__ import annotations

from collections.abc import Sequence

from absl import flags

from code_t5 import command_line, errors
from code_t5.training.evaluating import evaluate_flags


def main(argv: Sequence[str]) -> None:
    """Evaluates and prints the table.

    Raises:
      InputError: There are words behind the flags.
    """
    from code_t5.training.evaluating import measuring, results

    if argv[1:]:
        raise errors.InputError(
            f"found {argv[1]!r} after the flags; wanted flags alone; see --help"
        )
    found = measuring.evaluate(evaluate_flags.read())
    print("\n".join(results.table(found)))


if __name__ == "__main__":
    evaluate_flags.define()
    flags.adopt_module_key_flags(evaluate_flags)
    command_line.run(main)

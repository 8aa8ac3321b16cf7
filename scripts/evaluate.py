"""Measures a trained model on held-out code: its loss, and how well it completes lines.

Beside it stand two baselines counted on the training split: an n-gram model and the most frequent
next line. Results, a table and a plot go to MODEL_DIR/evaluation; run again, it goes on where it
stopped.
"""

from __future__ import annotations

import pathlib
from collections.abc import Sequence

from absl import flags

from code_t5 import command_line, errors

_MODEL_DIR = flags.DEFINE_string("model_dir", None, "The model directory.", required=True)
_DATA_DIR = flags.DEFINE_string("data_dir", None, "Where its data set was built.")
_TASK = flags.DEFINE_string("task", None, "Task to evaluate on; by default the model's own.")
_SPLIT = flags.DEFINE_enum(
    "split", "validation", ["validation", "test", "held_out"], "Which files; held_out: both."
)
_CHECKPOINTS = flags.DEFINE_string("checkpoints", "newest", "newest, all, or steps: 100,200.")
_NUM_CURSORS = flags.DEFINE_integer("num_cursors", 2000, "Most cursors; 0: all.", lower_bound=0)
_NUM_EXAMPLES = flags.DEFINE_integer(
    "num_examples", 2048, "Most examples for the loss; 0 measures no loss.", lower_bound=0
)
_BASELINES = flags.DEFINE_bool("baselines", True, "Whether baselines are measured too.")
_NGRAM_ORDER = flags.DEFINE_integer("ngram_order", 6, "Tokens of the longest n-grams.")
_BASELINE_BYTES = flags.DEFINE_integer(
    "baseline_bytes", 100_000_000, "Most bytes of training code that baselines count."
)
_MAX_TOKENS = flags.DEFINE_integer("max_tokens", 64, "Most tokens of a line.", lower_bound=1)


def main(argv: Sequence[str]) -> None:
    """Evaluates and prints the table.

    Raises:
      InputError: There are words behind the flags.
    """
    from code_t5.training.evaluating import baselines, measuring, results

    if argv[1:]:
        raise errors.InputError(
            f"found {argv[1]!r} after the flags; wanted flags alone; see --help"
        )
    found = measuring.evaluate(
        measuring.EvaluationConfig(
            model_dir=pathlib.Path(_MODEL_DIR.value),
            data_dir=pathlib.Path(_DATA_DIR.value) if _DATA_DIR.value else None,
            task=_TASK.value,
            split=_SPLIT.value,
            checkpoints=_CHECKPOINTS.value,
            num_cursors=_NUM_CURSORS.value,
            max_examples=_NUM_EXAMPLES.value,
            with_baselines=_BASELINES.value,
            counted=baselines.BaselineConfig(_NGRAM_ORDER.value, _BASELINE_BYTES.value),
            max_new_tokens=_MAX_TOKENS.value,
        )
    )
    print("\n".join(results.table(found)))


if __name__ == "__main__":
    command_line.run(main)

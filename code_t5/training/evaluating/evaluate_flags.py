"""The flags of `scripts/evaluate.py`, and what they ask for."""

from __future__ import annotations

import pathlib

from absl import flags

from code_t5.training.evaluating import baselines, measuring


def define(values: flags.FlagValues = flags.FLAGS) -> None:
    """Defines the flags.

    Args:
      values: Where.
    """
    text, number = flags.DEFINE_string, flags.DEFINE_integer
    here = {"flag_values": values}
    text("model_dir", None, "The model directory.", required=True, **here)
    text("data_dir", None, "Where its data set was built.", **here)
    text("task", None, "Task to evaluate on; by default the model's own.", **here)
    flags.DEFINE_enum(
        "split", "validation", list(measuring.SPLITS), "Which files; held_out: both.", **here
    )
    text("checkpoints", "newest", "newest, all, or steps: 100,200.", **here)
    number("num_cursors", 2000, "Most cursors; 0: all.", lower_bound=0, **here)
    number("num_examples", 2048, "Most examples for the loss; 0: none.", lower_bound=0, **here)
    flags.DEFINE_bool("baselines", True, "Whether baselines are measured too.", **here)
    number("ngram_order", 6, "Tokens of the longest n-grams.", **here)
    number("baseline_bytes", 100_000_000, "Most bytes of code that baselines count.", **here)
    number("max_tokens", 64, "Most tokens of a line, of baselines too.", lower_bound=1, **here)


def read(values: flags.FlagValues = flags.FLAGS) -> measuring.EvaluationConfig:
    """Returns what the flags ask for.

    Args:
      values: Parsed flags.

    Raises:
      InputError: What baselines count is out of range.
    """
    return measuring.EvaluationConfig(
        model_dir=pathlib.Path(values.model_dir),
        data_dir=pathlib.Path(values.data_dir) if values.data_dir else None,
        task=values.task,
        split=values.split,
        checkpoints=values.checkpoints,
        num_cursors=values.num_cursors,
        max_examples=values.num_examples,
        with_baselines=values.baselines,
        counted=baselines.BaselineConfig(values.ngram_order, values.baseline_bytes),
        max_new_tokens=values.max_tokens,
    )

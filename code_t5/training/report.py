"""Says in a few lines what a short training run achieved, and whether that is good enough.

Good enough means: on held-out code the model's loss per token is below the unigram baseline's.
"""

from __future__ import annotations

from collections.abc import Sequence

from code_t5 import errors
from code_t5.training import completion, figures, unigram

# A model this close to the baseline has learned word frequencies and nothing more.
_CLEAR_MARGIN_NATS = 0.2


class NotLearnedError(errors.CodeT5Error):
    """The trained model is no better than the unigram baseline."""


def training_lines(training: figures.TrainingFigures, *, fill: float) -> list[str]:
    """Returns what to print about the training.

    Args:
      training: Its figures.
      fill: Share of target positions that hold a token (`targets.target_fill`).

    Returns:
      Lines without line ends.
    """
    first, last = training.first_logged_loss, training.last_logged_loss
    return [
        f"training: {training.last_step} steps, {training.steps_per_second:.2f} steps/s",
        f"  loss {first / fill:.2f} -> {last / fill:.2f} nats per token "
        f"(logged {first:.2f} -> {last:.2f}; {fill:.0%} of the target positions hold a token)",
    ]


def evaluation_lines(
    evaluation: figures.EvaluationFigures, baseline: unigram.UnigramFigures
) -> list[str]:
    """Returns what to print about the evaluation.

    Args:
      evaluation: The model's figures.
      baseline: The unigram model's.

    Returns:
      Lines without line ends.
    """
    return [
        f"validation: {evaluation.nats_per_token:.3f} nats per token at step {evaluation.step}, "
        f"{evaluation.token_accuracy:.1%} of {evaluation.num_tokens:,} tokens ranked first",
        f"  unigram model of the same tokens: {baseline.nats_per_token:.3f} nats per token "
        f"({baseline.num_tokens:,} tokens; frequencies from {baseline.num_train_tokens:,})",
    ]


def completion_lines(
    examples: Sequence[completion.PromptExample], completions: Sequence[str]
) -> list[str]:
    """Returns completions in a readable form: prompt, what the model wrote, what the file says.

    Args:
      examples: The prompts with their true continuations.
      completions: What the model wrote for each.

    Returns:
      Lines without line ends.
    """
    lines = []
    for number, (example, written) in enumerate(zip(examples, completions), start=1):
        lines.append(f"completion {number} of {len(examples)}")
        parts = (("prompt", example.prompt), ("model", written), ("file", example.continuation))
        for title, text in parts:
            lines += [f"  {title:>6} | {line}" for line in _printable(text).split("\n")]
    return lines


def _printable(text: str) -> str:
    """Returns text with control characters written as escapes, line ends apart."""
    return "".join(
        char if char.isprintable() or char == "\n" else char.encode("unicode_escape").decode()
        for char in text.expandtabs(4)
    )


def check_learned(evaluation: figures.EvaluationFigures, baseline: unigram.UnigramFigures) -> None:
    """Refuses a model that has not clearly beaten the unigram baseline on the same tokens.

    Args:
      evaluation: The model's figures.
      baseline: The unigram model's.

    Raises:
      NotLearnedError: It has not, or the two saw different tokens.
    """
    if evaluation.num_tokens != baseline.num_tokens:
        raise NotLearnedError(
            f"found {evaluation.num_tokens} evaluated tokens and {baseline.num_tokens} in the "
            "baseline; wanted the same tokens; evaluate with gin_configs/runs/evaluate.gin and the "
            "files that the model was trained with"
        )
    margin = baseline.nats_per_token - evaluation.nats_per_token
    # Written so that a loss that is not a number fails too.
    if not margin >= _CLEAR_MARGIN_NATS:
        raise NotLearnedError(
            f"found {evaluation.nats_per_token:.3f} nats per token against "
            f"{baseline.nats_per_token:.3f} of the unigram model; wanted at least "
            f"{_CLEAR_MARGIN_NATS} below it; train for more steps"
        )

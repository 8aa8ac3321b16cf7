"""Reads what a training run achieved from the event files and logs that the trainer wrote.

Words: *logged loss* is the trainer's own training loss: the summed loss of a batch (with t5's small
z-loss) over all of its target positions, padding included. *Fill* is the share of target positions
that hold a token. *Loss per token* is the loss in nats (natural logarithm) over the tokens alone,
so the logged loss is about the loss per token times the fill. A *nat* is 1.44 bits.
"""

from __future__ import annotations

import dataclasses
import pathlib
import re
from collections.abc import Iterator, Sequence

from code_t5 import errors
from code_t5.training import event_files, logs

# How many steps the loss at the start and at the end is a mean of, at most: the fill differs from
# batch to batch, so a single step says little.
_NUM_FIRST_STEPS = 5
_NUM_LAST_STEPS = 30


@dataclasses.dataclass(frozen=True)
class TrainingFigures:
    """How a training run went.

    Attributes:
      last_step: Steps done.
      steps_per_second: Over the newest run, its start-up left out, writing of checkpoints included.
      first_logged_loss: Mean of the first steps.
      last_logged_loss: Mean of the last steps.
      num_losses: How many steps' losses were found.
    """

    last_step: int
    steps_per_second: float
    first_logged_loss: float
    last_logged_loss: float
    num_losses: int


@dataclasses.dataclass(frozen=True)
class EvaluationFigures:
    """What one perplexity evaluation found.

    Attributes:
      step: Training steps of the evaluated checkpoint.
      nats_per_token: Mean loss over the target tokens, padding left out, without z-loss.
      token_accuracy: Share of target tokens that the model ranks first.
      num_tokens: How many tokens were evaluated.
      max_examples: How many examples would have been, had the split that many.
    """

    step: int
    nats_per_token: float
    token_accuracy: float
    num_tokens: int
    max_examples: int


def read_training(model_dir: pathlib.Path, *, log_name: str = "train") -> TrainingFigures:
    """Reads speed and losses of the training in a model directory.

    Losses come from the logs of `launch.run_trainer` if there are any (one per step), else from the
    event files (one per hundred).

    Args:
      model_dir: The model directory.
      log_name: The name that the training's runs were started under.

    Returns:
      The figures.

    Raises:
      InputError: The directory holds no figures of a training.
    """
    runs = [event_files.read_scalars(path) for path in event_files.list_files(model_dir)]
    speeds = [run["global_step/sec"] for run in runs if len(run.get("global_step/sec", [])) > 1]
    logged = logs.read_step_losses(model_dir, name=log_name)
    losses = [entry.loss for entry in logged if entry.loss is not None]
    steps = [entry.step for run in runs for entry in run.get("loss", [])]
    if not losses:
        losses = [entry.value for run in runs for entry in run.get("loss", [])]
    if not speeds or not losses:
        raise errors.InputError(
            f"found {len(speeds)} event files with a speed and {len(losses)} losses in "
            f"{model_dir}; wanted a directory that the trainer has trained a few steps in; train "
            "first"
        )
    return TrainingFigures(
        last_step=max(steps + [speeds[-1][-1].step]),
        steps_per_second=steps_per_second(speeds[-1]),
        first_logged_loss=_mean(losses[: _share(len(losses), at_most=_NUM_FIRST_STEPS)]),
        last_logged_loss=_mean(losses[-_share(len(losses), at_most=_NUM_LAST_STEPS) :]),
        num_losses=len(losses),
    )


def steps_per_second(points: Sequence[event_files.Scalar]) -> float:
    """Returns the mean speed between the first and the last point of one run.

    Args:
      points: Two or more logged values of one run, of any tag.

    Returns:
      Steps per second of wall time.

    Raises:
      ValueError: There are fewer than two points in time.
    """
    seconds = points[-1].wall_time - points[0].wall_time if points else 0.0
    if seconds <= 0:
        raise ValueError(f"found {len(points)} points over {seconds} s; wanted two in time order")
    return (points[-1].step - points[0].step) / seconds


def _share(num_losses: int, *, at_most: int) -> int:
    """Returns how many losses to average: a tenth of them, at least one."""
    return max(1, min(at_most, num_losses // 10))


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def read_evaluation(
    model_dir: pathlib.Path, *, name: str, split: str = "validation", step: int | None = None
) -> EvaluationFigures:
    """Reads the newest perplexity evaluation of one Task.

    Args:
      model_dir: The model directory.
      name: The Task's name.
      split: The split that was evaluated.
      step: Of the checkpoint; None for the newest that was evaluated.

    Returns:
      The figures of that checkpoint; of several evaluations of it, the last.

    Raises:
      InputError: There is none.
    """
    pattern = re.compile(rf"eval_{re.escape(name)}_{re.escape(split)}_(\d+)(_.*)?")
    newest: EvaluationFigures | None = None
    newest_time = 0.0
    for folder in sorted(model_dir.glob("eval_*")):
        match = pattern.fullmatch(folder.name)
        if not match:
            continue
        for time, found in _evaluations(folder, max_examples=int(match.group(1))):
            if step not in (None, found.step):
                continue
            if newest is None or (found.step, time) >= (newest.step, newest_time):
                newest, newest_time = found, time
    if newest is None:
        of_step = "" if step is None else f" of step {step}"
        raise errors.InputError(
            f"found no perplexity evaluation of {name} on {split}{of_step} in {model_dir}; wanted "
            f"a folder eval_{name}_{split}_<examples>; evaluate with --gin_file=runs/evaluate.gin "
            "first"
        )
    return newest


def _evaluations(
    folder: pathlib.Path, *, max_examples: int
) -> Iterator[tuple[float, EvaluationFigures]]:
    """Yields the evaluations written to one folder, with the time of each."""
    for path in event_files.list_files(folder):
        scalars = event_files.read_scalars(path)
        accuracies = scalars.get("token_accuracy", [])
        tokens = scalars.get("num_eval_tokens", [])
        losses = scalars.get("neg_log_perplexity", [])
        for loss, accuracy, num_tokens in zip(losses, accuracies, tokens):
            yield (
                loss.wall_time,
                EvaluationFigures(
                    step=loss.step,
                    nats_per_token=-loss.value,
                    token_accuracy=accuracy.value,
                    num_tokens=int(num_tokens.value),
                    max_examples=max_examples,
                ),
            )

"""Reads what t5's trainer prints: losses, the step it is at, and what it died of.

While training the trainer prints one line per step, `step, tf_loss[<loss>][<step>]`. The step in it
is read while another thread counts it up, so it may be one too low; the losses are in order. Every
ten seconds comes a line with the speed (`code_t5.training.stepping.watch`), every hundred steps one
with the fill (`code_t5.training.fill_log`).

The *loss per token* is in nats: the logged loss is over all target positions, so it is that, over
the last hundred steps at most, divided by the share of target positions that hold a token.
"""

from __future__ import annotations

import collections
import dataclasses
import pathlib
import re

_STEP_LINE = re.compile(rb"step, tf_loss\[([^\]]+)\]\[(\d+)\]")
_EVALUATION_LINE = re.compile(rb"Evaluation \[(\d+)/\d+\]")
# As `code_t5.training.stepping.watch` writes it; a number is what is looked for.
_SPEED_LINE = re.compile(rb"step \d+: [\d.]+ steps/s, ([\d.]+) tokens/s, fill ")
# As `code_t5.training.fill_log` writes it.
_FILL_LINE = re.compile(rb"a batch held .*tokens of targets \(([\d.]+)% of the room\)")
_MEAN_OF_STEPS = 100
# `some.module.SomeError: why`, at the start of a line, as Python ends a traceback.
_EXCEPTION_LINE = re.compile(r"^(?:\w+\.)*(\w*(?:Error|Exception|Interrupt|Exit))(?::\s*(.*))?$")
_OWN_ERROR = "error: "
_MAX_ERROR_CHARACTERS = 500
_TAIL_BYTES = 1 << 20


@dataclasses.dataclass(frozen=True)
class StepLoss:
    """One step as the log shows it.

    Attributes:
      step: Steps done; counted by evaluations when the run evaluates.
      loss: The loss logged with it, None for an evaluation.
    """

    step: int
    loss: float | None


@dataclasses.dataclass(frozen=True)
class News:
    """What a log said since it was last read, with the figures that still hold.

    Attributes:
      step: Steps done; counted by evaluations when the run evaluates.
      loss: The loss logged with it, None for an evaluation.
      loss_per_token: In nats, None where the fill is not known yet.
      tokens_per_second: Tokens of inputs and targets, padding left out; None if not known yet.
    """

    step: int
    loss: float | None
    loss_per_token: float | None = None
    tokens_per_second: float | None = None


class ProgressReader:
    """Follows a log that is still being written."""

    def __init__(self, log_path: pathlib.Path) -> None:
        """Starts at the log's beginning.

        Args:
          log_path: The log; it need not exist yet.
        """
        self._path = log_path
        self._offset = 0
        self._losses: collections.deque[float] = collections.deque(maxlen=_MEAN_OF_STEPS)
        self._fill: float | None = None
        self._tokens_per_second: float | None = None

    def read(self) -> News | None:
        """Returns the newest step logged since the last call, None if there is none."""
        try:
            with open(self._path, "rb") as file:
                file.seek(self._offset)
                data = file.read()
        except FileNotFoundError:
            return None
        # A line that is not yet whole is read again next time.
        data = data[: data.rfind(b"\n") + 1]
        self._offset += len(data)
        self._take_figures(data)
        steps = _parse_steps(data)
        if steps:
            self._losses.extend(entry.loss for entry in steps if entry.loss is not None)
            return self._news(steps[-1])
        evaluations = _EVALUATION_LINE.findall(data)
        return News(step=int(evaluations[-1]), loss=None) if evaluations else None

    def _take_figures(self, data: bytes) -> None:
        speeds, fills = _SPEED_LINE.findall(data), _FILL_LINE.findall(data)
        if speeds:
            self._tokens_per_second = float(speeds[-1])
        if fills:
            self._fill = float(fills[-1]) / 100

    def _news(self, newest: StepLoss) -> News:
        per_token = None
        if self._fill:
            per_token = sum(self._losses) / len(self._losses) / self._fill
        return News(newest.step, newest.loss, per_token, self._tokens_per_second)


def _parse_steps(data: bytes) -> list[StepLoss]:
    return [StepLoss(step=int(step), loss=float(loss)) for loss, step in _STEP_LINE.findall(data)]


def log_paths(model_dir: pathlib.Path, name: str) -> list[pathlib.Path]:
    """Returns the logs of one kind of run, the newest last.

    Args:
      model_dir: The model directory.
      name: The kind of run, as given to `launch.run_trainer`.
    """
    return sorted((model_dir / "logs").glob(f"{name}-*.log"), key=_log_number)


def read_step_losses(model_dir: pathlib.Path, *, name: str) -> list[StepLoss]:
    """Returns the loss of every step that the logs of one kind of run hold, in order.

    Where a resumed run repeated steps after its checkpoint, only its own count.

    Args:
      model_dir: The model directory.
      name: The kind of run, as given to `launch.run_trainer`.

    Returns:
      One entry per logged step; empty if there are no such logs.
    """
    losses: list[StepLoss] = []
    for path in log_paths(model_dir, name):
        steps = _parse_steps(path.read_bytes())
        if steps:
            losses = [entry for entry in losses if entry.step < steps[0].step] + steps
    return losses


def _log_number(path: pathlib.Path) -> int:
    digits = path.stem.rpartition("-")[2]
    return int(digits) if digits.isdigit() else 0


def last_error(log_path: pathlib.Path) -> str:
    """Returns the last meaningful line of a failed run's log: its exception, else its last words.

    Args:
      log_path: The log.

    Returns:
      One line, at most 500 characters.
    """
    with open(log_path, "rb") as file:
        file.seek(max(0, file.seek(0, 2) - _TAIL_BYTES))
        lines = file.read().decode("utf-8", errors="replace").splitlines()
    words = [line.strip() for line in lines if line.strip()]
    # How code_t5 itself ends a trainer that was asked for what is not there.
    if words and words[-1].startswith(_OWN_ERROR):
        return words[-1][len(_OWN_ERROR) :][:_MAX_ERROR_CHARACTERS]
    for line in reversed(lines):
        match = _EXCEPTION_LINE.match(line)
        if match:
            found = ": ".join(part for part in match.groups() if part)
            return found[:_MAX_ERROR_CHARACTERS]
    return words[-1][:_MAX_ERROR_CHARACTERS] if words else "it printed nothing"

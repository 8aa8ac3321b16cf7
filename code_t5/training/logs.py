"""Reads what t5's trainer prints: losses, the step it is at, and what it died of.

While training the trainer prints one line per step, `step, tf_loss[<loss>][<step>]`. The step in it
is read while another thread counts it up, so it may be one too low; the losses are in order.
"""

from __future__ import annotations

import dataclasses
import pathlib
import re

_STEP_LINE = re.compile(rb"step, tf_loss\[([^\]]+)\]\[(\d+)\]")
_EVALUATION_LINE = re.compile(rb"Evaluation \[(\d+)/\d+\]")
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


class ProgressReader:
    """Follows a log that is still being written."""

    def __init__(self, log_path: pathlib.Path) -> None:
        """Starts at the log's beginning.

        Args:
          log_path: The log; it need not exist yet.
        """
        self._path = log_path
        self._offset = 0

    def read(self) -> StepLoss | None:
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
        steps = _parse_steps(data)
        if steps:
            return steps[-1]
        evaluations = _EVALUATION_LINE.findall(data)
        return StepLoss(step=int(evaluations[-1]), loss=None) if evaluations else None


def _parse_steps(data: bytes) -> list[StepLoss]:
    return [StepLoss(step=int(step), loss=float(loss)) for loss, step in _STEP_LINE.findall(data)]


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
    for path in sorted((model_dir / "logs").glob(f"{name}-*.log"), key=_log_number):
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

"""Logs of a training: event files for TensorBoard, and Weights & Biases where it is wanted.

Neither TensorFlow nor torch is needed to write event files.
"""

from __future__ import annotations

import os
import pathlib
import socket
import time
from collections.abc import Mapping
from typing import Any, Protocol

from code_t5 import errors, library_errors
from code_t5.storage import tfrecords

WANDB_PROJECT = "code_t5-students"


class TrainingLog(Protocol):
    """Takes numbers by name."""

    def write(self, step: int, scalars: Mapping[str, float]) -> None:
        """Takes what is known at a step.

        Args:
          step: Steps that are done.
          scalars: Numbers by name.
        """

    def close(self) -> None:
        """Ends the log."""


class TensorBoardLog:
    """An event file: a TFRecord file of `Event` messages.

    Attributes:
      path: The file.
    """

    def __init__(self, folder: pathlib.Path, *, step: int) -> None:
        """Begins a file.

        Args:
          folder: Gets it.
          step: Where training goes on: what earlier files say of later steps does not count.
        """
        from tensorboard.compat.proto import event_pb2

        folder.mkdir(parents=True, exist_ok=True)
        name = f"events.out.tfevents.{time.time():.6f}.{socket.gethostname()}.{os.getpid()}"
        self.path = folder / name
        self._file = open(self.path, "ab")
        self._add(event_pb2.Event(wall_time=time.time(), file_version="brain.Event:2"))
        if step:
            start = event_pb2.SessionLog(status=event_pb2.SessionLog.START)
            self._add(event_pb2.Event(wall_time=time.time(), step=step, session_log=start))

    def _add(self, event: Any) -> None:
        self._file.write(tfrecords.frame_record(event.SerializeToString()))
        self._file.flush()

    def write(self, step: int, scalars: Mapping[str, float]) -> None:
        """Takes what is known at a step.

        Args:
          step: Steps that are done.
          scalars: Numbers by name.
        """
        from tensorboard.compat.proto import event_pb2, summary_pb2

        values = [
            summary_pb2.Summary.Value(tag=name, simple_value=value)
            for name, value in scalars.items()
        ]
        summary = summary_pb2.Summary(value=values)
        self._add(event_pb2.Event(wall_time=time.time(), step=step, summary=summary))

    def close(self) -> None:
        """Ends the file."""
        self._file.close()


class WandbLog:
    """A run of Weights & Biases, whose own settings say whether it is online or offline."""

    def __init__(self, folder: pathlib.Path, *, name: str, config: Mapping[str, Any]) -> None:
        """Begins a run.

        Args:
          folder: Gets its files.
          name: Of the run.
          config: What training was asked for.

        Raises:
          CodeT5Error: wandb does not begin: it is not logged in, or cannot be reached.
        """
        wandb = import_wandb()
        folder.mkdir(parents=True, exist_ok=True)
        project = os.environ.get("WANDB_PROJECT") or WANDB_PROJECT
        try:
            self._run = wandb.init(
                project=project, name=name, dir=os.fspath(folder), config=dict(config)
            )
        except Exception as error:  # its errors share no base with ours, or with each other
            raise errors.CodeT5Error(
                f"wandb did not begin ({library_errors.one_line(error)}); wanted a run of it; set "
                "WANDB_MODE=offline, log in with wandb login, or leave --wandb out"
            ) from error

    def write(self, step: int, scalars: Mapping[str, float]) -> None:
        """Takes what is known at a step.

        Args:
          step: Steps that are done.
          scalars: Numbers by name.
        """
        self._run.log(dict(scalars), step=step)

    def close(self) -> None:
        """Ends the run."""
        self._run.finish()


def import_wandb() -> Any:
    """Returns the library.

    Raises:
      InputError: It is not installed.
    """
    try:
        import wandb
    except ImportError as error:
        raise errors.InputError(
            "--wandb was given, and wandb is not installed; wanted that library; run: pip install "
            "wandb, or leave --wandb out (TensorBoard has the same numbers)"
        ) from error
    return wandb


class TimeShares:
    """How long batches were waited for, and how long was spent with them.

    Attributes:
      waiting: Seconds.
      computing: Seconds.
      num_batches: So many.
    """

    def __init__(self) -> None:
        """Begins with nothing."""
        self.waiting = self.computing = 0.0
        self.num_batches = 0

    def add(self, *, waiting: float, computing: float) -> None:
        """Counts a batch.

        Args:
          waiting: Seconds until it was there.
          computing: Seconds that it took.
        """
        self.waiting += waiting
        self.computing += computing
        self.num_batches += 1

    @property
    def share_waiting(self) -> float:
        """Of the time, 0 to 1."""
        return self.waiting / max(self.waiting + self.computing, 1e-12)

    def scalars(self) -> dict[str, float]:
        """Returns what is logged of it."""
        count = max(self.num_batches, 1)
        return {
            "time/seconds_waiting_per_batch": self.waiting / count,
            "time/seconds_computing_per_batch": self.computing / count,
            "time/share_waiting": self.share_waiting,
        }

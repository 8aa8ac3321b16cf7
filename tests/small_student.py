"""A small student for tests: a line with dropout, that learns the values of `small_teacher`."""

from __future__ import annotations

import os
import pathlib
import signal
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

# Test modules set what happens in a step: called with the number of calls so far.
ON_STEP: list[Any] = []


def collate(columns: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """Returns the first row of each sample, 0 without any, and its value; both about 1."""
    rows = columns["rows"]
    first = np.array(
        [rows.values[start][0] if size else 0 for start, size in zip(rows.offsets, rows.lengths)],
        np.float32,
    )
    value = np.asarray(columns["value"], np.float32)
    return {"first": first[:, None] / 1000, "value": value / 1000}


class SmallStudent:
    """As `student.Student` says."""

    name = "line"
    fields = ("value", "rows")
    learning_rate = 0.05
    collate_fn = staticmethod(collate)

    def __init__(self, *, width: int = 4) -> None:
        self.width = width
        self.num_calls = 0
        self.network = torch.nn.Sequential(
            torch.nn.Linear(1, width), torch.nn.Dropout(0.2), torch.nn.Linear(width, 1)
        )

    @property
    def description(self) -> dict[str, Any]:
        return {"width": self.width}

    def losses(self, batch: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        if self.network.training:
            self.num_calls += 1
            for function in ON_STEP:
                function(self.num_calls)
        error = self.network(batch["first"])[:, 0] - batch["value"]
        return {"loss": error.square().mean(), "largest": error.abs().max()}

    def weight(self, batch: Mapping[str, torch.Tensor]) -> float:
        return float(len(batch["value"]))

    def save(self, folder: pathlib.Path) -> None:
        (folder / "width.txt").write_text(str(self.width))


def open_small_student(parts: Mapping[str, Any], settings: Mapping[str, Any]) -> SmallStudent:
    """Returns a student; importable by name."""
    assert parts["teacher"]["name"] == "small"
    return SmallStudent(width=settings["width"])


def press_ctrl_c(at_call: int) -> Any:
    """Returns what sends this process an interrupt in a step."""

    def press(num_calls: int) -> None:
        if num_calls == at_call:
            os.kill(os.getpid(), signal.SIGINT)

    return press

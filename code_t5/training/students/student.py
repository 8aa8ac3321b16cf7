"""What a student is to the loop that trains it: a network, batches to make, losses to reckon.

A student knows nothing of optimizers, devices, epochs and checkpoints: those are the loop's. It is
told of its teacher by *parts*, the JSON values that the fingerprint of a cache is made of:
`teacher`, `data`, `vocabulary`, `options` and `schema`.
"""

from __future__ import annotations

import pathlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Callable, Protocol

import numpy as np

if TYPE_CHECKING:
    import torch

# Of the loss that is minimised, among those that a student reckons.
LOSS = "loss"
CollateFn = Callable[[Mapping[str, Any]], dict[str, np.ndarray]]


class Student(Protocol):
    """What is trained.

    Attributes:
      name: It is called by this in logs and checkpoints.
      description: JSON values that tell it from any other: sizes, and what its losses are made of.
      fields: Names of the fields of its teacher's outputs that it reads.
      network: Its parameters are trained.
      learning_rate: A good one.
      collate_fn: Makes arrays of the columns of a batch, as torch takes them: it pads what is
        ragged, and leaves no uint16. Worker processes call it, so it can be pickled.
    """

    @property
    def name(self) -> str:
        """It is called by this."""

    @property
    def description(self) -> Mapping[str, Any]:
        """What tells it from any other."""

    @property
    def fields(self) -> tuple[str, ...]:
        """Names of the fields that it reads."""

    @property
    def network(self) -> torch.nn.Module:
        """Its parameters are trained."""

    @property
    def learning_rate(self) -> float:
        """A good one."""

    @property
    def collate_fn(self) -> CollateFn:
        """Makes arrays of columns."""

    def losses(self, batch: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        """Reckons the losses of a batch.

        Args:
          batch: What `collate_fn` gave, as tensors on the network's device.

        Returns:
          Scalars by name: means over what `weight` counts. `loss` is minimised.
        """

    def weight(self, batch: Mapping[str, torch.Tensor]) -> float:
        """Returns what a batch counts in a mean over batches.

        Args:
          batch: As of `losses`.
        """

    def save(self, folder: pathlib.Path) -> None:
        """Writes what users take away.

        Args:
          folder: Empty; it becomes `student` in the output directory when all is written.
        """

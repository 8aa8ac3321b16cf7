"""Asks a teacher in batches by length, smaller ones where memory runs out.

A *window* is some samples that are asked together. Its inputs are put in order of length, cut into
batches, and what comes back is put into the order of the samples again. When memory runs out, the
batch is halved, and those after it as well.
"""

from __future__ import annotations

import gc
import logging
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from code_t5 import errors
from code_t5.encoding import ragged
from code_t5.training.teachers.teacher import Teacher

_LOGGER = logging.getLogger(__name__)

# How libraries that have no error of its own say that there is no memory.
_NO_MEMORY = ("out of memory", "can't allocate memory", "not enough memory", "alloc_failed")


class BatchRunner:
    """Asks one teacher, and remembers how large a batch may be.

    Attributes:
      teacher: Who is asked.
      batch_size: Largest that is tried; it shrinks where memory runs out.
    """

    def __init__(self, teacher: Teacher, *, batch_size: int) -> None:
        """Begins with the largest batch.

        Args:
          teacher: Who is asked.
          batch_size: Largest to try.
        """
        self.teacher = teacher
        self.batch_size = min(batch_size, teacher.max_batch)

    def run_window(
        self, numbers: Sequence[int], *, seed: int, split: str
    ) -> dict[str, np.ndarray | ragged.Ragged]:
        """Asks about some samples.

        Args:
          numbers: Of the samples.
          seed: Of all.
          split: `train` or `validation`.

        Returns:
          A column for each field, in the order of `numbers`.

        Raises:
          CodeT5Error: There is no memory for one sample, or the teacher refuses.
        """
        inputs = self.teacher.draw(numbers, seed=seed, split=split)
        lengths = np.array([self.teacher.length_of(one) for one in inputs])
        # Longest first: if memory runs out, it does so at once.
        order = np.argsort(-lengths, kind="stable")
        found: list[Mapping[str, Any]] = []
        start = 0
        while start < len(order):
            batch = [inputs[place] for place in order[start : start + self.batch_size]]
            answered = self._try(batch)
            if answered is not None:
                found.append(answered)
                start += len(batch)
        return _in_order(found, order, names=self.teacher.schema.names)

    def _try(self, batch: Sequence[Any]) -> Mapping[str, Any] | None:
        """Asks about a batch; None if memory ran out, and the next may be half as large.

        Raises:
          CodeT5Error: There is no memory for one sample.
        """
        try:
            return self.teacher.run(batch)
        except (MemoryError, RuntimeError) as error:
            if not _is_no_memory(error):
                raise
            if len(batch) == 1:
                raise errors.CodeT5Error(
                    f"memory ran out for one sample of {self.teacher.name}; wanted room for it; "
                    "free some, or give another --device"
                ) from error
        # Behind the error, whose traceback holds what was being reckoned.
        self.batch_size = len(batch) // 2
        _free_memory()
        _LOGGER.warning(
            "memory ran out: going on with batches of %d, not %d", self.batch_size, len(batch)
        )
        return None


def _is_no_memory(error: BaseException) -> bool:
    text = str(error).lower()
    return isinstance(error, MemoryError) or any(word in text for word in _NO_MEMORY)


def _free_memory() -> None:
    """Gives back what a batch that was given up took."""
    gc.collect()
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available():
        torch.cuda.empty_cache()


def _in_order(
    batches: Sequence[Mapping[str, Any]], order: np.ndarray, *, names: Sequence[str]
) -> dict[str, np.ndarray | ragged.Ragged]:
    """Joins the columns of batches, whose samples stand in another order."""
    is_sorted = bool((np.diff(order) == 1).all())
    if len(batches) == 1 and is_sorted:
        return {name: batches[0][name] for name in names}
    places = np.argsort(order, kind="stable")
    columns: dict[str, np.ndarray | ragged.Ragged] = {}
    for name in names:
        parts = [batch[name] for batch in batches]
        if isinstance(parts[0], ragged.Ragged):
            values = np.concatenate([part.values for part in parts])
            lengths = np.concatenate([part.lengths for part in parts])
            starts = ragged.offsets_of(lengths)[:-1]
            columns[name] = ragged.gather_ranges(
                values, starts=starts[places], lengths=lengths[places]
            )
        else:
            joined = np.concatenate(parts)
            columns[name] = joined if is_sorted else joined[places]
    return columns

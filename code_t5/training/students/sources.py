"""Where a student's batches come from: a cache, or the teacher itself, asked for each batch.

Both give the same samples under the same numbers, in the same order: a batch of one is a batch of
the other. Only the time that they take differs.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from code_t5 import errors, parallel
from code_t5.encoding import torch_stream
from code_t5.encoding.item_order import ItemOrder, Resumable, ShardedOrder
from code_t5.encoding.torch_stream import ResumableLoader
from code_t5.encoding.whole_numbers import read_whole_number
from code_t5.storage import fingerprints
from code_t5.training.students.student import CollateFn
from code_t5.training.teachers.batching import BatchRunner
from code_t5.training.teachers.opening import CachedSamples, how_to_mend
from code_t5.training.teachers.teacher import VALIDATION_SEED


class SampleSource(Protocol):
    """What knows samples by number.

    Attributes:
      identity: JSON values that the samples hang on.
    """

    @property
    def identity(self) -> Mapping[str, Any]:
        """What the samples hang on."""

    def __len__(self) -> int:
        """Returns how many samples there are."""

    def read(self, numbers: Sequence[int]) -> Mapping[str, Any]:
        """Returns the columns of some samples.

        Args:
          numbers: Of the samples.
        """


def identify(parts: Mapping[str, Any], *, num_samples: int) -> dict[str, Any]:
    """Returns what samples hang on: who said what about which inputs, drawn with which seed.

    Args:
      parts: Of the outputs.
      num_samples: How many there are.
    """
    names = ("teacher", "data", "vocabulary", "options", "schema", "seed")
    found = {name: fingerprints.hash_json(parts.get(name)) for name in names}
    return {**found, "num_samples": num_samples}


class CachedSource:
    """Samples of a cache; workers that are not forked open it again.

    Attributes:
      samples: The cache.
      fields: Names of those that are read.
    """

    def __init__(
        self, samples: CachedSamples, *, fields: Sequence[str], num_samples: int | None = None
    ) -> None:
        """Takes an open cache.

        Args:
          samples: The cache.
          fields: Names of those that are read.
          num_samples: How many there are to be, the first ones; None for all.

        Raises:
          InputError: The cache has fewer, or the number does not do.
        """
        self.samples = samples
        self.fields = tuple(fields)
        self._num_samples = len(samples) if num_samples is None else num_samples
        read_whole_number(self._num_samples, name="the number of samples", at_least=1)
        if self._num_samples > len(samples):
            raise errors.InputError(
                f"found {num_samples:,} as the number of samples; wanted at most the "
                f"{len(samples):,} of {samples.path}; give fewer, or leave it out for all"
            )

    def __reduce__(self) -> tuple[Any, ...]:
        return _open_source, (self.samples.path, self.fields, self._num_samples)

    @property
    def identity(self) -> dict[str, Any]:
        """What the samples hang on."""
        return identify(self.samples.parts, num_samples=len(self))

    def __len__(self) -> int:
        """Returns how many samples there are."""
        return self._num_samples

    def read(self, numbers: Sequence[int]) -> dict[str, Any]:
        """Copies some samples.

        Args:
          numbers: Of the samples.
        """
        return self.samples.read(numbers, self.fields)


def _open_source(path: str, fields: Sequence[str], num_samples: int) -> CachedSource:
    samples = CachedSamples(path, mend=how_to_mend(path))
    return CachedSource(samples, fields=fields, num_samples=num_samples)


class LiveSource:
    """Samples that a teacher is asked about each time.

    Attributes:
      runner: Asks the teacher.
      split: `train` or `validation`.
      seed: The inputs are drawn with it.
    """

    def __init__(
        self,
        runner: BatchRunner,
        *,
        parts: Mapping[str, Any],
        split: str,
        num_samples: int,
        seed: int,
    ) -> None:
        """Asks nothing yet.

        Args:
          runner: Asks the teacher.
          parts: Of the outputs, as a cache of them would have them.
          split: `train` or `validation`.
          num_samples: How many samples there are.
          seed: The inputs are drawn with it.
        """
        self.runner, self.split, self.seed = runner, split, seed
        self._parts = {**parts, "seed": seed if runner.teacher.draws_at_random else None}
        self._num_samples = num_samples

    @property
    def identity(self) -> dict[str, Any]:
        """What the samples hang on."""
        return identify(self._parts, num_samples=len(self))

    def __len__(self) -> int:
        """Returns how many samples there are."""
        return self._num_samples

    def read(self, numbers: Sequence[int]) -> dict[str, Any]:
        """Asks the teacher.

        Args:
          numbers: Of the samples.
        """
        return self.runner.run_window(numbers, seed=self.seed, split=self.split)


def seed_of(split: str, *, seed: int, draws_at_random: bool) -> int:
    """Returns what samples are drawn with, as generation does it.

    Args:
      split: `train` or `validation`.
      seed: Of the training samples.
      draws_at_random: Whether samples are drawn at all.
    """
    if not draws_at_random:
        return 0
    return VALIDATION_SEED if split == "validation" else seed


class SampleBatches(Resumable):
    """Batches of a source, as NumPy arrays; what `torch_stream.batch_stream` reads.

    Attributes:
      source: Has the samples.
      collate_fn: Makes arrays of columns.
      order: Which samples each batch holds, and which batch comes next.
    """

    def __init__(
        self,
        source: SampleSource,
        *,
        collate_fn: CollateFn,
        batch_size: int,
        seed: int,
        shuffle: bool = True,
    ) -> None:
        """Begins with the first epoch.

        Args:
          source: Has the samples.
          collate_fn: Makes arrays of columns.
          batch_size: Samples of a batch.
          seed: Of the order.
          shuffle: Whether each epoch has an order of its own, and only whole batches.

        Raises:
          InputError: There are not enough samples for a batch.
        """
        self.source = source
        self.collate_fn = collate_fn
        identity = dict(source.identity)
        num_samples = identity.pop("num_samples")
        order = ItemOrder(
            num_samples, seed=seed, shuffle=shuffle, identity=identity, items="samples"
        )
        self.order = ShardedOrder(order, batch_size=batch_size, drop_last=shuffle)

    @property
    def _place(self) -> Any:
        return self.order

    def __len__(self) -> int:
        """Returns how many batches are left in this epoch."""
        return self.order.num_batches

    def __iter__(self) -> Iterator[dict[str, np.ndarray]]:
        """Yields the batches that are left in this epoch."""
        for numbers in self.order:
            yield self.read(numbers)

    def read(self, numbers: np.ndarray) -> dict[str, np.ndarray]:
        """Reads some samples as a batch.

        Args:
          numbers: Of the samples, int64 `[batch]`.
        """
        return self.collate_fn(self.source.read(numbers.tolist()))


def make_loader(batches: SampleBatches, *, num_workers: int, pin_memory: bool) -> ResumableLoader:
    """Returns what hands out batches as tensors, read ahead by workers if there are any.

    Args:
      batches: What is read.
      num_workers: Processes that read ahead; 0 for none.
      pin_memory: Whether tensors are put where a GPU takes them from.
    """
    options: dict[str, Any] = {}
    if num_workers:
        # A worker that outlives a killed training would hold its lock.
        options = {"persistent_workers": True, "worker_init_fn": _start_worker}
    return ResumableLoader(
        torch_stream.batch_stream(batches),
        num_workers=num_workers,
        pin_memory=pin_memory,
        **options,
    )


def read_batches(loader: ResumableLoader) -> Iterator[Any]:
    """Yields the batches that are left in an epoch.

    Args:
      loader: Hands them out.

    Raises:
      CodeT5Error: One cannot be read; from a worker it comes without the worker's traceback.
    """
    try:
        yield from loader
    except errors.CodeT5Error as error:
        if "\n" not in str(error):
            raise
        # torch gives a worker's error its whole traceback, which ends with what it says.
        last = str(error).strip().rsplit("\n", 1)[-1]
        raise type(error)(last.partition(": ")[2] or last) from None


def _start_worker(worker: int) -> None:
    del worker
    parallel.start_worker()

"""Whole batches for torch, in an order that can be gone on with: by readers of any kind of store.

A *stream* is torch's IterableDataset. Whatever the number of workers, and with none, its batches
and their order are the same. torch is imported when something is made, not before.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from code_t5.encoding.item_order import Resumable

if TYPE_CHECKING:
    import torch


@functools.cache
def _batch_stream_class() -> type:
    import torch
    import torch.utils.data

    class BatchStream(torch.utils.data.IterableDataset):
        """Batches in order; `batch_stream` says what they are.

        `start` is where workers begin: epoch and position, in memory that they share, since those
        that outlive an epoch keep their copy of everything else.
        """

        def __init__(self, reader: Any, start: torch.Tensor) -> None:
            self.reader = reader
            self.start = start

        def __reduce__(self) -> tuple[Any, ...]:
            return _make_batch_stream, (self.reader, self.start)

        def __len__(self) -> int:
            return len(self.reader)

        def __iter__(self) -> Iterator[Any]:
            worker = torch.utils.data.get_worker_info()
            if worker is None:
                return map(_as_tensors, self.reader)
            order = self.reader.order
            order.epoch, order.position = self.start.tolist()
            numbers = range(worker.id, order.num_batches, worker.num_workers)
            return (_as_tensors(self.reader.read(order.batch(number))) for number in numbers)

        def mark_start(self) -> None:
            """Tells workers that begin from now on where the reader is."""
            self.start[0], self.start[1] = self.reader.order.epoch, self.reader.order.position

        def set_epoch(self, epoch: int) -> None:
            self.reader.set_epoch(epoch)
            self.mark_start()

        def state_dict(self) -> dict[str, Any]:
            return self.reader.state_dict()

        def load_state_dict(self, state: Mapping[str, Any]) -> None:
            self.reader.load_state_dict(state)
            self.mark_start()

    return BatchStream


def _as_tensors(arrays: Any) -> Any:
    import torch

    if isinstance(arrays, Mapping):
        return {name: torch.from_numpy(array) for name, array in arrays.items()}
    return tuple(torch.from_numpy(array) for array in arrays)


def _as_it_is(batch: Any) -> Any:
    return batch


def _make_batch_stream(reader: Any, start: torch.Tensor) -> Any:
    return _batch_stream_class()(reader, start)


def batch_stream(reader: Any) -> torch.utils.data.IterableDataset:
    """Returns the batches of a reader as a torch IterableDataset.

    A DataLoader over it wants `batch_size=None`. `ResumableLoader` is one.

    Args:
      reader: Has an `order` (`item_order.ShardedOrder`) with `set_epoch`, `state_dict` and
        `load_state_dict` of its own, gives arrays of the items that are asked for (`read(indexes)`)
        and yields those of the batches that are left in an epoch. Can be pickled.

    Returns:
      An IterableDataset that can be pickled. An item is a tuple of tensors; or a mapping of them,
      if the reader gives mappings.
    """
    import torch

    return _make_batch_stream(reader, torch.zeros(2, dtype=torch.int64).share_memory_())


class ResumableLoader(Resumable):
    """A DataLoader over a stream that knows what was handed out, whatever its workers read ahead.

    Attributes:
      stream: What is read.
      loader: torch's DataLoader.
    """

    def __init__(self, stream: Any, **options: Any) -> None:
        """Sets up the DataLoader.

        Args:
          stream: As `batch_stream` gives it.
          **options: torch's for a DataLoader: `num_workers`, `pin_memory`, `persistent_workers` and
            so on, but none on what a batch is.
        """
        import torch.utils.data

        self.stream = stream
        self.loader = torch.utils.data.DataLoader(
            stream, batch_size=None, collate_fn=_as_it_is, **options
        )

    @property
    def _place(self) -> Any:
        return self.stream

    def __len__(self) -> int:
        """Returns how many batches are left in this epoch."""
        return len(self.stream)

    def __iter__(self) -> Iterator[Any]:
        """Yields what is left of an epoch; each batch counts as had when it is handed out."""
        if not self.loader.num_workers:
            yield from self.loader
            return
        self.stream.mark_start()
        for batch in self.loader:
            self.stream.reader.order.advance(1)
            yield batch

"""Windows of a token cache for torch: by number, or as a stream of whole batches.

    source = cache_source("cache/mine", split="train", seq_len=512)
    inputs, labels = window_dataset(source)[0]               # int64 [512] each
    loader = ResumableLoader(window_stream(source, batch_size=64), num_workers=2)
    for inputs, labels in loader:                            # int64 [64, 512] each
        state = loader.state_dict()                          # goes on behind this batch

A *stream* is torch's IterableDataset. Whatever the number of workers, and with none, its batches
and their order are the same. torch is imported when something is made, not before.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from code_t5.encoding import torch_stream
from code_t5.encoding.item_order import DEFAULT_SEED
from code_t5.encoding.torch_stream import ResumableLoader
from code_t5.token_cache.reading import batches

if TYPE_CHECKING:
    import torch

__all__ = ["ResumableLoader", "window_dataset", "window_stream"]


class _Row(tuple):
    """The fields of one window of a batch that was read at once."""

    __slots__ = ()


class _Rows(Sequence[_Row]):
    """The windows of a batch, one by one; torch's DataLoader takes them whole."""

    def __init__(self, fields: list[torch.Tensor]) -> None:
        self.fields = fields

    def __len__(self) -> int:
        return len(self.fields[0])

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return [self[number] for number in range(*index.indices(len(self)))]
        return _Row(field[index] for field in self.fields)


def _collate(rows: Sequence[_Row], *, collate_fn_map: Any = None) -> list[torch.Tensor]:
    """Does for windows what torch's `default_collate` does for tuples; copies no whole batch."""
    import torch

    del collate_fn_map
    return rows.fields if isinstance(rows, _Rows) else [torch.stack(field) for field in zip(*rows)]


@functools.cache
def _window_dataset_class() -> type:
    import torch
    import torch.utils.data

    class WindowDataset(torch.utils.data.Dataset):
        """Windows by number; `window_dataset` says what they are."""

        def __init__(self, source: batches.WindowSource, fields: tuple[str, ...]) -> None:
            self.source = source
            self.fields = fields
            self.windows = source.open()

        def __reduce__(self) -> tuple[Any, ...]:
            return _make_window_dataset, (self.source, self.fields)

        def __len__(self) -> int:
            return self.windows.num_windows

        def _read(self, indexes: np.ndarray) -> list[torch.Tensor]:
            if indexes.dtype.kind == "i":
                indexes = np.where(indexes < 0, indexes + self.windows.num_windows, indexes)
            arrays = batches.read_fields(
                self.windows, indexes=indexes, fields=self.fields, dtype=np.int64
            )
            return [torch.from_numpy(array) for array in arrays]

        def __getitem__(self, index: Any) -> tuple[torch.Tensor, ...]:
            if isinstance(index, slice):
                index = range(*index.indices(len(self)))
            numbers = np.asarray(index)
            if numbers.dtype == bool and numbers.shape == (len(self),):
                # A mask, as of a tensor.
                numbers = np.flatnonzero(numbers)
            if numbers.ndim:
                return tuple(self._read(numbers))
            return tuple(rows[0] for rows in self._read(numbers[None]))

        def __getitems__(self, indexes: Sequence[int]) -> _Rows:
            return _Rows(self._read(np.asarray(indexes)))

    # How torch lets a type of one's own be put together.
    torch.utils.data._utils.collate.default_collate_fn_map[_Row] = _collate
    return WindowDataset


def _make_window_dataset(source: batches.WindowSource, fields: tuple[str, ...]) -> Any:
    return _window_dataset_class()(source, fields)


def window_dataset(
    source: batches.WindowSource, fields: Sequence[str] = batches.DEFAULT_FIELDS
) -> torch.utils.data.Dataset:
    """Returns windows as a torch Dataset.

    `dataset[i]` is a tuple of the fields, int64 `[seq_len]` each; `dataset[[i, j]]`, `dataset[i:j]`
    and `dataset[mask]` are of `[num_windows, seq_len]`, read at once. A label behind the end of a
    document is -100, which torch's losses pass over. Workers of a DataLoader, forked or spawned,
    open the cache again.

    Args:
      source: Which windows.
      fields: What is wanted of each, some of `batches.FIELDS`.

    Returns:
      A Dataset that can be pickled.

    Raises:
      InputError: A field is none.
      CodeT5Error: The windows cannot be read.
    """
    return _make_window_dataset(source, batches.check_fields(fields))


def window_stream(
    source: batches.WindowSource,
    *,
    batch_size: int,
    shuffle: bool = True,
    seed: int = DEFAULT_SEED,
    rank: int = 0,
    world_size: int = 1,
    drop_last: bool = True,
    fields: Sequence[str] = batches.DEFAULT_FIELDS,
) -> torch.utils.data.IterableDataset:
    """Returns whole batches as a torch IterableDataset.

    An item is a tuple of the fields, int64 `[batch_size, seq_len]` each, so a DataLoader over it
    wants `batch_size=None`. Iterating gives what is left of an epoch, then the next one. It has
    `set_epoch`, `state_dict` and `load_state_dict`. In a DataLoader with workers it cannot know
    what was handed out: so it stays at its place, each pass gives the same batches unless
    `set_epoch` is called before, and `set_epoch` of the epoch that it is in goes to no other place.
    `ResumableLoader` knows, and goes on by itself.

    Args:
      source: Which windows.
      batch_size: Windows of a batch of one rank.
      shuffle: Whether each epoch has an order of its own; else windows come by number.
      seed: Another one gives other orders.
      rank: Number of this process among those that read together, from 0.
      world_size: How many processes read together.
      drop_last: Whether an epoch ends with its last batch that is whole on all ranks.
      fields: What is wanted of each window, some of `batches.FIELDS`.

    Returns:
      An IterableDataset that can be pickled.

    Raises:
      CodeT5Error: See `batches.WindowBatches`.
    """
    reader = batches.WindowBatches(
        source,
        batch_size=batch_size,
        shuffle=shuffle,
        seed=seed,
        rank=rank,
        world_size=world_size,
        drop_last=drop_last,
        fields=fields,
        dtype=np.int64,
    )
    return torch_stream.batch_stream(reader)

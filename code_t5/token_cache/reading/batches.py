"""Batches of windows as NumPy arrays: what every framework's reader is made of.

    source = cache_source("cache/mine", split="train", seq_len=512)
    reader = WindowBatches(source, batch_size=64)
    for inputs, labels in reader:      # one epoch; int32 [64, 512] each
        ...
    state = reader.state_dict()        # small, JSON: goes on from here, on any number of ranks

A *window* is `seq_len + 1` tokens; its *inputs* are all but the last, its *labels* all but the
first, so that each input's label is the token behind it. A *source* says which windows are read and
opens them again in any process. What a batch is made of are *fields*: `inputs`, `labels`,
`segment_ids` (which document of the window a token is of) and `positions` (where in it).
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import os
import pathlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Union

import numpy as np

from code_t5 import errors
from code_t5.encoding.item_order import (
    DEFAULT_SEED,
    ItemOrder,
    Resumable,
    ShardedOrder,
)
from code_t5.token_cache import reader as cache_reader
from code_t5.token_cache.reading.windows import WindowReader
from code_t5.token_cache.token_split import TokenSplit

PathLike = Union[str, "os.PathLike[str]"]

INPUTS, LABELS, SEGMENT_IDS, POSITIONS = FIELDS = ("inputs", "labels", "segment_ids", "positions")
DEFAULT_FIELDS = (INPUTS, LABELS)


@dataclasses.dataclass(frozen=True)
class WindowSource:
    """Says which windows are read; small, and opens them in any process.

    Attributes:
      open_split: Opens the tokens; can be pickled.
      seq_len: Tokens of a window's inputs.
      overlap: Tokens that a window shares with the one before.
      cross_documents: Whether a window may hold more than one document.
      pad_id: What stands behind the end of a document where windows cross none.
    """

    open_split: Callable[[], TokenSplit]
    seq_len: int
    overlap: int = 0
    cross_documents: bool = True
    pad_id: int = 0

    def open(self) -> WindowReader:
        """Opens the windows.

        Raises:
          CodeT5Error: The cache is not there any more or was made anew, or there is no window.
        """
        return WindowReader(
            self.open_split(),
            seq_len=self.seq_len,
            overlap=self.overlap,
            cross_documents=self.cross_documents,
            pad_id=self.pad_id,
        )


def open_cached_split(
    cache_dir: PathLike, *, split: str, fingerprint: str, use_shared_memory: bool = False
) -> TokenSplit:
    """Opens a split of the same cache that another process has open.

    Args:
      cache_dir: The cache.
      split: Name of the split.
      fingerprint: Of the cache that the other process reads.
      use_shared_memory: Whether the tokens lie in memory that all processes share.

    Returns:
      The split.

    Raises:
      ArtifactError: Another cache is there now, or it is damaged.
      CodeT5Error: There is no such cache or split, or no room in memory.
    """
    reader = cache_reader.TokenCacheReader(cache_dir)
    if reader.fingerprint != fingerprint:
        raise errors.ArtifactError(
            f"the token cache {cache_dir} has become {reader.fingerprint} since it was opened as "
            f"{fingerprint}; wanted the same; start the program again"
        )
    if not use_shared_memory:
        return reader.split(split)
    from code_t5.token_cache.sharing import shared_memory

    return shared_memory.shared_split(reader, split)


def cache_source(
    cache: cache_reader.TokenCacheReader | PathLike,
    *,
    split: str,
    seq_len: int,
    overlap: int = 0,
    cross_documents: bool = True,
    pad_id: int = 0,
    use_shared_memory: bool = False,
) -> WindowSource:
    """Returns the windows of one split of a token cache.

    Args:
      cache: The cache, or where it is.
      split: Name of the split.
      seq_len: Tokens of a window's inputs.
      overlap: Tokens that a window shares with the one before.
      cross_documents: Whether a window may hold more than one document.
      pad_id: What stands behind the end of a document where windows cross none.
      use_shared_memory: Whether the tokens lie in memory that all processes share.

    Raises:
      InputError: There is no such split.
      NotBuiltError: There is no cache.
      ArtifactError: It is half-written, damaged or of another format.
    """
    reader = cache
    if not isinstance(reader, cache_reader.TokenCacheReader):
        reader = cache_reader.TokenCacheReader(reader)
    cache_dir = pathlib.Path(os.path.abspath(reader.cache_dir))
    return WindowSource(
        functools.partial(
            open_cached_split,
            cache_dir,
            split=split,
            fingerprint=reader.fingerprint,
            use_shared_memory=use_shared_memory,
        ),
        seq_len=seq_len,
        overlap=overlap,
        cross_documents=cross_documents,
        pad_id=pad_id,
    )


def check_fields(fields: Sequence[str]) -> tuple[str, ...]:
    """Returns names of fields after checking them.

    Args:
      fields: Some of `FIELDS`.

    Raises:
      InputError: One is none, or there is none at all.
    """
    wrong = [field for field in fields if field not in FIELDS]
    if isinstance(fields, str) or wrong or not fields:
        raise errors.InputError(
            f"a batch was asked for the fields {fields!r}; wanted some of {', '.join(FIELDS)}; "
            "give a list of these"
        )
    return tuple(fields)


def read_fields(
    windows: WindowReader,
    *,
    indexes: np.ndarray,
    fields: Sequence[str] = DEFAULT_FIELDS,
    dtype: Any = np.int32,
) -> tuple[np.ndarray, ...]:
    """Reads some windows.

    Args:
      windows: What is read.
      indexes: int64 `[num_windows]`.
      fields: What is wanted of them.
      dtype: int32 or int64.

    Returns:
      For each field an array of its own, `[num_windows, seq_len]`.

    Raises:
      InputError: The indexes are no whole numbers, or the dtype is another.
      IndexError: There is no such window.
      ArtifactError: An id or a position is too large for int32, or a file cannot be read.
    """
    dtype = check_dtype(dtype)
    made: dict[str, np.ndarray] = {}
    if INPUTS in fields or LABELS in fields:
        found = windows.read(indexes)
        _check_range(found.tokens, name="id", dtype=dtype)
        made[INPUTS], made[LABELS] = found.pairs(dtype)
    if SEGMENT_IDS in fields or POSITIONS in fields:
        segments = windows.segments(indexes)
        _check_range(segments.positions, name="position", dtype=dtype)
        made[SEGMENT_IDS] = segments.segment_ids.astype(dtype, copy=False)
        made[POSITIONS] = segments.positions.astype(dtype, copy=False)
    return tuple(made[field] for field in fields)


def check_dtype(dtype: Any) -> np.dtype:
    """Returns the dtype of batches after checking it.

    Args:
      dtype: int32 or int64, as NumPy writes them.

    Raises:
      InputError: It is another.
    """
    for wanted in map(np.dtype, (np.int32, np.int64)):
        # NumPy takes None for float64, and raises TypeError for what is no dtype at all.
        with contextlib.suppress(TypeError):
            if dtype is not None and np.dtype(dtype) == wanted:
                return wanted
    raise errors.InputError(
        f"dtype is {dtype!r}; wanted numpy.int32 or numpy.int64; give one of these"
    )


def _check_range(values: np.ndarray, *, name: str, dtype: np.dtype) -> None:
    limit = np.iinfo(dtype).max
    if np.iinfo(values.dtype).max > limit and values.max(initial=0) > limit:
        raise errors.ArtifactError(
            f"the token cache holds the {name} {values.max()}; wanted what int32 can hold; read it "
            "as int64"
        )


class WindowBatches(Resumable):
    """The batches of one rank, as NumPy arrays; iterating yields those left in an epoch.

    A batch counts as had when it is handed out. Iterating again gives the next epoch, or what is
    left of one that was broken off.

    Attributes:
      source: Which windows.
      windows: The same, open.
      order: Which of them each batch holds, and how far all ranks have come.
      fields: What a batch is made of.
      dtype: Of each field.
    """

    def __init__(
        self,
        source: WindowSource,
        *,
        batch_size: int,
        shuffle: bool = True,
        seed: int = DEFAULT_SEED,
        rank: int = 0,
        world_size: int = 1,
        drop_last: bool = True,
        fields: Sequence[str] = DEFAULT_FIELDS,
        dtype: Any = np.int32,
    ) -> None:
        """Opens the windows and begins with the first epoch.

        Args:
          source: Which windows.
          batch_size: Windows of a batch of one rank.
          shuffle: Whether each epoch has an order of its own; else windows come by number.
          seed: Another one gives other orders.
          rank: Number of this process among those that read together, from 0.
          world_size: How many processes read together.
          drop_last: Whether an epoch ends with its last batch that is whole on all ranks.
          fields: What is wanted of each window, some of `FIELDS`.
          dtype: int32 or int64.

        Raises:
          InputError: A number, a field or the dtype does not do, or an epoch would have no batch.
          CodeT5Error: The windows cannot be read.
        """
        self.source = source
        self.fields = check_fields(fields)
        self.dtype = check_dtype(dtype)
        self.windows = source.open()
        order = ItemOrder(
            self.windows.num_windows, seed=seed, shuffle=shuffle, identity=self.windows.identity
        )
        self.order = ShardedOrder(
            order, batch_size=batch_size, rank=rank, world_size=world_size, drop_last=drop_last
        )

    def __getstate__(self) -> dict[str, Any]:
        """Leaves out the tokens, which the copy opens again."""
        return {**self.__dict__, "windows": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self.windows = self.source.open()

    @property
    def _place(self) -> Any:
        return self.order

    def __len__(self) -> int:
        """Returns how many batches are left in this epoch."""
        return self.order.num_batches

    def __iter__(self) -> Iterator[tuple[np.ndarray, ...]]:
        """Yields the batches that are left in this epoch: for each field `[batch_size, seq_len]`.

        The last may be shorter without `drop_last`.
        """
        for indexes in self.order:
            yield self.read(indexes)

    def read(self, indexes: np.ndarray) -> tuple[np.ndarray, ...]:
        """Returns the fields of some windows, `[num_windows, seq_len]` each.

        Args:
          indexes: int64 `[num_windows]`.

        Raises:
          InputError: The indexes are no whole numbers.
          IndexError: There is no such window.
          ArtifactError: An id or a position is too large for int32, or a file cannot be read.
        """
        return read_fields(self.windows, indexes=indexes, fields=self.fields, dtype=self.dtype)

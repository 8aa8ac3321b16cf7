"""An opened token cache, and its windows in the form of each framework.

    readers = CacheReaders(TokenCacheReader("cache/mine"))
    for inputs, labels in readers.batches("train", seq_len=512, batch_size=64):
        ...

torch and TensorFlow are loaded when their form is asked for.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Union

from code_t5 import errors
from code_t5.token_cache import archai_cache, call_options, layout, reader
from code_t5.token_cache.reading import batches as window_batches
from code_t5.token_cache.reading import tf_windows, torch_windows
from code_t5.token_cache.sources.row_choice import TRAIN, VALIDATION
from code_t5.token_cache.tokenizing import tokenizer_files

if TYPE_CHECKING:
    import tensorflow as tf
    import torch

    from code_t5.token_cache.reading.windows import WindowReader

PathLike = Union[str, "os.PathLike[str]"]
Cache = Union[reader.TokenCacheReader, archai_cache.ArchaiCache]

TEST = "test"
# What says which windows are read; the rest says in which order.
_SOURCE_OPTIONS = ("overlap", "cross_documents", "pad_id")


class CacheReaders:
    """A token cache, and its windows for torch, TensorFlow and NumPy.

    Attributes:
      cache: The opened cache.
      use_shared_memory: Whether tokens lie in memory that all processes of the machine share.
    """

    def __init__(self, cache: Cache, *, use_shared_memory: bool = False) -> None:
        """Takes an opened cache.

        Args:
          cache: The cache.
          use_shared_memory: Whether to copy tokens into memory that processes share.

        Raises:
          InputError: Shared memory is asked for of a cache that archai made.
        """
        if use_shared_memory and isinstance(cache, archai_cache.ArchaiCache):
            raise errors.InputError(
                f"use_shared_memory is set for {cache.cache_dir}, which archai made and which has "
                "no checksums; wanted a cache of code_t5; build one with from_hub"
            )
        self.cache = cache
        self.use_shared_memory = use_shared_memory

    @property
    def splits(self) -> Sequence[str]:
        """Names of the splits."""
        return tuple(self.cache.splits)

    @property
    def config(self) -> dict[str, Any]:
        """What was asked for when the cache was built, by the names of the arguments."""
        return self.cache.config

    @functools.cached_property
    def stored_tokenizer(self) -> tokenizer_files.StoredTokenizer:
        """The tokenizer's files in the cache, their hashes checked.

        Raises:
          InputError: The cache has none.
          ArtifactError: They are not those that were stored.
        """
        fields = getattr(self.cache, "tokenizer", None)
        if fields is None:
            raise errors.InputError(
                f"the cache {self.cache.cache_dir} holds no tokenizer's files; wanted one that "
                "from_hub or its like built; build it so, or load the tokenizer yourself"
            )
        folder = self.cache.cache_dir / layout.TOKENIZER_NAME
        return tokenizer_files.open_stored(folder, fields)

    @functools.cached_property
    def tokenizer(self) -> Any:
        """The tokenizer: Hugging Face's, or the `TokenModel` of a vocabulary of code_t5."""
        if isinstance(self.cache, archai_cache.ArchaiCache):
            return self.cache.load_tokenizer()
        return self.stored_tokenizer.load()

    def source(self, split: str, *, seq_len: int, **options: Any) -> window_batches.WindowSource:
        """Says which windows are read; what the readers of all frameworks begin with.

        Args:
          split: Name of the split.
          seq_len: Tokens of a window's inputs.
          **options: `overlap` (tokens shared with the window before), `cross_documents` (whether a
            window may hold more than one document) and `pad_id` (behind the end of one, where not).

        Raises:
          InputError: There is no such split, or no such option.
        """
        call_options.check_options(options, known=_SOURCE_OPTIONS)
        if split not in self.cache.splits:
            made = ", or build the cache with validation_split=0.1" if split == VALIDATION else ""
            raise errors.InputError(
                f"the cache {self.cache.cache_dir} has no split {split!r}; wanted one of "
                f"{', '.join(self.splits)}; name one of these{made}"
            )
        if isinstance(self.cache, archai_cache.ArchaiCache):
            return self.cache.source(split, seq_len=seq_len, **options)
        return window_batches.cache_source(
            self.cache,
            split=split,
            seq_len=seq_len,
            use_shared_memory=self.use_shared_memory,
            **options,
        )

    def windows(self, split: str, *, seq_len: int, **options: Any) -> WindowReader:
        """Returns the windows of a split, by number, as NumPy arrays.

        Args:
          split: Name of the split.
          seq_len: Tokens of a window's inputs.
          **options: As for `source`.

        Raises:
          InputError: There is no such split or option, or a number does not do.
          ArtifactError: The cache is damaged, or was made anew since it was opened.
        """
        return self.source(split, seq_len=seq_len, **options).open()

    def get_train_dataset(self, seq_len: int, **options: Any) -> torch.utils.data.Dataset:
        """Returns train as a torch Dataset; see `get_dataset`.

        Args:
          seq_len: Tokens of each of both.
          **options: As for `get_dataset`.

        Raises:
          InputError: There is no such split or option, or a number does not do.
          ArtifactError: The cache is damaged, or was made anew since it was opened.
        """
        return self.get_dataset(TRAIN, seq_len=seq_len, **options)

    def get_val_dataset(self, seq_len: int, **options: Any) -> torch.utils.data.Dataset:
        """Returns validation as a torch Dataset; see `get_dataset`.

        Args:
          seq_len: Tokens of each of both.
          **options: As for `get_dataset`.

        Raises:
          InputError: There is no such split or option, or a number does not do.
          ArtifactError: The cache is damaged, or was made anew since it was opened.
        """
        return self.get_dataset(VALIDATION, seq_len=seq_len, **options)

    def get_test_dataset(self, seq_len: int, **options: Any) -> torch.utils.data.Dataset:
        """Returns test as a torch Dataset; see `get_dataset`.

        Args:
          seq_len: Tokens of each of both.
          **options: As for `get_dataset`.

        Raises:
          InputError: There is no such split or option, or a number does not do.
          ArtifactError: The cache is damaged, or was made anew since it was opened.
        """
        return self.get_dataset(TEST, seq_len=seq_len, **options)

    def get_dataset(
        self,
        split: str,
        *,
        seq_len: int,
        fields: Sequence[str] = window_batches.DEFAULT_FIELDS,
        **options: Any,
    ) -> torch.utils.data.Dataset:
        """Returns the windows of a split as a torch Dataset of `(inputs, labels)`.

        Args:
          split: Name of the split.
          seq_len: Tokens of each of both; labels are the inputs moved by one.
          fields: More of each window: `segment_ids`, `positions`.
          **options: As for `source`.

        Raises:
          InputError: There is no such split or option, or a number does not do.
          ArtifactError: The cache is damaged, or was made anew since it was opened.
        """
        source = self.source(split, seq_len=seq_len, **options)
        return torch_windows.window_dataset(source, fields)

    def batches(
        self, split: str, *, seq_len: int, batch_size: int, **options: Any
    ) -> window_batches.WindowBatches:
        """Returns the batches of a split as NumPy arrays, for JAX or anything else.

        Args:
          split: Name of the split.
          seq_len: Tokens of a window's inputs.
          batch_size: Windows of a batch.
          **options: As for `source`, and those of `WindowBatches` (`shuffle`, `seed`, `rank`,
            `world_size`, ...).

        Raises:
          InputError: There is no such split or option, or a number does not do.
          ArtifactError: The cache is damaged, or was made anew since it was opened.
        """
        source, others = self._split_options(split, seq_len, options, window_batches.WindowBatches)
        return window_batches.WindowBatches(source, batch_size=batch_size, **others)

    def torch_stream(
        self, split: str, *, seq_len: int, batch_size: int, **options: Any
    ) -> torch.utils.data.IterableDataset:
        """Returns the batches of a split as a torch IterableDataset of whole batches.

        Args:
          split: Name of the split.
          seq_len: Tokens of a window's inputs.
          batch_size: Windows of a batch.
          **options: As for `batches`.

        Raises:
          InputError: There is no such split or option, or a number does not do.
          ArtifactError: The cache is damaged, or was made anew since it was opened.
        """
        source, others = self._split_options(split, seq_len, options, torch_windows.window_stream)
        return torch_windows.window_stream(source, batch_size=batch_size, **others)

    def tf_batches(
        self, split: str, *, seq_len: int, batch_size: int, **options: Any
    ) -> tf_windows.TfWindowBatches:
        """Returns the batches of a split for TensorFlow; `.dataset()` is the `tf.data.Dataset`.

        Args:
          split: Name of the split.
          seq_len: Tokens of a window's inputs.
          batch_size: Windows of a batch.
          **options: As for `batches`.

        Raises:
          InputError: There is no such split or option, or a number does not do.
          ArtifactError: The cache is damaged, or was made anew since it was opened.
        """
        source, others = self._split_options(split, seq_len, options, window_batches.WindowBatches)
        return tf_windows.TfWindowBatches(source, batch_size=batch_size, **others)

    def tf_dataset(
        self,
        split: str,
        *,
        seq_len: int,
        batch_size: int,
        num_epochs: int | None = 1,
        **options: Any,
    ) -> tf.data.Dataset:
        """Returns the batches of a split as a tf.data pipeline.

        Args:
          split: Name of the split.
          seq_len: Tokens of a window's inputs.
          batch_size: Windows of a batch.
          num_epochs: How many; None for no end.
          **options: As for `batches`.

        Raises:
          InputError: There is no such split or option, or a number does not do.
          ArtifactError: The cache is damaged, or was made anew since it was opened.
        """
        made = self.tf_batches(split, seq_len=seq_len, batch_size=batch_size, **options)
        return made.dataset(num_epochs)

    def _split_options(
        self, split: str, seq_len: int, options: dict[str, Any], reader_class: Callable[..., Any]
    ) -> tuple[window_batches.WindowSource, dict[str, Any]]:
        """Returns the source that some of the options are about, and the other options."""
        known = call_options.known_options(reader_class)
        call_options.check_options(options, known=[*_SOURCE_OPTIONS, *known])
        mine = {name: options[name] for name in _SOURCE_OPTIONS if name in options}
        others = {name: value for name, value in options.items() if name not in _SOURCE_OPTIONS}
        return self.source(split, seq_len=seq_len, **mine), others

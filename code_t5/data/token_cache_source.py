"""The seqio DataSource of a token cache: its documents, encoded already.

An example is one document: its ids as int32 `targets`, without the end of text, its `repository`
and `path`. Ids are those of the cache and a *shift* above: T5 wants 0 to 2 for itself, and of most
tokenizers these are words (`code_t5.data.tokenizer_vocabulary`). Of a tokenizer that is taken
without a shift, text that spells its padding or end of text becomes the unknown token: a Task would
take them for the end of its example.
"""

from __future__ import annotations

import functools
import itertools
import os
from collections.abc import Callable
from typing import Any

import numpy as np
import seqio
import tensorflow as tf

from code_t5 import errors
from code_t5.encoding import keys, permutation, ragged
from code_t5.encoding.piece_model import UNK_ID
from code_t5.pipeline_calls import pipeline_call
from code_t5.token_cache.reader import TokenCacheReader
from code_t5.token_cache.token_split import TokenSplit

# Documents that one call of a pipeline reads.
_BATCH_DOCUMENTS = 64
_NUM_PREFETCHED = 2
# Read from the map of a large file before its pages are given back.
_RESIDENT_BYTES = 1 << 28


def read_documents(
    split: TokenSplit, *, documents: np.ndarray, end_of_text_id: int | None = None
) -> ragged.Ragged:
    """Reads the ids of documents.

    Args:
      split: What they are of.
      documents: int64 `[num_documents]`: their positions.
      end_of_text_id: What each document ends with, which is left out; None if with nothing.

    Returns:
      int64, a row for each.

    Raises:
      ArtifactError: A document is not in its place, or has no end of text.
    """
    starts = np.asarray(split.offsets[documents], dtype=np.int64)
    ends = np.asarray(split.offsets[documents + 1], dtype=np.int64)
    wrong = (starts < 0) | (ends < starts) | (ends > split.num_tokens)
    if end_of_text_id is not None and not wrong.any():
        wrong = starts == ends
        if not wrong.any():
            wrong = split.tokens[ends - 1] != end_of_text_id
        ends = ends - 1
    if wrong.any():
        document = int(documents[wrong][0])
        raise errors.ArtifactError(
            f"document {document} of a token cache has no place or no end of text; wanted what the "
            "writer of the cache wrote; find the damage with scripts/build_token_cache.py "
            "--verify, and build the cache again"
        )
    rows = ragged.gather_ranges(split.tokens, starts=starts, lengths=ends - starts)
    return ragged.Ragged(rows.values.astype(np.int64), rows.offsets)


class TokenCacheDataSource(seqio.DataSource):
    """The documents of a token cache.

    Constructing one opens no file: the first look at the data does. Shuffling draws an order of all
    documents by a formula, anew for each pass.

    Attributes:
      cache_dir: Where the cache is.
    """

    def __init__(
        self, cache_dir: str | os.PathLike[str], *, find_shift: Callable[[], int] | None = None
    ) -> None:
        """Remembers what to read.

        Args:
          cache_dir: The cache.
          find_shift: Says how much is added to each id of a Task, when data is first read; None to
            give ids as they are in the cache.
        """
        super().__init__(splits=(), caching_permitted=False, performs_internal_shuffling=True)
        self.cache_dir = os.path.abspath(os.path.expanduser(cache_dir))
        self._find_shift = find_shift
        # Of the cache that was opened: a copy opens no other.
        self._fingerprint: str | None = None

    def __getstate__(self) -> dict[str, Any]:
        """Gin and seqio copy sources: the copy opens the cache itself."""
        return {name: value for name, value in self.__dict__.items() if name != "cache"}

    @functools.cached_property
    def cache(self) -> TokenCacheReader:
        """The cache, opened once.

        Raises:
          NotBuiltError: There is none.
          ArtifactError: It is half-written, damaged, of another format, or another than this source
            or the one that it was copied from has opened.
        """
        cache = TokenCacheReader(self.cache_dir)
        if self._fingerprint not in (None, cache.fingerprint):
            raise errors.ArtifactError(
                f"the token cache {self.cache_dir} has become {cache.fingerprint} since it was "
                f"opened as {self._fingerprint}; wanted the same; start the program again"
            )
        self._fingerprint = cache.fingerprint
        return cache

    def check(self) -> None:
        """Checks that the cache can be read, and that its ids are those of its tokenizer.

        Raises:
          NotBuiltError: There is none.
          ArtifactError: It is damaged, or does not say what its ids mean.
        """
        if self._find_shift is not None:
            self._find_shift()
        for name in self.cache.splits:
            self.cache.split(name)

    @property
    def splits(self) -> list[str]:
        """Names of the splits."""
        return list(self.cache.splits)

    @property
    def supports_arbitrary_sharding(self) -> bool:
        """Yes: any document is found at once."""
        return True

    def num_input_examples(self, split: str) -> int | None:
        """Returns the number of documents of a split."""
        return self.cache.splits[split]["num_documents"]

    def num_tokens(self, split: str) -> int:
        """Returns the number of tokens of a split, ends of text left out.

        Args:
          split: Its name.
        """
        counts = self.cache.splits[split]
        ends = 0 if self.cache.end_of_text_id is None else counts["num_documents"]
        return counts["num_tokens"] - ends

    def list_shards(self, split: str) -> list[str]:
        """Returns one name: all of a split lies in one file."""
        return [f"{self.cache_dir}:{split}"]

    def get_dataset(
        self,
        split: str = "train",
        shuffle: bool = True,
        seed: int | None = None,
        shard_info: seqio.ShardInfo | None = None,
        **_: Any,
    ) -> tf.data.Dataset:
        """Returns the documents of a split.

        Args:
          split: Its name.
          shuffle: Whether to draw an order, another one each time the result is read.
          seed: Of the order; None to draw one.
          shard_info: Which of how many shares of the documents; None for all.

        Returns:
          Examples with int32 `targets` `[num_tokens]` and the strings `repository` and `path`.

        Raises:
          InputError: There is no such split.
          NotBuiltError: There is no cache.
          ArtifactError: It is damaged.
        """
        opened = self.cache.split(split)
        index, num_shards = (shard_info.index, shard_info.num_shards) if shard_info else (0, 1)
        numbers = range(index, opened.num_documents, num_shards)
        if seed is None:
            seed = int.from_bytes(os.urandom(4), "little")
        read = _DocumentCalls(
            opened,
            numbers=numbers,
            seed=seed if shuffle else None,
            shift=None if self._find_shift is None else self._find_shift(),
            end_of_text_id=self.cache.end_of_text_id,
        )
        return read.dataset()


class _DocumentCalls:
    """What a pipeline calls to read documents."""

    def __init__(
        self,
        split: TokenSplit,
        *,
        numbers: range,
        seed: int | None,
        shift: int | None,
        end_of_text_id: int | None,
    ) -> None:
        self._split, self._numbers, self._seed = split, numbers, seed
        self._shift, self._end_of_text_id = shift, end_of_text_id
        self._passes = itertools.count()
        self._read_bytes = 0

    def _next_pass(self) -> np.ndarray:
        return np.asarray(next(self._passes), dtype=np.int64)

    def _read(self, number_of_pass: np.ndarray, call: np.ndarray) -> tuple[np.ndarray, ...]:
        """Returns the values and offsets of some documents, their repositories and paths."""
        first = int(call) * _BATCH_DOCUMENTS
        places = np.arange(first, min(first + _BATCH_DOCUMENTS, len(self._numbers)))
        if self._seed is not None:
            key = keys.mix_keys(self._seed, int(number_of_pass))
            places = permutation.permute(places, size=len(self._numbers), keys=key)
        documents = places * self._numbers.step + self._numbers.start
        rows = read_documents(self._split, documents=documents, end_of_text_id=self._end_of_text_id)
        self._note_read(rows.values)
        values = rows.values.astype(np.int32)
        if self._shift is not None:
            values += self._shift
            values[values < UNK_ID] = UNK_ID
        names = [self._split.names(document) for document in documents.tolist()]
        texts = [np.array([_encode(name) for name in part], dtype=object) for part in zip(*names)]
        return (values, rows.offsets, *texts)

    def _note_read(self, values: np.ndarray) -> None:
        """Keeps little of a large file resident."""
        self._read_bytes += values.nbytes
        if self._read_bytes > _RESIDENT_BYTES:
            self._split.give_back()
            self._read_bytes = 0

    def dataset(self) -> tf.data.Dataset:
        """Returns the documents, one by one."""
        next_pass, read = pipeline_call(self._next_pass), pipeline_call(self._read)
        num_calls = -(-len(self._numbers) // _BATCH_DOCUMENTS)
        types = [tf.int32, tf.int64, tf.string, tf.string]

        def read_batch(number_of_pass: tf.Tensor, call: tf.Tensor) -> dict[str, Any]:
            parts = tf.numpy_function(read, [number_of_pass, call], types)
            values, offsets, *names = (tf.ensure_shape(part, [None]) for part in parts)
            targets = tf.RaggedTensor.from_row_splits(values, offsets, validate=False)
            return {"targets": targets, **dict(zip(("repository", "path"), names))}

        def one_pass(_: tf.Tensor) -> tf.data.Dataset:
            number = tf.ensure_shape(tf.numpy_function(next_pass, [], tf.int64), [])
            calls = tf.data.Dataset.range(num_calls)
            return calls.map(lambda call: read_batch(number, call), num_parallel_calls=1)

        batches = tf.data.Dataset.from_tensors(0).flat_map(one_pass)
        found = batches.prefetch(_NUM_PREFETCHED).unbatch()
        # What comes from ragged rows has the shape of its rows, which seqio wants to be known.
        found = found.map(
            lambda example: {**example, "targets": tf.ensure_shape(example["targets"], [None])}
        )
        return found.apply(tf.data.experimental.assert_cardinality(len(self._numbers)))


def _encode(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")

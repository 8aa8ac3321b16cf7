"""A seqio Vocabulary over the Hugging Face tokenizer of a token cache.

T5 wants padding as 0, the end of text as 1, unknown as 2, and 100 *sentinels* at the top. Of most
tokenizers 0 to 2 are words, so a vocabulary's ids are the tokenizer's and a *shift* of 3 above. A
tokenizer that has padding and the end of text there already, as T5's own has, is taken as it is,
with its sentinels if they are at its top.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from code_t5 import errors
from code_t5.data.t5_vocabulary import T5Vocabulary
from code_t5.data.vocabularies import TokenModelVocabulary, open_vocabulary
from code_t5.encoding.piece_model import EOS_ID, EXTRA_IDS, PAD_ID, UNK_ID
from code_t5.encoding.ragged import Ragged
from code_t5.pipeline_calls import pipeline_call
from code_t5.storage import fingerprints
from code_t5.token_cache import layout
from code_t5.token_cache.reader import TokenCacheReader
from code_t5.token_cache.tokenizing import tokenizer_files

_NUM_RESERVED = 3
_UNKNOWN_TEXT = "\N{REPLACEMENT CHARACTER}"


def _sentinel_name(number: int) -> str:
    return f"<extra_id_{number}>"


def open_cached_tokenizer(cache: TokenCacheReader) -> tokenizer_files.StoredTokenizer:
    """Opens the tokenizer of a token cache.

    Args:
      cache: The cache.

    Raises:
      ArtifactError: The cache does not say with what it was encoded, or a file is damaged.
    """
    if cache.tokenizer is None:
        raise errors.ArtifactError(
            f"the token cache {cache.cache_dir} does not say what its ids mean; wanted one with a "
            "tokenizer in it; build it with scripts/build_token_cache.py"
        )
    return tokenizer_files.open_stored(cache.cache_dir / layout.TOKENIZER_NAME, cache.tokenizer)


class TokenizerVocabulary(T5Vocabulary):
    """The tokenizer of a token cache, as seqio and T5 want it.

    It stands for the token model of its ids too (`token_model`), but for what the bytes of an id
    are: a tokenizer may cut a text anywhere, so objectives that look into the text refuse it.
    """

    def __init__(self, cache_dir: str | os.PathLike[str]) -> None:
        """Remembers where the cache is.

        Args:
          cache_dir: The token cache.
        """
        super().__init__(os.path.abspath(os.path.expanduser(cache_dir)))

    @property
    def cache_dir(self) -> str:
        """The token cache."""
        return self._place

    @functools.cached_property
    def stored(self) -> tokenizer_files.StoredTokenizer:
        """The tokenizer's files.

        Raises:
          NotBuiltError: There is no cache.
          ArtifactError: It is damaged, or its tokenizer is a code_t5 vocabulary.
        """
        stored = open_cached_tokenizer(TokenCacheReader(self.cache_dir))
        if stored.kind != tokenizer_files.HUGGING_FACE:
            raise errors.ArtifactError(
                f"the tokenizer of {self.cache_dir} is of the kind {stored.kind!r}; wanted "
                f"{tokenizer_files.HUGGING_FACE!r}; open it with "
                "code_t5.data.tokenizer_vocabulary.open_cache_vocabulary"
            )
        return stored

    @functools.cached_property
    def _backend(self) -> Any:
        """Of `tokenizers` where that can do it, else of transformers."""
        stored = self.stored
        if stored.is_fast:
            name = tokenizer_files.FAST_NAME
            return tokenizer_files.load_backend(stored.folder, stored.files[name])
        return stored.load()

    def _special_id(self, name: str) -> int | None:
        if self.stored.is_fast:
            return self._backend.token_to_id(name)
        found = self._backend.convert_tokens_to_ids(name)
        return None if found == self._backend.unk_token_id else found

    @functools.cached_property
    def shift(self) -> int:
        """How far above the tokenizer's ids those of the vocabulary are: 3, or 0 if it has room."""
        has_room = self.stored.eos_id == EOS_ID and self._special_id("<pad>") == PAD_ID
        return 0 if has_room else _NUM_RESERVED

    @functools.cached_property
    def _base_vocab_size(self) -> int:
        size = self.stored.vocab_size
        wanted = {_sentinel_name(number): size - 1 - number for number in range(EXTRA_IDS)}
        has_sentinels = all(self._special_id(name) == place for name, place in wanted.items())
        if not self.shift and has_sentinels:
            return size - EXTRA_IDS
        return size + self.shift

    @functools.cached_property
    def fingerprint(self) -> str:
        """Hash of everything that decides on which ids a text becomes."""
        return fingerprints.hash_json({"identity": self.stored.identity, "shift": self.shift})

    @property
    def vocabulary_dir(self) -> str:
        """Where the tokenizer's files are."""
        return os.path.join(self.cache_dir, layout.TOKENIZER_NAME)

    @property
    def token_model(self) -> TokenizerVocabulary:
        """Itself."""
        return self

    @property
    def token_bytes(self) -> Ragged:
        """Refuses.

        Raises:
          InputError: Always.
        """
        raise errors.InputError(
            f"the objective looks into the text of each token, and the tokenizer of "
            f"{self.cache_dir} is one of Hugging Face, whose tokens may cross line ends; wanted "
            "prefix_lm, span_corruption or causal_lm; choose one of these, or encode the data with "
            "a vocabulary of code_t5"
        )

    def _encode(self, s: str) -> Sequence[int]:
        found = self._backend.encode(s, add_special_tokens=False)
        ids = found.ids if self.stored.is_fast else found
        if self.shift:
            return [token_id + self.shift for token_id in ids]
        # A text that spells padding or the end of text neither is one nor ends.
        return [UNK_ID if token_id in (PAD_ID, EOS_ID) else token_id for token_id in ids]

    def _decode(self, ids: Iterable[int]) -> str:
        parts: list[str] = []
        words: list[int] = []

        def flush() -> None:
            if words:
                parts.append(self.stored.decode(words))
                words.clear()

        for token_id in map(int, ids):
            if token_id == EOS_ID:
                break
            if max(self.shift, EOS_ID + 1) <= token_id < self._base_vocab_size:
                words.append(token_id - self.shift)
            elif token_id != PAD_ID:
                flush()
                is_sentinel = self._base_vocab_size <= token_id < self.vocab_size
                number = self.vocab_size - 1 - token_id
                parts.append(_sentinel_name(number) if is_sentinel else _UNKNOWN_TEXT)
        flush()
        return "".join(parts)

    def decode_tf(self, ids: tf.Tensor) -> tf.Tensor:
        """Returns what `decode` does, inside a graph, by a call of Python.

        Args:
          ids: int `[num_tokens]`, or `[batch, num_tokens]`, which may be ragged.

        Returns:
          string `[]` or `[batch]`.
        """
        return self._decode_tf(ids)

    def _decode_tf(self, ids: tf.Tensor) -> tf.Tensor:
        if isinstance(ids, tf.RaggedTensor):
            ids = ids.to_tensor(PAD_ID)

        def decode_rows(rows: np.ndarray) -> np.ndarray:
            texts = [self._decode(row).encode("utf-8") for row in rows.tolist()]
            return np.array(texts, dtype=object)

        # An end of text, so that a row is never empty and a batch of none has a shape.
        rows = ids if ids.shape.rank == 2 else ids[tf.newaxis]
        found = tf.numpy_function(
            pipeline_call(decode_rows), [tf.cast(rows, tf.int64)], tf.string, stateful=False
        )
        found = tf.ensure_shape(found, [None])
        return found if ids.shape.rank == 2 else found[0]


def open_cache_vocabulary(
    cache_dir: str | os.PathLike[str],
) -> TokenizerVocabulary | TokenModelVocabulary:
    """Returns the vocabulary of a token cache.

    Args:
      cache_dir: Need not be there yet, nor be whole: the vocabulary says so when it is used.

    Returns:
      The data set's own where the cache was encoded with one, else one over the tokenizer.
    """
    path = os.path.abspath(os.path.expanduser(cache_dir))
    try:
        stored = open_cached_tokenizer(TokenCacheReader(path))
    except errors.CodeT5Error:
        return TokenizerVocabulary(path)
    if stored.kind == tokenizer_files.CODE_T5:
        return open_vocabulary(os.path.join(path, layout.TOKENIZER_NAME))
    return TokenizerVocabulary(path)

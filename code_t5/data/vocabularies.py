"""The seqio Vocabularies of source code: lossless, with sentinels that no text can spell.

`CodeVocabulary` is SentencePiece's, `ByteBpeVocabulary` that of a byte-level BPE;
`open_vocabulary` makes the one that a directory holds.
"""

from __future__ import annotations

import abc
import os
import pathlib
from collections.abc import Iterable, Sequence
from typing import Any

import tensorflow as tf

from code_t5 import errors, vocabulary_escapes
from code_t5.data.t5_vocabulary import T5Vocabulary
from code_t5.encoding import byte_bpe_model, piece_model, token_model
from code_t5.encoding.piece_model import EOS_ID, PAD_ID, UNK_ID


def _replace(text: tf.Tensor, steps: Iterable[tuple[str, str]]) -> tf.Tensor:
    for found, wanted in steps:
        text = tf.strings.regex_replace(text, found, wanted)
    return text


class TokenModelVocabulary(T5Vocabulary):
    """Pieces of a token model and 100 sentinels above them.

    Unlike those of `seqio.SentencePieceVocabulary`, no text encodes to a sentinel: a source file
    that holds the text `<extra_id_0>` encodes to the pieces of that text.

    Constructing one opens no file; the manifest is read when a size or the fingerprint is asked
    for, the model when something is encoded.
    """

    kind: str

    def __init__(self, vocabulary_dir: str) -> None:
        """Remembers where the vocabulary is.

        Args:
          vocabulary_dir: As `preprocessing.vocabulary_training` writes it.
        """
        super().__init__(str(vocabulary_dir))
        self._manifest: dict[str, Any] | None = None
        self._model: token_model.TokenModel | None = None

    def _fields(self) -> dict[str, Any]:
        if self._manifest is None:
            fields = piece_model.read_vocabulary_manifest(self._place)
            if fields["kind"] != self.kind:
                raise errors.VocabularyMismatchError(
                    f"the vocabulary {self._place} is of the kind {fields['kind']!r}; "
                    f"wanted {self.kind!r}; open it with "
                    "code_t5.data.vocabularies.open_vocabulary"
                )
            self._manifest = fields
        return self._manifest

    @property
    def token_model(self) -> token_model.TokenModel:
        """The model, which needs no TensorFlow."""
        if self._model is None:
            self._fields()
            self._model = token_model.load_token_model(self._place)
        return self._model

    @property
    def vocabulary_dir(self) -> pathlib.Path:
        """Where the vocabulary is."""
        return pathlib.Path(self._place)

    @property
    def fingerprint(self) -> str:
        """Hash of everything that decides on which ids a text becomes."""
        return self._fields()["fingerprint"]

    @property
    def _base_vocab_size(self) -> int:
        return self._fields()["num_pieces"]

    def _encode(self, s: str) -> Sequence[int]:
        return self.token_model.encode(s)

    def _decode(self, ids: Iterable[int]) -> str:
        return self.token_model.decode(ids)

    def decode_tf(self, ids: tf.Tensor) -> tf.Tensor:
        """Returns what `decode` does, inside a graph.

        Args:
          ids: int `[num_tokens]`, or `[batch, num_tokens]`, which may be ragged.

        Returns:
          string `[]` or `[batch]`.
        """
        if isinstance(ids, tf.RaggedTensor):
            ids = ids.to_tensor(PAD_ID)
        # Ids that int32 cannot hold are beyond the vocabulary.
        ids = tf.cast(ids, tf.int64)
        ids = tf.cast(tf.where((ids >= 0) & (ids < self.vocab_size), ids, UNK_ID), tf.int32)
        num_ended = tf.cumsum(tf.cast(tf.equal(ids, EOS_ID), tf.int32), axis=-1)
        return self._decode_tf(tf.where(num_ended > 0, PAD_ID, ids))

    @abc.abstractmethod
    def _decode_tf(self, ids: tf.Tensor) -> tf.Tensor:
        """Returns the texts of int32 ids, all of the vocabulary, none of them the end of text."""


class CodeVocabulary(TokenModelVocabulary):
    """Pieces of a SentencePiece model; encodes raw strings inside a SavedModel."""

    kind = token_model.SENTENCEPIECE

    def _tf_tokenizer(self) -> Any:
        import tensorflow_text as tf_text

        self._fields()
        model = piece_model.load_piece_model(self._place)
        return tf_text.SentencepieceTokenizer(model=model.model_bytes)

    def _encode_tf(self, s: tf.Tensor) -> tf.Tensor:
        escaped, tokenizer = _replace(s, vocabulary_escapes.ESCAPE_STEPS), self._tf_tokenizer()
        if escaped.shape.rank != 0:
            return tokenizer.tokenize(escaped)
        # No piece crosses a line end, and short texts take SentencePiece less time per byte.
        lines = tf.strings.join([tf.strings.split(escaped, "\n"), "\n"])
        return tokenizer.tokenize(lines).flat_values[:-1]

    def _decode_tf(self, ids: tf.Tensor) -> tf.Tensor:
        text = self._tf_tokenizer().detokenize(ids)
        return _replace(text, vocabulary_escapes.UNESCAPE_STEPS)


class ByteBpeVocabulary(TokenModelVocabulary):
    """Pieces of a byte-level BPE.

    `decode_tf` looks up bytes in the graph; `encode_tf` calls Python from it, so a graph that
    encodes cannot be saved for another process: it wants token ids.
    """

    kind = token_model.BYTE_BPE

    def _encode_all(self, texts: Sequence[str]) -> Sequence[Sequence[int]]:
        return self.token_model.encode_batch(texts)

    def _decode_tf(self, ids: tf.Tensor) -> tf.Tensor:
        table = self.token_model.token_bytes
        rows = [table.row(token_id).tobytes() for token_id in range(self.vocab_size)]
        rows[UNK_ID] = byte_bpe_model.UNKNOWN_TEXT.encode("utf-8")
        joined = tf.strings.reduce_join(tf.gather(tf.constant(rows), ids), axis=-1)
        # Half a character, where ids end within one, becomes U+FFFD as it does in Python.
        return tf.strings.unicode_transcode(joined, "UTF-8", "UTF-8", errors="replace")


def open_vocabulary(vocabulary_dir: str | os.PathLike[str]) -> TokenModelVocabulary:
    """Returns the vocabulary of a directory.

    Args:
      vocabulary_dir: Need not be there yet, nor be whole: a `CodeVocabulary` says so when it is
        used.

    Returns:
      One of the class that the manifest asks for.
    """
    try:
        kind = piece_model.read_vocabulary_manifest(vocabulary_dir)["kind"]
    except errors.CodeT5Error:
        kind = token_model.SENTENCEPIECE
    path = os.fspath(vocabulary_dir)
    return ByteBpeVocabulary(path) if kind == token_model.BYTE_BPE else CodeVocabulary(path)

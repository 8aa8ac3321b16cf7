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

import numpy as np
import seqio
import tensorflow as tf

from code_t5 import errors, vocabulary_escapes
from code_t5.encoding import byte_bpe_model, piece_model, token_model
from code_t5.encoding.piece_model import EOS_ID, EXTRA_IDS, PAD_ID, UNK_ID
from code_t5.pipeline_calls import pipeline_call


def _replace(text: tf.Tensor, steps: Iterable[tuple[str, str]]) -> tf.Tensor:
    for found, wanted in steps:
        text = tf.strings.regex_replace(text, found, wanted)
    return text


class TokenModelVocabulary(seqio.Vocabulary, abc.ABC):
    """Pieces of a token model and 100 sentinels above them.

    `<extra_id_0>` is `vocab_size - 1` and the others count down from there, as T5's objectives
    expect. Unlike those of `seqio.SentencePieceVocabulary`, no text encodes to a sentinel: a source
    file that holds the text `<extra_id_0>` encodes to the pieces of that text.

    Constructing one opens no file; the manifest is read when a size or the fingerprint is asked
    for, the model when something is encoded. Two of a kind are equal if their fingerprints are.
    """

    kind: str

    def __init__(self, vocabulary_dir: str) -> None:
        """Remembers where the vocabulary is.

        Args:
          vocabulary_dir: As `preprocessing.vocabulary_training` writes it.
        """
        super().__init__(extra_ids=EXTRA_IDS)
        self._vocabulary_dir = str(vocabulary_dir)
        self._manifest: dict[str, Any] | None = None
        self._model: token_model.TokenModel | None = None

    def __getstate__(self) -> dict[str, Any]:
        """gin, seqio and Beam copy vocabularies: the copy loads the model itself."""
        return {"vocabulary_dir": self._vocabulary_dir}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(state["vocabulary_dir"])  # type: ignore[misc]

    def _fields(self) -> dict[str, Any]:
        if self._manifest is None:
            fields = piece_model.read_vocabulary_manifest(self._vocabulary_dir)
            if fields["kind"] != self.kind:
                raise errors.VocabularyMismatchError(
                    f"the vocabulary {self._vocabulary_dir} is of the kind {fields['kind']!r}; "
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
            self._model = token_model.load_token_model(self._vocabulary_dir)
        return self._model

    @property
    def vocabulary_dir(self) -> pathlib.Path:
        """Where the vocabulary is."""
        return pathlib.Path(self._vocabulary_dir)

    @property
    def fingerprint(self) -> str:
        """Hash of everything that decides on which ids a text becomes."""
        return self._fields()["fingerprint"]

    @property
    def bos_id(self) -> int | None:
        """None: there is no beginning of text."""
        return None

    @property
    def pad_id(self) -> int:
        """0."""
        return PAD_ID

    @property
    def eos_id(self) -> int:
        """1."""
        return EOS_ID

    @property
    def unk_id(self) -> int:
        """2."""
        return UNK_ID

    @property
    def _base_vocab_size(self) -> int:
        return self._fields()["num_pieces"]

    def _encode(self, s: str) -> Sequence[int]:
        return self.token_model.encode(s)

    def decode(self, ids: Iterable[int]) -> str:
        """Returns the text of some ids up to the first end of text.

        Args:
          ids: int `[num_tokens]`; padding is nothing, ids beyond the vocabulary are unknown.

        Returns:
          The text; sentinels are written `<extra_id_N>`.
        """
        return self._decode(ids.numpy().tolist() if isinstance(ids, tf.Tensor) else ids)

    def _decode(self, ids: Iterable[int]) -> str:
        return self.token_model.decode(ids)

    @abc.abstractmethod
    def _encode_tf(self, s: tf.Tensor) -> tf.Tensor:
        """Returns int32 `[num_tokens]` for one text, ragged `[batch, num_tokens]` for several."""

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

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, TokenModelVocabulary) or other.kind != self.kind:
            return False
        if self._vocabulary_dir == other._vocabulary_dir:
            return True
        try:
            return self.fingerprint == other.fingerprint
        except errors.CodeT5Error:
            # Nothing is known of one that is not there.
            return False

    def __hash__(self) -> int:
        return hash(type(self))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._vocabulary_dir!r})"


class CodeVocabulary(TokenModelVocabulary):
    """Pieces of a SentencePiece model; encodes raw strings inside a SavedModel."""

    kind = token_model.SENTENCEPIECE

    def _tf_tokenizer(self) -> Any:
        import tensorflow_text as tf_text

        self._fields()
        model = piece_model.load_piece_model(self._vocabulary_dir)
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

    def _encode_texts(self, texts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Returns the ids of bytes `[batch]`, int32 `[total]`, and how many each has, int64."""
        try:
            decoded = [text.decode("utf-8") for text in texts]
        except UnicodeDecodeError as error:
            raise errors.InputError(
                f"a text is not UTF-8 at byte {error.start}; wanted UTF-8; convert it"
            ) from error
        ids = self.token_model.encode_batch(decoded)
        lengths = np.fromiter(map(len, ids), dtype=np.int64, count=len(ids))
        values = [token_id for row in ids for token_id in row]
        return np.array(values, dtype=np.int32), lengths

    def _encode_tf(self, s: tf.Tensor) -> tf.Tensor:
        values, lengths = tf.numpy_function(
            pipeline_call(self._encode_texts),
            [tf.reshape(s, [-1])],
            [tf.int32, tf.int64],
            stateful=False,
        )
        values, lengths = tf.ensure_shape(values, [None]), tf.ensure_shape(lengths, [None])
        if s.shape.rank == 0:
            return values
        if s.shape.rank == 1:
            return tf.RaggedTensor.from_row_lengths(values, lengths, validate=False)
        raise errors.InputError(
            f"encode_tf was given strings of the shape {s.shape}; wanted [] or [batch]; reshape "
            "them"
        )

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

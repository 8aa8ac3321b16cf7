"""The seqio Vocabulary of source code: lossless, with sentinels that no text can spell."""

from __future__ import annotations

import pathlib
from collections.abc import Iterable, Sequence
from typing import Any

import seqio
import tensorflow as tf

from code_t5 import errors, vocabulary_escapes
from code_t5.data import piece_model
from code_t5.data.piece_model import EOS_ID, EXTRA_IDS, PAD_ID, UNK_ID


def _replace(text: tf.Tensor, steps: Iterable[tuple[str, str]]) -> tf.Tensor:
    for found, wanted in steps:
        text = tf.strings.regex_replace(text, found, wanted)
    return text


class CodeVocabulary(seqio.Vocabulary):
    """Pieces of a SentencePiece model and 100 sentinels above them.

    `<extra_id_0>` is `vocab_size - 1` and the others count down from there, as T5's objectives
    expect. Unlike those of `seqio.SentencePieceVocabulary`, the sentinels are spelt with a
    character that escaping takes out of every text: a source file that holds the text
    `<extra_id_0>` encodes to the pieces of that text.

    Constructing one opens no file; the manifest is read when a size or the fingerprint is asked
    for, the model when something is encoded. Two are equal if their fingerprints are.
    """

    def __init__(self, vocabulary_dir: str) -> None:
        """Remembers where the vocabulary is.

        Args:
          vocabulary_dir: As `preprocessing.vocabulary_training` writes it.
        """
        super().__init__(extra_ids=EXTRA_IDS)
        self._vocabulary_dir = str(vocabulary_dir)
        self._manifest: dict[str, Any] | None = None
        self._model: piece_model.PieceModel | None = None

    def __getstate__(self) -> dict[str, Any]:
        """gin, seqio and Beam copy vocabularies: the copy loads the model itself."""
        return {"vocabulary_dir": self._vocabulary_dir}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(state["vocabulary_dir"])  # type: ignore[misc]

    def _fields(self) -> dict[str, Any]:
        if self._manifest is None:
            self._manifest = piece_model.read_vocabulary_manifest(self._vocabulary_dir)
        return self._manifest

    def _pieces(self) -> piece_model.PieceModel:
        if self._model is None:
            self._model = piece_model.load_piece_model(self._vocabulary_dir)
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
        return self._pieces().encode(s)

    def decode(self, ids: Iterable[int]) -> str:
        """Returns the text of some ids up to the first end of text.

        Args:
          ids: int `[num_tokens]`; padding is nothing, ids beyond the vocabulary are unknown.

        Returns:
          The text; sentinels are written `<extra_id_N>`.
        """
        return self._decode(ids.numpy().tolist() if isinstance(ids, tf.Tensor) else ids)

    def _decode(self, ids: Iterable[int]) -> str:
        return self._pieces().decode(ids)

    def _tf_tokenizer(self) -> Any:
        import tensorflow_text as tf_text

        return tf_text.SentencepieceTokenizer(model=self._pieces().model_bytes)

    def _encode_tf(self, s: tf.Tensor) -> tf.Tensor:
        escaped, tokenizer = _replace(s, vocabulary_escapes.ESCAPE_STEPS), self._tf_tokenizer()
        if escaped.shape.rank != 0:
            return tokenizer.tokenize(escaped)
        # No piece crosses a line end, and short texts take SentencePiece less time per byte.
        lines = tf.strings.join([tf.strings.split(escaped, "\n"), "\n"])
        return tokenizer.tokenize(lines).flat_values[:-1]

    def decode_tf(self, ids: tf.Tensor) -> tf.Tensor:
        """Returns what `decode` does, inside a graph.

        Args:
          ids: int `[num_tokens]`, or `[batch, num_tokens]`, which may be ragged.

        Returns:
          string `[]` or `[batch]`.
        """
        if isinstance(ids, tf.RaggedTensor):
            ids = ids.to_tensor(PAD_ID)
        ids = tf.cast(ids, tf.int32)
        ids = tf.where((ids >= 0) & (ids < self.vocab_size), ids, UNK_ID)
        num_ended = tf.cumsum(tf.cast(tf.equal(ids, EOS_ID), tf.int32), axis=-1)
        return self._decode_tf(tf.where(num_ended > 0, PAD_ID, ids))

    def _decode_tf(self, ids: tf.Tensor) -> tf.Tensor:
        text = self._tf_tokenizer().detokenize(ids)
        return _replace(text, vocabulary_escapes.UNESCAPE_STEPS)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, CodeVocabulary):
            return False
        if self._vocabulary_dir == other._vocabulary_dir:
            return True
        try:
            return self.fingerprint == other.fingerprint
        except errors.CodeT5Error:
            # Nothing is known of one that is not there.
            return False

    def __hash__(self) -> int:
        return hash(CodeVocabulary)

    def __repr__(self) -> str:
        return f"CodeVocabulary({self._vocabulary_dir!r})"

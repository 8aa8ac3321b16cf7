"""The seqio Vocabulary of source code: lossless, with sentinels that no text can spell."""

from __future__ import annotations

import itertools
import pathlib
import threading
from collections.abc import Iterable, Sequence

import seqio
import tensorflow as tf

from code_t5 import vocabulary_escapes
from code_t5.data import piece_model
from code_t5.data.piece_model import EOS_ID, EXTRA_IDS, PAD_ID, UNK_ID


class CodeVocabulary(seqio.Vocabulary):
    """Pieces of a SentencePiece model and 100 sentinels above them.

    `<extra_id_0>` is `vocab_size - 1` and the others count down from there, as T5's objectives
    expect. Unlike `seqio.SentencePieceVocabulary`, the sentinels are not pieces: a source file that
    holds the text `<extra_id_0>` encodes to the pieces of that text.

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
        self._lock = threading.Lock()
        self._model: piece_model.PieceModel | None = None
        self._manifest: dict | None = None

    def __getstate__(self) -> dict:
        """gin, seqio and Beam copy vocabularies: the copy loads the model itself."""
        return {"vocabulary_dir": self._vocabulary_dir}

    def __setstate__(self, state: dict) -> None:
        self.__init__(state["vocabulary_dir"])  # type: ignore[misc]

    def _fields(self) -> dict:
        if self._manifest is None:
            self._manifest = piece_model.read_vocabulary_manifest(self._vocabulary_dir)
        return self._manifest

    def _pieces(self) -> piece_model.PieceModel:
        with self._lock:
            if self._model is None:
                self._model = piece_model.PieceModel.load(self._vocabulary_dir)
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
        token_ids = [int(i) for i in (ids.numpy() if isinstance(ids, tf.Tensor) else ids)]
        if EOS_ID in token_ids:
            token_ids = token_ids[: token_ids.index(EOS_ID)]
        return self._decode(token_ids)

    def _decode(self, ids: Sequence[int]) -> str:
        first_sentinel, end = self._base_vocab_size, self.vocab_size
        known = [i if 0 <= i < end else UNK_ID for i in ids]
        texts = []
        for is_sentinel, group in itertools.groupby(known, lambda i: i >= first_sentinel):
            if is_sentinel:
                texts.extend(f"<extra_id_{end - 1 - i}>" for i in group)
            else:
                texts.append(self._pieces().decode(list(group)))
        return "".join(texts)

    def _tf_tokenizer(self):  # noqa: ANN202 - tensorflow_text is imported on use
        import tensorflow_text as tf_text

        return tf_text.SentencepieceTokenizer(model=self._pieces().model_bytes)

    def _encode_tf(self, s: tf.Tensor) -> tf.Tensor:
        for plain, escaped in (
            (vocabulary_escapes.ESCAPE_MARK, vocabulary_escapes.ESCAPED_ESCAPE_MARK),
            (vocabulary_escapes.SPACE_MARK, vocabulary_escapes.ESCAPED_SPACE_MARK),
        ):
            s = tf.strings.regex_replace(s, plain, escaped)
        return self._tf_tokenizer().tokenize(s)

    def _decode_tf(self, ids: tf.Tensor) -> tf.Tensor:
        text = self._tf_tokenizer().detokenize(ids)
        for escaped, plain in (
            (vocabulary_escapes.ESCAPED_SPACE_MARK, vocabulary_escapes.SPACE_MARK),
            (vocabulary_escapes.ESCAPED_ESCAPE_MARK, vocabulary_escapes.ESCAPE_MARK),
        ):
            text = tf.strings.regex_replace(text, escaped, plain)
        return text

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, CodeVocabulary):
            return False
        if self._vocabulary_dir == other._vocabulary_dir:
            return True
        return self.fingerprint == other.fingerprint

    def __hash__(self) -> int:
        return hash(CodeVocabulary)

    def __repr__(self) -> str:
        return f"CodeVocabulary({self._vocabulary_dir!r})"

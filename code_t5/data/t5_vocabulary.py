"""What T5 wants of every vocabulary, and what all of ours do alike.

Padding is 0, the end of text 1, unknown 2, and 100 *sentinels* stand at the top: `<extra_id_0>` is
`vocab_size - 1` and the others count down from there.
"""

from __future__ import annotations

import abc
from collections.abc import Iterable, Sequence

import numpy as np
import seqio
import tensorflow as tf

from code_t5 import errors
from code_t5.encoding.piece_model import EOS_ID, EXTRA_IDS, PAD_ID, UNK_ID
from code_t5.pipeline_calls import pipeline_call


class T5Vocabulary(seqio.Vocabulary, abc.ABC):
    """A vocabulary that is read from a place; constructing one opens no file.

    Two of a kind are equal if they are of one place, or if their fingerprints are.
    """

    def __init__(self, place: str) -> None:
        """Remembers where the vocabulary is.

        Args:
          place: A directory.
        """
        super().__init__(extra_ids=EXTRA_IDS)
        self._place = place

    def __getstate__(self) -> dict[str, str]:
        """gin, seqio and Beam copy vocabularies: the copy loads the model itself."""
        return {"place": self._place}

    def __setstate__(self, state: dict[str, str]) -> None:
        self.__init__(state["place"])  # type: ignore[misc]

    @property
    @abc.abstractmethod
    def fingerprint(self) -> str:
        """Hash of everything that decides on which ids a text becomes."""

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

    def decode(self, ids: Iterable[int]) -> str:
        """Returns the text of some ids up to the first end of text.

        Args:
          ids: int `[num_tokens]`; padding is nothing, ids beyond the vocabulary are unknown.

        Returns:
          The text; sentinels are written `<extra_id_N>`.
        """
        return self._decode(ids.numpy().tolist() if isinstance(ids, tf.Tensor) else ids)

    def _encode_all(self, texts: Sequence[str]) -> Sequence[Sequence[int]]:
        return [self._encode(text) for text in texts]

    def _encode_texts(self, texts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Returns the ids of bytes `[batch]`, int32 `[total]`, and how many each has, int64."""
        try:
            rows = self._encode_all([text.decode("utf-8") for text in texts])
        except UnicodeDecodeError as error:
            raise errors.InputError(
                f"a text is not UTF-8 at byte {error.start}; wanted UTF-8; convert it"
            ) from error
        values = np.array([token_id for row in rows for token_id in row], dtype=np.int32)
        return values, np.array([len(row) for row in rows], dtype=np.int64)

    def _encode_tf(self, s: tf.Tensor) -> tf.Tensor:
        """Returns int32 `[num_tokens]` for one text, ragged `[batch, num_tokens]` for several."""
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

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, T5Vocabulary) or type(other) is not type(self):
            return False
        if self._place == other._place:
            return True
        try:
            return self.fingerprint == other.fingerprint
        except errors.CodeT5Error:
            # Nothing is known of one that is not there.
            return False

    def __hash__(self) -> int:
        return hash(type(self))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._place!r})"

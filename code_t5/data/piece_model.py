"""The SentencePiece model of a vocabulary directory, escapes included, without TensorFlow.

    <vocabulary directory>/sentencepiece.model  manifest.json  COMPLETED

Ids are 0 padding, 1 end of text, 2 unknown, then pieces; `extra_ids` sentinels follow above them,
which no text ever encodes to.
"""

from __future__ import annotations

import os
import pathlib
from collections.abc import Sequence
from typing import Any

from code_t5 import errors, vocabulary_escapes
from code_t5.storage import fingerprints, manifest

MODEL_NAME = "sentencepiece.model"
FORMAT_NAME = "code_t5_vocabulary"
FORMAT_VERSION = 1
EXTRA_IDS = 100
PAD_ID, EOS_ID, UNK_ID = 0, 1, 2


def vocabulary_fingerprint(model_bytes: bytes) -> str:
    """Returns a hash of everything that decides on which ids a text becomes.

    The version of the SentencePiece library is not part of it: it stands in the manifest, and a
    cache of token ids adds it to its own fingerprint.

    Args:
      model_bytes: The serialised SentencePiece model.
    """
    return fingerprints.hash_json(
        [fingerprints.hash_bytes(model_bytes), vocabulary_escapes.ESCAPE_VERSION, EXTRA_IDS]
    )


def read_vocabulary_manifest(vocabulary_dir: str | os.PathLike[str]) -> dict[str, Any]:
    """Reads a vocabulary's manifest.

    Args:
      vocabulary_dir: The vocabulary.

    Returns:
      Its fields; `vocab_size` counts the sentinels, `num_pieces` does not.

    Raises:
      NotBuiltError: There is no vocabulary.
      ArtifactError: It is half-written or of another format.
    """
    if not pathlib.Path(vocabulary_dir).is_dir():
        raise errors.NotBuiltError(
            f"there is no vocabulary {vocabulary_dir}; wanted {MODEL_NAME} and its manifest; the "
            "first build of a data set trains it: scripts/build_dev_dataset.sh"
        )
    return manifest.read_manifest(
        vocabulary_dir, format_name=FORMAT_NAME, format_version=FORMAT_VERSION
    )


class PieceModel:
    """Text to ids of pieces and back, without loss.

    Attributes:
      model_bytes: The serialised SentencePiece model.
      num_pieces: Ids from 0, sentinels excluded.
    """

    def __init__(self, model_bytes: bytes) -> None:
        """Loads a serialised model.

        Args:
          model_bytes: As SentencePiece writes it.
        """
        import sentencepiece

        self.model_bytes = model_bytes
        self._processor = sentencepiece.SentencePieceProcessor(model_proto=model_bytes)
        self.num_pieces: int = self._processor.get_piece_size()

    @classmethod
    def load(cls, vocabulary_dir: str | os.PathLike[str]) -> PieceModel:
        """Loads the model of a vocabulary directory after checking its hash.

        Args:
          vocabulary_dir: The vocabulary.

        Returns:
          The model.

        Raises:
          NotBuiltError: There is no vocabulary.
          ArtifactError: It is half-written, damaged or of another format.
        """
        fields = read_vocabulary_manifest(vocabulary_dir)
        path = pathlib.Path(vocabulary_dir, MODEL_NAME)
        try:
            model_bytes = path.read_bytes()
        except OSError as error:
            raise errors.ArtifactError(
                f"cannot read {path}: {error.strerror}; wanted the vocabulary's model; put it "
                "back, or remove the directory and build again"
            ) from error
        found = fingerprints.hash_bytes(model_bytes)
        if found != fields["model_sha256"]:
            raise errors.ArtifactError(
                f"{path} has SHA-256 {found}; wanted {fields['model_sha256']}, which its manifest "
                "gives; put the model back, or remove the directory and build again"
            )
        return cls(model_bytes)

    def encode(self, text: str) -> list[int]:
        """Returns the ids of a text, without an end of text.

        Args:
          text: Any Unicode but lone surrogates.

        Returns:
          Ids from 3 to `num_pieces - 1`.

        Raises:
          InputError: The text holds a lone surrogate.
        """
        return self.encode_batch([text])[0]

    def encode_batch(self, texts: Sequence[str]) -> list[list[int]]:
        """Returns the ids of several texts.

        Args:
          texts: Any Unicode but lone surrogates.

        Returns:
          Ids by text.

        Raises:
          InputError: A text holds a lone surrogate.
        """
        escaped = [vocabulary_escapes.escape(text) for text in texts]
        try:
            return self._processor.encode(escaped, num_threads=1)
        except UnicodeEncodeError as error:
            raise errors.InputError(
                f"the text holds a lone surrogate at character {error.start}, which no UTF-8 file "
                "can hold; wanted valid Unicode; decode the file strictly"
            ) from error

    def decode(self, token_ids: Sequence[int]) -> str:
        """Returns the text of some ids; padding and end of text are nothing."""
        return self.decode_batch([list(token_ids)])[0]

    def decode_batch(self, token_ids: Sequence[Sequence[int]]) -> list[str]:
        """Returns the texts of several lists of ids, each below `num_pieces`."""
        texts = self._processor.decode([list(ids) for ids in token_ids], num_threads=1)
        return [vocabulary_escapes.unescape(text) for text in texts]

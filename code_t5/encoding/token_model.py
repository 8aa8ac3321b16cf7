"""What every vocabulary can do without TensorFlow, whatever its kind.

A *token model* turns text into ids and back. There are two kinds: `sentencepiece`
(`code_t5.encoding.piece_model`) and `byte_bpe` (`code_t5.encoding.byte_bpe_model`); the manifest of
a vocabulary directory says which. Both cut texts into the same units
(`code_t5.encoding.text_units`) and no id crosses the border of one, so whoever encodes a text unit
by unit gets the same ids.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from typing import Protocol

from code_t5.encoding import piece_model
from code_t5.encoding.ragged import Ragged

SENTENCEPIECE = "sentencepiece"
BYTE_BPE = "byte_bpe"
KINDS = (SENTENCEPIECE, BYTE_BPE)


class TokenModel(Protocol):
    """Text to ids and back, without loss.

    Attributes:
      vocab_size: Ids from 0, sentinels included.
      num_pieces: Ids from 0, sentinels excluded.
      special_characters: A text that holds one of these is not cut into units as it stands: it is
        encoded by `encode`.
    """

    vocab_size: int
    num_pieces: int
    special_characters: tuple[str, ...]

    @property
    def token_bytes(self) -> Ragged:
        """The UTF-8 bytes that each id stands for: uint8, one row per id.

        Rows of special ids are empty; sentinels are written `<extra_id_N>`. The bytes of a text's
        ids, joined, are the text's.
        """

    def encode(self, text: str) -> list[int]:
        """Returns the ids of a text, without an end of text."""

    def encode_batch(self, texts: Iterable[str]) -> list[list[int]]:
        """Returns the ids of several texts."""

    def encode_units(self, units: Sequence[str]) -> list[list[int]]:
        """Returns the ids of each unit of texts without special characters."""

    def decode(self, token_ids: Iterable[int]) -> str:
        """Returns the text of some ids up to the first end of text."""

    def decode_batch(self, token_ids: Iterable[Iterable[int]]) -> list[str]:
        """Returns the texts of several lists of ids."""

    def check_decoded(self, texts: Sequence[str]) -> piece_model.DecodedBatch:
        """Encodes texts, decodes their ids and compares."""

    def count_unit_ids(self, units: Sequence[str]) -> list[int]:
        """Returns how many ids each unit becomes, negative if they decode to something else."""

    def survives_whole(self, text: str) -> bool:
        """Says whether a text, encoded in one piece, gives the same ids and comes back."""


def load_token_model(vocabulary_dir: str | os.PathLike[str]) -> TokenModel:
    """Returns the model of a vocabulary directory, loaded and checked once per process.

    Args:
      vocabulary_dir: The vocabulary, of either kind.

    Returns:
      The model, shared with everyone else who asked for it.

    Raises:
      NotBuiltError: There is no vocabulary.
      ArtifactError: It is half-written, damaged or of another format.
    """
    if piece_model.read_vocabulary_manifest(vocabulary_dir)["kind"] == BYTE_BPE:
        from code_t5.encoding import byte_bpe_model

        return byte_bpe_model.load_byte_bpe_model(vocabulary_dir)
    return piece_model.load_piece_model(vocabulary_dir)

"""The SentencePiece model of a vocabulary directory, escapes included, without TensorFlow.

    <vocabulary directory>/sentencepiece.model  manifest.json  COMPLETED

Ids are 0 padding, 1 end of text, 2 unknown, then pieces; `extra_ids` *sentinels* follow above them,
which no text ever encodes to. The last id is `<extra_id_0>`, the one below it `<extra_id_1>`.
"""

from __future__ import annotations

import functools
import itertools
import os
import pathlib
import struct
import threading
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np

from code_t5 import errors, vocabulary_escapes
from code_t5.encoding import text_units
from code_t5.encoding.ragged import Ragged
from code_t5.storage import fingerprints, manifest

MODEL_NAME = "sentencepiece.model"
FORMAT_NAME = "code_t5_vocabulary"
FORMAT_VERSION = 2
EXTRA_IDS = 100
PAD_ID, EOS_ID, UNK_ID = 0, 1, 2

# Units of this many characters are remembered, some 30 MB, before remembering starts afresh.
_MAX_TABLE_CHARACTERS = 2_000_000
# One text in so many is also encoded and decoded by SentencePiece in one piece.
_WHOLE_EVERY = 128
# In SentencePiece's format, a piece that is matched as it stands.
_USER_DEFINED = 4


class DecodedBatch(NamedTuple):
    """What comparing texts with their decoded ids showed.

    Attributes:
      differing: Positions of the texts that came back changed.
      num_tokens_by_text: How many ids each text became.
    """

    differing: tuple[int, ...]
    num_tokens_by_text: tuple[int, ...]


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
      ArtifactError: It is half-written, damaged or of another format.
    """
    if not pathlib.Path(vocabulary_dir).is_dir():
        raise errors.NotBuiltError(
            f"there is no vocabulary {vocabulary_dir}; wanted {MODEL_NAME} and its manifest; the "
            "first build of a data set trains it: scripts/build_dev_dataset.sh"
        )
    fields = manifest.read_manifest(
        vocabulary_dir, format_name=FORMAT_NAME, format_version=FORMAT_VERSION
    )
    kinds = {"model_sha256": str, "fingerprint": str, "num_pieces": int, "vocab_size": int}
    wrong = [name for name, kind in kinds.items() if not isinstance(fields.get(name), kind)]
    if wrong:
        raise errors.ArtifactError(
            f"the manifest of {vocabulary_dir} has no usable {', '.join(wrong)}; wanted what "
            "training wrote; remove the directory and build again"
        )
    # Vocabularies from before there were two kinds do not say.
    return {"kind": "sentencepiece", **fields}


def _sentinel_pieces() -> bytes:
    """Returns the sentinels as the tail of a serialised model.

    Appending to a protocol buffer's bytes continues its repeated field, so nothing is parsed. The
    pieces begin with what no escaped text holds.
    """
    tail = b""
    for number in reversed(range(EXTRA_IDS)):
        piece = f"{vocabulary_escapes.SENTINEL_MARK}<extra_id_{number}>".encode("ascii")
        # Fields 1 (text), 2 (score) and 3 (type) of a piece; pieces are field 1 of the model.
        body = b"\x0a" + bytes([len(piece)]) + piece + b"\x15" + struct.pack("<f", 0.0)
        body += b"\x18" + bytes([_USER_DEFINED])
        tail += b"\x0a" + bytes([len(body)]) + body
    return tail


def _check_no_surrogate(units: Iterable[str]) -> None:
    for unit in units:
        try:
            unit.encode("utf-8")
        except UnicodeEncodeError as error:
            raise errors.InputError(
                f"the text holds the lone surrogate {unit[error.start]!a}, which no UTF-8 file can "
                "hold; wanted valid Unicode; decode the file strictly"
            ) from error


class PieceModel:
    """Text to ids and back, without loss; threads may share one.

    Source code repeats its units, so a table from units to ids saves most of SentencePiece's work,
    with the same ids; `benchmarks/vocabulary.py` prints how much.

    Attributes:
      model_bytes: The serialised SentencePiece model, sentinels appended.
      num_pieces: Ids from 0, sentinels excluded.
      vocab_size: Ids from 0, sentinels included.
      special_characters: Those that are escaped.
    """

    special_characters: tuple[str, ...] = (
        vocabulary_escapes.ESCAPE_MARK,
        vocabulary_escapes.SPACE_MARK,
    )

    def __init__(self, model_bytes: bytes) -> None:
        """Loads a serialised model.

        Args:
          model_bytes: As `preprocessing.vocabulary_training` writes it.
        """
        import sentencepiece

        self.model_bytes = model_bytes + _sentinel_pieces()
        self._processor = sentencepiece.SentencePieceProcessor(model_proto=self.model_bytes)
        self.vocab_size: int = self._processor.get_piece_size()
        self.num_pieces = self.vocab_size - EXTRA_IDS
        self._ids: dict[str, list[int]] = {}
        self._texts: dict[str, str] = {}
        self._table_characters = 0

    def _ids_by_unit(self, units: set[str]) -> dict[str, list[int]]:
        """Returns a table with the ids of each of the units, and of others."""
        table = self._ids
        new = list(units.difference(table))
        if new:
            self._table_characters += sum(map(len, new))
            if self._table_characters > _MAX_TABLE_CHARACTERS:
                # New tables, not cleared ones: another thread may be reading the old.
                table, new = {}, list(units)
                self._ids, self._texts = table, {}
                self._table_characters = sum(map(len, new))
            try:
                table.update(zip(new, self._processor.encode(new, num_threads=1)))
            except TypeError:
                # SentencePiece's word for a str that has no UTF-8.
                _check_no_surrogate(new)
                raise
        return table

    def _texts_by_unit(self, units: set[str], *, ids: dict[str, list[int]]) -> dict[str, str]:
        """Returns a table with what the ids of each of the units decode to, and of others."""
        table = self._texts
        new = list(units.difference(table))
        if new:
            decoded = self._processor.decode([ids[unit] for unit in new], num_threads=1)
            table.update(zip(new, decoded))
        return table

    def encode(self, text: str) -> list[int]:
        """Returns the ids of a text, without an end of text.

        Args:
          text: Any Unicode but lone surrogates.

        Returns:
          Ids from 3 to `num_pieces - 1`, whatever the text looks like.

        Raises:
          InputError: The text holds a lone surrogate.
        """
        units = text_units.split_units(vocabulary_escapes.escape(text))
        ids = self._ids_by_unit(set(units))
        return list(itertools.chain.from_iterable(map(ids.__getitem__, units)))

    def encode_units(self, units: Sequence[str]) -> list[list[int]]:
        """Returns the ids of each unit.

        Args:
          units: Of escaped texts, see `text_units`.

        Raises:
          InputError: A unit holds a lone surrogate.
        """
        table = self._ids_by_unit(set(units))
        return [table[unit] for unit in units]

    @functools.cached_property
    def token_bytes(self) -> Ragged:
        """The UTF-8 bytes that each id stands for: uint8, one row per id.

        Rows of special ids are empty; sentinels are written `<extra_id_N>`.
        """
        rows = []
        for token_id in range(self.vocab_size):
            piece = self._processor.id_to_piece(token_id)
            if self._processor.is_byte(token_id):
                rows.append(bytes([int(piece[3:-1], 16)]))
            elif token_id in (PAD_ID, EOS_ID, UNK_ID):
                rows.append(b"")
            else:
                text = piece.replace(vocabulary_escapes.SPACE_MARK, " ")
                rows.append(vocabulary_escapes.unescape(text).encode("utf-8"))
        return Ragged.from_rows(
            [np.frombuffer(row, dtype=np.uint8) for row in rows], dtype=np.uint8
        )

    def encode_batch(self, texts: Iterable[str]) -> list[list[int]]:
        """Returns the ids of several texts; see `encode`."""
        return [self.encode(text) for text in texts]

    def decode(self, token_ids: Iterable[int]) -> str:
        """Returns the text of some ids up to the first end of text.

        Args:
          token_ids: Padding is nothing, ids beyond the vocabulary are unknown.

        Returns:
          The text; sentinels are written `<extra_id_N>`.
        """
        known: list[int] = []
        for token_id in map(int, token_ids):
            if token_id == EOS_ID:
                break
            known.append(token_id if 0 <= token_id < self.vocab_size else UNK_ID)
        return vocabulary_escapes.unescape(self._processor.decode(known)) if known else ""

    def decode_batch(self, token_ids: Iterable[Iterable[int]]) -> list[str]:
        """Returns the texts of several lists of ids; see `decode`."""
        return [self.decode(ids) for ids in token_ids]

    def check_decoded(self, texts: Sequence[str]) -> DecodedBatch:
        """Encodes texts, decodes their ids and compares.

        What the ids of a unit decode to is asked of SentencePiece once and remembered; a text comes
        back as its units do. One text in 128 is also encoded and decoded in one piece.

        Args:
          texts: Any Unicode but lone surrogates.

        Returns:
          Which differ, and how many ids they became.
        """
        differing, num_tokens = [], []
        for index, text in enumerate(texts):
            units = text_units.split_units(vocabulary_escapes.escape(text))
            different = set(units)
            ids = self._ids_by_unit(different)
            decoded = self._texts_by_unit(different, ids=ids)
            num_tokens.append(sum(map(len, map(ids.__getitem__, units))))
            back = vocabulary_escapes.unescape("".join(map(decoded.__getitem__, units)))
            if back != text or (index % _WHOLE_EVERY == 0 and not self.survives_whole(text)):
                differing.append(index)
        return DecodedBatch(tuple(differing), tuple(num_tokens))

    def count_unit_ids(self, units: Sequence[str]) -> list[int]:
        """Says how many ids each unit becomes.

        Args:
          units: Of escaped texts, see `text_units`.

        Returns:
          The numbers, negative for a unit whose ids decode to something else.
        """
        different = set(units)
        ids = self._ids_by_unit(different)
        decoded = self._texts_by_unit(different, ids=ids)
        return [
            len(ids[unit]) if decoded[unit] == unit else -max(1, len(ids[unit])) for unit in units
        ]

    def survives_whole(self, text: str) -> bool:
        """Says whether a text, encoded in one piece, gives the same ids and comes back.

        Args:
          text: Any Unicode but lone surrogates.
        """
        ids = self._processor.encode(vocabulary_escapes.escape(text))
        return ids == self.encode(text) and self.decode(ids) == text


@functools.lru_cache(maxsize=4)
def _load(path: pathlib.Path, model_sha256: str) -> PieceModel:
    return PieceModel(
        fingerprints.read_checked_file(path, sha256=model_sha256, role="the vocabulary's model")
    )


# SentencePiece's loader must not run in two threads at once.
_LOAD_LOCK = threading.Lock()


def load_piece_model(vocabulary_dir: str | os.PathLike[str]) -> PieceModel:
    """Returns the model of a vocabulary directory, loaded and checked once per process.

    Args:
      vocabulary_dir: The vocabulary.

    Returns:
      The model, shared with everyone else who asked for it.

    Raises:
      NotBuiltError: There is no vocabulary.
      ArtifactError: It is half-written, damaged or of another format.
    """
    fields = read_vocabulary_manifest(vocabulary_dir)
    with _LOAD_LOCK:
        return _load(pathlib.Path(vocabulary_dir, MODEL_NAME), fields["model_sha256"])

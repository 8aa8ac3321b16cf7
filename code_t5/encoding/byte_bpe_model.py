"""The byte-level BPE model of a vocabulary directory, without TensorFlow.

    <vocabulary directory>/tokenizer.json  manifest.json  COMPLETED

`tokenizer.json` is a file of Hugging Face's `tokenizers`. It cuts a text into units
(`code_t5.encoding.text_units`), spells the UTF-8 bytes of each in 256 printable characters, the
*byte alphabet*, and merges neighbours. Every byte is a piece, so nothing is lost and nothing is
escaped.

Ids are 0 padding, 1 end of text, 2 unknown, then pieces; 100 *sentinels* follow above them, the
last id is `<extra_id_0>`. No merge makes a special id or a sentinel and none is an added token, so
no text ever encodes to one.
"""

from __future__ import annotations

import codecs
import functools
import itertools
import os
import pathlib
import threading
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from code_t5 import errors
from code_t5.encoding import text_units
from code_t5.encoding.piece_model import (
    EOS_ID,
    EXTRA_IDS,
    PAD_ID,
    UNK_ID,
    DecodedBatch,
    read_vocabulary_manifest,
)
from code_t5.encoding.ragged import Ragged
from code_t5.encoding.token_model import BYTE_BPE
from code_t5.storage import fingerprints

MODEL_NAME = "tokenizer.json"
SPECIAL_TOKENS = {"<pad>": PAD_ID, "</s>": EOS_ID, "<unk>": UNK_ID}
NUM_BYTES = 256
# Who encodes: a table from units to ids, or `tokenizers` the whole text.
BY_UNIT, BY_TEXT = "unit_table", "tokenizers"
ENCODERS = (BY_UNIT, BY_TEXT)

# Decoded as SentencePiece decodes it.
UNKNOWN_TEXT = " \u2047 "
# Units of this many characters are remembered, some 30 MB, before remembering starts afresh.
_MAX_TABLE_CHARACTERS = 2_000_000


def byte_alphabet() -> str:
    """Returns the character that spells each byte.

    That of every byte-level BPE since GPT-2: printable bytes of Latin-1 stand for themselves, the
    others for the characters from U+0100 on.

    >>> byte_alphabet()[ord("a")], byte_alphabet()[ord(" ")]
    ('a', '\u0120')
    """
    printable = {*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)}
    others = iter(range(NUM_BYTES, 2 * NUM_BYTES))
    return "".join(chr(byte if byte in printable else next(others)) for byte in range(NUM_BYTES))


_ALPHABET = byte_alphabet()
_BYTE_OF = {character: byte for byte, character in enumerate(_ALPHABET)}
# No UTF-8 holds this byte.
_SEPARATOR = 0xFF


def spell_bytes(data: bytes) -> str:
    """Spells bytes in the byte alphabet, as `tokenizer.json` spells its pieces."""
    # A str is what Python's own codecs pass, whatever the types say.
    return codecs.charmap_decode(data, "strict", _ALPHABET)[0]  # type: ignore[arg-type]


def sentinel_names() -> list[str]:
    """Returns the names of the sentinels in the order of their ids."""
    return [f"<extra_id_{number}>" for number in reversed(range(EXTRA_IDS))]


def byte_bpe_fingerprint(tokenizer_json: bytes) -> str:
    """Returns a hash of everything that decides on which ids a text becomes.

    The version of `tokenizers` is not part of it: it stands in the manifest, and a cache of token
    ids adds it to its own fingerprint.

    Args:
      tokenizer_json: The file's content.
    """
    return fingerprints.hash_json([BYTE_BPE, fingerprints.hash_bytes(tokenizer_json), EXTRA_IDS])


class ByteBpeModel:
    """Text to ids and back, without loss; threads may share one.

    Attributes:
      tokenizer_json: The file's content.
      encoder: One of `ENCODERS`.
      num_pieces: Ids from 0, sentinels excluded.
      vocab_size: Ids from 0, sentinels included.
      special_characters: None; but where `tokenizers` is to encode, the empty string, which every
        text holds: so whoever cuts texts into units leaves each to `encode`.
    """

    def __init__(self, tokenizer_json: bytes, encoder: str = BY_UNIT) -> None:
        """Loads a tokenizer.

        Args:
          tokenizer_json: As `preprocessing.byte_bpe_training` writes it.
          encoder: One of `ENCODERS`; both give the same ids.
        """
        import tokenizers

        self.tokenizer_json = tokenizer_json
        self.encoder = encoder
        self.special_characters: tuple[str, ...] = ("",) if encoder == BY_TEXT else ()
        self._tokenizer = tokenizers.Tokenizer.from_str(tokenizer_json.decode("utf-8"))
        vocab: dict[str, int] = self._tokenizer.get_vocab()
        self.vocab_size = len(vocab)
        self.num_pieces = self.vocab_size - EXTRA_IDS
        self._bytes = [b""] * self.vocab_size
        for piece, token_id in vocab.items():
            if token_id not in (PAD_ID, EOS_ID, UNK_ID):
                self._bytes[token_id] = bytes(map(_BYTE_OF.__getitem__, piece))
        self._ids: dict[str, list[int]] = {}
        self._table_characters = 0

    def _ids_by_unit(self, units: set[str]) -> dict[str, list[int]]:
        """Returns a table with the ids of each of the units, and of others."""
        table = self._ids
        new = list(units.difference(table))
        if new:
            self._table_characters += sum(map(len, new))
            if self._table_characters > _MAX_TABLE_CHARACTERS:
                # A new table, not a cleared one: another thread may be reading the old.
                table, new = {}, list(units)
                self._ids = table
                self._table_characters = sum(map(len, new))
            table.update(zip(new, self.encode_units(new)))
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
        if self.encoder == BY_TEXT:
            return self._encode_whole(text)
        units = text_units.split_units(text)
        ids = self._ids_by_unit(set(units))
        return list(itertools.chain.from_iterable(map(ids.__getitem__, units)))

    def _encode_whole(self, text: str) -> list[int]:
        _utf8(text)
        return self._tokenizer.encode(text, add_special_tokens=False).ids

    def encode_batch(self, texts: Iterable[str]) -> list[list[int]]:
        """Returns the ids of several texts; see `encode`."""
        return [self.encode(text) for text in texts]

    def encode_units(self, units: Sequence[str]) -> list[list[int]]:
        """Returns the ids of each unit; nothing is remembered.

        Args:
          units: See `text_units`.

        Raises:
          InputError: A unit holds a lone surrogate.
        """
        if not units:
            return []
        joined = bytes([_SEPARATOR]).join(map(_utf8, units))
        merge = self._tokenizer.model.tokenize
        spelled = spell_bytes(joined).split(_ALPHABET[_SEPARATOR])
        return [[token.id for token in merge(unit)] for unit in spelled]

    @functools.cached_property
    def token_bytes(self) -> Ragged:
        """The UTF-8 bytes that each id stands for: uint8, one row per id.

        Rows of special ids are empty; sentinels are written `<extra_id_N>`.
        """
        return Ragged.from_rows(
            [np.frombuffer(row, dtype=np.uint8) for row in self._bytes], dtype=np.uint8
        )

    def decode(self, token_ids: Iterable[int]) -> str:
        """Returns the text of some ids up to the first end of text.

        Args:
          token_ids: Padding is nothing, ids beyond the vocabulary are unknown.

        Returns:
          The text; sentinels are written `<extra_id_N>`, half a character U+FFFD.
        """
        parts: list[bytes] = []
        for token_id in map(int, token_ids):
            if token_id == EOS_ID:
                break
            is_known = 0 <= token_id < self.vocab_size and token_id != UNK_ID
            parts.append(self._bytes[token_id] if is_known else UNKNOWN_TEXT.encode("utf-8"))
        return b"".join(parts).decode("utf-8", errors="replace")

    def decode_batch(self, token_ids: Iterable[Iterable[int]]) -> list[str]:
        """Returns the texts of several lists of ids; see `decode`."""
        return [self.decode(ids) for ids in token_ids]

    def check_decoded(self, texts: Sequence[str]) -> DecodedBatch:
        """Encodes texts, decodes their ids and compares.

        Args:
          texts: Any Unicode but lone surrogates.

        Returns:
          Which differ, and how many ids they became.
        """
        ids = self.encode_batch(texts)
        differing = (i for i, text in enumerate(texts) if self.decode(ids[i]) != text)
        return DecodedBatch(tuple(differing), tuple(map(len, ids)))

    def count_unit_ids(self, units: Sequence[str]) -> list[int]:
        """Says how many ids each unit becomes.

        Args:
          units: See `text_units`.

        Returns:
          The numbers, negative for a unit whose ids decode to something else.
        """
        counts = []
        for unit, ids in zip(units, self.encode_units(units)):
            decoded = b"".join(map(self._bytes.__getitem__, ids))
            counts.append(len(ids) if decoded == unit.encode("utf-8") else -max(1, len(ids)))
        return counts

    def survives_whole(self, text: str) -> bool:
        """Says whether `tokenizers` gives the whole text the same ids, and it comes back.

        Args:
          text: Any Unicode but lone surrogates.
        """
        ids = self._encode_whole(text)
        by_unit = itertools.chain.from_iterable(self.encode_units(text_units.split_units(text)))
        return ids == list(by_unit) == self.encode(text) and self.decode(ids) == text


def _utf8(text: str) -> bytes:
    try:
        return text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise errors.InputError(
            f"the text holds the lone surrogate {text[error.start]!a}, which no UTF-8 file can "
            "hold; wanted valid Unicode; decode the file strictly"
        ) from error


@functools.lru_cache(maxsize=4)
def _load(path: pathlib.Path, model_sha256: str, encoder: str) -> ByteBpeModel:
    tokenizer_json = fingerprints.read_checked_file(
        path, sha256=model_sha256, role="the vocabulary's tokenizer"
    )
    try:
        return ByteBpeModel(tokenizer_json, encoder)
    except Exception as error:  # The library's own are of no other class.
        import tokenizers

        raise errors.ArtifactError(
            f"tokenizers {tokenizers.__version__} cannot read {path}: {error}; wanted a file of "
            "the version that the manifest gives as tokenizers_version; install that one, or "
            "remove the vocabulary and build again"
        ) from error


# So that two threads that ask at once get one model.
_LOAD_LOCK = threading.Lock()


def load_byte_bpe_model(vocabulary_dir: str | os.PathLike[str]) -> ByteBpeModel:
    """Returns the model of a vocabulary directory, loaded and checked once per process.

    Args:
      vocabulary_dir: The vocabulary.

    Returns:
      The model, shared with everyone else who asked for it.

    Raises:
      NotBuiltError: There is no vocabulary.
      ArtifactError: It is half-written, damaged, of another kind or of another format.
    """
    fields: dict[str, Any] = read_vocabulary_manifest(vocabulary_dir)
    kind, encoder = fields["kind"], fields.get("encoder")
    if kind != BYTE_BPE or encoder not in ENCODERS:
        raise errors.ArtifactError(
            f"the vocabulary {vocabulary_dir} is of the kind {kind!r} with the encoder "
            f"{encoder!r}; wanted {BYTE_BPE!r} and one of {', '.join(ENCODERS)}; load it with "
            "code_t5.encoding.token_model.load_token_model, or remove it and build again"
        )
    with _LOAD_LOCK:
        path = pathlib.Path(vocabulary_dir, MODEL_NAME)
        return _load(path, fields["model_sha256"], encoder)

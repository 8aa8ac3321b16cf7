"""Trains a byte-level BPE tokenizer with Hugging Face's `tokenizers`.

Merges are learned within units (`code_t5/encoding/text_units.py`), as the pieces of SentencePiece
are. What comes out of the trainer is numbered anew: special ids first, then the 256 bytes, then the
pieces in the order in which they were learned, then the sentinels.
`code_t5.encoding.byte_bpe_model` reads it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from absl import logging

from code_t5 import errors
from code_t5.encoding import byte_bpe_model, text_units, unit_encoder

MIN_VOCAB_SIZE = len(byte_bpe_model.SPECIAL_TOKENS) + byte_bpe_model.NUM_BYTES
# Long units teach nothing, and the trainer takes a time that grows with their square.
_MAX_UNIT_CHARACTERS = 256
# How much of the sample to compare the encoders on.
_COMPARED_CHARACTERS = 1_000_000


def unit_pattern() -> str:
    """Returns the pattern of a unit in the syntax that `tokenizers` reads (Oniguruma's)."""
    return text_units.UNIT_PATTERN.replace(r"\x80-\U0010FFFF", r"\x{80}-\x{10FFFF}")


def _new_tokenizer(model: Any) -> Any:
    import tokenizers
    from tokenizers import decoders, pre_tokenizers

    tokenizer = tokenizers.Tokenizer(model)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(tokenizers.Regex(unit_pattern()), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer


def _without_long_units(texts: Iterable[str]) -> Iterator[str]:
    for text in texts:
        units = text_units.split_units(text)
        if max(map(len, units), default=0) > _MAX_UNIT_CHARACTERS:
            # A line end is a unit whatever stands around it.
            text = "".join(u if len(u) <= _MAX_UNIT_CHARACTERS else "\n" for u in units)
        yield text


def train_tokenizer(texts: Iterable[str], *, vocab_size: int) -> bytes:
    """Trains a tokenizer; the same texts, in any order, give the same bytes.

    Args:
      texts: To learn from.
      vocab_size: Most pieces, the three special ids included, sentinels excluded; a small sample
        may give fewer.

    Returns:
      The content of `tokenizer.json`.

    Raises:
      InputError: `vocab_size` is too small.
    """
    if vocab_size < MIN_VOCAB_SIZE:
        raise errors.InputError(
            f"the vocabulary cannot be trained with {vocab_size} pieces; wanted {MIN_VOCAB_SIZE} "
            "pieces at least, for the special ids and every byte; give a larger --vocab_size"
        )
    from tokenizers import models, trainers

    alphabet = list(byte_bpe_model.byte_alphabet())
    trained = _new_tokenizer(models.BPE())
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size - len(byte_bpe_model.SPECIAL_TOKENS),
        initial_alphabet=alphabet,
        show_progress=False,
    )
    trained.train_from_iterator(_without_long_units(texts), trainer)
    learned = json.loads(trained.to_str())["model"]
    pieces = sorted(learned["vocab"], key=learned["vocab"].__getitem__)
    names = [
        *byte_bpe_model.SPECIAL_TOKENS,
        *alphabet,
        *(piece for piece in pieces if piece not in alphabet),
        *byte_bpe_model.sentinel_names(),
    ]
    vocab = {name: token_id for token_id, name in enumerate(names)}
    merges = [(left, right) for left, right in learned["merges"]]
    return _new_tokenizer(models.BPE(vocab=vocab, merges=merges)).to_str().encode("utf-8")


def _take(texts: Sequence[str], max_characters: int) -> list[str]:
    taken: list[str] = []
    for text in texts:
        if max_characters <= 0:
            break
        taken.append(text[:max_characters])
        max_characters -= len(text)
    return taken


def choose_encoder(tokenizer_json: bytes, texts: Sequence[str]) -> str:
    """Chooses who encodes: the table of units, unless it gives other ids than `tokenizers`.

    Nothing is timed here, so the same texts always give the same answer; how much the table saves
    is for `benchmarks/byte_bpe.py` to say.

    Args:
      tokenizer_json: The trained tokenizer.
      texts: A sample; its beginning is encoded.

    Returns:
      One of `byte_bpe_model.ENCODERS`.
    """
    compared = _take(texts, _COMPARED_CHARACTERS)
    by_unit = byte_bpe_model.ByteBpeModel(tokenizer_json)
    by_text = byte_bpe_model.ByteBpeModel(tokenizer_json, byte_bpe_model.BY_TEXT)
    wanted = by_text.encode_batch(compared)
    found = unit_encoder.UnitEncoder(by_unit).encode([text.encode("utf-8") for text in compared])
    rows = [found.row(i).tolist() for i in range(found.num_rows)]
    if rows == by_unit.encode_batch(compared) == wanted:
        return byte_bpe_model.BY_UNIT
    logging.error(
        "the table of units gives other ids than tokenizers does; wanted the same; tokenizers "
        "encodes, which is slower: please report this"
    )
    return byte_bpe_model.BY_TEXT


def describe_tokenizer(tokenizer_json: bytes, texts: Sequence[str]) -> dict[str, Any]:
    """Returns what the manifest of a vocabulary says of its tokenizer.

    Args:
      tokenizer_json: The trained tokenizer.
      texts: What it was trained on, not empty.
    """
    import tokenizers

    model = byte_bpe_model.ByteBpeModel(tokenizer_json)
    encoder = unit_encoder.UnitEncoder(model)
    num_tokens = sum(len(encoder.encode([text.encode("utf-8")]).values) for text in texts)
    return {
        "fingerprint": byte_bpe_model.byte_bpe_fingerprint(tokenizer_json),
        "encoder": choose_encoder(tokenizer_json, texts),
        "num_pieces": model.num_pieces,
        "vocab_size": model.vocab_size,
        "characters_per_token": round(sum(map(len, texts)) / num_tokens, 4),
        "tokenizers_version": tokenizers.__version__,
    }

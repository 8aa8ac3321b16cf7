"""Trains the vocabulary of a data directory, of either kind (`code_t5/encoding/token_model.py`).

Byte-level BPE is trained by `preprocessing.byte_bpe_training`, SentencePiece here: byte-pair
encoding rather than a unigram model, `docs/vocabulary.md` has the comparison. Every text can be
encoded (bytes stand in for characters without a piece), nothing is normalised, and line ends, tabs
and runs of spaces are pieces of their own. The other pieces are learned from *units*
(`code_t5/encoding/text_units.py`) and how often they occur.
"""

from __future__ import annotations

import collections
import functools
import heapq
import io
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Callable

from absl import logging

from code_t5 import errors, parallel, progress, vocabulary_escapes
from code_t5.encoding import byte_bpe_model, piece_model, text_units, token_model
from code_t5.storage import atomic, fingerprints, manifest
from preprocessing import byte_bpe_training

DEFAULT_VOCAB_SIZE = 32_000
MODEL_TYPE = "bpe"
# The most frequent units are learned from: rarer ones take time and change next to nothing.
_MAX_UNITS = 200_000
# SentencePiece ends the process at a word of 65,536 characters; long units teach nothing anyway.
_MAX_UNIT_CHARACTERS = 256
# SentencePiece drops what holds U+2585, which it uses itself, and lets no piece hold a NUL; the
# escapes are pieces already.
_RESERVED = ("\u2585", "\0", vocabulary_escapes.ESCAPE_MARK)
# Of the characters of the sample; the rest are spelt in bytes.
_CHARACTER_COVERAGE = 0.9995


def _user_defined_symbols() -> list[str]:
    return [
        vocabulary_escapes.ESCAPED_ESCAPE_MARK,
        vocabulary_escapes.ESCAPED_SPACE_MARK,
        "\n",
        *("\t" * count for count in range(1, text_units.MAX_TABS + 1)),
        # SentencePiece looks pieces up after it has written spaces as U+2581.
        *(vocabulary_escapes.SPACE_MARK * count for count in range(2, text_units.MAX_SPACES + 1)),
    ]


def take_sample(texts: Iterable[str], *, max_sample_bytes: int) -> list[str]:
    """Takes texts until their size in UTF-8 reaches a limit.

    Args:
      texts: In an order that has nothing to do with their content, such as that of the shards.
      max_sample_bytes: Most bytes to take; the last text is cut to fit.

    Returns:
      The sample.

    >>> take_sample(["abc", "defg", "h"], max_sample_bytes=5)
    ['abc', 'de']
    """
    sample: list[str] = []
    left = max_sample_bytes
    for text in texts:
        data = text.encode("utf-8")[:left]
        sample.append(data.decode("utf-8", errors="ignore"))
        left -= len(data)
        if left <= 0:
            break
    return sample


def count_units(texts: Iterable[str]) -> dict[str, int]:
    """Returns how often each unit occurs in the texts, escaped."""
    counts: collections.Counter[str] = collections.Counter()
    for text in texts:
        counts.update(text_units.split_units(vocabulary_escapes.escape(text)))
    return counts


def _sentences(counts: Mapping[str, int]) -> list[str]:
    """Returns the units to learn from, the most frequent first, as lines of SentencePiece's TSV."""
    learned = (
        (-count, unit)
        for unit, count in counts.items()
        if len(unit) <= _MAX_UNIT_CHARACTERS
        and not unit.isspace()
        and not any(character in unit for character in _RESERVED)
    )
    return [f"{unit}\t{-rank}" for rank, unit in heapq.nsmallest(_MAX_UNITS, learned)]


def trainer_options(vocab_size: int) -> dict[str, Any]:
    """Returns SentencePiece's options for a vocabulary of `vocab_size` pieces."""
    return {
        "model_type": MODEL_TYPE,
        "vocab_size": vocab_size,
        "hard_vocab_limit": False,
        "pad_id": piece_model.PAD_ID,
        "eos_id": piece_model.EOS_ID,
        "unk_id": piece_model.UNK_ID,
        "bos_id": -1,
        "byte_fallback": True,
        "character_coverage": _CHARACTER_COVERAGE,
        "normalization_rule_name": "identity",
        "add_dummy_prefix": False,
        "remove_extra_whitespaces": False,
        "user_defined_symbols": _user_defined_symbols(),
        # Whatever a unit holds together may become one piece.
        "split_by_unicode_script": False,
        "split_by_number": False,
        "input_format": "tsv",
        "max_sentence_length": 8 * _MAX_UNIT_CHARACTERS,
        # Stands in the model, and so in its bytes: the same on every machine.
        "num_threads": 1,
        "minloglevel": 2,
    }


def train_model(
    counts: Mapping[str, int], *, vocab_size: int, options: Mapping[str, Any] | None = None
) -> bytes:
    """Trains a SentencePiece model; the same counts give the same bytes.

    Args:
      counts: How often each unit occurs.
      vocab_size: Most pieces; a small sample may give fewer.
      options: Of SentencePiece's, to change for a comparison.

    Returns:
      The serialised model.

    Raises:
      InputError: There are no units, or `vocab_size` is too small for their characters.
    """
    import sentencepiece

    model = io.BytesIO()
    sentences = _sentences(counts)
    try:
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(sentences),
            model_writer=model,
            **{**trainer_options(vocab_size), **(options or {})},
        )
    except RuntimeError as error:
        needed = re.search(r"smaller than required_chars\D*(\d+) vs (\d+)", str(error))
        why = f"{needed[2]} pieces at least" if needed else "text to train on"
        raise errors.InputError(
            f"the vocabulary cannot be trained with {vocab_size} pieces on {len(sentences)} "
            f"different words; wanted {why}; give a larger --vocab_size, or more code "
            f"(SentencePiece: {' '.join(str(error).split())})"
        ) from error
    return model.getvalue()


def _characters_per_token(counts: Mapping[str, int], *, model: piece_model.PieceModel) -> float:
    num_characters = num_tokens = 0
    for unit, count in counts.items():
        text = vocabulary_escapes.unescape(unit)
        num_characters += len(text) * count
        num_tokens += len(model.encode(text)) * count
    return round(num_characters / num_tokens, 4)


def _train_in_child(train_fn: Callable[[], bytes]) -> bytes:
    with progress.progress_bar(description="training the vocabulary", unit="s") as bar:
        return parallel.run_in_child(
            train_fn,
            tick_fn=bar.update,
            mend="run the same command again, with a smaller --max_sample_bytes if memory is short",
        )


def _train_sentencepiece(sample: Sequence[str], vocab_size: int) -> tuple[bytes, dict[str, Any]]:
    """Returns the model, and what the manifest says of it alone."""
    import sentencepiece

    counts = count_units(sample)
    model_bytes = _train_in_child(functools.partial(train_model, counts, vocab_size=vocab_size))
    model = piece_model.PieceModel(model_bytes)
    return model_bytes, {
        "fingerprint": piece_model.vocabulary_fingerprint(model_bytes),
        "model_type": MODEL_TYPE,
        "escape_version": vocabulary_escapes.ESCAPE_VERSION,
        "num_pieces": model.num_pieces,
        "vocab_size": model.vocab_size,
        "characters_per_token": _characters_per_token(counts, model=model),
        "sentencepiece_version": sentencepiece.__version__,
    }


def _train_byte_bpe(sample: Sequence[str], vocab_size: int) -> tuple[bytes, dict[str, Any]]:
    """Returns the tokenizer, and what the manifest says of it alone."""
    train_fn = functools.partial(byte_bpe_training.train_tokenizer, sample, vocab_size=vocab_size)
    tokenizer_json = _train_in_child(train_fn)
    return tokenizer_json, byte_bpe_training.describe_tokenizer(tokenizer_json, sample)


# By kind: the name of the file, and who trains.
_TRAINERS = {
    token_model.SENTENCEPIECE: (piece_model.MODEL_NAME, _train_sentencepiece),
    token_model.BYTE_BPE: (byte_bpe_model.MODEL_NAME, _train_byte_bpe),
}


def train_vocabulary(
    texts: Iterable[str],
    *,
    output_dir: str | os.PathLike[str],
    vocab_size: int = DEFAULT_VOCAB_SIZE,
    max_sample_bytes: int = 50_000_000,
    kind: str = token_model.SENTENCEPIECE,
) -> dict[str, Any]:
    """Trains a vocabulary and writes it in one step.

    Args:
      texts: In an order that has nothing to do with their content.
      output_dir: The vocabulary's directory; replaced if it is there.
      vocab_size: Most pieces, the three special ids included, sentinels excluded.
      max_sample_bytes: Most bytes to train on; they are held in memory.
      kind: One of `token_model.KINDS`.

    Returns:
      The manifest.

    Raises:
      InputError: There is nothing to train on, or `vocab_size` is too small.
    """
    sample = take_sample(texts, max_sample_bytes=max_sample_bytes)
    sample_bytes = sum(len(text.encode("utf-8")) for text in sample)
    if not sample_bytes:
        raise errors.InputError(
            "there is no text to train a vocabulary on; wanted kept files in the train split; "
            "check the counts by reason above, or --max_sample_bytes"
        )
    model_name, train_fn = _TRAINERS[kind]
    model_bytes, described = train_fn(sample, vocab_size)
    if described["num_pieces"] < vocab_size:
        logging.warning(
            "the sample holds enough for %d pieces, not for the %d asked for: the vocabulary is "
            "smaller",
            described["num_pieces"],
            vocab_size,
        )
    fields = {
        "format_name": piece_model.FORMAT_NAME,
        "format_version": piece_model.FORMAT_VERSION,
        "kind": kind,
        "model_sha256": fingerprints.hash_bytes(model_bytes),
        "extra_ids": piece_model.EXTRA_IDS,
        "requested_vocab_size": vocab_size,
        "sample_bytes": sample_bytes,
        **described,
    }
    with atomic.directory(output_dir) as folder:
        atomic.write_file(folder / model_name, model_bytes)
        manifest.write_manifest(folder, fields)
    return fields

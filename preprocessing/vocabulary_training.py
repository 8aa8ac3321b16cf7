"""Trains the vocabulary of a data directory and checks that it loses nothing.

Byte-pair encoding rather than a unigram model, both by SentencePiece: `docs/vocabulary.md` has the
comparison. Every text can be encoded (bytes stand in for characters without a piece), nothing is
normalised, and line ends, tabs and runs of spaces are pieces of their own.
"""

from __future__ import annotations

import dataclasses
import functools
import io
import os
import pathlib
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from code_t5 import errors, progress, vocabulary_escapes
from code_t5.data import piece_model
from code_t5.storage import atomic, fingerprints, manifest
from preprocessing import parallel

DEFAULT_VOCAB_SIZE = 32_000
MODEL_TYPE = "bpe"
# SentencePiece drops sentences that hold this character, which it uses itself.
_RESERVED = "\u2585"
# A file is handed over in pieces of about this many characters, cut at line ends.
_SENTENCE_CHARACTERS = 8000
_MAX_SENTENCE_BYTES = 1 << 20
_MAX_TAB_RUN = 8
_MAX_SPACE_RUN = 32
# Of the characters of the sample; the rest are spelt in bytes.
_CHARACTER_COVERAGE = 0.9995


def _user_defined_symbols() -> list[str]:
    return [
        vocabulary_escapes.ESCAPED_ESCAPE_MARK,
        vocabulary_escapes.ESCAPED_SPACE_MARK,
        "\n",
        *("\t" * count for count in range(1, _MAX_TAB_RUN + 1)),
        # SentencePiece looks pieces up after it has written spaces as U+2581.
        *(vocabulary_escapes.SPACE_MARK * count for count in range(2, _MAX_SPACE_RUN + 1)),
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


def _sentences(sample: Iterable[str]) -> Iterator[str]:
    for text in sample:
        pending: list[str] = []
        length = 0
        for line in vocabulary_escapes.escape(text.replace(_RESERVED, " ")).splitlines(True):
            if pending and length + len(line) > _SENTENCE_CHARACTERS:
                yield "".join(pending)
                pending, length = [], 0
            pending.append(line)
            length += len(line)
        if pending:
            yield "".join(pending)


def train_model(sample: Sequence[str], *, vocab_size: int, model_type: str = MODEL_TYPE) -> bytes:
    """Trains a SentencePiece model; one thread, so that the same sample gives the same bytes.

    Args:
      sample: Texts.
      vocab_size: Most pieces; a small sample may give fewer.
      model_type: `bpe` or `unigram`.

    Returns:
      The serialised model.

    Raises:
      InputError: The sample is empty, or `vocab_size` is too small for its characters.
    """
    import sentencepiece

    model = io.BytesIO()
    try:
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=_sentences(sample),
            model_writer=model,
            model_type=model_type,
            vocab_size=vocab_size,
            hard_vocab_limit=False,
            pad_id=piece_model.PAD_ID,
            eos_id=piece_model.EOS_ID,
            unk_id=piece_model.UNK_ID,
            bos_id=-1,
            byte_fallback=True,
            character_coverage=_CHARACTER_COVERAGE,
            normalization_rule_name="identity",
            add_dummy_prefix=False,
            remove_extra_whitespaces=False,
            allow_whitespace_only_pieces=True,
            user_defined_symbols=_user_defined_symbols(),
            max_sentence_length=_MAX_SENTENCE_BYTES,
            num_threads=1,
            minloglevel=2,
        )
    except RuntimeError as error:
        needed = re.search(r"smaller than required_chars\D*(\d+) vs (\d+)", str(error))
        why = f"{needed[2]} pieces at least" if needed else "text to train on"
        raise errors.InputError(
            f"the vocabulary cannot be trained with {vocab_size} pieces on {len(sample)} texts; "
            f"wanted {why}; give a larger --vocab_size, or more code "
            f"(SentencePiece: {' '.join(str(error).split())})"
        ) from error
    return model.getvalue()


def train_vocabulary(
    texts: Iterable[str],
    *,
    output_dir: str | os.PathLike[str],
    vocab_size: int = DEFAULT_VOCAB_SIZE,
    max_sample_bytes: int = 50_000_000,
) -> dict[str, Any]:
    """Trains a vocabulary and writes it in one step.

    Args:
      texts: In an order that has nothing to do with their content.
      output_dir: The vocabulary's directory; replaced if it is there.
      vocab_size: Most pieces, the three special ids included, sentinels excluded.
      max_sample_bytes: Most bytes to train on; training needs about 20 times as much memory.

    Returns:
      The manifest.

    Raises:
      InputError: There is nothing to train on, or `vocab_size` is too small.
    """
    import sentencepiece

    sample = take_sample(texts, max_sample_bytes=max_sample_bytes)
    sample_bytes = sum(len(text.encode("utf-8")) for text in sample)
    if not sample_bytes:
        raise errors.InputError(
            "there is no text to train a vocabulary on; wanted kept files in the train split; "
            "check the counts by reason above, or --max_sample_bytes"
        )
    train_fn = functools.partial(train_model, sample, vocab_size=vocab_size)
    with progress.progress_bar(description="training the vocabulary", unit="s") as bar:
        model_bytes = parallel.run_in_child(train_fn, tick_fn=bar.update)
    model = piece_model.PieceModel(model_bytes)
    fields = {
        "format_name": piece_model.FORMAT_NAME,
        "format_version": piece_model.FORMAT_VERSION,
        "fingerprint": piece_model.vocabulary_fingerprint(model_bytes),
        "model_sha256": fingerprints.hash_bytes(model_bytes),
        "model_type": MODEL_TYPE,
        "escape_version": vocabulary_escapes.ESCAPE_VERSION,
        "requested_vocab_size": vocab_size,
        "num_pieces": model.num_pieces,
        "extra_ids": piece_model.EXTRA_IDS,
        "vocab_size": model.num_pieces + piece_model.EXTRA_IDS,
        "sample_bytes": sample_bytes,
        "sentencepiece_version": sentencepiece.__version__,
    }
    with atomic.directory(output_dir) as folder:
        atomic.write_file(folder / piece_model.MODEL_NAME, model_bytes)
        manifest.write_manifest(folder, fields)
    return fields


@dataclasses.dataclass(frozen=True)
class BatchOutcome:
    """What encoding and decoding a batch of texts showed.

    Attributes:
      differing: Positions of the texts that came back changed.
      num_tokens: Ids of the whole batch.
    """

    differing: tuple[int, ...]
    num_tokens: int


@functools.lru_cache(maxsize=1)
def _loaded(vocabulary_dir: str) -> piece_model.PieceModel:
    return piece_model.PieceModel.load(vocabulary_dir)


def check_lossless_batch(
    vocabulary_dir: str | os.PathLike[str], texts: Sequence[str]
) -> BatchOutcome:
    """Encodes and decodes texts and compares.

    Args:
      vocabulary_dir: The vocabulary; each process loads it once.
      texts: Any Unicode.

    Returns:
      Which differ, and how many ids they became.
    """
    model = _loaded(str(pathlib.Path(vocabulary_dir)))
    token_ids = model.encode_batch(texts)
    decoded = model.decode_batch(token_ids)
    differing = tuple(i for i, text in enumerate(texts) if decoded[i] != text)
    return BatchOutcome(differing, sum(map(len, token_ids)))

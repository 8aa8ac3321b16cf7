"""Prints what the vocabulary's choices cost and give: every figure of `docs/vocabulary.md`.

    python -m benchmarks.vocabulary

trains on four files in five of the running interpreter's standard library (or of `--corpus`), and
measures on the fifth, which no model has seen: seconds to train, characters per token, MB/s on one
core for SentencePiece alone, for the table of units, and for the lossless check; and how many files
get other ids when they are encoded unit by unit. MB are 10^6 bytes of text. Times are CPU seconds.
"""

from __future__ import annotations

import collections
import hashlib
import pathlib
import re
import sysconfig
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import sentencepiece
from absl import flags

from code_t5 import command_line, errors, vocabulary_escapes
from code_t5.encoding import piece_model, text_units
from preprocessing import vocabulary_training

_CORPUS = flags.DEFINE_string("corpus", None, "Folder of Python files; None is Python's own.")
_SIZES = flags.DEFINE_list("sizes", ["4000", "8000", "32000"], "Sizes of vocabularies.")
_MAX_SAMPLE_BYTES = flags.DEFINE_integer("max_sample_bytes", 50_000_000, "Most to train on.")
_SKIPPED = {"test", "tests", "idle_test", "site-packages", "__pycache__"}
_WORD = re.compile(r" {2,}|\t+| ?[^ \n\t]+|[ \n]")


def _count_words(texts: Iterable[str]) -> dict[str, int]:
    counts: collections.Counter[str] = collections.Counter()
    for text in texts:
        counts.update(_WORD.findall(vocabulary_escapes.escape(text)))
    return counts


class Variant(NamedTuple):
    """One way to train: what is counted, and what is changed of the trainer's options."""

    count_fn: Callable[[Iterable[str]], dict[str, int]]
    options: Mapping[str, Any]


_VARIANTS = {
    "BPE (the choice)": Variant(vocabulary_training.count_units, {}),
    "unigram": Variant(vocabulary_training.count_units, {"model_type": "unigram"}),
    "BPE, letters apart": Variant(
        vocabulary_training.count_units,
        {"split_by_unicode_script": True, "split_by_number": True},
    ),
    "BPE, to next space": Variant(_count_words, {}),
}


def read_corpus(corpus: pathlib.Path) -> tuple[list[str], list[str]]:
    """Reads the texts to train on and those to measure on, one in five by the hash of its path.

    Args:
      corpus: Folder.

    Returns:
      Texts to train on, in the order of their hashes, and texts to measure on.

    Raises:
      InputError: There are too few Python files.
    """
    ranked = []
    for path in corpus.rglob("*.py"):
        name = path.relative_to(corpus)
        if not _SKIPPED.intersection(name.parts):
            ranked.append((hashlib.sha256(str(name).encode()).hexdigest(), path))
    texts = []
    for _, path in sorted(ranked):
        try:
            texts.append(path.read_text(encoding="utf-8"))
        except (UnicodeDecodeError, OSError):
            continue
    if len(texts) < 10:
        raise errors.InputError(
            f"{corpus} holds {len(texts)} Python files; wanted 10 at least; give another --corpus"
        )
    cut = len(texts) // 5
    return texts[cut:], texts[:cut]


def _rate(function: Callable[[], Any], *, num_characters: int) -> tuple[Any, float]:
    start = time.process_time()
    result = function()
    return result, num_characters / 1e6 / max(1e-9, time.process_time() - start)


def _measure(name: str, *, size: int, sample: Sequence[str], held_out: Sequence[str]) -> str:
    variant = _VARIANTS[name]
    start = time.process_time()
    counts = variant.count_fn(sample)
    model_bytes = vocabulary_training.train_model(counts, vocab_size=size, options=variant.options)
    train_seconds = time.process_time() - start
    alone = sentencepiece.SentencePieceProcessor(model_proto=model_bytes)
    escaped = [vocabulary_escapes.escape(text) for text in held_out]
    num = sum(map(len, held_out))
    ids, encode_rate = _rate(lambda: alone.encode(escaped, num_threads=1), num_characters=num)
    _, decode_rate = _rate(lambda: alone.decode(ids, num_threads=1), num_characters=num)
    model = piece_model.PieceModel(model_bytes)
    by_unit, table_rate = _rate(lambda: model.encode_batch(held_out), num_characters=num)
    differing = sum(found != wanted for found, wanted in zip(by_unit, ids))
    check_rate = _rate(
        lambda: piece_model.PieceModel(model_bytes).check_decoded(held_out), num_characters=num
    )[1]
    sampled = sum(map(len, alone.encode([vocabulary_escapes.escape(t) for t in sample])))
    return (
        f"{name:20} {size:6,} {train_seconds:7.1f} {sum(map(len, sample)) / sampled:7.3f} "
        f"{num / sum(map(len, ids)):8.3f} {encode_rate:8.1f} {decode_rate:8.1f} "
        f"{table_rate:8.1f} {check_rate:8.1f} {differing:6}"
    )


def main(argv: Sequence[str]) -> None:
    """Trains and measures every variant at every size.

    Args:
      argv: Ignored.
    """
    del argv
    corpus = pathlib.Path(_CORPUS.value or sysconfig.get_paths()["stdlib"])
    texts, held_out = read_corpus(corpus)
    sample = vocabulary_training.take_sample(texts, max_sample_bytes=_MAX_SAMPLE_BYTES.value)
    units = [unit for text in held_out for unit in text_units.split_units(text)]
    print(
        f"train on {len(sample)} files, {sum(map(len, sample)) / 1e6:.1f} M characters; measure on "
        f"{len(held_out)} files, {sum(map(len, held_out)) / 1e6:.1f} M characters, {len(units):,} "
        f"units, {len(set(units)):,} different; sentencepiece {sentencepiece.__version__}"
    )
    print(
        f"{'':20} {'':>6} {'':>7} {'characters/token':>16} {'SentencePiece':>17} {'by unit':>17} "
        f"{'other':>6}\n{'':20} {'pieces':>6} {'train s':>7} {'seen':>7} {'unseen':>8} "
        f"{'enc MB/s':>8} {'dec MB/s':>8} {'enc MB/s':>8} {'check':>8} {'ids':>6}"
    )
    for size in map(int, _SIZES.value):
        for name in _VARIANTS:
            print(_measure(name, size=size, sample=sample, held_out=held_out), flush=True)


if __name__ == "__main__":
    command_line.run(main)

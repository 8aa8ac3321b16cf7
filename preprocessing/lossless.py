"""Proves that a vocabulary loses nothing of a data set: encode, decode, compare, every file."""

from __future__ import annotations

import collections
import dataclasses
import functools
import itertools
import json
import os
import pathlib
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from code_t5 import errors, parallel, progress
from code_t5.encoding import piece_model, token_model
from code_t5.storage import atomic, tfrecords
from preprocessing import records, unit_checker

_BATCH_TEXTS = 256


@dataclasses.dataclass(frozen=True)
class LosslessReport:
    """Outcome of the check.

    Attributes:
      num_texts: Files decoded and compared.
      num_characters: In them.
      num_tokens: That they became.
      differing: `split/position in shard` of the first files that came back changed.
      num_differing: How many came back changed.
      by_language: `num_texts`, `num_characters` and `num_tokens` of each language.
      token_lengths: For each split, how many texts have 2^i tokens or more but fewer than
        2^(i + 1), by i.
    """

    num_texts: int
    num_characters: int
    num_tokens: int
    num_differing: int
    differing: tuple[str, ...]
    by_language: dict[str, dict[str, int]]
    token_lengths: dict[str, list[int]]

    @property
    def characters_per_token(self) -> float:
        """Average over the data set."""
        return self.num_characters / max(1, self.num_tokens)


@functools.lru_cache(maxsize=1)
def _checker(model: Any) -> unit_checker.UnitChecker:
    return unit_checker.UnitChecker(model)


def check_lossless_batch(
    vocabulary_dir: str | os.PathLike[str], contents: Sequence[bytes]
) -> piece_model.DecodedBatch:
    """Encodes and decodes texts and compares.

    Args:
      vocabulary_dir: The vocabulary; each process loads it once.
      contents: UTF-8.

    Returns:
      Which differ, and how many ids each became.
    """
    model: Any = token_model.load_token_model(vocabulary_dir)
    return _checker(model).check(contents)


def _num_characters(content: bytes) -> int:
    return len(content) if content.isascii() else len(content.decode("utf-8"))


def _check_shard(name: str, *, dataset_dir: str, vocabulary_dir: str) -> dict[str, Any]:
    """Checks one shard; the outcome stays beside the work, so that an interrupted check goes on."""
    differing: list[str] = []
    by_language: dict[str, Counter[str]] = collections.defaultdict(collections.Counter)
    lengths: Counter[int] = collections.Counter()
    num_texts = 0
    for texts, languages in _batches(pathlib.Path(dataset_dir, name)):
        outcome = check_lossless_batch(vocabulary_dir, texts)
        differing.extend(f"{name}#{num_texts + i}" for i in outcome.differing)
        num_texts += len(texts)
        for text, language, num_tokens in zip(texts, languages, outcome.num_tokens_by_text):
            by_language[language].update(
                num_texts=1, num_characters=_num_characters(text), num_tokens=num_tokens
            )
            lengths[max(0, num_tokens.bit_length() - 1)] += 1
    return {
        "differing": differing,
        "texts": num_texts,
        "by_language": {language: dict(sums) for language, sums in by_language.items()},
        "lengths": [lengths[i] for i in range(max(lengths, default=-1) + 1)],
    }


def _batches(path: pathlib.Path) -> Iterator[tuple[list[bytes], list[str]]]:
    """Yields texts and their languages, some at a time."""
    texts: list[bytes] = []
    languages: list[str] = []
    for text, language in tfrecords.read_features(path, ["text", "language"]):
        if isinstance(text, bytes) and isinstance(language, bytes):
            texts.append(text)
            languages.append(language.decode("utf-8"))
        if len(texts) == _BATCH_TEXTS:
            yield texts, languages
            texts, languages = [], []
    if texts:
        yield texts, languages


def _check_shard_once(
    name: str, *, dataset_dir: str, vocabulary_dir: str, work_dir: str, fingerprint: str
) -> dict[str, Any]:
    marker = pathlib.Path(work_dir, f"lossless-{name}-{fingerprint[:16]}.json")
    if not marker.exists():
        totals = _check_shard(name, dataset_dir=dataset_dir, vocabulary_dir=vocabulary_dir)
        atomic.write_file(marker, json.dumps(totals).encode("utf-8"))
    return json.loads(marker.read_bytes())


def check_lossless(
    pool: parallel.WorkerPool,
    *,
    written: Sequence[records.Shard],
    dataset_dir: pathlib.Path,
    vocabulary_dir: pathlib.Path,
    work_dir: pathlib.Path,
    fingerprint: str,
) -> LosslessReport:
    """Decodes every record's tokens and compares them with its text.

    Args:
      pool: Workers.
      written: The shards to check.
      dataset_dir: Where they are.
      vocabulary_dir: The vocabulary.
      work_dir: Where outcomes by shard are kept for an interrupted check.
      fingerprint: Of shards and vocabulary together.

    Returns:
      Counts over all shards.
    """
    check = functools.partial(
        _check_shard_once,
        dataset_dir=str(dataset_dir),
        vocabulary_dir=str(vocabulary_dir),
        work_dir=str(work_dir),
        fingerprint=fingerprint,
    )
    outcomes = []
    total = sum(shard.num_examples for shard in written)
    with progress.progress_bar(description="decoding back", unit="file", total=total) as bar:
        for outcome in pool.map(check, [shard.name for shard in written]):
            outcomes.append(outcome)
            bar.update(outcome["texts"])
    return _add_up(outcomes, written)


def _add_up(outcomes: Sequence[dict[str, Any]], written: Sequence[records.Shard]) -> LosslessReport:
    by_language: dict[str, Counter[str]] = collections.defaultdict(collections.Counter)
    lengths: dict[str, list[int]] = {}
    for outcome, shard in zip(outcomes, written):
        for language, sums in outcome["by_language"].items():
            by_language[language].update(sums)
        pairs = itertools.zip_longest(lengths.get(shard.split, []), outcome["lengths"], fillvalue=0)
        lengths[shard.split] = [first + second for first, second in pairs]
    differing = [place for outcome in outcomes for place in outcome["differing"]]
    totals = sum(by_language.values(), collections.Counter())
    return LosslessReport(
        num_texts=totals["num_texts"],
        num_characters=totals["num_characters"],
        num_tokens=totals["num_tokens"],
        num_differing=len(differing),
        differing=tuple(differing[:5]),
        by_language={language: dict(by_language[language]) for language in sorted(by_language)},
        token_lengths=lengths,
    )


def require_lossless(report: LosslessReport) -> None:
    """Refuses a vocabulary that loses something.

    Args:
      report: Outcome of the check.

    Raises:
      VocabularyMismatchError: A file came back changed.
    """
    if report.num_differing:
        raise errors.VocabularyMismatchError(
            f"{report.num_differing} of {report.num_texts} files differ after encoding and "
            f"decoding, the first are {', '.join(report.differing)}; wanted 0; nothing was "
            "published; train another vocabulary (--vocabulary NAME) or report these files"
        )

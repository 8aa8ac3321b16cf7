"""Proves that a vocabulary loses nothing of a data set: encode, decode, compare, every file."""

from __future__ import annotations

import dataclasses
import functools
import json
import pathlib
from collections.abc import Sequence
from typing import Any

from code_t5 import errors, progress
from code_t5.storage import atomic, tfrecords
from preprocessing import parallel, records, vocabulary_training

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
    """

    num_texts: int
    num_characters: int
    num_tokens: int
    num_differing: int
    differing: tuple[str, ...]

    @property
    def characters_per_token(self) -> float:
        """Average over the data set."""
        return self.num_characters / max(1, self.num_tokens)


def _check_shard(name: str, *, dataset_dir: str, vocabulary_dir: str) -> dict[str, Any]:
    """Checks one shard; the outcome stays beside the work, so that an interrupted check goes on."""
    totals: dict[str, Any] = {"texts": 0, "characters": 0, "tokens": 0, "differing": []}
    texts: list[str] = []

    def flush() -> None:
        outcome = vocabulary_training.check_lossless_batch(vocabulary_dir, texts)
        totals["differing"].extend(f"{name}#{totals['texts'] + i}" for i in outcome.differing)
        totals["tokens"] += outcome.num_tokens
        totals["texts"] += len(texts)
        totals["characters"] += sum(map(len, texts))
        texts.clear()

    for values in tfrecords.read_features(pathlib.Path(dataset_dir, name), ["text"]):
        if isinstance(values[0], bytes):
            texts.append(values[0].decode("utf-8"))
        if len(texts) == _BATCH_TEXTS:
            flush()
    flush()
    return totals


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
    differing = [place for outcome in outcomes for place in outcome["differing"]]
    return LosslessReport(
        num_texts=sum(outcome["texts"] for outcome in outcomes),
        num_characters=sum(outcome["characters"] for outcome in outcomes),
        num_tokens=sum(outcome["tokens"] for outcome in outcomes),
        num_differing=len(differing),
        differing=tuple(differing[:5]),
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

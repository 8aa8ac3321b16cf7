"""Says how large a token cache will be and how long it will take, from a sample of the documents.

The *spread* of a number is its standard error as a share of it: two of them to either side hold
the truth 19 times of 20, if documents of one place are no more alike than those of the sample's.
"""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from code_t5 import errors, parallel
from code_t5.token_cache.building import encode_units
from code_t5.token_cache.building.build_config import BuildConfig
from code_t5.token_cache.sources.documents import DocumentSource
from code_t5.token_cache.tokenizing import encoder_proof, encoders
from code_t5.token_cache.tokenizing.tokenizer_files import StoredTokenizer

SAMPLE_BYTES = 4 << 20
# Joining, per byte of the cache, on a slow disk.
_JOIN_BYTES_PER_SECOND = 100e6
# Three int64 arrays, and a name of about this length.
_BYTES_PER_DOCUMENT = 3 * 8 + 40


@dataclasses.dataclass(frozen=True)
class SplitEstimate:
    """What one split will hold.

    Attributes:
      num_documents: In it.
      num_bytes: Of text.
      num_tokens: With ends of text.
      spread: Standard error of `num_tokens`, as a share of it; NaN where there is one sample only.
    """

    num_documents: int
    num_bytes: int
    num_tokens: int
    spread: float


@dataclasses.dataclass(frozen=True)
class Estimate:
    """What a build would give.

    Attributes:
      splits: By name.
      size_bytes: Of the cache on the disk.
      seconds: That it takes.
      encoder: Name of the engine.
    """

    splits: dict[str, SplitEstimate]
    size_bytes: int
    seconds: float
    encoder: str


class _Group(NamedTuple):
    """Sample from one place: how much of each."""

    num_documents: int
    num_bytes: int
    num_tokens: int
    seconds: float


def estimate(
    source: DocumentSource, *, tokenizer: StoredTokenizer, config: BuildConfig
) -> Estimate:
    """Encodes a sample and reckons what the whole will be; writes nothing.

    Args:
      source: Of the documents.
      tokenizer: What they would be encoded with.
      config: How they would be built.

    Returns:
      The estimate.

    Raises:
      InputError: A split is empty, or does not know how many documents it has.
      CodeT5Error: The source cannot be read.
    """
    engine = encoder_proof.choose_engine(
        tokenizer, sample=encode_units.read_sample(source), engine=config.encoder
    ).engine
    encoder = encoders.open_encoder(tokenizer, engine)
    num_ends = 1 if config.use_eos_token else 0
    if num_ends:
        tokenizer.require_eos_id()
    shares = _shares(source)
    splits: dict[str, SplitEstimate] = {}
    sampled_bytes, seconds = 0, 0.0
    for split in source.splits:
        groups = []
        for batch in source.sample(split, num_bytes=shares[split]):
            start = time.perf_counter()
            num_tokens = len(encoder.encode(batch.texts).values)
            taken = time.perf_counter() - start
            num_documents, num_bytes = len(batch.texts), sum(map(len, batch.texts))
            num_tokens += num_ends * num_documents
            groups.append(_Group(num_documents, num_bytes, num_tokens, taken))
        splits[split] = _of_split(split, groups=groups, total=source.num_documents(split))
        sampled_bytes += sum(group.num_bytes for group in groups)
        seconds += sum(group.seconds for group in groups)
    item_bytes = 2 if tokenizer.vocab_size <= 65_536 else 4
    size_bytes = sum(_size_bytes(found, item_bytes=item_bytes) for found in splits.values())
    total_bytes = sum(of_split.num_bytes for of_split in splits.values())
    num_workers = config.num_workers or parallel.default_num_workers()
    encoding = total_bytes * seconds / max(sampled_bytes, 1) / num_workers
    return Estimate(splits, size_bytes, encoding + size_bytes / _JOIN_BYTES_PER_SECOND, engine)


def _shares(source: DocumentSource) -> dict[str, int]:
    """Returns how much text to sample of each split: by their documents, but some of each."""
    counts = {split: source.num_documents(split) or 0 for split in source.splits}
    total = max(sum(counts.values()), 1)
    least = SAMPLE_BYTES // (4 * len(counts))
    return {split: max(SAMPLE_BYTES * count // total, least) for split, count in counts.items()}


def _of_split(split: str, *, groups: Sequence[_Group], total: int | None) -> SplitEstimate:
    sampled = sum(group.num_documents for group in groups)
    if not sampled:
        raise errors.InputError(
            f"the split {split!r} has no documents; wanted one at least; leave the split out"
        )
    if total is None:
        raise errors.InputError(
            f"the split {split!r} does not say how many documents it has; wanted a number to "
            "estimate from; pass a list, or build the cache"
        )
    factor = total / sampled
    return SplitEstimate(
        num_documents=total,
        num_bytes=round(factor * sum(group.num_bytes for group in groups)),
        num_tokens=round(factor * sum(group.num_tokens for group in groups)),
        spread=_spread(groups, share=min(1.0, sampled / total)),
    )


def _spread(groups: Sequence[_Group], *, share: float) -> float:
    """Returns the standard error of tokens per document, as a share of it.

    The groups are clusters of a ratio estimate (Cochran, Sampling Techniques, 3rd ed., 2.11 and
    6.3), with the correction for a sample that is a large share of the whole.

    Args:
      groups: Of the sample.
      share: Of all documents that are in the sample.
    """
    if share >= 1:
        return 0.0
    if len(groups) < 2:
        return math.nan
    counts = np.array([group.num_documents for group in groups], dtype=np.float64)
    tokens = np.array([group.num_tokens for group in groups], dtype=np.float64)
    ratio = tokens.sum() / counts.sum()
    residuals = tokens - ratio * counts
    variance = (1 - share) * len(groups) / (len(groups) - 1) * float((residuals**2).sum())
    return math.sqrt(variance) / max(float(tokens.sum()), 1.0)


def _size_bytes(split: SplitEstimate, *, item_bytes: int) -> int:
    return item_bytes * split.num_tokens + _BYTES_PER_DOCUMENT * split.num_documents


def describe(found: Estimate) -> list[str]:
    """Returns some lines about an estimate.

    Args:
      found: The estimate.
    """
    lines = []
    for name, split in found.splits.items():
        spread = "" if math.isnan(split.spread) else f" (± {200 * split.spread:.1f} %)"
        lines.append(
            f"{name}: {split.num_documents:,} documents, about {split.num_bytes / 1e6:,.1f} MB of "
            f"text, {split.num_tokens:,} tokens{spread}"
        )
    lines.append(
        f"together: about {found.size_bytes / 1e6:,.1f} MB on the disk, as much again "
        f"while it is built; about {max(1, round(found.seconds)):,} s with {found.encoder}"
    )
    return lines

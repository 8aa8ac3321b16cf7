"""Lengths in numbers and as a histogram drawn in text."""

from __future__ import annotations

import dataclasses

import numpy as np

PERCENTILES = (10, 50, 90, 99)
_BLOCKS = " ▏▎▍▌▋▊▉█"


@dataclasses.dataclass(frozen=True)
class LengthSummary:
    """What there is to say of some lengths.

    Attributes:
      num_lengths: How many.
      mean: Their mean.
      percentiles: By `PERCENTILES`, a length that occurs.
      longest: The longest.
      num_at_limit: How many are as long as is allowed, and may have been cut.
    """

    num_lengths: int
    mean: float
    percentiles: dict[int, int]
    longest: int
    num_at_limit: int


def percentile(lengths: np.ndarray, percent: float) -> int:
    """Returns the least of some lengths that so many percent of them do not exceed.

    Args:
      lengths: int `[num_lengths]`, at least one.
      percent: Above 0, at most 100.

    >>> percentile(np.array([30, 10, 20, 40]), 50)
    20
    """
    place = int(np.ceil(len(lengths) * percent / 100)) - 1
    return int(np.sort(lengths)[max(place, 0)])


def summarise(lengths: np.ndarray, *, limit: int | None = None) -> LengthSummary:
    """Summarises lengths.

    Args:
      lengths: int `[num_lengths]`, at least one.
      limit: The greatest length that is allowed, if one is.

    Returns:
      The summary.
    """
    return LengthSummary(
        num_lengths=len(lengths),
        mean=float(lengths.mean()),
        percentiles={percent: percentile(lengths, percent) for percent in PERCENTILES},
        longest=int(lengths.max()),
        num_at_limit=int((lengths >= limit).sum()) if limit else 0,
    )


@dataclasses.dataclass(frozen=True)
class Bin:
    """Lengths of `first` to `last`, both included.

    Attributes:
      first: The least.
      last: The greatest.
      count: How many there are.
    """

    first: int
    last: int
    count: int


def linear_bins(lengths: np.ndarray, *, limit: int, num_bins: int = 8) -> list[Bin]:
    """Counts lengths in bins of one width that end at a limit.

    Args:
      lengths: int `[num_lengths]`, none above `limit`; 0 falls into the first bin.
      limit: The greatest length that is allowed.
      num_bins: How many bins, if the limit has as many lengths.

    Returns:
      The bins; empty ones too.

    >>> [bin.count for bin in linear_bins(np.array([1, 2, 3, 8]), limit=8, num_bins=4)]
    [2, 1, 0, 1]
    """
    width = max(1, -(-limit // num_bins))
    places = np.maximum(np.asarray(lengths, np.int64) - 1, 0) // width
    counts = np.bincount(places, minlength=-(-limit // width))
    return [
        Bin(place * width + 1, min((place + 1) * width, limit), int(count))
        for place, count in enumerate(counts)
    ]


def doubling_bins(lengths: np.ndarray) -> list[Bin]:
    """Counts lengths in bins that double: 1 to 2, 3 to 4, 5 to 8 and so on.

    Args:
      lengths: int `[num_lengths]`; 0 falls into the first bin.

    Returns:
      The bins from the first to the last that is not empty.

    >>> [(bin.first, bin.last, bin.count) for bin in doubling_bins(np.array([3, 4, 5, 9]))]
    [(3, 4, 2), (5, 8, 1), (9, 16, 1)]
    """
    if not len(lengths):
        return []
    places = np.ceil(np.log2(np.maximum(lengths, 2))).astype(np.int64) - 1
    counts = np.bincount(places)
    return [
        Bin(1 if place == 0 else (1 << place) + 1, 1 << (place + 1), int(counts[place]))
        for place in range(int(places.min()), int(places.max()) + 1)
    ]


def bar(part: float, *, whole: float, width: int) -> str:
    """Draws a share with block characters, in eighths; what is not nothing can be seen.

    Args:
      part: The share's size.
      whole: What would fill the width.
      width: In characters.

    Returns:
      At most `width` characters.

    >>> bar(3, whole=4, width=8), bar(1, whole=16, width=8), bar(0, whole=4, width=8)
    ('██████', '▌', '')
    """
    eighths = round(8 * width * min(part / whole, 1.0)) if whole else 0
    if part and not eighths:
        eighths = 1
    return "█" * (eighths // 8) + _BLOCKS[eighths % 8].strip()

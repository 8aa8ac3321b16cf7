"""Buckets of texts that agree in a band, and the pairs that they make, in bounded chunks.

A *star* is one text of a bucket, its smallest position, against each other of it. A *crossing* pair
is one whose texts are in different clusters. Where a bucket's texts are alike, links along its star
make one cluster of them and no crossing pair is left: the work is linear in the bucket's size.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import numpy as np

# int64 [num_pairs], twice: positions.
Pairs = tuple[np.ndarray, np.ndarray]

# Pairs at a time. A chunk may be larger by as many as one text has partners in its bucket.
CHUNK_PAIRS = 1 << 14


@dataclasses.dataclass(frozen=True)
class Buckets:
    """The buckets of one band that hold two texts or more.

    Attributes:
      members: int64 `[num_members]`; positions of texts, by bucket, ascending in each.
      starts: int64 `[num_members]`; where the bucket of each member begins in `members`.
      stops: int64 `[num_members]`; where it ends.
    """

    members: np.ndarray
    starts: np.ndarray
    stops: np.ndarray

    def num_pairs(self) -> int:
        """Returns the number of all pairs in all buckets."""
        return int((np.arange(len(self.members)) - self.starts).sum())


def find_buckets(hashes: np.ndarray, texts: np.ndarray) -> Buckets:
    """Groups texts by hash.

    Args:
      hashes: uint64 `[num_texts]`, of one band.
      texts: int64 `[num_texts]`, their positions, ascending.

    Returns:
      The buckets.
    """
    order = np.argsort(hashes, kind="stable")
    ordered = hashes[order]
    bounds = np.flatnonzero(ordered[1:] != ordered[:-1]) + 1
    sizes = np.diff(bounds, prepend=0, append=len(order))
    members = texts[order][np.repeat(sizes > 1, sizes)]
    sizes = sizes[sizes > 1]
    stops = np.cumsum(sizes)
    return Buckets(members, np.repeat(stops - sizes, sizes), np.repeat(stops, sizes))


def star_pairs(buckets: Buckets) -> Iterator[Pairs]:
    """Yields the pairs of each bucket's star.

    Args:
      buckets: Of one band.

    Yields:
      The smaller positions and the larger ones.
    """
    for start in range(0, len(buckets.members), CHUNK_PAIRS):
        second = buckets.members[start : start + CHUNK_PAIRS]
        first = buckets.members[buckets.starts[start : start + CHUNK_PAIRS]]
        yield first[first != second], second[first != second]


def crossing_pairs(buckets: Buckets, labels: np.ndarray) -> Iterator[Pairs]:
    """Yields the pairs of each bucket whose labels differ, but for those of its star.

    Args:
      buckets: Of one band.
      labels: int64 `[num_texts]`, the cluster of each text.

    Yields:
      The smaller positions and the larger ones.
    """
    heads = buckets.members[buckets.starts]
    order = np.lexsort((labels[buckets.members], buckets.starts))
    members = buckets.members[order]
    label_of = labels[members]
    # A run is the members of one bucket with one label: each pairs with all that follow the run.
    is_edge = (label_of[1:] != label_of[:-1]) | (buckets.starts[1:] != buckets.starts[:-1])
    edges = np.flatnonzero(is_edge) + 1
    run_sizes = np.diff(edges, prepend=0, append=len(members))
    partners_from = np.repeat(np.cumsum(run_sizes), run_sizes)
    counts = buckets.stops - partners_from
    total = np.cumsum(counts)
    start = 0
    while start < len(members):
        limit = CHUNK_PAIRS + (total[start - 1] if start else 0)
        stop = max(start + 1, int(np.searchsorted(total, limit, side="right")))
        chunk = counts[start:stop]
        left = np.repeat(np.arange(start, stop), chunk)
        place = np.arange(len(left)) - np.repeat(np.cumsum(chunk) - chunk, chunk)
        first, second, head = members[left], members[partners_from[left] + place], heads[left]
        is_wanted = (first != head) & (second != head)
        first, second = first[is_wanted], second[is_wanted]
        yield np.minimum(first, second), np.maximum(first, second)
        start = stop

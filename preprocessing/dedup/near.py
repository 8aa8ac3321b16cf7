"""Near-duplicates: clusters of texts that share most of their 5-grams of tokens.

Texts that share a bucket (`minhash`, `buckets`) are *candidates*. A pair of them whose signatures
agree far too seldom is passed over; of the others the true Jaccard similarity is computed from the
contents, and a pair that reaches the threshold is *linked*. A cluster is what hangs together.

Every candidate is looked at, save for those that other links hold together already, so that the
clusters are the same whatever the order of the texts. The stars of all buckets come first and make
most of these links; then come pairs across clusters. A pair is looked at in the first band that
makes it a candidate, so no list of pairs seen is kept: memory grows with the number of texts alone.
Texts with fewer than 5 tokens have no 5-gram and are nobody's near-duplicates.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterable, Iterator
from typing import Any, Callable

import numpy as np

from preprocessing.dedup import buckets, cluster, minhash, ngram_sets

# A pair exactly at the threshold falls below the cut once in 30,000, one above it hardly ever.
CUT_SIGMAS = 4
# Pairs that wait for their contents to be read: 16 MB.
_MAX_PENDING = 1 << 20


@dataclasses.dataclass(frozen=True)
class NearDupConfig:
    """What counts as a near-duplicate.

    Attributes:
      enabled: Whether to look for any.
      threshold: Jaccard similarity from which on two texts are near-duplicates.
      verify: Whether their true similarity decides; if not, what their signatures estimate does.
    """

    enabled: bool = True
    threshold: float = 0.7
    verify: bool = True


@dataclasses.dataclass(frozen=True)
class NearDuplicates:
    """Outcome of the comparison.

    Attributes:
      cluster: int64 `[num_texts]`; the smallest position in the text's cluster: its own for a text
        without near-duplicates.
      num_candidate_pairs: Pairs that share a bucket, once for each bucket that they share.
      num_compared_pairs: Pairs whose similarity had to be computed.
      num_pairs: Those of them that reached the threshold.
      bands: How the signatures were cut.
      config: What counted as a near-duplicate.
    """

    cluster: np.ndarray
    num_candidate_pairs: int
    num_compared_pairs: int
    num_pairs: int
    bands: minhash.Bands
    config: NearDupConfig

    def counts(self) -> dict[str, Any]:
        """Returns the settings and counts for the report."""
        return {
            **dataclasses.asdict(self.config),
            "num_permutations": minhash.NUM_PERMUTATIONS,
            **dataclasses.asdict(self.bands),
            "num_candidate_pairs": self.num_candidate_pairs,
            "num_compared_pairs": self.num_compared_pairs,
            "num_pairs": self.num_pairs,
        }


def _count_equal(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Counts equal bytes in each row: uint8 `[num_rows, 256]` both, int64 `[num_rows]`."""
    # Eight counts at a time in the bytes of one number; none exceeds 256 / 8.
    lanes = (first == second).view(np.uint64).sum(axis=1, dtype=np.uint64)
    return lanes.view(np.uint8).reshape(-1, 8).sum(axis=1, dtype=np.int64)


class Search:
    """One search: what was linked so far, and the pairs that wait for their contents."""

    def __init__(
        self,
        signatures: np.ndarray,
        *,
        config: NearDupConfig,
        read_fn: Callable[[np.ndarray], list[bytes]],
    ) -> None:
        self.bands = minhash.choose_bands(config.threshold)
        self.num_candidates = self.num_compared = self.num_linked = 0
        self.clusters = cluster.Clusters(len(signatures))
        self._config = config
        self._sets = ngram_sets.SetReader(read_fn)
        self._signatures = signatures
        # Low bytes agree wherever the numbers do, and are four times as fast to compare.
        self._low_bytes = signatures.astype(np.uint8)
        self._texts = np.flatnonzero(signatures.min(axis=1) != minhash.EMPTY)
        self._limit = minhash.match_limit(
            config.threshold, num_sigmas=CUT_SIGMAS if config.verify else 0
        )
        self._pending: list[buckets.Pairs] = []
        self._num_pending = 0

    def result(self) -> NearDuplicates:
        """Returns what was found so far."""
        return NearDuplicates(
            cluster=self.clusters.labels(),
            num_candidate_pairs=self.num_candidates,
            num_compared_pairs=self.num_compared,
            num_pairs=self.num_linked,
            bands=self.bands,
            config=self._config,
        )

    def look_at_stars(self) -> None:
        """Looks at the star of every bucket."""
        for band in range(self.bands.num_bands):
            found = self._find_buckets(band)
            self.num_candidates += found.num_pairs()
            self._look_at(buckets.star_pairs(found), band)
        self._decide()

    def look_at_crossing(self) -> None:
        """Looks at all other pairs that no link holds together yet."""
        for band in range(self.bands.num_bands):
            found = self._find_buckets(band)
            self._look_at(buckets.crossing_pairs(found, self.clusters.labels()), band)
        self._decide()

    def _find_buckets(self, band: int) -> buckets.Buckets:
        hashes = minhash.hash_band(self._signatures, bands=self.bands, band=band)
        return buckets.find_buckets(hashes[self._texts], self._texts)

    def _look_at(self, chunks: Iterable[buckets.Pairs], band: int) -> None:
        """Keeps the pairs of one band that have to be decided."""
        for first, second in chunks:
            matches = _count_equal(
                self._low_bytes.take(first, axis=0), self._low_bytes.take(second, axis=0)
            )
            likely = matches >= self._limit
            first, second = first[likely], second[likely]
            is_new = ~self._share_earlier_band(first, second, band)
            self._pending.append((first[is_new], second[is_new]))
            self._num_pending += int(np.count_nonzero(is_new))
            if self._num_pending >= _MAX_PENDING:
                self._decide()

    def _share_earlier_band(self, first: np.ndarray, second: np.ndarray, band: int) -> np.ndarray:
        rows = self.bands.rows_per_band
        equal = self._signatures[first, : band * rows] == self._signatures[second, : band * rows]
        return equal.reshape(len(first), band, rows).all(axis=2).any(axis=1)

    def _decide(self) -> None:
        """Decides the pairs that wait, neighbours together so that each text is read seldom."""
        pending, self._pending, self._num_pending = self._pending, [], 0
        if not pending:
            return
        first = np.concatenate([pair[0] for pair in pending])
        second = np.concatenate([pair[1] for pair in pending])
        order = np.lexsort((second, first))
        for block in self._blocks(zip(first[order].tolist(), second[order].tolist())):
            self.link_similar(block)

    def _blocks(self, pairs: Iterable[tuple[int, int]]) -> Iterator[list[tuple[int, int]]]:
        """Yields pairs across clusters, of so few texts that their contents fit in memory."""
        block: list[tuple[int, int]] = []
        texts: set[int] = set()
        for pair in pairs:
            if self.clusters.find(pair[0]) != self.clusters.find(pair[1]):
                block.append(pair)
                texts.update(pair)
            if len(texts) >= ngram_sets.READ_TEXTS:
                yield block
                block, texts = [], set()
        yield block

    def link_similar(self, pairs: list[tuple[int, int]]) -> None:
        """Compares pairs and links those that are similar enough.

        Args:
          pairs: Positions, pairs that are linked already excepted.
        """
        threshold = self._config.threshold
        sets = self._sets.read(itertools.chain(*pairs)) if self._config.verify else {}
        for first, second in pairs:
            if self.clusters.find(first) == self.clusters.find(second):
                continue
            self.num_compared += 1
            if self._config.verify:
                alike = ngram_sets.is_similar(sets[first], second=sets[second], threshold=threshold)
            else:
                left, right = self._signatures[first], self._signatures[second]
                alike = minhash.estimate(left, right) >= threshold
            if alike:
                self.num_linked += 1
                self.clusters.link(first, second)


def find_clusters(
    signatures: np.ndarray,
    *,
    config: NearDupConfig,
    read_fn: Callable[[np.ndarray], list[bytes]],
) -> NearDuplicates:
    """Finds the clusters of near-duplicates.

    Args:
      signatures: uint32 `[num_texts, NUM_PERMUTATIONS]`, what `minhash.sign` returned.
      config: What counts as one.
      read_fn: Returns the contents of the texts at int64 positions, ascending, in that order; is
        asked for at most 65 at a time, and not at all without `config.verify`.

    Returns:
      The clusters; the same sets of texts whatever their order.

    Raises:
      InputError: The threshold is out of range.
    """
    search = Search(signatures, config=config, read_fn=read_fn)
    if config.enabled:
        search.look_at_stars()
        search.look_at_crossing()
    return search.result()

"""The sets of n-grams that near-duplicates are judged by, and their true Jaccard similarity."""

from __future__ import annotations

import collections
from collections.abc import Iterable, Iterator, Sequence
from typing import Callable

import numpy as np

from preprocessing.dedup import tokens

NGRAM_SIZE = 5
# Texts whose contents are in memory at a time, and bytes of sets that are kept for later.
READ_TEXTS = 64
_CACHE_BYTES = 64 << 20


def ngrams_of(contents: Sequence[bytes]) -> tokens.NgramBatch:
    """Returns the n-grams that texts are compared by, in order of occurrence, with repeats."""
    return tokens.ngram_hashes(tokens.hash_tokens(contents), NGRAM_SIZE)


def ngram_sets(contents: Sequence[bytes]) -> list[np.ndarray]:
    """Makes the set of n-grams of each text.

    Args:
      contents: The texts.

    Returns:
      One uint64 `[num_ngrams]` per text, sorted, without repeats.
    """
    unique = tokens.unique_ngrams(ngrams_of(contents))
    return np.split(unique.hashes, unique.offsets[1:-1]) if contents else []


def jaccard(first: np.ndarray, second: np.ndarray) -> float:
    """Computes the Jaccard similarity of two sets.

    Args:
      first: uint64 `[num_ngrams]`, sorted, without repeats.
      second: The same of the other text.

    Returns:
      0 to 1; 0 for two empty sets.

    >>> jaccard(np.array([1, 2, 3], dtype=np.uint64), np.array([2, 3, 4], dtype=np.uint64))
    0.5
    """
    if len(first) > len(second):
        first, second = second, first
    if not len(first):
        return 0.0
    places = np.searchsorted(second, first)
    places[places == len(second)] = 0
    shared = int(np.count_nonzero(second[places] == first))
    return shared / (len(first) + len(second) - shared)


def is_similar(first: np.ndarray, *, second: np.ndarray, threshold: float) -> bool:
    """Tells whether two sets reach a similarity; the sizes alone often show that they do not.

    Args:
      first: uint64 `[num_ngrams]`, sorted, without repeats.
      second: The same of the other text.
      threshold: Jaccard similarity, above 0.

    Returns:
      Whether it is reached.
    """
    smaller, larger = sorted((len(first), len(second)))
    if not smaller or smaller / larger < threshold:
        return False
    return jaccard(first, second) >= threshold


class SetReader:
    """Reads texts and keeps the sets of those read last, of a bounded number of bytes.

    Attributes:
      num_read: Texts read so far.
    """

    def __init__(self, read_fn: Callable[[np.ndarray], list[bytes]]) -> None:
        """Remembers how to read.

        Args:
          read_fn: Returns the contents of the texts at int64 positions, in their order.
        """
        self._read_fn = read_fn
        self._sets: collections.OrderedDict[int, np.ndarray] = collections.OrderedDict()
        self._size_bytes = 0
        self.num_read = 0

    def read(self, positions: Iterable[int]) -> dict[int, np.ndarray]:
        """Returns the set of each text.

        Args:
          positions: Of at most about `READ_TEXTS` texts.

        Returns:
          uint64 `[num_ngrams]` by position, sorted, without repeats.
        """
        wanted = sorted(set(positions))
        found = {}
        for position in wanted:
            if position in self._sets:
                self._sets.move_to_end(position)
                found[position] = self._sets[position]
        missing = [position for position in wanted if position not in found]
        if missing:
            contents = self._read_fn(np.array(missing, dtype=np.int64))
            self.num_read += len(missing)
            # Copies: a view would keep the sets of the whole chunk alive.
            found.update(
                (position, each.copy()) for position, each in zip(missing, ngram_sets(contents))
            )
            self._keep((position, found[position]) for position in missing)
        return found

    def _keep(self, sets: Iterator[tuple[int, np.ndarray]]) -> None:
        for position, each in sets:
            self._sets[position] = each
            self._size_bytes += each.nbytes
        while self._size_bytes > _CACHE_BYTES:
            _, oldest = self._sets.popitem(last=False)
            self._size_bytes -= oldest.nbytes

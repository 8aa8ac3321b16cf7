"""Looks up the texts of one shard in one part of the index of the held-out side.

`held_out_index` says what the index holds and why nothing is missed.
"""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Iterator

import numpy as np

from preprocessing import splits
from preprocessing.dedup import ngram_sets, tokens
from preprocessing.leaks import held_out_index

MAX_PAIRS_PER_TEXT = 8
# Numbers in an array at a time while shared 5-grams are counted.
_MAX_EXPANDED = 1 << 22
_MAX_BUCKET_STEPS = 8
# Sizes are compared with products like 0.7 * 10, which may be rounded up.
_MARGIN = 1e-6


@dataclasses.dataclass(frozen=True)
class Search:
    """What to look for in a shard.

    Attributes:
      dataset_dir: Where the shard is.
      part_dir: The part of the index.
      threshold: Jaccard similarity from which on texts are similar.
      first_split: The split that is not held out: the 13-grams of the others are in the index.
      sample_bound: 13-grams with a smaller hash are sampled, 0 for none; at most 2^64.
    """

    dataset_dir: str
    part_dir: str
    threshold: float
    first_split: str
    sample_bound: int


@dataclasses.dataclass(frozen=True)
class SearchResult:
    """What one shard has in common with one part.

    Attributes:
      exact_texts: int64; texts of the part with an equal content hash, each once.
      near_texts: int64; texts of the part with a similar text in the shard, each once.
      pair_names: S64 `[num_pairs]`; content hashes of the shard's texts in such pairs.
      pair_texts: int64 `[num_pairs]`; the texts of the part, at most 8 for each text of the shard.
      pair_jaccard: float64 `[num_pairs]`.
      long_seen: uint8; bits of the part's 13-grams (`np.packbits`), set for those in the shard.
      long_sample: uint64; the shard's distinct 13-grams with a hash below the bound.
    """

    exact_texts: np.ndarray
    near_texts: np.ndarray
    pair_names: np.ndarray
    pair_texts: np.ndarray
    pair_jaccard: np.ndarray
    long_seen: np.ndarray
    long_sample: np.ndarray


@dataclasses.dataclass(frozen=True)
class _Keys:
    """Hashes that can be looked up.

    Attributes:
      keys: uint64 `[num_keys]`, sorted.
      filter: bool; false at the place of a hash that is not a key.
      buckets: int32 `[num_buckets + 1]`; where the keys of a bucket begin.
    """

    keys: np.ndarray
    filter: np.ndarray
    buckets: np.ndarray

    def find(self, hashes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Returns which hashes are keys, ascending, and which keys they are."""
        rows = np.flatnonzero(self.filter[held_out_index.places_in(len(self.filter), hashes)])
        values = hashes[rows]
        bucket = held_out_index.places_in(len(self.buckets) - 1, values)
        places, ends = self.buckets[bucket], self.buckets[bucket + 1]
        found = np.full(len(rows), -1, dtype=np.int64)
        # Step by step through the buckets, which hold a key or two.
        left = np.flatnonzero(places < ends)
        for _ in range(_MAX_BUCKET_STEPS):
            if not len(left):
                break
            at = places[left]
            is_key = self.keys[at] == values[left]
            found[left[is_key]] = at[is_key]
            places[left] += 1
            left = left[~is_key & (at + 1 < ends[left])]
        if len(left):
            at = np.minimum(np.searchsorted(self.keys, values[left]), len(self.keys) - 1)
            is_key = self.keys[at] == values[left]
            found[left[is_key]] = at[is_key]
        is_found = found >= 0
        return rows[is_found], found[is_found]


def _sum_by_key(keys: np.ndarray, counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    unique, inverse = np.unique(keys, return_inverse=True)
    sums = np.bincount(inverse, weights=counts, minlength=len(unique))
    return unique, sums.astype(np.int64)


class _ShardSearch:
    """Collects what one shard has in common with one part."""

    def __init__(self, search: Search, split: str) -> None:
        self.search = search
        self.code = splits.SPLITS.index(split)
        self.is_first = split == search.first_split
        self.part = {
            name: held_out_index.load(pathlib.Path(search.part_dir, f"{name}.npy"))
            for name in held_out_index.PART_ARRAYS
        }
        self.keys, self.long_keys = (
            _Keys(self.part[name], self.part[f"{prefix}filter"], self.part[f"{prefix}buckets"])
            for name, prefix in (("keys", ""), ("long", "long_"))
        )
        self.name_order = np.argsort(self.part["names"], kind="stable")
        self.exact: list[np.ndarray] = [np.empty(0, dtype=np.int64)]
        self.near: set[int] = set()
        self.pairs: list[tuple[bytes, int, float]] = []
        self.long_seen = np.zeros(len(self.part["long"]), dtype=bool)
        self.sample: list[np.ndarray] = [np.empty(0, dtype=np.uint64)]

    def add(self, names: list[bytes], texts: list[bytes]) -> None:
        """Looks up some texts."""
        self._add_exact(np.array(names, dtype=held_out_index.NAME_DTYPE))
        hashed = tokens.hash_tokens(texts)
        ngrams = tokens.ngram_hashes(hashed, ngram_sets.NGRAM_SIZE)
        pairs, counts = self._count_shared(ngrams)
        text, other = np.divmod(pairs, max(1, len(self.part["names"])))
        is_candidate = (counts >= self.part["needed"][other]) & (
            self.part["codes"][other] > self.code
        )
        self._compare(names, ngrams=ngrams, text=text[is_candidate], other=other[is_candidate])
        if self.is_first:
            self._add_long(tokens.ngram_hashes(hashed, held_out_index.LONG_NGRAM_SIZE).hashes)

    def _add_exact(self, names: np.ndarray) -> None:
        held_out = self.part["names"][self.name_order]
        if len(held_out):
            unique = np.unique(names)
            start = np.searchsorted(held_out, unique, side="left")
            stop = np.searchsorted(held_out, unique, side="right")
            for first, last in zip(start[start < stop].tolist(), stop[start < stop].tolist()):
                same = self.name_order[first:last]
                self.exact.append(same[self.part["codes"][same] > self.code])

    def _count_shared(self, ngrams: tokens.NgramBatch) -> tuple[np.ndarray, np.ndarray]:
        """Counts indexed 5-grams by pair of texts, `text * num_texts + other`."""
        keys, starts, postings = (self.part[name] for name in ("keys", "starts", "postings"))
        places, found = self.keys.find(ngrams.hashes)
        text = np.searchsorted(ngrams.offsets, places, side="right") - 1
        text, found = np.divmod(np.unique(text * max(1, len(keys)) + found), max(1, len(keys)))
        sizes = starts[found + 1] - starts[found]
        ends = np.cumsum(sizes)
        pairs, counts = np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64)
        first = 0
        while first < len(found):
            before = int(ends[first - 1]) if first else 0
            last = max(first + 1, int(np.searchsorted(ends, before + _MAX_EXPANDED, side="right")))
            size = sizes[first:last]
            skip = starts[found[first:last]] - (ends[first:last] - size - before)
            others = postings[np.repeat(skip, size) + np.arange(int(ends[last - 1]) - before)]
            more = np.repeat(text[first:last], size) * len(self.part["names"]) + others
            ones = np.ones(len(more), dtype=np.int64)
            pairs, counts = _sum_by_key(
                np.concatenate([pairs, more]), np.concatenate([counts, ones])
            )
            first = last
        return pairs, counts

    def _compare(
        self,
        names: list[bytes],
        *,
        ngrams: tokens.NgramBatch,
        text: np.ndarray,
        other: np.ndarray,
    ) -> None:
        """Computes the true similarity of the candidates; they are in the order of `text`."""
        is_long_enough = np.diff(ngrams.offsets)[text] >= self.part["required"][other]
        text, other = text[is_long_enough], other[is_long_enough]
        starts = np.flatnonzero(np.diff(text, prepend=-1))
        for position, others in zip(text[starts].tolist(), np.split(other, starts[1:])):
            start, stop = ngrams.offsets[position : position + 2]
            found = [
                (-jaccard, bytes(self.part["names"][held_out]), held_out)
                for held_out, jaccard in self._similar(ngrams.hashes[start:stop], others)
                if self.part["names"][held_out] != names[position]
            ]
            self.near.update(held_out for _, _, held_out in found)
            self.pairs += [
                (names[position], held_out, -negative)
                for negative, _, held_out in sorted(found)[:MAX_PAIRS_PER_TEXT]
            ]

    def _similar(self, hashes: np.ndarray, others: np.ndarray) -> Iterator[tuple[int, float]]:
        """Yields the held-out texts among `others` that are similar to one text."""
        sizes = self.part["counts"][others]
        # A text with more distinct 5-grams is similar to none. Much of a long text repeats little,
        # so that its start often settles it.
        limit = int(sizes.max() / self.search.threshold + _MARGIN)
        if len(np.unique(hashes[: 2 * limit])) > limit:
            return
        own = np.unique(hashes)
        smaller, larger = np.minimum(sizes, len(own)), np.maximum(sizes, len(own))
        for held_out in others[smaller >= self.search.threshold * larger - _MARGIN].tolist():
            start, stop = self.part["offsets"][held_out : held_out + 2]
            jaccard = ngram_sets.jaccard(own, self.part["sets"][start:stop])
            if jaccard >= self.search.threshold:
                yield held_out, jaccard

    def _add_long(self, hashes: np.ndarray) -> None:
        _, found = self.long_keys.find(hashes)
        self.long_seen[found] = True
        if self.search.sample_bound:
            largest = np.uint64(self.search.sample_bound - 1)
            self.sample.append(np.unique(hashes[hashes <= largest]))

    def result(self) -> SearchResult:
        """Returns what was found so far."""
        return SearchResult(
            exact_texts=np.unique(np.concatenate(self.exact)),
            near_texts=np.array(sorted(self.near), dtype=np.int64),
            pair_names=np.array(
                [name for name, _, _ in self.pairs], dtype=held_out_index.NAME_DTYPE
            ),
            pair_texts=np.array([text for _, text, _ in self.pairs], dtype=np.int64),
            pair_jaccard=np.array([value for _, _, value in self.pairs], dtype=np.float64),
            long_seen=np.packbits(self.long_seen),
            long_sample=np.unique(np.concatenate(self.sample)),
        )


def search_shard(shard: tuple[str, str], search: Search) -> SearchResult:
    """Looks up the texts of a shard.

    Args:
      shard: Its split and its file name.
      search: What to look for.

    Returns:
      What the shard has in common with the part.
    """
    split, name = shard
    found = _ShardSearch(search, split)
    for names, texts in held_out_index.read_batches(pathlib.Path(search.dataset_dir, name)):
        found.add(names, texts)
    return found.result()

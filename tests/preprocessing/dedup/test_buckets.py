"""Tests of buckets and their pairs against plain loops."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from preprocessing.dedup import buckets


def _groups(hashes: np.ndarray, texts: np.ndarray) -> list[list[int]]:
    groups: dict[int, list[int]] = {}
    for value, text in zip(hashes.tolist(), texts.tolist()):
        groups.setdefault(value, []).append(text)
    return [group for group in groups.values() if len(group) > 1]


def _flat(chunks: list[buckets.Pairs]) -> list[tuple[int, int]]:
    return [pair for first, second in chunks for pair in zip(first.tolist(), second.tolist())]


@pytest.mark.parametrize("chunk_pairs", [1, 7, 1 << 14])
@pytest.mark.parametrize("num_hashes", [1, 5, 40])
def test_star_and_crossing_pairs_are_all_pairs_that_are_wanted_once(
    chunk_pairs: int, num_hashes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(buckets, "CHUNK_PAIRS", chunk_pairs)
    source = np.random.default_rng(num_hashes)
    texts = np.sort(source.choice(200, 60, replace=False))
    hashes = source.integers(0, num_hashes, len(texts)).astype(np.uint64)
    labels = source.integers(0, 6, 200)
    found = buckets.find_buckets(hashes, texts)
    groups = _groups(hashes, texts)
    assert found.num_pairs() == sum(len(group) * (len(group) - 1) // 2 for group in groups)

    star = _flat(list(buckets.star_pairs(found)))
    assert sorted(star) == sorted((group[0], other) for group in groups for other in group[1:])

    crossing = _flat(list(buckets.crossing_pairs(found, labels)))
    wanted = [
        (first, second)
        for group in groups
        for first, second in itertools.combinations(group[1:], 2)
        if labels[first] != labels[second]
    ]
    assert sorted(crossing) == sorted(wanted)


def test_chunks_are_bounded_in_a_large_bucket(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(buckets, "CHUNK_PAIRS", 1000)
    texts = np.arange(500)
    found = buckets.find_buckets(np.zeros(500, dtype=np.uint64), texts)
    chunks = [len(first) for first, _ in buckets.crossing_pairs(found, texts)]
    assert max(chunks) <= 1000 and sum(chunks) == 499 * 498 // 2


def test_texts_on_their_own_make_no_buckets() -> None:
    for count in (0, 1, 9):
        texts = np.arange(count)
        found = buckets.find_buckets(texts.astype(np.uint64), texts)
        assert found.num_pairs() == 0
        assert _flat(list(buckets.star_pairs(found))) == []
        assert _flat(list(buckets.crossing_pairs(found, texts))) == []

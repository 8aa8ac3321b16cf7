"""Tests of n-gram sets and their similarity."""

from __future__ import annotations

import random

import numpy as np
import pytest

from preprocessing.dedup import ngram_sets


def _set(values: set[int]) -> np.ndarray:
    return np.array(sorted(values), dtype=np.uint64)


def test_jaccard_is_shared_over_all() -> None:
    source = random.Random(0)
    for _ in range(200):
        first = {source.randrange(30) for _ in range(source.randrange(1, 20))}
        second = {source.randrange(30) for _ in range(source.randrange(1, 20))}
        wanted = len(first & second) / len(first | second)
        assert ngram_sets.jaccard(_set(first), _set(second)) == wanted
        assert ngram_sets.jaccard(_set(second), _set(first)) == wanted
        for threshold in (0.1, 0.4, 0.55, 0.7, 1.0):
            found = ngram_sets.is_similar(_set(first), second=_set(second), threshold=threshold)
            assert found == (wanted >= threshold)


def test_empty_sets_are_like_nothing() -> None:
    empty, other = _set(set()), _set({1})
    assert ngram_sets.jaccard(empty, other) == ngram_sets.jaccard(other, empty) == 0
    assert ngram_sets.jaccard(empty, empty) == 0
    assert not ngram_sets.is_similar(empty, second=empty, threshold=0.1)


def test_pair_exactly_at_the_threshold_is_similar() -> None:
    for size in range(1, 60):
        for shared in range(1, size + 1):
            first, second = _set(set(range(shared))), _set(set(range(size)))
            assert ngram_sets.is_similar(first, second=second, threshold=shared / size)
            # Written as a person writes it: 0.55 of 20 is 11, whatever the rounding of a product.
            written = float(f"{shared / size:.2f}")
            assert ngram_sets.is_similar(first, second=second, threshold=written) == (
                shared / size >= written
            )


def test_sets_hold_each_5_gram_once() -> None:
    alike, repeated, short, none = ngram_sets.ngram_sets(
        [b"a b c d e f", b"a b c d e a b c d e f", b"a b c d", b""]
    )
    assert [len(alike), len(repeated), len(short), len(none)] == [2, 6, 0, 0]
    assert ngram_sets.jaccard(alike, repeated) == 2 / 6
    assert ngram_sets.ngram_sets([]) == []


def test_reader_keeps_the_sets_read_last(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[list[int]] = []

    def read_fn(positions: np.ndarray) -> list[bytes]:
        asked.append(positions.tolist())
        return [b"a b c d e %d" % position for position in asked[-1]]

    # Each set has two n-grams, 16 bytes: three sets fit.
    monkeypatch.setattr(ngram_sets, "_CACHE_BYTES", 48)
    reader = ngram_sets.SetReader(read_fn)
    assert sorted(reader.read([7, 2, 7, 4])) == [2, 4, 7]
    assert len(reader.read([2, 4])) == 2
    found = reader.read([9, 2])
    assert asked == [[2, 4, 7], [9]]
    assert found[9].tolist() == ngram_sets.ngram_sets([b"a b c d e 9"])[0].tolist()
    reader.read([7, 4, 9])
    assert asked == [[2, 4, 7], [9], [7]]


def test_reader_returns_what_does_not_fit_the_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ngram_sets, "_CACHE_BYTES", 0)
    reader = ngram_sets.SetReader(lambda positions: [b"a b c d e"] * len(positions))
    assert [len(reader.read([1, 2])[1]), len(reader.read([1])[1])] == [1, 1]

"""Tests of what the benchmark of near-duplicates takes for the truth."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from benchmarks import near_duplicates
from preprocessing.dedup import buckets


def _sets(seed: int) -> list[np.ndarray]:
    """Sets of which many overlap: each is drawn from an earlier one and some new numbers."""
    source = np.random.default_rng(seed)
    sets = [source.integers(0, 10**6, 30)]
    for _ in range(60):
        old = sets[source.integers(len(sets))]
        kept = old[source.random(len(old)) < source.choice([0.6, 0.9, 1.0])]
        sets.append(np.append(kept, source.integers(0, 10**6, source.integers(0, 5))))
    return [np.unique(each).astype(np.uint64) for each in [*sets, np.zeros(0), np.zeros(0)]]


@pytest.mark.parametrize("threshold", [0.3, 0.7, 1.0])
def test_true_pairs_are_those_that_plain_sets_give(
    threshold: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(buckets, "CHUNK_PAIRS", 10)
    sets = _sets(0)
    plain = [set(each.tolist()) for each in sets]
    shared = near_duplicates.count_shared(sets)
    wanted = {}
    for first, second in itertools.combinations(range(len(sets)), 2):
        both = len(plain[first] & plain[second])
        assert shared[first, second] == both
        if both and both / len(plain[first] | plain[second]) >= threshold:
            wanted[first, second] = both / len(plain[first] | plain[second])
    assert near_duplicates.true_pairs(sets, threshold) == wanted
    assert len(wanted) > 3

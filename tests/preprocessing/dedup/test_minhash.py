"""Tests of signatures and bands."""

from __future__ import annotations

import numpy as np
import pytest

from code_t5 import errors
from preprocessing.dedup import minhash, tokens

GOLDEN = [[3264571612, 3592674595, 3354837172], [191835342, 1022795955, 93206237]]


def _batch(*rows: list[int]) -> tokens.NgramBatch:
    sizes = np.array([len(row) for row in rows], dtype=np.int64)
    hashes = np.array([value for row in rows for value in row], dtype=np.uint64)
    return tokens.NgramBatch(hashes, np.append(0, np.cumsum(sizes)))


def _random_row(seed: int, count: int) -> list[int]:
    return np.random.default_rng(seed).integers(0, 2**63, count).tolist()


@pytest.mark.parametrize("threshold", [0.2, 0.5, 0.7, 0.85, 0.95, 1.0])
def test_bands_have_the_most_rows_that_find_a_pair_at_the_threshold(threshold: float) -> None:
    bands = minhash.choose_bands(threshold)
    assert bands.num_bands * bands.rows_per_band <= minhash.NUM_PERMUTATIONS
    assert bands.probability(threshold) >= minhash.RECALL_AT_THRESHOLD
    if bands.rows_per_band < minhash.NUM_PERMUTATIONS:
        rows = bands.rows_per_band + 1
        wider = minhash.Bands(minhash.NUM_PERMUTATIONS // rows, rows)
        assert wider.probability(threshold) < minhash.RECALL_AT_THRESHOLD


@pytest.mark.parametrize("threshold", [0.0, -0.5, 1.01, float("nan"), float("inf")])
def test_threshold_out_of_range_is_refused(threshold: float) -> None:
    with pytest.raises(errors.InputError, match="near_dup_threshold is .*; wanted .*; give"):
        minhash.choose_bands(threshold)


def test_signature_depends_on_the_set_alone() -> None:
    row = _random_row(0, 300)
    first, second, other = minhash.sign(_batch(row, row[::-1] * 2, _random_row(1, 300)))
    assert np.array_equal(first, second)
    assert np.count_nonzero(first == other) < 10
    assert first.dtype == np.uint32


def test_signature_does_not_depend_on_the_other_texts() -> None:
    rows = [_random_row(seed, size) for seed, size in enumerate([1, 3, 40, 2000, 9000, 0, 5])]
    together = minhash.sign(_batch(*rows))
    for row, signature in zip(rows, together):
        assert np.array_equal(minhash.sign(_batch(row))[0], signature)


def test_signatures_stay_what_they_are() -> None:
    """A work directory keeps them, so a library that signs differently has to be noticed."""
    found = minhash.sign(_batch([1, 2, 3], _random_row(7, 500)))
    assert [found[0, :3].tolist(), found[1, -3:].tolist()] == GOLDEN


def test_texts_without_ngrams_have_an_empty_signature() -> None:
    assert minhash.sign(_batch()).shape == (0, minhash.NUM_PERMUTATIONS)
    found = minhash.sign(_batch([], [5], []))
    assert (found == minhash.EMPTY).all(axis=1).tolist() == [True, False, True]


@pytest.mark.parametrize("similarity", [0.3, 0.7, 0.9])
def test_estimate_is_near_the_true_similarity(similarity: float) -> None:
    union, found = 1000, []
    shared = int(union * similarity)
    for seed in range(40):
        row = _random_row(seed, union)
        middle = shared + (union - shared) // 2
        first, second = minhash.sign(_batch(row[:middle], row[:shared] + row[middle:]))
        found.append(minhash.estimate(first, second))
    error = np.sqrt(similarity * (1 - similarity) / minhash.NUM_PERMUTATIONS)
    assert abs(np.mean(found) - similarity) < 4 * error / np.sqrt(len(found))
    assert np.std(found) < 1.5 * error


def test_band_hashes_are_equal_where_all_rows_of_a_band_are() -> None:
    signatures = np.random.default_rng(0).integers(0, 2, (50, 256)).astype(np.uint32)
    bands = minhash.Bands(num_bands=60, rows_per_band=4)
    for band in range(60):
        hashes = minhash.hash_band(signatures, bands=bands, band=band)
        assert hashes.shape == (50,) and hashes.dtype == np.uint64
        rows = signatures[:, 4 * band : 4 * band + 4]
        wanted = (rows[:, None] == rows[None]).all(axis=2)
        assert np.array_equal(hashes[:, None] == hashes[None], wanted)


def test_match_limit_lets_the_wanted_pairs_through() -> None:
    assert minhash.match_limit(0.7, num_sigmas=0) == 180
    assert minhash.match_limit(0.7, num_sigmas=5) == 143
    assert minhash.match_limit(1.0, num_sigmas=5) == 256
    assert minhash.match_limit(0.01, num_sigmas=5) == 0

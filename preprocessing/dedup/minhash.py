"""MinHash signatures and their bands: texts with a large Jaccard similarity meet in some bucket.

The *Jaccard similarity* of two texts is the number of n-grams in both over the number in either. A
*signature* is `NUM_PERMUTATIONS` small numbers per text such that two texts agree in each with the
probability of their similarity. A *band* is a run of neighbouring signature numbers (its *rows*);
texts that agree in all rows of a band share a *bucket* of it, and texts that share any bucket are
*candidates*: with `b` bands of `r` rows a pair of similarity `s` is one with the probability
`1 - (1 - s^r)^b` (Broder, "On the resemblance and containment of documents", 1997; Leskovec,
Rajaraman and Ullman, "Mining of Massive Datasets", section 3.4).

The signing is rensa's R-MinHash over the full set; why is in `docs/near_duplicates.md`.
"""

from __future__ import annotations

import dataclasses
import math

import numpy as np

from code_t5 import errors
from preprocessing.dedup import tokens

NUM_PERMUTATIONS = 256
# What every number of the signature of a text without n-grams is.
EMPTY = 0xFFFFFFFF
# Probability that a pair exactly at the threshold becomes a candidate.
RECALL_AT_THRESHOLD = 0.99
_SEED = 1
_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)
_SHIFT = np.uint64(29)
# rensa refuses arrays of no values.
_NO_TEXTS = np.zeros((0, NUM_PERMUTATIONS), dtype=np.uint32)


@dataclasses.dataclass(frozen=True)
class Bands:
    """How signatures are cut.

    Attributes:
      num_bands: Bands; numbers left over at the end of the signature are not used.
      rows_per_band: Numbers in a band.
    """

    num_bands: int
    rows_per_band: int

    def probability(self, similarity: float) -> float:
        """Returns the probability that a pair of this similarity becomes a candidate.

        >>> round(Bands(42, 6).probability(0.7), 3)
        0.995
        """
        return 1 - (1 - similarity**self.rows_per_band) ** self.num_bands


def choose_bands(threshold: float) -> Bands:
    """Computes the bands for a similarity from which on pairs are wanted.

    The most rows that still find a pair exactly at the threshold with a probability of
    `RECALL_AT_THRESHOLD`: more rows mean fewer pairs below the threshold to look at.

    Args:
      threshold: Jaccard similarity, above 0, at most 1.

    Returns:
      The bands; of one row each where the threshold is too low to reach that probability.

    Raises:
      InputError: The threshold is out of range.

    >>> choose_bands(0.7)
    Bands(num_bands=42, rows_per_band=6)
    """
    if not 0 < threshold <= 1:
        raise errors.InputError(
            f"--near_dup_threshold is {threshold}; wanted a Jaccard similarity above 0, at most 1; "
            "give for instance 0.7"
        )
    for rows in range(NUM_PERMUTATIONS, 1, -1):
        bands = Bands(NUM_PERMUTATIONS // rows, rows)
        if bands.probability(threshold) >= RECALL_AT_THRESHOLD:
            return bands
    return Bands(NUM_PERMUTATIONS, 1)


def sign(ngrams: tokens.NgramBatch) -> np.ndarray:
    """Signs texts; repeats and the order of the n-grams make no difference.

    Args:
      ngrams: The n-grams of each text.

    Returns:
      uint32 `[num_texts, NUM_PERMUTATIONS]`; rows of `EMPTY` for texts without n-grams.
    """
    import rensa

    if len(ngrams.offsets) == 1:
        return _NO_TEXTS
    matrix = rensa.RMinHash.digest_matrix_from_flat_token_hashes(
        ngrams.hashes, ngrams.offsets, NUM_PERMUTATIONS, _SEED
    )
    return np.array(matrix.to_rows(), dtype=np.uint32)


def hash_band(signatures: np.ndarray, *, bands: Bands, band: int) -> np.ndarray:
    """Hashes the rows of one band of each signature.

    Args:
      signatures: uint32 `[num_texts, NUM_PERMUTATIONS]`.
      bands: How they are cut.
      band: Which band.

    Returns:
      uint64 `[num_texts]`; equal where all rows are.
    """
    start = band * bands.rows_per_band
    rows = np.ascontiguousarray(signatures[:, start : start + bands.rows_per_band].T)
    hashes = np.full(len(signatures), band, dtype=np.uint64)
    for row in rows:
        hashes ^= row
        hashes *= _MULTIPLIER
        hashes ^= hashes >> _SHIFT
    return hashes


def match_limit(threshold: float, *, num_sigmas: float) -> int:
    """Returns the agreeing numbers below which a pair is hardly ever as similar as the threshold.

    The number of agreements of a pair of similarity `s` has the mean `n s` and a standard deviation
    of at most `sqrt(n s (1 - s))`.

    Args:
      threshold: Jaccard similarity.
      num_sigmas: Standard deviations between the limit and the mean of a pair at the threshold.

    Returns:
      0 to `NUM_PERMUTATIONS`.

    >>> match_limit(0.7, num_sigmas=5), match_limit(1.0, num_sigmas=5)
    (143, 256)
    """
    mean = NUM_PERMUTATIONS * threshold
    deviation = math.sqrt(mean * (1 - threshold))
    return max(0, math.ceil(mean - num_sigmas * deviation))


def estimate(first: np.ndarray, second: np.ndarray) -> float:
    """Estimates the similarity of two texts from their signatures.

    Args:
      first: uint32 `[NUM_PERMUTATIONS]`.
      second: The same of the other text.

    Returns:
      0 to 1; the standard error is at most 1/32.
    """
    return int(np.count_nonzero(first == second)) / NUM_PERMUTATIONS

"""Prints how fast libraries sign ready hashes of 5-grams, and how well the signatures find pairs.

    taskset -c 0 python -m benchmarks.minhash_signatures --input_dir=SOURCES

This is the comparison behind the choice of rensa's R-MinHash in `docs/near_duplicates.md`. Every
signer gets the same hashes, as one array if it takes one, and makes 256 numbers per text; for each
are printed the seconds, the mean and the root of the mean square of the error of the similarity
that two signatures estimate, over the true pairs of similarity 0.6 or more, and how many of the
pairs of 0.7 and of 0.8 or more share a bucket of the build's bands.
"""

from __future__ import annotations

import pathlib
import time
from collections.abc import Sequence
from typing import Any, Callable

import numpy as np
from absl import flags

from benchmarks import near_duplicates
from code_t5 import command_line
from preprocessing.dedup import minhash, ngram_sets, tokens

_PERMUTATIONS = minhash.NUM_PERMUTATIONS
_SEED = 1


def _rows(batch: tokens.NgramBatch) -> list[np.ndarray]:
    return np.split(batch.hashes, batch.offsets[1:-1])


def _rensa_r(batch: tokens.NgramBatch) -> np.ndarray:
    return minhash.sign(batch)


def _rensa_rho(batch: tokens.NgramBatch) -> np.ndarray:
    import rensa

    sign_fn: Any = rensa.RMinHash.digest_matrix_from_flat_token_hashes_rho
    return np.array(sign_fn(batch.hashes, batch.offsets, _PERMUTATIONS, _SEED).to_rows())


def _rensa_c(batch: tokens.NgramBatch) -> np.ndarray:
    import rensa

    sign_fn: Any = rensa.CMinHash.digests64_from_token_hash_sets
    return np.array(sign_fn(_rows(batch), _PERMUTATIONS, _SEED), dtype=np.uint64)


def _datasketch(batch: tokens.NgramBatch) -> np.ndarray:
    import datasketch

    found = []
    for row in _rows(batch):
        # It works on numbers of 32 bits.
        signature = datasketch.MinHash(num_perm=_PERMUTATIONS, hashfunc=int)
        signature.update_batch((row >> np.uint64(32)).tolist() or [0])
        found.append(signature.digest())
    return np.array(found)


def _parameters() -> tuple[np.ndarray, np.ndarray]:
    source = np.random.default_rng(_SEED)
    odd = source.integers(0, 2**63, _PERMUTATIONS, dtype=np.uint64) * np.uint64(2) + np.uint64(1)
    return odd, source.integers(0, 2**63, _PERMUTATIONS, dtype=np.uint64)


def _numpy(batch: tokens.NgramBatch) -> np.ndarray:
    odd, added = _parameters()
    found = np.full((len(batch.offsets) - 1, _PERMUTATIONS), minhash.EMPTY, dtype=np.uint32)
    for place, row in enumerate(_rows(batch)):
        for start in range(0, len(row), 512):
            values = row[start : start + 512, None] * odd + added
            smallest = (values >> np.uint64(32)).astype(np.uint32).min(axis=0)
            np.minimum(found[place], smallest, out=found[place])
    return found


def _numba(batch: tokens.NgramBatch) -> np.ndarray:
    import numba

    @numba.njit(fastmath=True)
    def _sign(
        hashes: Any, offsets: Any, odd: Any, added: Any, found: Any
    ) -> None:  # pragma: no cover
        for place in range(len(offsets) - 1):
            for index in range(offsets[place], offsets[place + 1]):
                value = hashes[index]
                for number in range(len(odd)):
                    one = np.uint32((value * odd[number] + added[number]) >> np.uint64(32))
                    found[place, number] = min(found[place, number], one)

    odd, added = _parameters()
    found = np.full((len(batch.offsets) - 1, _PERMUTATIONS), minhash.EMPTY, dtype=np.uint32)
    _sign(batch.hashes[:1], np.array([0, 1]), odd, added, found[:1].copy())
    start = time.monotonic()
    _sign(batch.hashes, batch.offsets, odd, added, found)
    print(f"  numba without compiling: {time.monotonic() - start:.2f} s")
    return found


_SIGNERS: dict[str, Callable[[tokens.NgramBatch], np.ndarray]] = {
    "rensa R-MinHash, full set": _rensa_r,
    "rensa R-MinHash, rho": _rensa_rho,
    "rensa C-MinHash": _rensa_c,
    "numba, one kernel": _numba,
    "NumPy": _numpy,
    "datasketch": _datasketch,
}


def _judge(signatures: np.ndarray, pairs: np.ndarray, similarity: np.ndarray) -> str:
    """Returns errors of the estimate and recall of the bands, as text."""
    first, second = signatures[pairs[:, 0]], signatures[pairs[:, 1]]
    equal = first == second
    error = equal.mean(axis=1) - similarity
    bands = minhash.choose_bands(0.7)
    used = bands.num_bands * bands.rows_per_band
    in_band = equal[:, :used].reshape(-1, bands.num_bands, bands.rows_per_band).all(axis=2)
    found = in_band.any(axis=1)
    recall = ", ".join(
        f"{100 * found[similarity >= least].mean():.3f} % of >= {least}" for least in (0.7, 0.8)
    )
    return f"error {error.mean():+.4f} +- {np.sqrt((error**2).mean()):.4f}; finds {recall}"


def main(argv: Sequence[str]) -> None:
    """Reads, signs and judges.

    Args:
      argv: The program's name; everything else is a flag.
    """
    del argv
    texts = near_duplicates.read_texts(
        pathlib.Path(flags.FLAGS.input_dir), max_file_bytes=1_000_000, copies=1, joined=1
    )
    batch = ngram_sets.ngrams_of(texts)
    similar = near_duplicates.true_pairs(ngram_sets.ngram_sets(texts), 0.6)
    pairs, similarity = np.array(list(similar)), np.array(list(similar.values()))
    print(f"{len(texts)} texts, {len(batch.hashes)} 5-grams, {len(pairs)} true pairs")
    for name, sign_fn in _SIGNERS.items():
        start = time.monotonic()
        try:
            signatures = sign_fn(batch)
        except ImportError as error:
            print(f"{name}: {error}; pip install {error.name}")
            continue
        seconds = time.monotonic() - start
        print(f"{name}: {seconds:.2f} s; {_judge(signatures, pairs, similarity)}")


if __name__ == "__main__":
    flags.DEFINE_string("input_dir", None, "A folder of Python files.", required=True)
    command_line.run(main)

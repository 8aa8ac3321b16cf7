"""Hashes runs of bytes, such as words and units, by array operations.

Runs of up to 64 bytes are hashed word by word, all of them at once; longer ones, which are rare,
one by one. The hashes are the same on every machine and in every run. Different runs of at most 8
bytes that hold no NUL never share a hash; for everything else 64 bits make that negligible.
"""

from __future__ import annotations

import hashlib

import numpy as np

WORD_BYTES = 8
# Longer runs are hashed one by one: else a single run of a megabyte would cost 100,000 rounds.
_MAX_WORDS = 8
# The odd numbers nearest to 2^64 times the fractions of the square roots of 2 and 3.
WORD_MULTIPLIER = np.uint64(0x6A09E667F3BCC909)
_MIX_MULTIPLIER = np.uint64(0xBB67AE8584CAA73B)
_SHIFT = np.uint64(32)
# _MASKS[n] keeps the first n bytes of a little-endian word.
_MASKS = np.array([(1 << (8 * count)) - 1 for count in range(WORD_BYTES + 1)], dtype=np.uint64)


def mix_hashes(hashes: np.ndarray) -> None:
    """Spreads every bit over all others, in place and one to one."""
    for _ in range(2):
        hashes ^= hashes >> _SHIFT
        hashes *= _MIX_MULTIPLIER
    hashes ^= hashes >> _SHIFT


def _hash_long_runs(data: bytes, starts: np.ndarray, ends: np.ndarray) -> np.ndarray:
    digests = (
        hashlib.blake2b(data[start:end], digest_size=WORD_BYTES).digest()
        for start, end in zip(starts.tolist(), ends.tolist())
    )
    return np.frombuffer(b"".join(digests), dtype="<u8")


def hash_runs(data: bytes, *, starts: np.ndarray, ends: np.ndarray) -> np.ndarray:
    """Hashes runs of bytes, tokens or others, word by word.

    Args:
      data: Readable for 8 bytes from every start.
      starts: int64 `[num_runs]`.
      ends: int64 `[num_runs]`.

    Returns:
      uint64 `[num_runs]`; runs of at most 8 bytes that hold no NUL never share one.
    """
    # Words that begin at any byte: as many as there are bytes, each 8 bytes long.
    words: np.ndarray = np.ndarray(
        (len(data) - WORD_BYTES + 1,), dtype="<u8", buffer=data, strides=(1,)
    )
    # Each round looks only at runs with bytes left.
    lengths = ends - starts
    hashes = words[starts] & _MASKS[np.minimum(lengths, WORD_BYTES)]
    left = np.flatnonzero(lengths > WORD_BYTES)
    for done in range(WORD_BYTES, WORD_BYTES * _MAX_WORDS, WORD_BYTES):
        if not len(left):
            break
        rest = lengths[left] - done
        state = hashes[left] * WORD_MULTIPLIER
        state ^= state >> _SHIFT
        state ^= words[starts[left] + done] & _MASKS[np.minimum(rest, WORD_BYTES)]
        hashes[left] = state
        left = left[rest > WORD_BYTES]
    mix_hashes(hashes)
    hashes[left] = _hash_long_runs(data, starts[left], ends[left])
    return hashes

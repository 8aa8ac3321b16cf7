"""Hashes runs of bytes, such as words and units, by array operations.

Runs of up to 64 bytes are hashed word by word, all of them at once; longer ones, which are rare,
one by one. Different runs of at most 8 bytes that hold no NUL never share a hash; two longer ones
share one by a chance of 1 in 2^64.

Without a *key* the hashes are the same on every machine and in every run; but then who chooses the
bytes can compute runs that share one. Where that would do harm, a key that nobody knows is given:
then chance alone decides.
"""

from __future__ import annotations

import functools
import hashlib

import numpy as np

WORD_BYTES = 8
# Longer runs are hashed one by one: else a single run of a megabyte would cost 100,000 rounds.
_MAX_WORDS = 8
# The odd numbers nearest to 2^64 times the fractions of the square roots of 2 and 3.
WORD_MULTIPLIER = np.uint64(0x6A09E667F3BCC909)
_MIX_MULTIPLIER = np.uint64(0xBB67AE8584CAA73B)
_SHIFT = np.uint64(32)
_LOWER_HALF = np.uint64((1 << 32) - 1)
# _MASKS[n] keeps the first n bytes of a little-endian word.
_MASKS = np.array([(1 << (8 * count)) - 1 for count in range(WORD_BYTES + 1)], dtype=np.uint64)


def mix_hashes(hashes: np.ndarray) -> None:
    """Spreads every bit over all others, in place and one to one."""
    for _ in range(2):
        hashes ^= hashes >> _SHIFT
        hashes *= _MIX_MULTIPLIER
    hashes ^= hashes >> _SHIFT


def _hash_long_runs(data: bytes, starts: np.ndarray, ends: np.ndarray, *, key: int) -> np.ndarray:
    secret = key.to_bytes(WORD_BYTES, "little") if key else b""
    digests = (
        hashlib.blake2b(data[start:end], digest_size=WORD_BYTES, key=secret).digest()
        for start, end in zip(starts.tolist(), ends.tolist())
    )
    return np.frombuffer(b"".join(digests), dtype="<u8")


@functools.lru_cache(maxsize=64)
def _multipliers(key: int) -> np.ndarray:
    """Returns uint64 `[words, sums, halves]`, which nobody knows who does not know the key."""
    count = _MAX_WORDS * 2 * 2
    secret = key.to_bytes(WORD_BYTES, "little")
    drawn = hashlib.shake_256(secret).digest(count * WORD_BYTES)
    return np.frombuffer(drawn, dtype="<u8").reshape(_MAX_WORDS, 2, 2)


def _add_products(
    words: np.ndarray, *, starts: np.ndarray, lengths: np.ndarray, key: int
) -> np.ndarray:
    """Hashes runs of 9 to 64 bytes with a key.

    The halves of the words are multiplied by secret numbers and added up. The upper half of such a
    sum is that of another given run once in 2^32 keys (multilinear hashing, which is strongly
    universal); two sums make 64 bits.
    """
    sums = np.zeros((2, len(starts)), dtype=np.uint64)
    left = np.arange(len(starts))
    for place, of_place in enumerate(_multipliers(key)):
        rest = lengths[left] - place * WORD_BYTES
        word = words[starts[left] + place * WORD_BYTES] & _MASKS[np.minimum(rest, WORD_BYTES)]
        lower, upper = word & _LOWER_HALF, word >> _SHIFT
        for of_sum, (for_lower, for_upper) in zip(sums, of_place):
            of_sum[left] += lower * for_lower + upper * for_upper
        left = left[rest > WORD_BYTES]
    return (sums[0] >> _SHIFT << _SHIFT) | (sums[1] >> _SHIFT)


def _chain_words(words: np.ndarray, *, starts: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """Hashes runs of more than 8 bytes, of which the first 64 count, without a key."""
    hashes = words[starts]
    left = np.arange(len(starts))
    # Each round looks only at runs with bytes left.
    for done in range(WORD_BYTES, WORD_BYTES * _MAX_WORDS, WORD_BYTES):
        if not len(left):
            break
        rest = lengths[left] - done
        state = hashes[left] * WORD_MULTIPLIER
        state ^= state >> _SHIFT
        state ^= words[starts[left] + done] & _MASKS[np.minimum(rest, WORD_BYTES)]
        hashes[left] = state
        left = left[rest > WORD_BYTES]
    return hashes


def hash_runs(data: bytes, *, starts: np.ndarray, ends: np.ndarray, key: int = 0) -> np.ndarray:
    """Hashes runs of bytes, tokens or others, word by word.

    Args:
      data: Readable for 8 bytes from every start.
      starts: int64 `[num_runs]`.
      ends: int64 `[num_runs]`.
      key: Below 2^64; 0 for hashes that are the same in every run. For bytes that somebody else
        chose, and where a shared hash does harm: `secrets.randbits(64)`.

    Returns:
      uint64 `[num_runs]`; runs of at most 8 bytes that hold no NUL never share one.
    """
    # Words that begin at any byte: as many as there are bytes, each 8 bytes long.
    words: np.ndarray = np.ndarray(
        (len(data) - WORD_BYTES + 1,), dtype="<u8", buffer=data, strides=(1,)
    )
    lengths = ends - starts
    hashes = words[starts] & _MASKS[np.minimum(lengths, WORD_BYTES)]
    more = np.flatnonzero(lengths > WORD_BYTES)
    if key:
        hashes ^= np.uint64(key)
        hashes[more] = _add_products(words, starts=starts[more], lengths=lengths[more], key=key)
    else:
        hashes[more] = _chain_words(words, starts=starts[more], lengths=lengths[more])
    mix_hashes(hashes)
    most = more[lengths[more] > WORD_BYTES * _MAX_WORDS]
    hashes[most] = _hash_long_runs(data, starts[most], ends[most], key=key)
    return hashes

from __future__ import annotations

import hashlib

import numpy as np
import pytest

from code_t5.encoding import byte_runs

# Made to share a hash where there is no key: what the first words leave is what the second undo.
COLLIDING = (b"GFjMzhduaaaaadaa", b"apHNSCHCZWBfLyHv")
_GOLDEN = [
    0x5539FE927402A057,
    0x23D3E22E78222C34,
    0x534F5F066850B6C3,
    0xC49505B6F6A66031,
    0xAF0D7BB8E6E0DCC3,
]
_LENGTHS = [0, 1, 7, 8, 9, 15, 16, 17, 40, 63, 64, 65, 200]


def _hashes(runs, **options):
    data = b"".join(runs) + bytes(byte_runs.WORD_BYTES)
    ends = np.cumsum([len(run) for run in runs])
    starts = ends - [len(run) for run in runs]
    return byte_runs.hash_runs(data, starts=starts, ends=ends, **options)


def _letters(count, *, seed=0):
    return bytes(np.random.default_rng(seed).integers(97, 123, count, dtype=np.uint8))


def test_hashes_without_a_key_are_those_that_finished_data_sets_were_made_with():
    runs = [b"self", b"a_longer_word", COLLIDING[0], b"x" * 64, b"y" * 65]
    assert _hashes(runs).tolist() == _GOLDEN
    assert _hashes(runs, key=0).tolist() == _GOLDEN


def test_runs_chosen_to_share_a_hash_do_so_only_without_a_key():
    first, second = _hashes(COLLIDING).tolist()
    assert first == second
    for key in (1, 2, 1 << 63, *range(10**18, 10**18 + 1000)):
        first, second = _hashes(COLLIDING, key=key).tolist()
        assert first != second, key


@pytest.mark.parametrize("key", [1, (1 << 64) - 1, 0x0123456789ABCDEF])
def test_hashes_with_a_key_are_sums_of_products_with_secret_numbers(key):
    drawn = hashlib.shake_256(key.to_bytes(8, "little")).digest(8 * 32)
    secret = [int.from_bytes(drawn[at : at + 8], "little") for at in range(0, len(drawn), 8)]
    for length in (9, 16, 33, 64):
        run = _letters(length)
        padded = run + bytes(-length % 8)
        sums = [0, 0]
        for at in range(0, len(padded), 4):
            half, (place, which) = int.from_bytes(padded[at : at + 4], "little"), divmod(at // 4, 2)
            for index in range(2):
                sums[index] += half * secret[4 * place + 2 * index + which]
        joined = (sums[0] >> 32 & 0xFFFFFFFF) << 32 | (sums[1] >> 32 & 0xFFFFFFFF)
        wanted = np.array([joined], dtype=np.uint64)
        byte_runs.mix_hashes(wanted)
        assert _hashes([run], key=key).tolist() == wanted.tolist()


@pytest.mark.parametrize("key", [0, 12_345])
def test_every_byte_counts_at_every_length(key):
    for length in _LENGTHS:
        run = _letters(length)
        changed = [run[:at] + b"_" + run[at + 1 :] for at in range(length)]
        hashes = _hashes([run, *changed, run + b"a"], key=key)
        assert len(np.unique(hashes)) == length + 2


def test_every_hash_depends_on_the_key_and_on_nothing_else():
    runs = [_letters(length, seed=length) for length in _LENGTHS]
    by_key = [_hashes(runs, key=key).tolist() for key in (0, 1, 2, 1 << 63)]
    for of_run in zip(*by_key):
        assert len(set(of_run)) == 4
    alone = [_hashes([run], key=2).tolist()[0] for run in runs]
    assert alone == by_key[2]


def test_runs_of_up_to_8_bytes_never_share_a_hash():
    rng = np.random.default_rng(5)
    runs = sorted(
        {bytes(rng.integers(1, 4, length, dtype=np.uint8)) for length in [*range(9)] * 500}
    )
    for key in (0, 77):
        assert len(np.unique(_hashes(runs, key=key))) == len(runs)

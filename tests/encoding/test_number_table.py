from __future__ import annotations

import numpy as np
import pytest

from code_t5.encoding import number_table


def _keys(rng, count):
    return np.unique(rng.integers(1, 2**64, count, dtype=np.uint64))


@pytest.mark.parametrize("shift", [0, 40])
def test_every_key_has_its_number_however_many_there_are(monkeypatch, shift):
    monkeypatch.setattr(number_table, "_FIRST_BITS", 4)
    rng = np.random.default_rng(1)
    # Shifted, all keys want the first few places.
    keys = np.unique(_keys(rng, 4000 if shift else 100_000) >> np.uint64(shift))
    rng.shuffle(keys)
    numbers = rng.integers(1, 2**40, len(keys)) * rng.choice([-1, 1], len(keys))
    table = number_table.NumberTable()
    first = 0
    for stop in (1, 3, 4, 50, 900, len(keys)):
        table.insert(keys[first:stop], numbers[first:stop])
        assert table.find(keys[:stop]).tolist() == numbers[:stop].tolist()
        assert not table.find(keys[stop : stop + 500]).any()
        first = stop
    assert table.num_keys == len(keys)


def test_cleared_table_knows_nothing():
    table = number_table.NumberTable()
    table.insert(np.array([5, 6], dtype=np.uint64), np.array([7, 8]))
    table.clear()
    assert table.num_keys == 0
    assert table.find(np.array([5, 6], dtype=np.uint64)).tolist() == [0, 0]


def test_key_zero_is_not_there_and_no_keys_have_no_numbers():
    table = number_table.NumberTable()
    assert table.find(np.zeros(2, dtype=np.uint64)).tolist() == [0, 0]
    table.insert(np.array([1], dtype=np.uint64), np.array([9]))
    assert table.find(np.array([0, 1, 2], dtype=np.uint64)).tolist() == [0, 9, 0]
    table.insert(np.zeros(0, dtype=np.uint64), np.zeros(0, dtype=np.int64))
    assert table.find(np.zeros(0, dtype=np.uint64)).tolist() == []


def test_places_per_key_leave_room():
    table = number_table.NumberTable(places_per_key=16)
    keys = _keys(np.random.default_rng(2), 30_000)
    table.insert(keys, np.arange(1, len(keys) + 1))
    assert len(table._keys) >= 16 * len(keys)
    assert table.find(keys).tolist() == list(range(1, len(keys) + 1))

from __future__ import annotations

import numpy as np
import pytest

from code_t5 import errors
from code_t5.encoding import whole_numbers


@pytest.mark.parametrize("value", [7, np.int64(7), np.uint8(7)])
def test_whole_number_is_a_plain_int(value):
    found = whole_numbers.read_whole_number(value, name="seed", at_least=7)
    assert found == 7
    assert type(found) is int


@pytest.mark.parametrize("value", [7.0, np.float32(7), "7", None, [7], np.array([7, 8]), 1j])
def test_anything_else_is_refused_by_name(value):
    with pytest.raises(errors.InputError, match=r"^seed is .*; wanted a whole number; give one$"):
        whole_numbers.read_whole_number(value, name="seed")


def test_number_that_is_too_small_says_what_is_wanted():
    match = r"^seq_len is 0; wanted a whole number of 1 or more; give one$"
    with pytest.raises(errors.InputError, match=match):
        whole_numbers.read_whole_number(0, name="seq_len", at_least=1)
    assert whole_numbers.read_whole_number(-5, name="seed") == -5


def test_indexes_become_int64():
    found = whole_numbers.read_indexes(np.array([2, 0], dtype=np.uint8), size=3)
    assert (found.tolist(), found.dtype) == ([2, 0], np.int64)
    assert whole_numbers.read_indexes([], size=0).dtype == np.int64


@pytest.mark.parametrize(("indexes", "size"), [([3], 3), ([-1], 3), ([0], 0), ([2**63], None)])
def test_indexes_of_nothing_are_refused(indexes, size):
    with pytest.raises(IndexError, match=f"^things {indexes[0]} to {indexes[0]} "):
        whole_numbers.read_indexes(indexes, size=size, name="things")

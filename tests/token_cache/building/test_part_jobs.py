from __future__ import annotations

import numpy as np
import pytest

from code_t5.encoding.ragged import Ragged
from code_t5.token_cache.building import part_jobs


@pytest.mark.parametrize("length", [3, 1000])
@pytest.mark.parametrize("dtype", [np.uint16, np.int32, np.uint32])
def test_each_document_gets_its_end(length, dtype):
    rows = [list(range(length)), [], [7], [*range(length)]]
    ended = part_jobs.end_documents(Ragged.from_rows(rows, dtype=dtype), 9)
    assert [ended.row(number).tolist() for number in range(4)] == [[*row, 9] for row in rows]
    assert ended.values.dtype == dtype


def test_end_that_the_dtype_cannot_hold_widens_it():
    ended = part_jobs.end_documents(Ragged.from_rows([[1], [2]], dtype=np.uint16), 70_000)
    assert ended.values.tolist() == [1, 70_000, 2, 70_000]


def test_rows_of_a_larger_array_are_taken_alone():
    inner = Ragged(np.arange(10), np.array([2, 4, 7]))
    ended = part_jobs.end_documents(inner, 0)
    assert ended.values.tolist() == [2, 3, 0, 4, 5, 6, 0]
    assert ended.offsets.tolist() == [0, 3, 7]


def test_no_documents_have_no_ends():
    ended = part_jobs.end_documents(Ragged.from_rows([]), 1)
    assert (ended.values.tolist(), ended.offsets.tolist()) == ([], [0])


def test_without_an_end_documents_stay_as_they_are():
    rows = Ragged.from_rows([[1], [2]])
    assert part_jobs.end_documents(rows, None) is rows

from __future__ import annotations

import numpy as np
import pytest

from code_t5.storage import varints


def _by_the_book(value: int) -> bytes:
    groups = []
    while value > 127:
        groups.append(128 + value % 128)
        value //= 128
    return bytes([*groups, value])


_EDGES = [0, 1, 127, 128, 16383, 16384, 2**21 - 1, 2**21, 2**28 - 1, 2**28, 2**32 - 1]


@pytest.mark.parametrize("dtype", [np.uint32, np.int64])
def test_each_number_is_written_as_protocol_buffers_do(dtype):
    offsets = np.arange(len(_EDGES) + 1)
    rows = varints.encode_varints(np.array(_EDGES, dtype=dtype), offsets=offsets)
    assert rows == [_by_the_book(value) for value in _EDGES]


@pytest.mark.parametrize("largest", [100, 300, 70_000, 2**32 - 1])
def test_rows_are_cut_where_they_were(largest):
    rng = np.random.default_rng(largest)
    lengths = [0, 5, 0, 0, 17, 1, 0]
    rows = [rng.integers(0, largest, size=length, endpoint=True) for length in lengths]
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    found = varints.encode_varints(np.concatenate(rows), offsets=offsets)
    assert found == [b"".join(map(_by_the_book, row.tolist())) for row in rows]


def test_no_row_and_empty_rows_are_written_too():
    nothing = np.zeros(0, dtype=np.int32)
    assert varints.encode_varints(nothing, offsets=np.zeros(1, dtype=np.int64)) == []
    assert varints.encode_varints(nothing, offsets=np.zeros(3, dtype=np.int64)) == [b"", b""]

"""Varints, many at a time: how protocol buffers write whole numbers.

A *varint* is a number in groups of seven bits, the lowest first, one byte each; all bytes but the
last have their highest bit set.
"""

from __future__ import annotations

import numpy as np

_BITS = 7
_MASK = 127


def encode_varints(values: np.ndarray, *, offsets: np.ndarray) -> list[bytes]:
    r"""Writes rows of numbers as varints.

    Args:
      values: int `[total]`, from 0 to 2^32 - 1: the rows, one after the other.
      offsets: int64 `[num_rows + 1]`: row `i` is `values[offsets[i]:offsets[i + 1]]`.

    Returns:
      The varints of each row.

    >>> encode_varints(np.array([1, 300, 127]), offsets=np.array([0, 2, 3]))
    [b'\x01\xac\x02', b'\x7f']
    """
    rest: np.ndarray = values.astype(np.uint32)
    sizes = np.ones(len(rest), dtype=np.int64)
    for bits in range(_BITS, int(rest.max(initial=0)).bit_length(), _BITS):
        sizes += rest >> bits > 0
    ends = np.concatenate([[0], np.cumsum(sizes)])
    data = np.empty(ends[-1], dtype=np.uint8)
    # One byte of each number that is not finished yet, in each turn.
    positions = ends[:-1]
    while len(rest):
        goes_on = rest >> _BITS > 0
        data[positions] = (rest & _MASK) | (goes_on.view(np.uint8) << _BITS)
        unfinished = np.flatnonzero(goes_on)
        rest, positions = rest[unfinished] >> _BITS, positions[unfinished] + 1
    content, bounds = data.tobytes(), ends[offsets].tolist()
    return [content[start:stop] for start, stop in zip(bounds, bounds[1:])]

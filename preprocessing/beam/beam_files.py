"""Arrays that Beam steps leave in the shared directory, and the keys that steps group by."""

from __future__ import annotations

import io
import pathlib

import numpy as np

from code_t5.storage import atomic

_HALF = np.uint64(32)


def range_of(hashes: np.ndarray, num_ranges: int) -> np.ndarray:
    """Returns the range that each hash falls into; ranges are about equal and in hash order.

    Args:
      hashes: uint64 `[num_hashes]`.
      num_ranges: 1 to 2^31.

    Returns:
      int64 `[num_hashes]`, 0 to `num_ranges - 1`.

    >>> range_of(np.array([0, 2**63, 2**64 - 1], dtype=np.uint64), 4).tolist()
    [0, 2, 3]
    """
    return (((hashes >> _HALF) * np.uint64(num_ranges)) >> _HALF).astype(np.int64)


def write_array(path: pathlib.Path, values: np.ndarray) -> None:
    """Writes an array in one step, so that a worker that does the work again does no harm.

    Args:
      path: The `.npy` file.
      values: What to write.
    """
    buffer = io.BytesIO()
    np.save(buffer, values, allow_pickle=False)
    atomic.write_file(path, buffer.getvalue())


def read_arrays(folder: pathlib.Path, *, pattern: str, dtype: np.dtype) -> np.ndarray:
    """Reads and joins the arrays of one step.

    Args:
      folder: Where they lie.
      pattern: Of the names, which do not start with a dot.
      dtype: Of the arrays, for when there are none.

    Returns:
      Their rows, in the order of the files' names.
    """
    found = [np.load(path, allow_pickle=False) for path in sorted(folder.glob(pattern))]
    return np.concatenate([np.empty((0, *found[0].shape[1:]) if found else 0, dtype), *found])

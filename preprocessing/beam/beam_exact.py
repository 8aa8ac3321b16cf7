"""Exact deduplication as a Beam step: candidates meet by their hashes, one of each content stays.

The elements are unit numbers; a unit's rows go to the *range* that their hashes fall into, and each
range is decided by the same function as in the local build. The rows that stay come back as one
file per range.
"""

from __future__ import annotations

import functools
import pathlib
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from preprocessing import decisions, scan, unit_store
from preprocessing.beam import beam_files, beam_pool, beam_runner
from preprocessing.dedup import exact

# Work for a few workers even where one range would do for the memory.
_MIN_RANGES = 8


def rows_by_range(unit_index: int, *, work_dir: str, num_ranges: int) -> Iterator[Any]:
    """Yields the rows of one unit's candidates by range of hashes.

    Args:
      unit_index: Which unit.
      work_dir: The work directory of a finished scan.
      num_ranges: How many ranges there are.

    Yields:
      `(range_index, bytes of scan.INDEX_DTYPE)`.
    """
    index = unit_store.read_index(work_dir, unit_index)
    ranges = beam_files.range_of(unit_store.hash_prefixes(index), num_ranges)
    for range_index in np.unique(ranges).tolist():
        yield range_index, index[ranges == range_index].tobytes()


def keep_one_of_each(group: tuple[int, Iterable[bytes]], *, step_dir: str) -> Iterator[Any]:
    """Decides which rows of one range stay.

    Args:
      group: The range and all rows in it, in any order.
      step_dir: Gets the file `kept-<range>.npy`.

    Yields:
      Nothing: the rows are in the file.
    """
    range_index, values = group
    rows = np.frombuffer(b"".join(values), scan.INDEX_DTYPE).copy()
    # The decisions are arrays by file_id: here by place among the files of the range, which keeps
    # their order.
    file_ids, places = np.unique(rows["file_id"], return_inverse=True)
    rows["file_id"] = places
    num_files = len(file_ids)
    kept = exact.mark_copies(
        rows,
        decisions.Decisions(
            reason=np.zeros(num_files, np.uint8),
            duplicate_of=np.full(num_files, -1, np.int64),
            cluster_id=np.full(num_files, -1, np.int64),
        ),
    )
    kept["file_id"] = file_ids[kept["file_id"].astype(np.int64)]
    beam_files.write_array(pathlib.Path(step_dir, f"kept-{range_index:06d}.npy"), kept)
    yield from ()


def find_kept_rows(
    pool: beam_pool.BeamPool, *, work_dir: str, num_units: int, num_candidates: int
) -> np.ndarray:
    """Finds the candidates that exact deduplication keeps.

    Args:
      pool: Whose runner works.
      work_dir: The work directory of a finished scan.
      num_units: Number of scanned units.
      num_candidates: Records in all units.

    Returns:
      `scan.INDEX_DTYPE [num_kept]`, in the order of `file_id`.
    """
    step_dir = pool.call_dir("exact")
    num_ranges = max(_MIN_RANGES, exact.num_ranges(num_candidates))
    pool.runner.run(
        "exact",
        elements=range(num_units),
        functions=[
            functools.partial(rows_by_range, work_dir=work_dir, num_ranges=num_ranges),
            beam_runner.GROUP,
            functools.partial(keep_one_of_each, step_dir=str(step_dir)),
        ],
    )
    kept = beam_files.read_arrays(step_dir, pattern="kept-*.npy", dtype=scan.INDEX_DTYPE)
    return kept[np.argsort(kept["file_id"])]

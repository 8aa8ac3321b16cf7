"""Exact deduplication: of files whose content is equal, one is kept (see `decisions` for which).

The index of all records is walked once per *range* of hashes, so that memory holds a bounded number
of rows however large the data set is: equal contents have equal hashes and share a range.
"""

from __future__ import annotations

import pathlib
from collections.abc import Iterator, Sequence

import numpy as np

from preprocessing import decisions, splits, unit_store

# 81 bytes a row; sorting takes as much again.
_MAX_RANGE_ROWS = 1 << 20


def num_ranges(num_candidates: int) -> int:
    """Returns into how many ranges of hashes the candidates are cut, 1 or more."""
    return max(1, -(-num_candidates // _MAX_RANGE_ROWS))


def _rows_in_range(
    work_dir: str, num_units: int, range_index: int, count: int
) -> Iterator[np.ndarray]:
    for unit_index in range(num_units):
        index = unit_store.read_index(work_dir, unit_index)
        # floor(prefix * count / 2^64) without leaving 64 bits: the upper half is exact enough to
        # cut at, and equal hashes always fall into the same range.
        upper = unit_store.hash_prefixes(index) >> np.uint64(32)
        yield index[(upper * np.uint64(count)) >> np.uint64(32) == range_index]


def mark_copies(rows: np.ndarray, decided: decisions.Decisions) -> np.ndarray:
    """Decides on the copies among some rows that hold every row of their hashes.

    Args:
      rows: `scan.INDEX_DTYPE [num_rows]`, in any order.
      decided: Gets the decisions.

    Returns:
      The kept rows, sorted by hash.
    """
    rows = rows[np.lexsort((rows["file_id"], rows["rank"], rows["hash"]))]
    is_first = np.ones(len(rows), dtype=bool)
    is_first[1:] = rows["hash"][1:] != rows["hash"][:-1]
    kept = rows[is_first]
    if len(kept) == len(rows):
        return kept
    group = np.cumsum(is_first) - 1
    file_ids = rows["file_id"].astype(np.int64)
    names = np.minimum.reduceat(file_ids, np.flatnonzero(is_first))
    has_copies = np.bincount(group) > 1
    in_cluster = has_copies[group]
    decided.cluster_id[file_ids[in_cluster]] = names[group][in_cluster]
    copies = file_ids[~is_first]
    decided.drop(copies, kept=file_ids[is_first][group[~is_first]], reason=decisions.EXACT)
    return kept


def find_exact_duplicates(
    work_dir: str, *, num_units: int, num_candidates: int, decided: decisions.Decisions
) -> tuple[pathlib.Path, ...]:
    """Compares all candidates.

    Args:
      work_dir: The work directory of a finished scan.
      num_units: Number of scanned units.
      num_candidates: Records in all units.
      decided: Gets the decisions.

    Returns:
      Files of kept rows (`scan.INDEX_DTYPE`), by range of hashes, each sorted by hash.
    """
    count = num_ranges(num_candidates)
    paths: list[pathlib.Path] = []
    for range_index in range(count):
        rows = np.concatenate(list(_rows_in_range(work_dir, num_units, range_index, count)))
        path = pathlib.Path(work_dir, f"kept-{range_index:04d}.npy")
        np.save(path, mark_copies(rows, decided), allow_pickle=False)
        paths.append(path)
    return tuple(paths)


def kept_rows_of_split(
    range_paths: Sequence[pathlib.Path],
    *,
    decided: decisions.Decisions,
    assigned: dict[int, str],
    split: str,
) -> Iterator[np.ndarray]:
    """Yields the kept rows of one split, range by range, in the order of their hashes.

    Args:
      range_paths: What `find_exact_duplicates` returned.
      decided: What was decided since.
      assigned: Split by split key.
      split: Which one.

    Yields:
      `scan.INDEX_DTYPE [num_rows]`.
    """
    wanted = splits.SPLITS.index(split)
    for path in range_paths:
        rows = np.load(path, allow_pickle=False)
        rows = rows[decided.reason[rows["file_id"].astype(np.int64)] == decisions.NONE]
        yield rows[splits.lookup_splits(rows["split_key"], assigned) == wanted]

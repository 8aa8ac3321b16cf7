"""Exact deduplication: of files whose normalised content is equal, the first one is kept.

*First* is by `file_id`, the data set's order (bytes of language, extension, organisation,
repository, branch, flat name), whatever the number of workers.

The index of all records is walked once per *range* of hashes, so that memory holds a bounded number
of rows however large the data set is: equal contents have equal hashes and share a range.
"""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Iterator

import numpy as np

from preprocessing import scan, splits

# 80 bytes a row: at most about 200 MB of rows at a time, sorting included.
_MAX_RANGE_ROWS = 1 << 20


@dataclasses.dataclass(frozen=True)
class ExactDuplicates:
    """Outcome of the comparison.

    Attributes:
      range_paths: Files of kept rows (`scan.INDEX_DTYPE`), sorted by hash, by range of hashes.
      kept_copy: int64 `[num_files]` on disk; the `file_id` of the kept copy of a dropped
        duplicate, -1 for every other file.
      repositories: Split keys of the repositories with a kept file, sorted.
    """

    range_paths: tuple[pathlib.Path, ...]
    kept_copy: np.ndarray
    repositories: tuple[int, ...]


def num_ranges(num_candidates: int) -> int:
    """Returns into how many ranges of hashes the candidates are cut, 1 or more."""
    return max(1, -(-num_candidates // _MAX_RANGE_ROWS))


def _rows_in_range(
    work_dir: str, num_units: int, range_index: int, count: int
) -> Iterator[np.ndarray]:
    for unit_index in range(num_units):
        index = scan.read_index(work_dir, unit_index)
        # floor(prefix * count / 2^64) without leaving 64 bits: the upper half is exact enough to
        # cut at, and equal hashes always fall into the same range.
        upper = scan.hash_prefixes(index) >> np.uint64(32)
        yield index[(upper * np.uint64(count)) >> np.uint64(32) == range_index]


def find_exact_duplicates(
    work_dir: str, *, num_units: int, num_files: int, num_candidates: int
) -> ExactDuplicates:
    """Compares all records that passed the filters.

    Args:
      work_dir: The work directory of a finished scan.
      num_units: Number of scanned units.
      num_files: Ledger lines in all units.
      num_candidates: Records in all units.

    Returns:
      Which are kept and which are copies of which.
    """
    count = num_ranges(num_candidates)
    kept_copy = np.lib.format.open_memmap(
        pathlib.Path(work_dir, "kept_copy.npy"), mode="w+", dtype=np.int64, shape=(num_files,)
    )
    kept_copy[:] = -1
    paths: list[pathlib.Path] = []
    repositories: dict[int, None] = {}
    for range_index in range(count):
        rows = np.concatenate(list(_rows_in_range(work_dir, num_units, range_index, count)))
        # Stable, and rows come in the order of file_id: the first of equal hashes is the kept one.
        rows = rows[np.argsort(rows["hash"], kind="stable")]
        is_first = np.ones(len(rows), dtype=bool)
        is_first[1:] = rows["hash"][1:] != rows["hash"][:-1]
        kept = rows[is_first]
        copies = rows[~is_first]
        kept_of_row = kept["file_id"][np.cumsum(is_first) - 1][~is_first]
        kept_copy[copies["file_id"].astype(np.int64)] = kept_of_row.astype(np.int64)
        repositories.update(dict.fromkeys(np.unique(kept["split_key"]).tolist()))
        path = pathlib.Path(work_dir, f"kept-{range_index:04d}.npy")
        np.save(path, kept, allow_pickle=False)
        paths.append(path)
    return ExactDuplicates(tuple(paths), kept_copy, tuple(sorted(repositories)))


def kept_rows_of_split(
    duplicates: ExactDuplicates, *, assigned: dict[int, str], split: str
) -> Iterator[np.ndarray]:
    """Yields the kept rows of one split, range by range, in the order of their hashes.

    Args:
      duplicates: What `find_exact_duplicates` returned.
      assigned: Split by split key.
      split: Which one.

    Yields:
      `scan.INDEX_DTYPE [num_rows]`.
    """
    wanted = splits.SPLITS.index(split)
    for path in duplicates.range_paths:
        rows = np.load(path, allow_pickle=False)
        yield rows[splits.lookup_splits(rows["split_key"], assigned) == wanted]

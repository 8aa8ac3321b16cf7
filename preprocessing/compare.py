"""Decides what needs more than one file to decide: copies, and which repository goes where."""

from __future__ import annotations

import collections
import dataclasses
import functools
import pathlib
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import pyarrow.compute as pc

from code_t5 import errors
from code_t5.storage import fingerprints
from preprocessing import (
    decisions,
    filters,
    ledger,
    repository_groups,
    splits,
    unit_store,
)
from preprocessing.build_config import BuildConfig
from preprocessing.dedup import apply, exact


@dataclasses.dataclass(frozen=True)
class Comparison:
    """What was decided by comparing.

    Attributes:
      range_paths: Files of rows that exact deduplication kept, by range of hashes.
      decided: What is a copy of what.
      assigned: Split of each repository with a kept file, by split key.
      near_duplicates: Counts for the report.
      groups: Repositories that belong together, with counts for the report.
      problems: One line each, for the user.
    """

    range_paths: tuple[pathlib.Path, ...]
    decided: decisions.Decisions
    assigned: dict[int, str]
    near_duplicates: dict[str, Any]
    groups: dict[str, Any]
    problems: tuple[str, ...] = ()

    def rows_of_split(self, split: str) -> Iterator[np.ndarray]:
        """Yields the kept rows of a split, see `exact.kept_rows_of_split`."""
        return exact.kept_rows_of_split(
            self.range_paths, decided=self.decided, assigned=self.assigned, split=split
        )

    def fingerprint(self) -> str:
        """Returns a hash of everything that decides on the shards' bytes."""
        hashes = [fingerprints.hash_file(path) for path in self.range_paths]
        return fingerprints.hash_json(
            [hashes, self.decided.fingerprint(), sorted(self.assigned.items())]
        )


@dataclasses.dataclass(frozen=True)
class RepositoryTable:
    """The repositories that have a candidate, sorted by the bytes of their names.

    Attributes:
      names: `<org>/<repository>`.
      split_keys: uint64 `[num_repositories]`.
      num_files: int64 `[num_repositories]`, their candidates.
    """

    names: list[str]
    split_keys: np.ndarray
    num_files: np.ndarray

    def positions(self, split_keys: np.ndarray) -> np.ndarray:
        """Returns where repositories stand in the table, int64 `[num_rows]`."""
        order = np.argsort(self.split_keys)
        return order[np.searchsorted(self.split_keys[order], split_keys)]


def list_repositories(counts: Counter[str]) -> RepositoryTable:
    """Makes the table of repositories.

    Args:
      counts: Candidates by repository name.
    """
    names = sorted(counts, key=lambda name: name.encode("utf-8"))
    return RepositoryTable(
        names,
        np.array([splits.split_key(name) for name in names], dtype=np.uint64),
        np.array([counts[name] for name in names], dtype=np.int64),
    )


def _count_candidates(work_dir: str, num_units: int) -> Counter[str]:
    """Counts the candidates of each repository."""
    counts: Counter[str] = collections.Counter()
    for unit_index in range(num_units):
        path = unit_store.unit_path(work_dir, unit_index=unit_index, suffix="parquet")
        table = ledger.read_table(path, ["repository", "verdict"])
        wanted = table["repository"].filter(pc.equal(table["verdict"], filters.KEPT))
        for pair in pc.value_counts(wanted).to_pylist():
            counts[pair["values"]] += pair["counts"]
    return counts


def cluster_members(
    indexes: Iterable[np.ndarray], *, table: RepositoryTable, decided: decisions.Decisions
) -> repository_groups.ClusterMembers:
    """Returns the candidates that are in a cluster.

    Args:
      indexes: Arrays of `scan.INDEX_DTYPE`.
      table: All repositories.
      decided: After exact and near deduplication.
    """
    pieces = []
    for index in indexes:
        file_ids = index["file_id"].astype(np.int64)
        chosen = decided.cluster_id[file_ids] >= 0
        file_ids, rows = file_ids[chosen], index[chosen]
        pieces.append(
            (
                decided.cluster_id[file_ids],
                table.positions(rows["split_key"]),
                rows["size"].astype(np.int64),
                decided.reason[file_ids] == decisions.NONE,
            )
        )
    return repository_groups.ClusterMembers(*map(np.concatenate, zip(*pieces)))


def split_repositories(
    groups: repository_groups.RepositoryGroups,
    *,
    table: RepositoryTable,
    kept_keys: np.ndarray,
    config: splits.SplitConfig,
) -> dict[int, str]:
    """Gives each group of repositories a split, by the name that stands first in it.

    Args:
      groups: Which repositories belong together.
      table: All repositories.
      kept_keys: uint64; split keys of the repositories with a kept file.
      config: The fractions.

    Returns:
      Split by split key, for the repositories with a kept file.

    Raises:
      InputError: There are fewer groups than splits.
    """
    positions = table.positions(kept_keys)
    group_keys = table.split_keys[groups.group[positions]].tolist()
    of_group = splits.assign_splits(group_keys, config)
    return {key: of_group[group] for key, group in zip(kept_keys.tolist(), group_keys)}


def _kept_keys(range_paths: tuple[pathlib.Path, ...], decided: decisions.Decisions) -> np.ndarray:
    """Returns the split keys of the repositories with a kept file, sorted."""
    found = []
    for path in range_paths:
        rows = np.load(path, allow_pickle=False)
        kept = decided.reason[rows["file_id"].astype(np.int64)] == decisions.NONE
        found.append(np.unique(rows["split_key"][kept]))
    return np.unique(np.concatenate(found))


def compare(
    config: BuildConfig, *, totals: unit_store.ScanTotals, work_dir: pathlib.Path
) -> Comparison:
    """Finds copies, puts repositories that share them together, and splits.

    Args:
      config: What to build.
      totals: Of the scan.
      work_dir: The work directory of a finished scan.

    Returns:
      What was decided.
    """
    decided = decisions.create(work_dir, totals.num_files)
    folder, num_units = str(work_dir), totals.num_units
    range_paths = exact.find_exact_duplicates(
        folder, num_units=num_units, num_candidates=totals.num_candidates, decided=decided
    )
    near_counts = apply.find_near_duplicates(
        folder, num_units=num_units, decided=decided, config=config.near_duplicates
    )
    table = list_repositories(_count_candidates(folder, num_units))
    indexes = map(functools.partial(unit_store.read_index, folder), range(num_units))
    groups = repository_groups.find_repository_groups(
        cluster_members(indexes, table=table, decided=decided),
        names=table.names,
        num_files=table.num_files,
        max_fraction=config.max_linked_fraction,
        min_groups=len(splits.wanted_splits(config.splits)),
    )
    kept_keys = _kept_keys(range_paths, decided)
    problems: tuple[str, ...] = ()
    try:
        assigned = split_repositories(
            groups, table=table, kept_keys=kept_keys, config=config.splits
        )
    except errors.InputError as error:
        if not config.dry_run:
            raise
        # What a build would drop is what is asked for; that it could not be split belongs to that.
        problems = (f"a build would stop here: {error}",)
        assigned = dict.fromkeys(kept_keys.tolist(), splits.TRAIN)
    return Comparison(range_paths, decided, assigned, near_counts, groups.as_json(), problems)

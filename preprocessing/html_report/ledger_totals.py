"""What the HTML report takes from the ledger: sums, distributions and a few rows, never the whole.

The ledger may have millions of lines, so it is read in batches and only in the columns needed. What
stays in memory is a row per repository, 16 bytes per file that has a copy, and the examples.

Words: a *size bin* counts files of `2^i <= bytes < 2^(i+1)`, empty files in the first; an *example*
is one file that got a verdict, chosen by a hash of its `file_id` so that examples do not all come
from the first repository.
"""

from __future__ import annotations

import collections
import dataclasses
import os
from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from preprocessing.html_report import ledger_reading

MAX_EXAMPLES = 8
MAX_REPOSITORIES = 15
MAX_CLUSTERS = 10
MAX_LANGUAGES = 40
NUM_SIZE_BINS = 64

_COLUMNS = (
    *("file_id", "language", "repository", "path", "size_bytes", "verdict", "split"),
    *("duplicate_of", "cluster_id", "license", "contamination"),
)
_GROUP_KEYS = ["language", "repository", "split"]


@dataclasses.dataclass(frozen=True)
class Group:
    """Files of one language or one repository.

    Attributes:
      name: Of the language or the repository.
      split: Where a repository's kept files are; '' if it has none, and for a language.
      num_found: Files found.
      size_found: Their bytes.
      num_kept: Files kept.
      size_kept: Their bytes as found.
    """

    name: str
    split: str
    num_found: int
    size_found: int
    num_kept: int
    size_kept: int


@dataclasses.dataclass(frozen=True)
class Cluster:
    """A set of files that are copies of each other.

    Attributes:
      cluster_id: Smallest `file_id` of its files.
      num_files: Its size.
      repository: Of the file `cluster_id`.
      path: Of the file `cluster_id`.
    """

    cluster_id: int
    num_files: int
    repository: str
    path: str


@dataclasses.dataclass(frozen=True)
class LedgerTotals:
    """Everything that the report shows of a ledger.

    Attributes:
      num_files: Lines of the ledger.
      num_truncated: Files that lost a part to decontamination.
      files_by_verdict: Number of files by verdict.
      bytes_by_verdict: Their bytes as found.
      sizes_found: int64 `[64]`, size bins of all files.
      sizes_kept: int64 `[64]`, size bins of the kept files.
      languages: Most kept bytes first, at most `MAX_LANGUAGES`.
      num_languages: How many there are.
      repositories: Most kept bytes first, at most `MAX_REPOSITORIES`.
      num_repositories: How many have a file.
      num_kept_repositories: How many have a kept file.
      size_by_rank: int64 `[num_kept_repositories]`, kept bytes per repository, largest first.
      clusters: The largest, at most `MAX_CLUSTERS`.
      cluster_sizes: How many clusters there are of each size.
      examples: Rows of the ledger by verdict, at most `MAX_EXAMPLES` each; the key `original` is
        the row of the copy that was kept, or None.
    """

    num_files: int
    num_truncated: int
    files_by_verdict: dict[str, int]
    bytes_by_verdict: dict[str, int]
    sizes_found: np.ndarray
    sizes_kept: np.ndarray
    languages: list[Group]
    num_languages: int
    repositories: list[Group]
    num_repositories: int
    num_kept_repositories: int
    size_by_rank: np.ndarray
    clusters: list[Cluster]
    cluster_sizes: dict[int, int]
    examples: dict[str, list[dict[str, Any]]]


def _size_bins(sizes: np.ndarray) -> np.ndarray:
    bins = np.frexp(np.maximum(sizes, 1).astype(np.float64))[1] - 1
    return np.bincount(bins, minlength=NUM_SIZE_BINS)


class _Examples:
    """Keeps the first few files of each verdict in the order of `ledger_reading.order_of`."""

    def __init__(self) -> None:
        self.best: dict[str, list[tuple[int, dict[str, Any]]]] = collections.defaultdict(list)

    def add(self, batch: pa.RecordBatch, *, verdicts: Mapping[str, np.ndarray]) -> None:
        key = ledger_reading.order_of(batch["file_id"].to_numpy())
        for name, places in verdicts.items():
            best = self.best[name]
            places = places[np.argsort(key[places], kind="stable")[:MAX_EXAMPLES]]
            if len(best) == MAX_EXAMPLES:
                places = places[key[places] < np.uint64(best[-1][0])]
            rows = batch.take(pa.array(places)).to_pylist()
            best += [(int(key[place]), row) for place, row in zip(places, rows)]
            best.sort(key=lambda item: item[0])
            del best[MAX_EXAMPLES:]

    def rows(self, ledger_path: os.PathLike[str]) -> dict[str, list[dict[str, Any]]]:
        rows = {name: [row for _, row in best] for name, best in self.best.items()}
        copies = {row["duplicate_of"] for found in rows.values() for row in found} - {None}
        originals = ledger_reading.read_files(
            ledger_path, [copy for copy in copies if copy is not None]
        )
        for row in (row for found in rows.values() for row in found):
            row["original"] = originals.get(row["duplicate_of"])
        return rows


class _Groups:
    """Counts files by language and repository; memory grows with the number of those."""

    def __init__(self) -> None:
        self.parts: list[pa.Table] = []

    def add(self, batch: pa.RecordBatch) -> None:
        table = pa.Table.from_batches([batch]).select([*_GROUP_KEYS, "size_bytes"])
        grouped = table.group_by(_GROUP_KEYS, use_threads=False)
        part = grouped.aggregate([("size_bytes", "sum"), ("size_bytes", "count")])
        self.parts.append(part.rename_columns([*_GROUP_KEYS, "size", "files"]))

    def by(self, column: str) -> list[Group]:
        """Returns the groups of one column: most kept bytes first, then by name."""
        found: dict[str, list[Any]] = {}
        for part in self.parts:
            columns = (part[name].to_pylist() for name in (column, "split", "size", "files"))
            for name, split, size, files in zip(*columns):
                counts = found.setdefault(name, ["", 0, 0, 0, 0])
                counts[1] += files
                counts[2] += size
                if split is not None:
                    counts[0] = split if column == "repository" else ""
                    counts[3] += files
                    counts[4] += size
        groups = [Group(name, *counts) for name, counts in found.items()]
        return sorted(groups, key=lambda group: (-group.size_kept, -group.size_found, group.name))


def _count_clusters(
    ledger_path: os.PathLike[str], ids: list[np.ndarray]
) -> tuple[list[Cluster], dict[int, int]]:
    """Returns the largest clusters, and how many there are of each size."""
    if not ids:
        return [], {}
    names, sizes = np.unique(np.concatenate(ids), return_counts=True)
    first = np.lexsort((names, -sizes))[:MAX_CLUSTERS]
    files = ledger_reading.read_files(ledger_path, [int(name) for name in names[first]])
    clusters = []
    for name, size in zip(names[first].tolist(), sizes[first].tolist()):
        row = files.get(name, {"repository": "", "path": ""})
        clusters.append(Cluster(name, size, row["repository"], row["path"]))
    of_size, count = np.unique(sizes, return_counts=True)
    return clusters, dict(zip(of_size.tolist(), count.tolist()))


def collect_totals(ledger_path: os.PathLike[str]) -> LedgerTotals:
    """Reads a ledger and sums it up.

    Args:
      ledger_path: The Parquet file.

    Returns:
      The totals, the same for the same rows.

    Raises:
      ArtifactError: It is not a ledger of this format.
    """
    examples, groups = _Examples(), _Groups()
    files: collections.Counter[str] = collections.Counter()
    size: collections.Counter[str] = collections.Counter()
    sizes_found, sizes_kept = np.zeros((2, NUM_SIZE_BINS), np.int64)
    cluster_ids: list[np.ndarray] = []
    num_truncated = 0
    for batch in ledger_reading.read_batches(ledger_path, [*_COLUMNS, "truncated"]):
        verdicts = ledger_reading.places_by_value(batch["verdict"])
        sizes = batch["size_bytes"].to_numpy()
        for name, places in verdicts.items():
            files[name] += len(places)
            size[name] += int(sizes[places].sum())
        sizes_found += _size_bins(sizes)
        sizes_kept += _size_bins(sizes[verdicts.get("kept", np.zeros(0, np.int64))])
        cluster_ids.append(batch["cluster_id"].drop_null().to_numpy())
        num_truncated += pc.sum(batch["truncated"]).as_py() or 0
        examples.add(batch, verdicts=verdicts)
        groups.add(batch)
    languages, repositories = groups.by("language"), groups.by("repository")
    kept = [group.size_kept for group in repositories if group.num_kept]
    clusters, cluster_sizes = _count_clusters(ledger_path, cluster_ids)
    return LedgerTotals(
        num_files=sum(files.values()),
        num_truncated=num_truncated,
        files_by_verdict=dict(files),
        bytes_by_verdict=dict(size),
        sizes_found=sizes_found,
        sizes_kept=sizes_kept,
        languages=languages[:MAX_LANGUAGES],
        num_languages=len(languages),
        repositories=repositories[:MAX_REPOSITORIES],
        num_repositories=len(repositories),
        num_kept_repositories=len(kept),
        size_by_rank=np.array(kept, np.int64),
        clusters=clusters,
        cluster_sizes=cluster_sizes,
        examples=examples.rows(ledger_path),
    )

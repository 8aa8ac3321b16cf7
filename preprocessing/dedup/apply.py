"""Applies near-duplicate clusters to the decisions: what is kept of each, and what is dropped.

A *survivor* is a candidate that exact deduplication kept and that is long enough to be compared.
Survivors stand in the order of `file_id`, so that the first of a cluster names it.
"""

from __future__ import annotations

import functools
import json
import pathlib
from collections.abc import Iterator

import numpy as np

from code_t5.storage import atomic, fingerprints
from preprocessing import decisions, unit_store
from preprocessing.dedup import minhash, near

SIGNATURES_NAME = "near-signatures.npy"

SURVIVOR_DTYPE = np.dtype(
    [
        ("file_id", "<i8"),
        ("offset", "<u8"),
        ("length", "<u4"),
        ("num_ngrams", "<u4"),
        ("unit", "<u4"),
        ("row", "<u4"),
        ("rank", "u1"),
    ]
)


def select_survivors(index: np.ndarray, decided: decisions.Decisions) -> np.ndarray:
    """Returns the survivors among some candidates.

    Args:
      index: `scan.INDEX_DTYPE [num_rows]`.
      decided: After exact deduplication.

    Returns:
      `SURVIVOR_DTYPE [num_survivors]`, in the order of the rows.
    """
    kept = decided.reason[index["file_id"].astype(np.int64)] == decisions.NONE
    return survivors_of(index[kept])


def survivors_of(rows: np.ndarray) -> np.ndarray:
    """Returns those of some kept rows that are long enough to be compared.

    Args:
      rows: `scan.INDEX_DTYPE [num_rows]`, no copies among them.

    Returns:
      `SURVIVOR_DTYPE [num_survivors]`, in the order of the rows.
    """
    rows = rows[rows["num_ngrams"] > 0]
    survivors = np.empty(len(rows), SURVIVOR_DTYPE)
    for name in SURVIVOR_DTYPE.names or ():
        survivors[name] = rows[name]
    return survivors


def clusters_path(work_dir: str, survivors: np.ndarray) -> pathlib.Path:
    """Returns where the clusters of these survivors are kept; their counts are beside, as JSON.

    Args:
      work_dir: The work directory.
      survivors: `SURVIVOR_DTYPE [num_survivors]`.
    """
    return pathlib.Path(work_dir, f"near-{fingerprints.hash_bytes(survivors.tobytes())[:16]}.npy")


def write_clusters(path: pathlib.Path, found: near.NearDuplicates) -> None:
    """Keeps the outcome of a search; the counts come last and say that it is whole.

    Args:
      path: From `clusters_path`.
      found: The outcome.
    """
    np.save(path, found.cluster, allow_pickle=False)
    atomic.write_file(path.with_suffix(".json"), json.dumps(found.counts()).encode("ascii"))


def _survivors_by_unit(
    work_dir: str, num_units: int, decided: decisions.Decisions
) -> Iterator[np.ndarray]:
    for unit_index in range(num_units):
        yield select_survivors(unit_store.read_index(work_dir, unit_index), decided)


def gather_signatures(work_dir: str, survivors: np.ndarray) -> np.ndarray:
    """Puts the signatures of the survivors into one file, and returns it as a memory map."""
    signatures = np.lib.format.open_memmap(
        pathlib.Path(work_dir, SIGNATURES_NAME),
        mode="w+", dtype=np.uint32, shape=(len(survivors), minhash.NUM_PERMUTATIONS),
    )  # fmt: skip
    starts = np.searchsorted(survivors["unit"], np.unique(survivors["unit"]))
    for start, rows in zip(starts, np.split(survivors, starts[1:])):
        found = unit_store.read_signatures(work_dir, int(rows["unit"][0]))
        signatures[start : start + len(rows)] = found[rows["row"]]
    return signatures


def mark_near_duplicates(
    survivors: np.ndarray, *, cluster: np.ndarray, decided: decisions.Decisions
) -> int:
    """Decides which file of each cluster is kept.

    Args:
      survivors: `SURVIVOR_DTYPE [num_survivors]` in the order of `file_id`.
      cluster: int64 `[num_survivors]`, the first position of the own cluster.
      decided: Gets the decisions.

    Returns:
      How many clusters have two survivors or more.
    """
    order = np.lexsort((survivors["file_id"], survivors["rank"], cluster))
    labels = cluster[order]
    is_first = np.ones(len(labels), dtype=bool)
    is_first[1:] = labels[1:] != labels[:-1]
    group = np.cumsum(is_first) - 1
    together = (np.bincount(group) > 1)[group] if len(group) else is_first
    file_ids = survivors["file_id"][order]
    kept = file_ids[is_first][group] if len(group) else file_ids
    dropped = together & ~is_first
    _name_clusters(file_ids[together], group[together], decided)
    decided.drop(file_ids[dropped], kept=kept[dropped], reason=decisions.NEAR)
    return int(np.count_nonzero(together & is_first))


def _name_clusters(file_ids: np.ndarray, group: np.ndarray, decided: decisions.Decisions) -> None:
    """Names each cluster by its smallest file, exact copies of its members included."""
    if not len(file_ids):
        return
    old = decided.cluster_id[file_ids]
    names = np.where(old >= 0, np.minimum(old, file_ids), file_ids)
    smallest = np.full(int(group.max()) + 1, np.iinfo(np.int64).max)
    np.minimum.at(smallest, group, names)
    had_copies = old >= 0
    order = np.argsort(old[had_copies], kind="stable")
    renamed, targets = old[had_copies][order], smallest[group][had_copies][order]
    decided.rename_clusters(renamed, targets)
    decided.cluster_id[file_ids] = smallest[group]


def find_near_duplicates(
    work_dir: str,
    *,
    num_units: int,
    decided: decisions.Decisions,
    config: near.NearDupConfig,
) -> dict[str, object]:
    """Finds near-duplicates among the candidates that exact deduplication kept.

    What was found is kept in the work directory, so that an interrupted build does not compare
    again.

    Args:
      work_dir: The work directory of a finished scan.
      num_units: Number of scanned units.
      decided: After exact deduplication; gets the decisions.
      config: The threshold, and whether pairs are verified.

    Returns:
      The counts of the report's `near_duplicates`.
    """
    if not config.enabled:
        return {"enabled": False}
    survivors = np.concatenate(list(_survivors_by_unit(work_dir, num_units, decided)))
    path = clusters_path(work_dir, survivors)
    counts_path = path.with_suffix(".json")
    if not counts_path.exists():
        signatures = gather_signatures(work_dir, survivors)
        found = near.find_clusters(
            signatures,
            read_fn=functools.partial(unit_store.read_texts, rows=survivors, work_dir=work_dir),
            config=config,
        )
        write_clusters(path, found)
        pathlib.Path(work_dir, SIGNATURES_NAME).unlink()
    counts = json.loads(counts_path.read_bytes())
    cluster = np.load(path, allow_pickle=False)
    num_clusters = mark_near_duplicates(survivors, cluster=cluster, decided=decided)
    removed = int(np.count_nonzero(np.asarray(decided.reason) == decisions.NEAR))
    return {"enabled": True, **counts, "num_clusters": num_clusters, "num_removed": removed}

"""Which texts the HTML report shows: kept files, and clusters with two members side by side.

The choice follows from the ledger alone and is the same every time. The texts come from a callable,
already redacted, in the form in which they are written.
"""

from __future__ import annotations

import dataclasses
import os
from typing import Any, Callable, Optional

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from preprocessing.html_report import ledger_reading

MAX_CLUSTERS = 12
MAX_KEPT = 10
# Texts that the callable cannot give are passed over, up to so many.
_MAX_MISSES = 24
_NEAR_VERDICTS = ("near_duplicate", "split_leak")

ReadText = Callable[[int], Optional[str]]


@dataclasses.dataclass(frozen=True)
class ClusterSample:
    """Two members of a cluster.

    Attributes:
      cluster_id: Smallest `file_id` of the cluster.
      num_files: Size of the cluster.
      left_name: Repository and path of the copy that was kept.
      left_text: Its text.
      right_name: Repository and path of a copy that was dropped.
      right_text: Its text.
    """

    cluster_id: int
    num_files: int
    left_name: str
    left_text: str
    right_name: str
    right_text: str


@dataclasses.dataclass(frozen=True)
class KeptSample:
    """A file that was kept.

    Attributes:
      repository: Its repository.
      path: Its path.
      language: Its language.
      text: Its text.
      split: Where it stands.
      license: SPDX expression; '' if unknown.
    """

    repository: str
    path: str
    language: str
    text: str
    split: str = ""
    license: str = ""


@dataclasses.dataclass(frozen=True)
class Samples:
    """The texts that a report shows.

    Attributes:
      clusters: Clusters with two members each.
      kept: Files that were kept.
    """

    clusters: tuple[ClusterSample, ...] = ()
    kept: tuple[KeptSample, ...] = ()


def _file_name(row: dict[str, Any]) -> str:
    return f"{row['repository']}/{row['path']}"


@dataclasses.dataclass(frozen=True)
class _Copies:
    """Near copies that were dropped.

    Attributes:
      file_id: int64 `[num_copies]`.
      kept: int64 `[num_copies]`, the `file_id` of the copy kept instead.
      cluster: int64 `[num_copies]`.
      num_files: int64 `[num_copies]`, the size of that cluster.
    """

    file_id: np.ndarray
    kept: np.ndarray
    cluster: np.ndarray
    num_files: np.ndarray


def _read_copies(ledger_path: os.PathLike[str]) -> _Copies:
    near = pa.array(_NEAR_VERDICTS)
    members: list[np.ndarray] = [np.zeros(0, np.int64)]
    copies: list[np.ndarray] = [np.zeros((3, 0), np.int64)]
    columns = ["file_id", "duplicate_of", "cluster_id", "verdict"]
    for batch in ledger_reading.read_batches(ledger_path, columns):
        table = pa.Table.from_batches([batch])
        members.append(table["cluster_id"].drop_null().to_numpy())
        table = table.filter(pc.is_in(table["verdict"], value_set=near)).drop_null()
        copies.append(np.stack([table[name].to_numpy() for name in columns[:3]]))
    file_id, kept, cluster = np.concatenate(copies, axis=1)
    names, sizes = np.unique(np.concatenate(members), return_counts=True)
    num_files = sizes[np.searchsorted(names, cluster)] if len(cluster) else cluster
    return _Copies(file_id, kept, cluster, num_files)


def _one_per_cluster(copies: _Copies) -> np.ndarray:
    """Returns positions in `copies`: the largest clusters and any others, by turns."""
    key = ledger_reading.order_of(copies.file_id)
    order = np.lexsort((key, copies.cluster))
    first = order[np.unique(copies.cluster[order], return_index=True)[1]]
    largest = first[np.lexsort((copies.cluster[first], -copies.num_files[first]))]
    mixed = first[np.argsort(key[first], kind="stable")]
    turns = np.stack([largest, mixed], axis=1).reshape(-1)
    return turns[np.sort(np.unique(turns, return_index=True)[1])]


def _choose_clusters(ledger_path: os.PathLike[str], read_text: ReadText) -> list[ClusterSample]:
    copies = _read_copies(ledger_path)
    places = _one_per_cluster(copies)[: MAX_CLUSTERS + _MAX_MISSES].tolist()
    ids = [int(column[place]) for place in places for column in (copies.kept, copies.file_id)]
    rows = ledger_reading.read_files(ledger_path, ids)
    chosen: list[ClusterSample] = []
    for place, left, right in zip(places, ids[::2], ids[1::2]):
        if len(chosen) == MAX_CLUSTERS:
            break
        left_text = read_text(left) if left in rows else None
        right_text = read_text(right) if left_text is not None else None
        if left_text is not None and right_text is not None:
            names = _file_name(rows[left]), _file_name(rows[right])
            cluster_id, num_files = int(copies.cluster[place]), int(copies.num_files[place])
            chosen.append(
                ClusterSample(cluster_id, num_files, names[0], left_text, names[1], right_text)
            )
    return sorted(chosen, key=lambda sample: (-sample.num_files, sample.cluster_id))


def _kept_by_language(ledger_path: os.PathLike[str]) -> dict[str, list[tuple[int, int]]]:
    """Returns `(key, file_id)` of the first kept files of each language, in order."""
    best: dict[str, list[tuple[int, int]]] = {}
    for batch in ledger_reading.read_batches(ledger_path, ["file_id", "language", "verdict"]):
        kept = batch.filter(pc.equal(batch["verdict"], "kept"))
        file_id = kept["file_id"].to_numpy()
        key = ledger_reading.order_of(file_id)
        for name, places in ledger_reading.places_by_value(kept["language"]).items():
            places = places[np.argsort(key[places])[: MAX_KEPT + _MAX_MISSES]]
            found = [(int(key[place]), int(file_id[place])) for place in places]
            best[name] = sorted(best.get(name, []) + found)[: MAX_KEPT + _MAX_MISSES]
    return best


def _choose_kept(ledger_path: os.PathLike[str], read_text: ReadText) -> list[KeptSample]:
    best = _kept_by_language(ledger_path)
    # The first of every language, then the second of every language, and so on.
    turns = sorted(
        (turn, name, file_id)
        for name, found in best.items()
        for turn, (_, file_id) in enumerate(found)
    )[: MAX_KEPT + _MAX_MISSES]
    rows = ledger_reading.read_files(ledger_path, [file_id for _, _, file_id in turns])
    chosen: list[KeptSample] = []
    for _, language, file_id in turns:
        if len(chosen) == MAX_KEPT:
            break
        text = read_text(file_id)
        if text is not None:
            row = rows[file_id]
            places = row["repository"], row["path"], language
            chosen.append(
                KeptSample(*places, text, split=row["split"] or "", license=row["license"] or "")
            )
    return chosen


def choose_samples(ledger_path: os.PathLike[str], read_text: ReadText) -> Samples:
    """Chooses what to show and reads it.

    Clusters: the largest ones and others from anywhere, by turns, each with the kept copy and one
    near copy that was dropped. Kept files: every language in turn.

    Args:
      ledger_path: The ledger.
      read_text: Text of a file by `file_id`, redacted; None if it cannot be had.

    Returns:
      The samples; fewer where there are fewer, or where texts cannot be had.

    Raises:
      ArtifactError: It is not a ledger of this format.
    """
    clusters = _choose_clusters(ledger_path, read_text)
    return Samples(tuple(clusters), tuple(_choose_kept(ledger_path, read_text)))

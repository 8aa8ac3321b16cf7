"""Writes the records, measures what leaks from split to split, and writes again until nothing does.

The measurement finds every pair; the comparison before it may have missed one in a hundred of those
near the threshold, or was not asked for. Of a pair on two sides the file on the less held-out side
goes: train before validation before test.
"""

from __future__ import annotations

import dataclasses
import pathlib
import shutil
from collections.abc import Mapping

import numpy as np

from code_t5 import errors, parallel
from preprocessing import compare, decisions, records, stages
from preprocessing.dedup import cluster
from preprocessing.leaks import measure


@dataclasses.dataclass(frozen=True)
class WrittenRecords:
    """Shards in which nothing leaks.

    Attributes:
      shards: As written, in order.
      output_dir: Where they are.
      leaks: What was measured on them, as the report holds it.
    """

    shards: list[records.Shard]
    output_dir: pathlib.Path
    leaks: dict[str, object]


def _file_ids(compared: compare.Comparison, hashes: set[str]) -> dict[str, int]:
    """Finds the files of some content hashes among those that exact deduplication kept."""
    wanted = np.array(sorted(bytes.fromhex(digest) for digest in hashes), dtype="S32")
    found: dict[str, int] = {}
    for path in compared.range_paths:
        rows = np.load(path, allow_pickle=False)
        rows = rows[np.isin(rows["hash"], wanted)]
        for digest, file_id in zip(rows["hash"].tolist(), rows["file_id"].tolist()):
            found[digest.ljust(32, b"\0").hex()] = file_id
    return found


def drop_leaks(compared: compare.Comparison, drops: Mapping[str, str]) -> None:
    """Drops files that leak.

    Args:
      compared: What was decided so far; changed.
      drops: Content hash of each file to drop, and of the file on the other side.
    """
    ids = _file_ids(compared, set(drops) | set(drops.values()))
    dropped = np.array([ids[digest] for digest in drops], dtype=np.int64)
    kept = np.array([ids[digest] for digest in drops.values()], dtype=np.int64)
    decided = compared.decided
    both = np.concatenate([dropped, kept])
    # A file without copies is a cluster of its own name.
    decided.cluster_id[both] = np.where(
        decided.cluster_id[both] < 0, both, decided.cluster_id[both]
    )
    names, place = np.unique(decided.cluster_id[both], return_inverse=True)
    edges = zip(place[: len(drops)].tolist(), place[len(drops) :].tolist())
    decided.rename_clusters(names, names[cluster.label_clusters(len(names), edges)])
    decided.drop(dropped, kept=kept, reason=decisions.LEAK)


def write_without_leaks(
    compared: compare.Comparison,
    *,
    threshold: float,
    work_dir: pathlib.Path,
    pool: parallel.WorkerPool,
) -> WrittenRecords:
    """Writes the records of all splits so that no file has a copy in another split.

    Args:
      compared: What was decided so far; files that leak are dropped in it.
      threshold: Jaccard similarity from which two files are copies.
      work_dir: The work directory.
      pool: Workers.

    Returns:
      The shards and what was measured on them.

    Raises:
      ArtifactError: Two splits share a content, which is a defect.
    """
    num_dropped = 0
    while True:
        output_dir = work_dir / f"output-{compared.fingerprint()[:16]}"
        output_dir.mkdir(exist_ok=True)
        shards = stages.write_records(
            pool,
            plans=records.plan_shards(compared.rows_of_split),
            work_dir=work_dir,
            output_dir=output_dir,
        )
        measured = measure.measure_leaks(
            shards, dataset_dir=output_dir, threshold=threshold, pool=pool, work_dir=work_dir
        )
        if any(pair["exact"] for pair in measured.as_json()["pairs"]):
            raise errors.ArtifactError(
                "two splits share a content; wanted each content once; this is a defect of "
                "code_t5: nothing was published"
            )
        drops = measure.choose_drops(measured.near_pairs)
        if not drops:
            return WrittenRecords(
                shards, output_dir, {**measured.as_json(), "num_dropped": num_dropped}
            )
        num_dropped += len(drops)
        drop_leaks(compared, drops)
        shutil.rmtree(output_dir)

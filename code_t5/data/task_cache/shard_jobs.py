"""Cuts the splits of a prepared data set into shard jobs, one per output shard."""

from __future__ import annotations

import functools
import json
import pathlib
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from code_t5 import errors, parallel
from code_t5.data.task_cache import layout
from code_t5.storage import prepared, shards, tfrecords


class Stretch(NamedTuple):
    """Neighbouring records of one source shard.

    Attributes:
      path: Of the source shard.
      start_byte: Where the first begins.
      num_records: How many there are.
      size_bytes: Of them all.
    """

    path: str
    start_byte: int
    num_records: int
    size_bytes: int


class ShardJob(NamedTuple):
    """What one worker makes one output shard of.

    Attributes:
      split: Which split it belongs to.
      shard_index: Of the output shard, counted from 0.
      num_shards: Output shards of this split.
      stretches: The source's records, in order.
    """

    split: str
    shard_index: int
    num_shards: int
    stretches: tuple[Stretch, ...]

    @property
    def name(self) -> str:
        """File name of the output shard."""
        return layout.shard_name(
            self.split, shard_index=self.shard_index, num_shards=self.num_shards
        )

    @property
    def num_records(self) -> int:
        """Records to read."""
        return sum(stretch.num_records for stretch in self.stretches)

    @property
    def size_bytes(self) -> int:
        """Bytes to read."""
        return sum(stretch.size_bytes for stretch in self.stretches)


def _read_splits(dataset: prepared.PreparedDataset) -> dict[str, list[int]]:
    """Returns the numbers of records in each source shard, by split."""
    path = dataset.dataset_dir / "dataset_info.json"
    try:
        infos = json.loads(path.read_bytes())["splits"]
        return {info["name"]: [int(length) for length in info["shardLengths"]] for info in infos}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise errors.ArtifactError(
            f"{path} cannot be read as the description of a data set ({error!r}); wanted its "
            f"splits with the lengths of their shards; build it again: {dataset.build_command} "
            "--overwrite"
        ) from error


def _find_offsets(path: str, *, records: Sequence[int]) -> list[int]:
    """Returns where some records of a source shard begin; the last one is its end."""
    wanted, offsets, number = set(records), {}, -1
    for number, offset in enumerate(tfrecords.find_records(path)):
        if number in wanted:
            offsets[number] = offset
    if number != records[-1]:
        raise errors.ArtifactError(
            f"{path} holds {max(0, number)} records; wanted {records[-1]}, as the data set's "
            "dataset_info.json says; build the data set again with --overwrite"
        )
    return [offsets[record] for record in records]


def _find_offsets_of(job: tuple[str, tuple[int, ...]]) -> list[int]:
    return _find_offsets(job[0], records=job[1])


def _cut_split(
    split: str, *, lengths: Sequence[int], paths: Sequence[str], num_shards: int
) -> Iterator[tuple[str, tuple[int, ...]]]:
    """Yields, for each source shard, the records where an output shard or the source shard ends."""
    total, first = sum(lengths), 0
    cuts = [index * total // num_shards for index in range(num_shards + 1)]
    for path, length in zip(paths, lengths):
        inside = {cut - first for cut in cuts if first < cut < first + length}
        yield path, tuple(sorted({0, length} | inside))
        first += length


def count_shards(dataset: prepared.PreparedDataset, *, min_shards: int) -> dict[str, int]:
    """Returns the number of output shards of each split.

    Args:
      dataset: The data set.
      min_shards: Fewest of a split; there are never fewer than source shards.

    Raises:
      ArtifactError: The data set on disk is damaged.
    """
    return {s: max(len(lengths), min_shards) for s, lengths in _read_splits(dataset).items()}


def plan_jobs(
    dataset: prepared.PreparedDataset, *, min_shards: int, pool: parallel.WorkerPool
) -> dict[str, list[ShardJob]]:
    """Cuts each split into as many shard jobs as seqio's own cache would have shards.

    Args:
      dataset: The data set.
      min_shards: Fewest output shards of a split; there are never fewer than source shards.
      pool: Workers, who find where records begin.

    Returns:
      By split, the jobs in order; together they hold every record once.

    Raises:
      ArtifactError: The data set on disk is damaged.
    """
    jobs: list[tuple[str, tuple[int, ...]]] = []
    sizes: dict[str, tuple[int, int]] = {}
    for split, lengths in _read_splits(dataset).items():
        num_sources = len(lengths)
        name_fn = functools.partial(
            shards.shard_name, prepared.DATASET_NAME, split=split, num_shards=num_sources
        )
        paths = [str(dataset.dataset_dir / name_fn(shard_index=i)) for i in range(num_sources)]
        num_shards = max(num_sources, min_shards)
        jobs += _cut_split(split, lengths=lengths, paths=paths, num_shards=num_shards)
        sizes[split] = (num_sources, num_shards)
    _check_sources([path for path, _ in jobs], dataset)
    offsets = list(pool.map(_find_offsets_of, jobs))
    jobs_of, first = {}, 0
    for split, (num_sources, num_shards) in sizes.items():
        found = list(zip(jobs[first : first + num_sources], offsets[first : first + num_sources]))
        jobs_of[split] = list(_join(split, found=found, num_shards=num_shards))
        first += num_sources
    return jobs_of


def _check_sources(paths: Sequence[str], dataset: prepared.PreparedDataset) -> None:
    missing = [path for path in paths if not pathlib.Path(path).is_file()]
    if missing:
        raise errors.ArtifactError(
            f"{missing[0]} is missing; wanted all {len(paths)} shards of the data set; build it "
            f"again: {dataset.build_command} --overwrite"
        )


def _join(
    split: str, *, found: Sequence[tuple[tuple[str, tuple[int, ...]], Any]], num_shards: int
) -> Iterator[ShardJob]:
    """Yields the jobs of a split from the cuts of its source shards."""
    total = sum(records[-1] for (_, records), _ in found)
    cuts = [index * total // num_shards for index in range(num_shards + 1)]
    by_shard: list[list[Stretch]] = [[] for _ in range(num_shards)]
    first = shard_index = 0
    for (path, records), offsets in found:
        for i, record in enumerate(records[:-1]):
            while cuts[shard_index + 1] <= first + record:
                shard_index += 1
            stretch = Stretch(
                path, offsets[i], records[i + 1] - record, offsets[i + 1] - offsets[i]
            )
            by_shard[shard_index].append(stretch)
        first += records[-1]
    for index, stretches in enumerate(by_shard):
        yield ShardJob(split, index, num_shards, tuple(stretches))

"""Writes the task caches of some Tasks: plans, encodes, publishes, links.

Work is kept in `<output cache directory>/.caching/<data set>` until its first cache is published by
one rename, so that the same command goes on where it stopped, and a cache that is replaced stays
readable until then.
"""

from __future__ import annotations

import dataclasses
import functools
import os
import pathlib
import shutil
from collections.abc import Mapping, Sequence

from code_t5 import errors, parallel, progress
from code_t5.data.task_cache import (
    check,
    layout,
    mixture_members,
    present,
    publish,
    shard_writer,
    task_datasets,
    verify,
)
from code_t5.data.task_cache.shard_jobs import ShardJob, plan_jobs
from code_t5.storage import atomic, fingerprints, prepared

_PLAN_NAME = "plan"


@dataclasses.dataclass(frozen=True)
class CacheConfig:
    """What to cache and how.

    Attributes:
      tasks: Names.
      output_cache_dir: Gets a directory per Task.
      data_dir: Where data sets and vocabularies lie.
      num_workers: Processes; 0 for one per processor. Never changes what is written.
      min_shards: Fewest shards of a split.
      overwrite: Whether to write anew what is there.
      gin_files: Files that define Mixtures whose names may stand among the Tasks'.
      gin_params: Bindings that do.
    """

    tasks: tuple[str, ...]
    output_cache_dir: str
    data_dir: str
    num_workers: int = 0
    min_shards: int = 64
    overwrite: bool = False
    gin_files: tuple[str, ...] = ()
    gin_params: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What became of one Task.

    Attributes:
      task: Its name.
      how: `written`, `linked` (to the cache of another Task), `was there` or `verified`.
      num_shards: By split.
      num_examples: By split.
      num_tokens: By split.
    """

    task: str
    how: str
    num_shards: dict[str, int]
    num_examples: dict[str, int]
    num_tokens: dict[str, int]


def cache_tasks(config: CacheConfig) -> list[Outcome]:
    """Writes the caches of some Tasks.

    Args:
      config: Which, and where.

    Returns:
      What became of each, in the order of the data sets.

    Raises:
      InputError: There is no such Task, no name was given, or the output is no directory.
      NotBuiltError: A data set is not built.
      ArtifactError: A data set is damaged, or a cache is there that is not this one.
      VocabularyMismatchError: A data set was built with another vocabulary than the one there.
      BusyError: Another process writes the cache of the same data set.
    """
    if os.path.exists(config.output_cache_dir) and not os.path.isdir(config.output_cache_dir):
        raise errors.InputError(
            f"--output_cache_dir is {config.output_cache_dir}, which is a file; wanted a "
            "directory; give another"
        )
    groups = _find_tasks(config)
    _make_output(config.output_cache_dir)
    outcomes = []
    num_workers = config.num_workers or parallel.default_num_workers()
    with parallel.WorkerPool(num_workers) as pool:
        for dataset, names in groups.items():
            lock = pathlib.Path(
                config.output_cache_dir, layout.STAGING_NAME, f"{dataset.name}.lock"
            )
            with atomic.lock(lock, purpose=f"caching {dataset.name}"):
                outcomes += _cache_dataset(dataset, names=names, config=config, pool=pool)
    return outcomes


def verify_tasks(config: CacheConfig) -> list[Outcome]:
    """Reads every byte of the caches of some Tasks and compares it with what was written.

    Args:
      config: Which, and where.

    Returns:
      The Tasks, in the order of the data sets.

    Raises:
      InputError: There is no such Task, or no name was given.
      NotBuiltError: A data set is not built, or a Task is not cached.
      ArtifactError: A cache is damaged, or was made of something else than what is there now.
      VocabularyMismatchError: A data set was built with another vocabulary than the one there.
    """
    groups = _find_tasks(config)
    outcomes = []
    for dataset, names in groups.items():
        for name in names:
            folder = pathlib.Path(config.output_cache_dir, name)
            if not folder.is_dir():
                raise errors.NotBuiltError(
                    f"there is no task cache {folder}; wanted one to verify; write it: "
                    f"{layout.cache_command(folder, data_dir=config.data_dir)}"
                )
            check.check_task_cache(folder, dataset=dataset)
            verify.verify_cache(folder, data_dir=config.data_dir)
            outcomes.append(_outcome(folder, how="verified"))
    return outcomes


def _find_tasks(config: CacheConfig) -> dict[prepared.PreparedDataset, list[str]]:
    if not config.tasks:
        raise errors.InputError("no Task was given; wanted --tasks NAME…; add a name")
    names = mixture_members.expand_mixtures(
        config.tasks,
        known=task_datasets.known_tasks(config.data_dir),
        gin_files=config.gin_files,
        gin_params=config.gin_params,
    )
    return task_datasets.resolve_tasks(names, data_dir=config.data_dir)


def _make_output(path: str) -> None:
    try:
        os.makedirs(path, exist_ok=True)
    except (NotADirectoryError, FileNotFoundError, FileExistsError) as error:
        raise errors.InputError(
            f"--output_cache_dir is {path}, where no directory can be made ({error.strerror}); "
            "wanted a directory; give another"
        ) from error


def _cache_dataset(
    dataset: prepared.PreparedDataset,
    *,
    names: Sequence[str],
    config: CacheConfig,
    pool: parallel.WorkerPool,
) -> list[Outcome]:
    """Writes the caches of some Tasks of one data set."""
    root = pathlib.Path(config.output_cache_dir)
    parts = layout.fingerprint_parts(dataset)
    there = (
        [] if config.overwrite else [n for n in names if present.is_there(root / n, parts=parts)]
    )
    missing = [name for name in names if name not in there]
    for name in missing:
        atomic.remove_leftovers(root / name)
    written = ""
    donor = present.find_donor(
        root,
        dataset=dataset,
        parts=parts,
        replaced=missing,
        fresh_shards=config.min_shards if config.overwrite else None,
    )
    if missing and donor is None:
        written = missing[0]
        donor = root / written
        _write(donor, dataset=dataset, parts=parts, config=config, pool=pool)
    for name in missing:
        if donor is not None and name != written:
            publish.link_cache(donor, root / name)
    how = {**dict.fromkeys(there, "was there"), **dict.fromkeys(missing, "linked")}
    if written:
        how[written] = "written"
    return [_outcome(root / name, how=how[name]) for name in names]


def _write(
    target: pathlib.Path,
    *,
    dataset: prepared.PreparedDataset,
    parts: Mapping[str, str],
    config: CacheConfig,
    pool: parallel.WorkerPool,
) -> None:
    """Encodes a data set and publishes it as the cache of one Task."""
    staging = pathlib.Path(config.output_cache_dir, layout.STAGING_NAME, dataset.name)
    jobs = plan_jobs(dataset, min_shards=config.min_shards, pool=pool)
    plan = fingerprints.hash_json([layout.fingerprint_of(parts), list(jobs.items())])
    place = _prepare_staging(staging, plan=plan, dataset=dataset, parts=parts)
    written = _write_shards(jobs, place=place, pool=pool)
    publish.write_metadata(place, written=written, dataset=dataset, parts=parts)
    atomic.publish_directory(place.cache_dir, target)
    shutil.rmtree(staging, ignore_errors=True)


def _prepare_staging(
    staging: pathlib.Path,
    *,
    plan: str,
    dataset: prepared.PreparedDataset,
    parts: Mapping[str, str],
) -> shard_writer.Place:
    """Keeps what an interrupted run of the same plan did, and nothing else."""
    if staging.is_symlink():
        # What it points to is not ours to write to, nor to clean up.
        staging.unlink()
    place = shard_writer.Place(
        cache_dir=str(staging / "cache"),
        parts_dir=str(staging / "parts"),
        markers_dir=str(staging / "markers"),
        vocabulary_dir=str(dataset.vocabulary_dir),
        vocabulary_fingerprint=parts["vocabulary"],
    )
    try:
        is_same = (staging / _PLAN_NAME).read_text() == plan
    except OSError:
        is_same = False
    if not is_same:
        shutil.rmtree(staging, ignore_errors=True)
    for folder in (place.cache_dir, place.parts_dir, place.markers_dir):
        os.makedirs(folder, exist_ok=True)
    atomic.write_file(staging / _PLAN_NAME, plan.encode("ascii"))
    for leftover in staging.rglob(".*.tmp"):
        if leftover.is_dir():
            shutil.rmtree(leftover, ignore_errors=True)
        else:
            leftover.unlink(missing_ok=True)
    return place


def _write_shards(
    jobs: Mapping[str, Sequence[ShardJob]], *, place: shard_writer.Place, pool: parallel.WorkerPool
) -> dict[str, list[shard_writer.Written]]:
    """Writes every shard; returns them by split."""
    all_jobs = [job for of_split in jobs.values() for job in of_split]
    written: dict[str, list[shard_writer.Written]] = {split: [] for split in jobs}
    function = functools.partial(shard_writer.write_shard, place=place)
    total = sum(job.size_bytes for job in all_jobs)
    with progress.progress_bar(
        description="encoding", unit="B", total=total, unit_scale=True
    ) as bar:
        for job, shard in zip(all_jobs, pool.map(function, all_jobs)):
            written[job.split].append(shard)
            bar.update(job.size_bytes)
    return written


def describe(outcome: Outcome) -> str:
    """Returns a line about what became of a Task."""
    splits = [
        f"{split} {count:,} files, {outcome.num_tokens[split]:,} tokens in "
        f"{outcome.num_shards[split]} shards"
        for split, count in outcome.num_examples.items()
    ]
    return f"{outcome.task}: {outcome.how}: {'; '.join(splits)}"


def _outcome(folder: pathlib.Path, *, how: str) -> Outcome:
    splits = layout.read_task_manifest(folder)["splits"]
    return Outcome(
        task=folder.name,
        how=how,
        num_shards={name: split["num_shards"] for name, split in splits.items()},
        num_examples={name: split["num_examples"] for name, split in splits.items()},
        num_tokens={name: split["num_tokens"] for name, split in splits.items()},
    )

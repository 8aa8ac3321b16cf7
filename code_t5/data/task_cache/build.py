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
from code_t5.data import prepared
from code_t5.data.task_cache import layout, publish, task_datasets, unit_writer
from code_t5.data.task_cache.units import Unit, plan_units
from code_t5.storage import atomic, fingerprints, manifest

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
    """

    tasks: tuple[str, ...]
    output_cache_dir: str
    data_dir: str
    num_workers: int = 0
    min_shards: int = 64
    overwrite: bool = False


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What became of one Task.

    Attributes:
      task: Its name.
      how: `written`, `linked` (to the cache of another Task) or `was there`.
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
    if not config.tasks:
        raise errors.InputError("no Task was given; wanted --tasks NAME…; add a name")
    if os.path.exists(config.output_cache_dir) and not os.path.isdir(config.output_cache_dir):
        raise errors.InputError(
            f"--output_cache_dir is {config.output_cache_dir}, which is a file; wanted a "
            "directory; give another"
        )
    groups = task_datasets.resolve_tasks(config.tasks, data_dir=config.data_dir)
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
    there = [] if config.overwrite else [n for n in names if _is_there(root / n, parts=parts)]
    missing = [name for name in names if name not in there]
    for name in missing:
        atomic.remove_leftovers(root / name)
    written = ""
    donor = None if config.overwrite else _find_donor(root, dataset=dataset, parts=parts)
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


def _is_there(folder: pathlib.Path, *, parts: Mapping[str, str]) -> bool:
    """Says whether a cache need not be written; raises where another one is in the way."""
    if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
        return False
    if not folder.is_dir():
        found = ["it is no directory"]
    elif not (folder / manifest.MANIFEST_NAME).exists():
        found = ["it has no manifest.json, so it is Beam's, or half-written"]
    else:
        try:
            fields = layout.read_task_manifest(folder)
        except errors.ArtifactError as error:
            raise errors.ArtifactError(f"{error}, adding --overwrite") from error
        found = layout.differing_parts(fields.get("fingerprint_parts"), wanted=parts)
        damage = layout.damaged_file(folder, fields.get("sizes"))
        found += [damage] if damage else []
    if found:
        raise errors.ArtifactError(
            f"{folder} is there and is not the cache that was asked for: {'; '.join(found)}; "
            "nothing was written; add --overwrite to replace it, or give another "
            "--output_cache_dir"
        )
    return True


def _find_donor(
    root: pathlib.Path, *, dataset: prepared.PreparedDataset, parts: Mapping[str, str]
) -> pathlib.Path | None:
    """Returns a finished cache of the same content, if there is one."""
    for name in task_datasets.tasks_of(dataset.name):
        try:
            fields = layout.read_task_manifest(root / name)
        except errors.ArtifactError:
            continue
        is_same = fields.get("fingerprint") == layout.fingerprint_of(parts)
        if is_same and not layout.damaged_file(root / name, fields.get("sizes")):
            return root / name
    return None


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
    units = plan_units(dataset, min_shards=config.min_shards, pool=pool)
    plan = fingerprints.hash_json([layout.fingerprint_of(parts), list(units.items())])
    place = _prepare_staging(staging, plan=plan, dataset=dataset, parts=parts)
    written = _write_units(units, place=place, pool=pool)
    publish.write_metadata(place, written=written, dataset=dataset, parts=parts)
    atomic.publish_directory(place.cache_dir, target)
    shutil.rmtree(staging, ignore_errors=True)


def _prepare_staging(
    staging: pathlib.Path,
    *,
    plan: str,
    dataset: prepared.PreparedDataset,
    parts: Mapping[str, str],
) -> unit_writer.Place:
    """Keeps what an interrupted run of the same plan did, and nothing else."""
    place = unit_writer.Place(
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


def _write_units(
    units: Mapping[str, Sequence[Unit]], *, place: unit_writer.Place, pool: parallel.WorkerPool
) -> dict[str, list[unit_writer.Written]]:
    """Writes every shard; returns them by split."""
    jobs = [unit for members in units.values() for unit in members]
    written: dict[str, list[unit_writer.Written]] = {split: [] for split in units}
    function = functools.partial(unit_writer.write_unit, place=place)
    total = sum(unit.size_bytes for unit in jobs)
    with progress.progress_bar(
        description="encoding", unit="B", total=total, unit_scale=True
    ) as bar:
        for unit, shard in zip(jobs, pool.map(function, jobs)):
            written[unit.split].append(shard)
            bar.update(unit.size_bytes)
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

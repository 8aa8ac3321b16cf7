"""Finds caches that are there: those that need not be written, and those that others link to."""

from __future__ import annotations

import pathlib
from collections.abc import Mapping, Sequence

from code_t5 import errors
from code_t5.data.task_cache import layout, shard_jobs, task_datasets, verify
from code_t5.storage import manifest, prepared


def is_there(folder: pathlib.Path, *, parts: Mapping[str, str]) -> bool:
    """Says whether a cache need not be written.

    Args:
      folder: Of one Task.
      parts: What `layout.fingerprint_parts` says of its data set.

    Raises:
      ArtifactError: Another cache, or something else, is in the way.
    """
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
        damage = layout.damage_of(folder, fields)
        found += [damage] if damage else []
    if found:
        raise errors.ArtifactError(
            f"{folder} is there and is not the cache that was asked for: {'; '.join(found)}; "
            "nothing was written; add --overwrite to replace it, or give another "
            "--output_cache_dir"
        )
    return True


def find_donor(
    root: pathlib.Path,
    *,
    dataset: prepared.PreparedDataset,
    parts: Mapping[str, str],
    replaced: Sequence[str],
    fresh_shards: int | None,
) -> pathlib.Path | None:
    """Returns a finished cache of the same content, if there is one.

    Args:
      root: The output cache directory.
      dataset: The data set.
      parts: What `layout.fingerprint_parts` says of it.
      replaced: Tasks whose caches will be replaced, and so are none.
      fresh_shards: None takes a cache by its manifest; else the fewest shards of a split, and
        the cache must be what encoding anew would give, byte for byte.
    """
    for name in task_datasets.tasks_of(dataset.name):
        if name in replaced:
            continue
        try:
            fields = layout.read_task_manifest(root / name)
        except errors.ArtifactError:
            continue
        is_same = fields.get("fingerprint") == layout.fingerprint_of(parts)
        if not is_same or layout.damage_of(root / name, fields):
            continue
        if fresh_shards is None:
            return root / name
        shard_counts = shard_jobs.count_shards(dataset, min_shards=fresh_shards)
        if shard_counts == {s: split["num_shards"] for s, split in fields["splits"].items()}:
            if _is_whole(root / name, data_dir=dataset.data_dir):
                return root / name
    return None


def _is_whole(folder: pathlib.Path, *, data_dir: str) -> bool:
    try:
        verify.verify_cache(folder, data_dir=data_dir)
    except errors.ArtifactError:
        return False
    return True

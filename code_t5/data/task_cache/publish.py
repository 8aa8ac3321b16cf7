"""Turns finished shards into a task cache: token cache, metadata, marker, links."""

from __future__ import annotations

import os
import pathlib
import shutil
from collections.abc import Mapping, Sequence

from code_t5.data.task_cache import layout, shard_writer
from code_t5.storage import atomic, fingerprints, manifest, prepared
from code_t5.token_cache import reader
from code_t5.token_cache import writer as token_cache_writer


def write_metadata(
    place: shard_writer.Place,
    *,
    written: Mapping[str, Sequence[shard_writer.Written]],
    dataset: prepared.PreparedDataset,
    parts: Mapping[str, str],
) -> None:
    """Writes everything but the shards, the completion marker last.

    Args:
      place: Where the shards and the parts of the token cache are.
      written: The shards, by split.
      dataset: The data set.
      parts: What `layout.fingerprint_parts` says of it.
    """
    folder = pathlib.Path(place.cache_dir)
    token_cache_writer.join_parts(
        folder / layout.TOKENS_NAME,
        parts={
            split: [shard_writer.part_path(shard.name, place) for shard in shards]
            for split, shards in written.items()
        },
        fingerprint_parts=parts,
    )
    sizes = {s.name: s.size_bytes for shards in written.values() for s in shards}
    sha256 = {s.name: s.sha256 for shards in written.values() for s in shards}
    tokens = reader.TokenCacheReader(folder / layout.TOKENS_NAME)
    for path in sorted(tokens.cache_dir.iterdir()):
        name = f"{layout.TOKENS_NAME}/{path.name}"
        sizes[name] = path.stat().st_size
        # The arrays were hashed while they were written.
        sha256[name] = tokens.sha256.get(path.name) or fingerprints.hash_file(path)
    for split, shards in written.items():
        files = {
            f"info.{split}.json": layout.info_json(len(shards)),
            f"stats.{split}.json": layout.stats_json(**shard_writer.sums(shards)),
        }
        for name, data in files.items():
            atomic.write_file(folder / name, data)
            sizes[name], sha256[name] = len(data), fingerprints.hash_bytes(data)
    fields = {
        "format_name": layout.FORMAT_NAME,
        "format_version": layout.FORMAT_VERSION,
        "dataset": dataset.name,
        "dtype": "int32",
        "fingerprint": layout.fingerprint_of(parts),
        "fingerprint_parts": dict(parts),
        "splits": {
            split: {**shard_writer.sums(shards), "num_shards": len(shards)}
            for split, shards in written.items()
        },
        "sizes": sizes,
        "sha256": sha256,
    }
    manifest.write_manifest(folder, fields)


def link_cache(donor: pathlib.Path, target: pathlib.Path) -> None:
    """Publishes a directory whose files are another's: linked, or copied where that cannot be.

    Args:
      donor: A finished task cache.
      target: The cache of another Task of the same data set.
    """
    with atomic.directory(target) as folder:
        for path in sorted(donor.rglob("*")):
            copy = folder / path.relative_to(donor)
            if path.is_dir():
                copy.mkdir()
                continue
            try:
                os.link(path, copy)
            except OSError:
                shutil.copyfile(path, copy)

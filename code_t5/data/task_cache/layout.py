"""What lies in a task cache, and the fingerprint of what it was made of."""

from __future__ import annotations

import importlib.metadata
import json
import os
import pathlib
from collections.abc import Mapping
from typing import Any, Union

from code_t5 import errors
from code_t5.data import piece_model, prepared, token_model
from code_t5.storage import fingerprints, manifest

FORMAT_NAME = "code_t5_task_cache"
FORMAT_VERSION = 1
# Goes up whenever the same data set and vocabulary would give other examples.
PRECACHE_VERSION = 1
TOKENS_NAME = "tokens"
# Where work is kept until a cache is published, below the output cache directory.
STAGING_NAME = ".caching"

# The library that decides on the ids of each kind of vocabulary.
_LIBRARIES = {token_model.SENTENCEPIECE: "sentencepiece", token_model.BYTE_BPE: "tokenizers"}
# What seqio needs to know of each feature, in the words of its own caches.
_FEATURES = {
    "path": {"dtype": "string", "shape": []},
    "repository": {"dtype": "string", "shape": []},
    "targets": {"dtype": "int32", "shape": [None]},
}

PathLike = Union[str, "os.PathLike[str]"]


def shard_name(split: str, *, shard_index: int, num_shards: int) -> str:
    """Returns the file name under which seqio looks for a shard.

    >>> shard_name("train", shard_index=1, num_shards=64)
    'train.tfrecord-00001-of-00064'
    """
    return f"{split}.tfrecord-{shard_index:05d}-of-{num_shards:05d}"


def _version_of(distribution: str) -> str:
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"


def fingerprint_parts(dataset: prepared.PreparedDataset) -> dict[str, str]:
    """Returns everything that decides on what a data set's task cache holds.

    Args:
      dataset: The data set.

    Returns:
      Values by what they are, in words.

    Raises:
      NotBuiltError: The data set or its vocabulary is not there.
      ArtifactError: One of them is damaged or of another format.
      VocabularyMismatchError: The data set was built with another vocabulary.
    """
    built = dataset.read_manifest()
    vocabulary = piece_model.read_vocabulary_manifest(dataset.vocabulary_dir)
    wanted, found = built.get("vocabulary_fingerprint"), vocabulary["fingerprint"]
    if wanted != found:
        raise errors.VocabularyMismatchError(
            f"the data set {dataset.name} was checked with the vocabulary {wanted}, but "
            f"{dataset.vocabulary_dir} is {found}; wanted the same; put that vocabulary back, or "
            f"build the data set again: {dataset.build_command} --overwrite"
        )
    library = _LIBRARIES.get(vocabulary["kind"], vocabulary["kind"])
    return {
        "vocabulary": found,
        "tokenizer library": f"{library} {_version_of(library)}",
        "data set": str(built.get("fingerprint")),
        "data set version": dataset.version,
        "code version": str(PRECACHE_VERSION),
    }


def fingerprint_of(parts: Mapping[str, str]) -> str:
    """Returns one hash of what `fingerprint_parts` returned."""
    return fingerprints.hash_json(dict(parts))


def differing_parts(found: Any, *, wanted: Mapping[str, str]) -> list[str]:
    """Says in words how the fingerprint of a cache differs from the one wanted.

    Args:
      found: `fingerprint_parts` of the cache's manifest, if it is what it should be.
      wanted: Of the data set as it is now.

    Returns:
      One entry per part that differs.
    """
    known: Mapping[str, Any] = found if isinstance(found, dict) else {}
    return [
        f"its {name} is {known.get(name)}, wanted {value}"
        for name, value in wanted.items()
        if known.get(name) != value
    ]


def read_task_manifest(task_cache_dir: PathLike) -> dict[str, Any]:
    """Reads the manifest of a finished task cache.

    Args:
      task_cache_dir: The cache of one Task.

    Returns:
      Its fields.

    Raises:
      ArtifactError: It is half-written, damaged or of another format.
    """
    return manifest.read_manifest(
        task_cache_dir, format_name=FORMAT_NAME, format_version=FORMAT_VERSION
    )


def damaged_file(task_cache_dir: PathLike, sizes: Any) -> str | None:
    """Returns what is wrong with the first file that has not the size that the manifest gives.

    Args:
      task_cache_dir: The cache of one Task.
      sizes: `sizes` of its manifest.

    Returns:
      The file, the size found and the size wanted, in words; None if all is well.
    """
    for name, wanted in sizes.items() if isinstance(sizes, dict) else ():
        try:
            found = os.stat(os.path.join(task_cache_dir, name)).st_size
        except OSError as error:
            return f"{name} cannot be read ({error.strerror})"
        if found != wanted:
            return f"{name} has {found} bytes, wanted {wanted}"
    return None


def cache_command(task_cache_dir: PathLike, *, data_dir: str) -> str:
    """Returns what to type to write a cache anew.

    Args:
      task_cache_dir: The cache of one Task.
      data_dir: The data directory.
    """
    folder = pathlib.Path(task_cache_dir)
    return (
        f"python scripts/cache_tasks.py --tasks {folder.name} --data_dir={data_dir} "
        f"--output_cache_dir={folder.parent} --overwrite"
    )


def info_json(num_shards: int) -> bytes:
    """Returns `info.<split>.json`: what seqio needs to parse the examples of a split."""
    fields = {
        "features": _FEATURES,
        "num_shards": num_shards,
        "seqio_version": _version_of("seqio"),
    }
    return _pretty(fields)


def stats_json(*, num_examples: int, num_tokens: int, max_tokens: int) -> bytes:
    """Returns `stats.<split>.json`, with the counts that seqio's own caches give.

    Args:
      num_examples: Of the split.
      num_tokens: In all `targets`.
      max_tokens: In the longest.
    """
    fields = {
        "examples": num_examples,
        "targets_max_tokens": max_tokens,
        "targets_tokens": num_tokens,
    }
    return _pretty(fields)


def _pretty(fields: Mapping[str, Any]) -> bytes:
    return (json.dumps(fields, indent=2, sort_keys=True) + "\n").encode("ascii")

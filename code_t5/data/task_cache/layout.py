"""What lies in a task cache, and the fingerprint of what it was made of."""

from __future__ import annotations

import importlib.metadata
import json
import os
import pathlib
from collections.abc import Iterator, Mapping
from typing import Any, Union

from code_t5 import errors
from code_t5.encoding import piece_model, token_model
from code_t5.storage import fingerprints, manifest, prepared
from code_t5.token_cache import layout as token_layout

FORMAT_NAME = "code_t5_task_cache"
FORMAT_VERSION = 1
# Goes up whenever the same data set and vocabulary would give other examples.
PRECACHE_VERSION = 1
TOKENS_NAME = "tokens"
# Where work is kept until a cache is published, below the output cache directory.
STAGING_NAME = ".caching"

# The library that decides on the ids of each kind of vocabulary.
_LIBRARIES = {token_model.SENTENCEPIECE: "sentencepiece", token_model.BYTE_BPE: "tokenizers"}
# Of a found value in a message.
_MAX_SHOWN = 100
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
            f"the data set {dataset.name} was checked with the vocabulary {_shown(wanted)}, but "
            f"{dataset.vocabulary_dir} is {_shown(found)}; wanted the same; put that vocabulary "
            f"back, or build the data set again: {dataset.build_command} --overwrite"
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


def _shown(value: Any) -> str:
    """Returns a found value as it may stand in a message: no control character, not long."""
    text = value if isinstance(value, str) else repr(value)
    is_plain = text.isascii() and text.isprintable() and bool(text)
    return (text if is_plain else ascii(text))[:_MAX_SHOWN]


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
        f"its {name} is {_shown(known.get(name))}, wanted {_shown(value)}"
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


def damage_of(task_cache_dir: PathLike, fields: Mapping[str, Any]) -> str | None:
    """Returns the first thing that is wrong with a cache, found without reading its examples.

    Args:
      task_cache_dir: The cache of one Task.
      fields: Its manifest.

    Returns:
      In words; None if the manifest is one of ours and every file has the size that it gives.
    """
    parts, splits, sizes = (fields.get(key) for key in ("fingerprint_parts", "splits", "sizes"))
    if not isinstance(parts, dict) or fields.get("fingerprint") != fingerprint_of(parts):
        return "its manifest's fingerprint is not that of its fingerprint_parts"
    if not isinstance(splits, dict) or not all(map(_is_split, splits, splits.values())):
        return "its manifest gives no counts of its splits"
    if not isinstance(sizes, dict) or not sizes:
        return "its manifest gives no sizes"
    for name in _required_files(splits):
        if name not in sizes:
            return f"its manifest gives no size of {name}"
    for name, wanted in sizes.items():
        try:
            found = os.stat(os.path.join(task_cache_dir, name)).st_size
        except (OSError, ValueError) as error:
            why = error.strerror if isinstance(error, OSError) else error
            return f"{_shown(name)} cannot be read ({why})"
        if found != wanted:
            return f"{_shown(name)} has {found} bytes, wanted {_shown(wanted)}"
    return None


def _is_split(name: str, counts: Any) -> bool:
    keys = ("num_examples", "num_tokens", "max_tokens", "num_shards")
    return (
        token_layout.is_split_name(name)
        and isinstance(counts, dict)
        and all(type(counts.get(key)) is int and counts[key] >= 0 for key in keys)
    )


def _required_files(splits: Mapping[str, Mapping[str, int]]) -> Iterator[str]:
    """Yields the files without which a cache cannot be read."""
    yield f"{TOKENS_NAME}/{manifest.MANIFEST_NAME}"
    yield f"{TOKENS_NAME}/{manifest.COMPLETED_NAME}"
    for split, counts in splits.items():
        yield from (f"info.{split}.json", f"stats.{split}.json")
        for index in range(counts["num_shards"]):
            yield shard_name(split, shard_index=index, num_shards=counts["num_shards"])


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

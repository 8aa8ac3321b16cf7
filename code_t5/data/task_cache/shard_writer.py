"""Makes one output shard, and the same documents' part of the token cache.

What is written depends on the job alone, not on which worker writes it or when. A *marker* says
that a job is done: it is written after the shard and the part, so that an interrupted run goes on
with the jobs that have none. Nothing is flushed to the disk before the whole cache is: a shard
that does not hash to what its marker says, as after a power failure, is written again.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import json
import os
import pathlib
from collections.abc import Iterator, Sequence
from typing import Any, BinaryIO, NamedTuple

import numpy as np

from code_t5 import errors
from code_t5.data.task_cache.shard_jobs import ShardJob
from code_t5.encoding import token_model, unit_encoder
from code_t5.encoding.ragged import Ragged
from code_t5.storage import fingerprints, tfrecords, varints
from code_t5.token_cache import parts

# Text that is encoded at a time.
_BATCH_BYTES = 1 << 20
# Of a source record, in the order of `_Documents`.
_FEATURES = ("text", "repository", "path")


@dataclasses.dataclass(frozen=True)
class Place:
    """Where work is kept until it is published, and the vocabulary.

    Attributes:
      cache_dir: Gets the shards; becomes the task cache.
      parts_dir: Gets the parts of the token cache.
      markers_dir: Gets the markers.
      vocabulary_dir: The vocabulary.
      vocabulary_fingerprint: Its fingerprint, so that no process encodes with one it loaded before.
    """

    cache_dir: str
    parts_dir: str
    markers_dir: str
    vocabulary_dir: str
    vocabulary_fingerprint: str


class Written(NamedTuple):
    """One shard as written.

    Attributes:
      name: Its file name.
      num_examples: In it.
      num_tokens: In their targets.
      max_tokens: In the longest.
      size_bytes: Of the file.
      sha256: Of the file.
    """

    name: str
    num_examples: int
    num_tokens: int
    max_tokens: int
    size_bytes: int
    sha256: str


@functools.lru_cache(maxsize=1)
def _encoder(vocabulary_dir: str, fingerprint: str) -> unit_encoder.UnitEncoder:
    return unit_encoder.UnitEncoder(token_model.load_token_model(vocabulary_dir))


class _Documents(NamedTuple):
    """Source files of a job: contents, repositories and paths, all UTF-8."""

    contents: list[bytes]
    repositories: list[bytes]
    paths: list[bytes]


def _read_source(data: bytes, path: str) -> list[bytes]:
    """Returns the features of one source record."""
    try:
        example = tfrecords.decode_example(data, names=_FEATURES)
    except ValueError as error:
        raise _unreadable(path, f"is no tf.train.Example ({error})") from error
    found: list[bytes] = []
    for name in _FEATURES:
        # Data sets of other tools may not say where a file is from; without text there is no file.
        value = example.get(name, b"" if name != "text" else None)
        if not isinstance(value, bytes):
            raise _unreadable(
                path, f"has no {name}" if value is None else f"has a number as {name}"
            )
        found.append(value)
    return found


def _unreadable(path: str, found: str) -> errors.ArtifactError:
    return errors.ArtifactError(
        f"a record of {path} {found}; wanted the text, repository and path of a source file; "
        "build the data set again with --overwrite"
    )


def _read_batches(job: ShardJob) -> Iterator[_Documents]:
    """Yields the source files of a job, some megabytes at a time."""
    batch, size = _Documents([], [], []), 0
    for stretch in job.stretches:
        num_read = 0
        for data in tfrecords.read_records(
            stretch.path, start_byte=stretch.start_byte, num_records=stretch.num_records
        ):
            for value, values in zip(_read_source(data, stretch.path), batch):
                values.append(value)
            num_read += 1
            size += len(batch.contents[-1])
            if size >= _BATCH_BYTES:
                yield batch
                batch, size = _Documents([], [], []), 0
        if num_read != stretch.num_records:
            raise errors.ArtifactError(
                f"{stretch.path} ends after {num_read} of {stretch.num_records} records; wanted "
                "them all; build the data set again with --overwrite"
            )
    if batch.contents:
        yield batch


def frame_examples(ids: Ragged, *, repositories: Sequence[bytes], paths: Sequence[bytes]) -> bytes:
    """Returns the records of some examples, one after the other.

    Args:
      ids: int `[num_examples]` rows: the `targets`.
      repositories: UTF-8, one per example.
      paths: UTF-8, one per example.

    Returns:
      TFRecords.
    """
    rows = varints.encode_varints(ids.values, offsets=ids.offsets)
    records = []
    for row, repository, path in zip(rows, repositories, paths):
        example: dict[str, tfrecords.Value | tfrecords.PackedInts] = {
            "path": path,
            "repository": repository,
            "targets": tfrecords.PackedInts(row),
        }
        records.append(tfrecords.frame_record(tfrecords.encode_example(example)))
    return b"".join(records)


def part_path(name: str, place: Place) -> pathlib.Path:
    """Returns where the part of the token cache lies that belongs to a shard.

    Args:
      name: Of the shard.
      place: Where work is kept.
    """
    return pathlib.Path(place.parts_dir, name)


def _read_marker(job: ShardJob, place: Place) -> Written | None:
    """Returns what an earlier run wrote for the job, if it is all there and unchanged."""
    try:
        fields = json.loads(pathlib.Path(place.markers_dir, f"{job.name}.json").read_bytes())
        written = Written(**fields)
        sha256 = fingerprints.hash_file(pathlib.Path(place.cache_dir, job.name))
        num_tokens = parts.read_part_counts(part_path(job.name, place)).num_tokens
    except (OSError, ValueError, TypeError, errors.ArtifactError):
        return None
    is_whole = sha256 == written.sha256 and num_tokens == written.num_tokens
    return written if is_whole else None


def _write_marker(written: Written, place: Place) -> None:
    target = pathlib.Path(place.markers_dir, f"{written.name}.json")
    temporary = target.with_name(f".{target.name}.tmp")
    temporary.write_text(json.dumps(written._asdict(), sort_keys=True))
    os.replace(temporary, target)


def write_shard(job: ShardJob, *, place: Place) -> Written:
    """Writes one shard and one part of the token cache, or finds that an earlier run did.

    Args:
      job: Which records.
      place: Where to write.

    Returns:
      The shard as written.

    Raises:
      ArtifactError: The source, or the vocabulary, is damaged.
      InputError: A source file is not UTF-8.
    """
    written = _read_marker(job, place)
    if written is None:
        target = pathlib.Path(place.cache_dir, job.name)
        temporary = target.with_name(f".{job.name}.tmp")
        with open(temporary, "wb") as file:
            written = _write_shard(job, place=place, file=file)
        os.replace(temporary, target)
        _write_marker(written, place)
    return written


def _write_shard(job: ShardJob, *, place: Place, file: BinaryIO) -> Written:
    """Encodes the job's records into `file` and into a part of the token cache."""
    encoder = _encoder(place.vocabulary_dir, place.vocabulary_fingerprint)
    digest, size_bytes = hashlib.sha256(), 0
    lengths = [np.zeros(0, dtype=np.int64)]
    with parts.PartWriter(part_path(job.name, place)) as part:
        for batch in _read_batches(job):
            ids = encoder.encode(batch.contents)
            lengths.append(ids.lengths)
            data = frame_examples(ids, repositories=batch.repositories, paths=batch.paths)
            digest.update(data)
            file.write(data)
            size_bytes += len(data)
            part.append(ids, sizes=list(map(len, batch.contents)), names=_names(batch))
    counts = np.concatenate(lengths)
    return Written(
        name=job.name,
        num_examples=len(counts),
        num_tokens=int(counts.sum()),
        max_tokens=int(counts.max(initial=0)),
        size_bytes=size_bytes,
        sha256=digest.hexdigest(),
    )


def _names(batch: _Documents) -> list[tuple[str, str]]:
    pairs = zip(batch.repositories, batch.paths)
    return [(repository.decode("utf-8"), path.decode("utf-8")) for repository, path in pairs]


def sums(written: Sequence[Written]) -> dict[str, Any]:
    """Adds up what `stats.<split>.json` says.

    Args:
      written: The shards of a split.

    Returns:
      Arguments of `layout.stats_json`.
    """
    return {
        "num_examples": sum(shard.num_examples for shard in written),
        "num_tokens": sum(shard.num_tokens for shard in written),
        "max_tokens": max((shard.max_tokens for shard in written), default=0),
    }

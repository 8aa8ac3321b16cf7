"""What the workers of a build do: read one unit, encode it, leave a part and a marker.

A *marker* says that the part of a unit is finished: whose it is (the unit's key), its checksum and
its counts. A part with the marker of an equal key is not written again.
"""

from __future__ import annotations

import dataclasses
import functools
import json
import os
import pathlib
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from code_t5 import errors
from code_t5.encoding import ragged
from code_t5.token_cache import layout, parts
from code_t5.token_cache.sources.documents import DocumentBatch, Unit
from code_t5.token_cache.tokenizing import encoder_proof, encoders
from code_t5.token_cache.tokenizing.tokenizer_files import StoredTokenizer

# Below this length of documents, one NumPy call is quicker than one per document.
_LONG_DOCUMENT = 100
_LARGEST_ID = int(np.iinfo(layout.LARGE_DTYPE).max)


@dataclasses.dataclass(frozen=True)
class Place:
    """What all jobs of a build have in common.

    Attributes:
      parts_dir: Gets the parts.
      markers_dir: Gets the markers.
      tokenizer: What text is encoded with.
      encoder: Name of the engine that does it.
      end_of_text_id: What each document ends with, if it does.
    """

    parts_dir: str
    markers_dir: str
    tokenizer: StoredTokenizer
    encoder: str
    end_of_text_id: int | None


class PartJob(NamedTuple):
    """One unit to encode.

    Attributes:
      split: That it belongs to.
      number: Of the unit in its split, counted from 0.
      unit: The unit.
    """

    split: str
    number: int
    unit: Unit

    @property
    def name(self) -> str:
        """Of the part and of its marker."""
        return self.name_of(self.split, self.number)

    @staticmethod
    def name_of(split: str, number: int) -> str:
        """Returns the name of a unit's part.

        >>> PartJob.name_of("train", 3)
        'train-000003'
        """
        return f"{split}-{number:06d}"


class Written(NamedTuple):
    """What is in a part.

    Attributes:
      key: Of the unit.
      crc: CRC-32C of the part.
      num_documents: In it.
      num_tokens: In it.
      num_bytes: Of the texts.
      largest_id: Of all; -1 if there is none.
    """

    key: str
    crc: int
    num_documents: int
    num_tokens: int
    num_bytes: int
    largest_id: int


def write_part(job: PartJob, *, place: Place) -> Written:
    """Writes the part of a unit, or finds that an earlier run did.

    Args:
      job: The unit.
      place: Where to write, and how to encode.

    Returns:
      What is in the part.

    Raises:
      InputError: The source is damaged, or a text is not one.
      ArtifactError: The tokenizer gives an id outside of its vocabulary, or beyond uint32.
      CodeT5Error: The encoder does not give Hugging Face's ids after all.
    """
    written = _read_marker(job, place)
    if written is None:
        written = _encode(job, place)
        _write_marker(job, written, place=place)
    return written


def _encode(job: PartJob, place: Place) -> Written:
    encoder = open_encoder(place)
    num_documents = 0
    with parts.PartWriter(pathlib.Path(place.parts_dir, job.name)) as part:
        for batch in job.unit.read():
            ids = _encode_batch(encoder, batch)
            if not num_documents:
                encoder_proof.check_encoded(
                    place.tokenizer, engine=place.encoder, texts=batch.texts, rows=ids
                )
            num_documents += len(batch.texts)
            ids = end_documents(ids, place.end_of_text_id)
            _check_ids(ids, batch, place)
            part.append(ids, sizes=list(map(len, batch.texts)), names=batch.names)
    return Written(
        key=job.unit.key,
        crc=part.crc,
        num_documents=num_documents,
        num_tokens=part.num_tokens,
        num_bytes=part.num_bytes,
        largest_id=part.largest_id,
    )


def _encode_batch(encoder: encoders.Encoder, batch: DocumentBatch) -> ragged.Ragged:
    """Encodes a batch; names the document if one is no text."""
    try:
        return encoder.encode(batch.texts)
    except errors.InputError as error:
        for text, name in zip(batch.texts, batch.names):
            try:
                text.decode("utf-8")
            except UnicodeDecodeError as found:
                raise errors.InputError(
                    f"the document {' '.join(name).strip()!a} is not UTF-8 at byte {found.start}; "
                    "wanted UTF-8; convert it, or leave it out"
                ) from error
        raise


def _check_ids(documents: ragged.Ragged, batch: DocumentBatch, place: Place) -> None:
    """Looks for ids that no cache holds, or that the tokenizer says it has not."""
    values = documents.values[documents.offsets[0] : documents.offsets[-1]]
    if not len(values):
        return
    largest, smallest = int(values.max()), int(values.min())
    limit, limit_of = place.tokenizer.vocab_size, f"its {place.tokenizer.vocab_size} tokens"
    if limit > _LARGEST_ID:
        limit, limit_of = _LARGEST_ID + 1, f"{_LARGEST_ID + 1}, which uint32 cannot hold"
    if smallest < 0 or largest >= limit:
        found = smallest if smallest < 0 else largest
        place_of = int(np.flatnonzero(values == found)[0]) + documents.offsets[0]
        row = int(np.searchsorted(documents.offsets, place_of, "right")) - 1
        raise errors.ArtifactError(
            f"the tokenizer gives the id {found} for the document "
            f"{' '.join(batch.names[row]).strip()!a}; wanted ids of 0 or more, below {limit_of}; "
            "use a tokenizer whose files agree"
        )


def end_documents(documents: ragged.Ragged, end_of_text_id: int | None) -> ragged.Ragged:
    """Puts an end of text behind each document.

    Args:
      documents: Their ids.
      end_of_text_id: The end of text; None leaves the documents as they are.

    Returns:
      The ids with it, in the same dtype if that can hold it.

    >>> end_documents(ragged.Ragged.from_rows([[5], []]), 1).values.tolist()
    [5, 1, 1]
    """
    if end_of_text_id is None:
        return documents
    dtype = np.promote_types(documents.values.dtype, np.min_scalar_type(end_of_text_id))
    starts = documents.offsets - documents.offsets[0]
    offsets = starts + np.arange(len(starts))
    values = documents.values[documents.offsets[0] : documents.offsets[-1]]
    if len(values) < _LONG_DOCUMENT * documents.num_rows:
        ends = np.full(documents.num_rows, end_of_text_id, dtype=dtype)
        return ragged.Ragged(np.insert(values.astype(dtype), starts[1:], ends), offsets)
    joined = np.empty(offsets[-1], dtype=dtype)
    bounds = zip(starts[:-1].tolist(), starts[1:].tolist(), offsets.tolist())
    for start, stop, target in bounds:
        joined[target : target + stop - start] = values[start:stop]
    joined[offsets[1:] - 1] = end_of_text_id
    return ragged.Ragged(joined, offsets)


def open_encoder(place: Place) -> encoders.Encoder:
    """Opens the encoder of a build, once in each process.

    Args:
      place: Which.

    Returns:
      What has `encode(texts)`.
    """
    return _open_encoder(json.dumps(dataclasses.asdict(place.tokenizer)), place.encoder)


@functools.lru_cache(maxsize=1)
def _open_encoder(tokenizer: str, encoder: str) -> encoders.Encoder:
    return encoders.open_encoder(StoredTokenizer(**json.loads(tokenizer)), encoder)


def close_encoder() -> None:
    """Lets go of the encoder that this process opened."""
    _open_encoder.cache_clear()


def _marker_path(job: PartJob, place: Place) -> pathlib.Path:
    return pathlib.Path(place.markers_dir, f"{job.name}.json")


def _read_marker(job: PartJob, place: Place) -> Written | None:
    """Returns what an earlier run wrote for the unit, if it is all there and unchanged."""
    try:
        written = Written(**json.loads(_marker_path(job, place).read_bytes()))
        if written.key != job.unit.key:
            return None
        is_whole = parts.read_checksum(pathlib.Path(place.parts_dir, job.name)) == written.crc
    except (OSError, ValueError, TypeError, errors.ArtifactError):
        return None
    return written if is_whole else None


def _write_marker(job: PartJob, written: Written, *, place: Place) -> None:
    target = _marker_path(job, place)
    temporary = target.with_name(f".{target.name}.tmp")
    temporary.write_text(json.dumps(written._asdict(), sort_keys=True))
    os.replace(temporary, target)


def sums(written: Sequence[Written]) -> dict[str, int]:
    """Adds up the parts of a split.

    Args:
      written: The parts.

    Returns:
      `num_documents`, `num_tokens` and `largest_id`.
    """
    return {
        "num_documents": sum(part.num_documents for part in written),
        "num_tokens": sum(part.num_tokens for part in written),
        "largest_id": max((part.largest_id for part in written), default=-1),
    }

"""A shard: one file with the columns of some samples, laid out to be mapped.

    <outputs>/shard-00000.safetensors  the samples 0 to samples_per_shard - 1
              shard-00001.safetensors  ...
              manifest.json  COMPLETED

A shard is a file of the safetensors format (huggingface/safetensors, README, "Format"), so that
other programs can open it: 8 bytes with the length of the header, a header of JSON, the arrays.

    bytes 0 to 7   length of the header, uint64, little-endian
    the header     {"__metadata__": {...}, "x": {"dtype": "F32", "shape": [4, 52920, 1],
                   "data_offsets": [0, 846720]}, ...}, spaces up to a multiple of 64 bytes
    the arrays     without gaps, those of large numbers first: so each lies at a multiple of its
                   item's size

A fixed field is one array `[num_samples, ...]`. A ragged one is `[total, ...]`, all samples one
after the other; where each begins and the last ends is in `<length>.offsets`, int64
`[num_samples + 1]`. The metadata says format, version, fingerprint and the number of the shard.
The header follows from the schema and the counts: a reader works it out and compares.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import mmap
import os
import pathlib
import uuid
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from code_t5 import errors
from code_t5.teacher_outputs.schema import DTYPES, OutputSchema

FORMAT_NAME = "code_t5_teacher_outputs"
FORMAT_VERSION = 1
_LENGTH_BYTES = 8
_ALIGNMENT = 64
_CHUNK_BYTES = 1 << 24
_OFFSETS = ".offsets"
_OFFSETS_DTYPE = np.dtype("<i8")


def shard_name(index: int) -> str:
    """Returns the name of a shard's file.

    >>> shard_name(3)
    'shard-00003.safetensors'
    """
    return f"shard-{index:05d}.safetensors"


class ShardCounts(NamedTuple):
    """What, with the schema, decides on where everything lies in a shard.

    Attributes:
      number: Of the shard, from 0.
      num_samples: In it.
      lengths: For each length of the schema, how many rows all samples have together.
    """

    number: int
    num_samples: int
    lengths: Mapping[str, int]


class _Section(NamedTuple):
    """Where one array lies.

    Attributes:
      name: Of the array.
      dtype: Of its items.
      shape: Of it.
      start: First byte, counted from the end of the header.
      stop: The byte behind the last.
    """

    name: str
    dtype: np.dtype
    shape: tuple[int, ...]
    start: int
    stop: int


def _sections(schema: OutputSchema, counts: ShardCounts) -> list[_Section]:
    arrays: list[tuple[str, np.dtype, tuple[int, ...]]] = [
        (f"{length}{_OFFSETS}", _OFFSETS_DTYPE, (counts.num_samples + 1,))
        for length in schema.lengths
    ]
    for field in schema.fields:
        rows = counts.num_samples if field.length is None else counts.lengths[field.length]
        arrays.append((field.name, field.numpy_dtype, (rows, *field.row_shape)))
    # Stable: among numbers of one size the schema's order holds.
    arrays.sort(key=lambda array: -array[1].itemsize)
    found, start = [], 0
    for name, dtype, shape in arrays:
        # Python's numbers, which do not overflow.
        stop = start + dtype.itemsize * int(np.prod(shape, dtype=object))
        found.append(_Section(name, dtype, shape, start, stop))
        start = stop
    return found


def _header(sections: list[_Section], *, fingerprint: str, index: int) -> bytes:
    fields: dict[str, Any] = {
        "__metadata__": {
            "format": FORMAT_NAME,
            "version": str(FORMAT_VERSION),
            "fingerprint": fingerprint,
            "shard": str(index),
        }
    }
    for section in sections:
        fields[section.name] = {
            "dtype": DTYPES[section.dtype.name],
            "shape": list(section.shape),
            "data_offsets": [section.start, section.stop],
        }
    text = json.dumps(fields, separators=(",", ":"), ensure_ascii=True).encode("ascii")
    padding = -(_LENGTH_BYTES + len(text)) % _ALIGNMENT
    text += b" " * padding
    return len(text).to_bytes(_LENGTH_BYTES, "little") + text


def _arrays(schema: OutputSchema, columns: Mapping[str, Any]) -> dict[str, np.ndarray]:
    found = {}
    for field in schema.fields:
        column = columns[field.name]
        if field.length is None:
            found[field.name] = column
        else:
            found[field.name] = column.values
            found[f"{field.length}{_OFFSETS}"] = column.offsets.astype(_OFFSETS_DTYPE, copy=False)
    return found


class WrittenShard(NamedTuple):
    """What a writer says of a shard.

    Attributes:
      lengths: For each length of the schema, how many rows all samples have together.
      sha256: Of the file.
    """

    lengths: dict[str, int]
    sha256: str


def write_shard(
    path: pathlib.Path,
    *,
    columns: Mapping[str, Any],
    schema: OutputSchema,
    fingerprint: str,
    index: int,
) -> WrittenShard:
    """Writes a shard in one step.

    Args:
      path: The file.
      columns: As `columns.collect` gives them.
      schema: Of the samples.
      fingerprint: Of the outputs.
      index: Of the shard.

    Returns:
      What was written.
    """
    lengths: dict[str, int] = {}
    num_samples = 0
    for field in schema.fields:
        column = columns[field.name]
        num_samples = len(column) if field.length is None else column.num_rows
        if field.length is not None:
            lengths[field.length] = len(column.values)
    sections = _sections(schema, ShardCounts(index, num_samples, lengths))
    arrays = _arrays(schema, columns)
    digest = hashlib.sha256()
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex[:12]}.tmp")
    try:
        with open(temporary, "wb") as file:
            for chunk in _chunks(sections, arrays, fingerprint=fingerprint, index=index):
                digest.update(chunk)
                file.write(chunk)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        # A full disk does not keep a file from being removed; what fails here is left to the next.
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise
    return WrittenShard(lengths, digest.hexdigest())


def _chunks(
    sections: list[_Section],
    arrays: Mapping[str, np.ndarray],
    *,
    fingerprint: str,
    index: int,
) -> Iterator[Any]:
    yield _header(sections, fingerprint=fingerprint, index=index)
    for section in sections:
        flat = np.ascontiguousarray(arrays[section.name]).reshape(-1).view(np.uint8)
        for start in range(0, len(flat), _CHUNK_BYTES):
            yield flat[start : start + _CHUNK_BYTES].data


def shard_bytes(schema: OutputSchema, *, fingerprint: str, counts: ShardCounts) -> int:
    """Returns how large the file of a shard is.

    Args:
      schema: Of the samples.
      fingerprint: Of the outputs.
      counts: Of the shard.
    """
    sections = _sections(schema, counts)
    header = _header(sections, fingerprint=fingerprint, index=counts.number)
    return len(header) + sections[-1].stop


def damaged(path: os.PathLike[str] | str, *, found: str, mend: str) -> errors.ArtifactError:
    """Returns what to raise of a damaged file.

    Args:
      path: The file or directory.
      found: What is wrong with it.
      mend: What to do.
    """
    return errors.ArtifactError(
        f"{path} {found}; wanted what the writer of the outputs wrote; {mend}"
    )


class Shard:
    """An open shard; its arrays are views of the map.

    Attributes:
      path: The file.
      columns: By the name of the field `[num_samples, ...]` or `[total, ...]`.
      offsets: By the name of the length, int64 `[num_samples + 1]`.
      column_bytes: The columns as bytes.
    """

    def __init__(
        self,
        path: pathlib.Path,
        *,
        schema: OutputSchema,
        fingerprint: str,
        counts: ShardCounts,
        mend: str,
    ) -> None:
        """Maps a file; of its arrays reads nothing but the first and last offset.

        Args:
          path: The file.
          schema: Of the samples.
          fingerprint: Of the outputs.
          counts: Of the shard.
          mend: What to do about damage.

        Raises:
          ArtifactError: It is not the file that the schema and the counts give.
        """
        self.path = path
        self._mend = mend
        sections = _sections(schema, counts)
        header = _header(sections, fingerprint=fingerprint, index=counts.number)
        content = self._map(len(header) + sections[-1].stop)
        if content[: len(header)] != header:
            raise self._damaged("has a header that is not its own")
        arrays = {
            section.name: np.frombuffer(
                content,
                dtype=section.dtype,
                count=(section.stop - section.start) // section.dtype.itemsize,
                offset=len(header) + section.start,
            ).reshape(section.shape)
            for section in sections
        }
        self.columns = {name: arrays[name] for name in schema.names}
        self.offsets = {length: arrays[f"{length}{_OFFSETS}"] for length in schema.lengths}
        # Quicker where single numbers and rows are taken: no array is made for each.
        self._offset_numbers = {length: array.data for length, array in self.offsets.items()}
        self.column_bytes = {
            name: array.reshape(-1).view(np.uint8).data for name, array in self.columns.items()
        }
        for length, offsets in self.offsets.items():
            if offsets[0] != 0 or offsets[-1] != counts.lengths[length]:
                raise self._damaged(f"has {length} from {offsets[0]} to {offsets[-1]}")

    def _damaged(self, found: str) -> errors.ArtifactError:
        return damaged(self.path, found=found, mend=self._mend)

    def _map(self, wanted_bytes: int) -> mmap.mmap:
        """Maps the file.

        Raises:
          ArtifactError: It is none, or of another size.
          OSError: This process can open no more.
        """
        flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
        try:
            descriptor = os.open(self.path, flags)
            try:
                size = os.fstat(descriptor).st_size
                if size != wanted_bytes:
                    raise self._damaged(f"has {size:,} bytes, not {wanted_bytes:,}")
                return mmap.mmap(descriptor, wanted_bytes, access=mmap.ACCESS_READ)
            finally:
                os.close(descriptor)
        except FileNotFoundError as error:
            raise self._damaged("is missing") from error
        except (OSError, ValueError) as error:
            if getattr(error, "errno", None) in (errno.EMFILE, errno.ENFILE, errno.ENOMEM):
                raise
            raise self._damaged(f"cannot be opened ({error})") from error

    def bounds(self, length: str, rows: Sequence[int]) -> tuple[list[int], list[int]]:
        """Returns where the samples of a length begin, and where they end.

        Args:
          length: Name of the length.
          rows: Samples of this shard.

        Returns:
          First row, and the row behind the last, of each.

        Raises:
          ArtifactError: They are not in order, or lie outside of the shard.
        """
        offsets = self._offset_numbers[length]
        starts = [offsets[row] for row in rows]
        stops = [offsets[row + 1] for row in rows]
        last = offsets[-1]
        if not all(0 <= start <= stop <= last for start, stop in zip(starts, stops)):
            raise self._damaged(f"has {length} that are not in order")
        return starts, stops

    def sample(self, row: int, fields: Sequence[tuple[str, str | None]]) -> dict[str, np.ndarray]:
        """Returns one sample: views of the map.

        Args:
          row: Of the sample in this shard.
          fields: Name and length of each that is wanted.

        Raises:
          ArtifactError: Its offsets are damaged.
        """
        found = {}
        for name, length in fields:
            column = self.columns[name]
            if length is None:
                # With the dots an array in any case, not a number of NumPy's.
                found[name] = column[row, ...]
                continue
            (start,), (stop,) = self.bounds(length, (row,))
            found[name] = column[start:stop]
        return found

    def check_offsets(self) -> None:
        """Looks whether samples lie one after the other.

        Raises:
          ArtifactError: They do not.
        """
        for length, offsets in self.offsets.items():
            if len(offsets) > 1 and int(np.diff(offsets).min()) < 0:
                raise self._damaged(f"has {length} that are not in order")

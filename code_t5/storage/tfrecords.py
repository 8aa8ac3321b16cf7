"""TFRecord files of `tf.train.Example` messages, written and read without TensorFlow.

A *record* on disk is

    length (8, little-endian) | masked CRC-32C of it (4) | data (length) | masked CRC of data (4)

(`tensorflow/core/lib/io/record_writer.h` documents the framing and the mask.) The data is one
`tf.train.Example`: a map from feature name to a list of bytes or of int64, in protocol buffer wire
format. Feature names are written in sorted order, so that equal examples are equal bytes.
Lists of int64 come as varints already (`code_t5.storage.varints` makes them, many at a time).
"""

from __future__ import annotations

import functools
import itertools
import os
import struct
from collections.abc import Collection, Iterator, Mapping
from io import FileIO
from typing import BinaryIO, NamedTuple, Union

import google_crc32c

from code_t5 import errors

FRAME_BYTES = 16
_HEADER = struct.Struct("<QI")
_CRC = struct.Struct("<I")
_MASK_DELTA = 0xA282EAD8
# No file above the size limit of the build becomes a record; a longer length field is damage.
_MAX_RECORD_BYTES = 1 << 30

Value = Union[bytes, int]


class PackedInts(NamedTuple):
    """A list of int64 as it stands in the message.

    Attributes:
      varints: One after the other, none for an empty list.
    """

    varints: bytes


def _masked_crc(data: bytes) -> int:
    crc = google_crc32c.value(data)
    return (((crc >> 15) | (crc << 17)) + _MASK_DELTA) & 0xFFFFFFFF


def frame_record(data: bytes) -> bytes:
    """Returns `data` as one record, framing included.

    Args:
      data: The serialised example.

    Returns:
      `len(data) + 16` bytes; records may simply be concatenated.
    """
    length = struct.pack("<Q", len(data))
    return b"".join((length, _CRC.pack(_masked_crc(length)), data, _CRC.pack(_masked_crc(data))))


def unframe_record(record: bytes) -> bytes:
    """Returns the data of one record whose framing was checked, or never left this machine.

    Args:
      record: What `frame_record` returned.

    >>> unframe_record(frame_record(b"data"))
    b'data'
    """
    return record[_HEADER.size : -_CRC.size]


@functools.lru_cache(maxsize=1 << 16)
def _varint(value: int) -> bytes:
    pieces = bytearray()
    while value > 0x7F:
        pieces.append(value & 0x7F | 0x80)
        value >>= 7
    pieces.append(value)
    return bytes(pieces)


# Keys of protocol buffer fields: field number, then wire type 2 (a length and that many bytes).
_FIELD_1, _FIELD_2, _FIELD_3 = b"\x0a", b"\x12", b"\x1a"


@functools.lru_cache(maxsize=256)
def _name_field(name: str) -> bytes:
    encoded = name.encode("utf-8")
    return _FIELD_1 + _varint(len(encoded)) + encoded


def encode_example(features: Mapping[str, Value | PackedInts]) -> bytes:
    """Serialises a `tf.train.Example` with one value, or one list of int64, per feature.

    Args:
      features: Feature name to bytes (a UTF-8 string, for text), int64 or a list of int64.

    Returns:
      The message in wire format, features in sorted order.
    """
    # Lengths are worked out from the inside so that a long text is copied once, at the end.
    parts: list[bytes] = []
    total = 0
    for name in sorted(features):
        value = features[name]
        if isinstance(value, bytes):
            kind, payload = _FIELD_1, value
        elif isinstance(value, PackedInts):
            kind, payload = _FIELD_3, value.varints
        else:
            kind, payload = _FIELD_3, _varint(value & 0xFFFFFFFFFFFFFFFF)
        key = _name_field(name)
        head = _FIELD_1 + _varint(len(payload))
        head = kind + _varint(len(head) + len(payload)) + head
        head = _FIELD_2 + _varint(len(head) + len(payload)) + head
        entry = _FIELD_1 + _varint(len(key) + len(head) + len(payload)) + key + head
        parts += (entry, payload)
        total += len(entry) + len(payload)
    return b"".join([_FIELD_1 + _varint(total), *parts])


def _read_varint(data: bytes, position: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position
        shift += 7
        if shift > 63:
            raise ValueError("a varint is longer than ten bytes")


def _fields(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Yields number and payload of each length-delimited field."""
    position = 0
    while position < len(data):
        key, position = _read_varint(data, position)
        if key & 7 != 2:
            raise ValueError(f"wire type {key & 7}; wanted 2")
        length, position = _read_varint(data, position)
        payload = data[position : position + length]
        if len(payload) != length:
            raise ValueError("a field ends before its length")
        position += length
        yield key >> 3, payload


def _decode_feature(data: bytes) -> Value:
    for kind, values in _fields(data):
        for _, payload in _fields(values):
            if kind == 1:
                return payload
            value = _read_varint(payload, 0)[0]
            return value - (1 << 64) if value >> 63 else value
    raise ValueError("a feature without a value")


def decode_example(data: bytes, *, names: Collection[str] | None = None) -> dict[str, Value]:
    """Reads what `encode_example` wrote: one bytes or int64 value per feature.

    Args:
      data: The message in wire format.
      names: Features to read; None for all.

    Returns:
      Feature name to value.

    Raises:
      ValueError: The bytes are not such a message.
    """
    features: dict[str, Value] = {}
    try:
        for _, entries in _fields(data):
            for _, entry in _fields(entries):
                pair = dict(_fields(entry))
                name = pair[1].decode("utf-8")
                if names is None or name in names:
                    features[name] = _decode_feature(pair[2])
    except (IndexError, KeyError) as error:
        raise ValueError(f"not an Example message: {error!r}") from error
    return features


def _damaged(file: BinaryIO | FileIO, offset: int, found: str) -> errors.ArtifactError:
    return errors.ArtifactError(
        f"{file.name} is damaged at byte {offset}: {found}; wanted a whole record with its "
        "checksum; build the data set again with --overwrite"
    )


def find_records(path: str | os.PathLike[str]) -> Iterator[int]:
    """Yields where each record of a file begins, and last where the file ends.

    Only the lengths are read, so that one pass over a large file takes moments.

    Args:
      path: A TFRecord file.

    Yields:
      Offsets in bytes.

    Raises:
      ArtifactError: A length's checksum is wrong, or the file ends inside a record.
    """
    with open(path, "rb", buffering=0) as file:
        size, offset = os.fstat(file.fileno()).st_size, 0
        while offset < size:
            yield offset
            header = os.pread(file.fileno(), _HEADER.size, offset)
            if len(header) < _HEADER.size:
                raise _damaged(file, offset, "the file ends inside a header")
            length, length_crc = _HEADER.unpack(header)
            if _masked_crc(header[:8]) != length_crc or length > _MAX_RECORD_BYTES:
                raise _damaged(file, offset, "the length's checksum is wrong")
            if offset + FRAME_BYTES + length > size:
                raise _damaged(file, offset, "the file ends inside a record")
            offset += FRAME_BYTES + length
        yield offset


def read_records(
    path: str | os.PathLike[str], *, start_byte: int = 0, num_records: int | None = None
) -> Iterator[bytes]:
    """Yields the data of each record of a file, checksums verified.

    Args:
      path: A TFRecord file.
      start_byte: Where a record begins; see `find_records`.
      num_records: How many to read; None for all that follow.

    Yields:
      The serialised examples.

    Raises:
      ArtifactError: A record is cut short or its checksum is wrong.
    """
    with open(path, "rb") as file:
        offset = file.seek(start_byte)
        for _ in itertools.count() if num_records is None else range(num_records):
            header = file.read(_HEADER.size)
            if not header:
                return
            if len(header) < _HEADER.size:
                raise _damaged(file, offset, "the file ends inside a header")
            length, length_crc = _HEADER.unpack(header)
            if _masked_crc(header[:8]) != length_crc or length > _MAX_RECORD_BYTES:
                raise _damaged(file, offset, "the length's checksum is wrong")
            data = file.read(length + _CRC.size)
            if len(data) < length + _CRC.size:
                raise _damaged(file, offset, "the file ends inside a record")
            if _masked_crc(data[:length]) != _CRC.unpack(data[length:])[0]:
                raise _damaged(file, offset, "the data's checksum is wrong")
            yield data[:length]
            offset += FRAME_BYTES + length


def read_features(path: str | os.PathLike[str], names: list[str]) -> Iterator[list[Value]]:
    """Yields the values of some features of each example of a TFRecord file.

    Args:
      path: A TFRecord file.
      names: Of the features wanted.

    Yields:
      Their values, in the order of `names`.
    """
    for data in read_records(path):
        example = decode_example(data, names=names)
        yield [example[name] for name in names]

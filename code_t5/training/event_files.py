"""Reads the event files that the trainer writes, without TensorFlow.

An *event file* is a TFRecord file (per record: length, checksum of the length, bytes, checksum of
the bytes) whose records are `Event` messages; a *scalar* is one number in it under a *tag*.
"""

from __future__ import annotations

import pathlib
import struct
from collections.abc import Iterator
from typing import NamedTuple

import google_crc32c
from absl import logging

_HEADER = struct.Struct("<QI")
_FOOTER = struct.Struct("<I")
# TFRecord checksums are CRC-32C, rotated and shifted by this.
_MASK_DELTA = 0xA282EAD8


class Scalar(NamedTuple):
    """One logged value.

    Attributes:
      step: Training steps done.
      wall_time: Seconds since 1970.
      value: What was logged.
    """

    step: int
    wall_time: float
    value: float


def list_files(folder: pathlib.Path) -> list[pathlib.Path]:
    """Returns the event files of a folder, oldest first: each run's name starts with its time."""
    return sorted(folder.glob("events.out.tfevents.*"), key=lambda path: path.name)


def read_scalars(path: pathlib.Path) -> dict[str, list[Scalar]]:
    """Reads every scalar of one event file; one that a killed run cut short is read up to there.

    Args:
      path: The event file.

    Returns:
      The values of each tag, in the order of writing.
    """
    from tensorboard.compat.proto import event_pb2

    scalars: dict[str, list[Scalar]] = {}
    for record in _read_records(path):
        event = event_pb2.Event.FromString(record)
        for value in event.summary.value:
            if value.HasField("simple_value"):
                scalar = Scalar(event.step, event.wall_time, value.simple_value)
                scalars.setdefault(value.tag, []).append(scalar)
    return scalars


def _masked_checksum(data: bytes) -> int:
    checksum = google_crc32c.value(data)
    return (((checksum >> 15) | (checksum << 17)) + _MASK_DELTA) & 0xFFFFFFFF


def _read_records(path: pathlib.Path) -> Iterator[bytes]:
    """Yields the whole records of a TFRecord file up to its end or the first damaged one."""
    with open(path, "rb") as file:
        while header := file.read(_HEADER.size):
            if len(header) == _HEADER.size:
                length, checksum = _HEADER.unpack(header)
                if checksum == _masked_checksum(header[:8]):
                    data, footer = file.read(length), file.read(_FOOTER.size)
                    if footer == _FOOTER.pack(_masked_checksum(data)):
                        yield data
                        continue
            logging.warning("%s ends in a damaged event; what came before it is used", path)
            return

"""The frames in which the judge and the solution speak to each other.

A *frame* is four bytes of length, little-endian, and so many bytes of JSON. What stands in it, see
`value_kinds`.
"""

from __future__ import annotations

import json
import os
import struct
from typing import Any

MAX_FRAME_BYTES = 32 << 20
_LENGTH = struct.Struct("<I")


class WireError(Exception):
    """What came is no frame or no value, or is too large."""


class UnsendableError(Exception):
    """A value cannot be rebuilt in another process."""


def write_frame(descriptor: int, message: Any) -> None:
    """Sends one message.

    Args:
      descriptor: Where to.
      message: JSON values.

    Raises:
      WireError: It is too large, or nested too deep.
    """
    try:
        data = json.dumps(message).encode("ascii")
    except (RecursionError, ValueError, TypeError) as error:
        raise WireError(f"a message that JSON does not hold: {type(error).__name__}") from error
    if len(data) > MAX_FRAME_BYTES:
        raise WireError(f"a message of {len(data)} bytes; {MAX_FRAME_BYTES} are the most")
    view = memoryview(_LENGTH.pack(len(data)) + data)
    while view:
        view = view[os.write(descriptor, view) :]


def read_frame(descriptor: int) -> Any:
    """Receives one message.

    Args:
      descriptor: Where from.

    Raises:
      EOFError: The other side is gone.
      WireError: What came is not a message.
    """
    (length,) = _LENGTH.unpack(_read_exactly(descriptor, _LENGTH.size))
    if length > MAX_FRAME_BYTES:
        raise WireError(f"a message of {length} bytes; {MAX_FRAME_BYTES} are the most")
    try:
        return json.loads(_read_exactly(descriptor, length))
    except (ValueError, RecursionError) as error:
        raise WireError(f"a message that is not JSON: {type(error).__name__}") from error


def _read_exactly(descriptor: int, length: int) -> bytes:
    """Reads so many bytes.

    Raises:
      EOFError: There are not so many.
    """
    parts, missing = [], length
    while missing:
        part = os.read(descriptor, min(missing, 1 << 20))
        if not part:
            raise EOFError
        parts.append(part)
        missing -= len(part)
    return b"".join(parts)

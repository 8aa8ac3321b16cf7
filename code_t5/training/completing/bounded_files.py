"""Reads files that come from outside: within bounds, and no pipe that nobody writes to."""

from __future__ import annotations

import errno
import os
import stat


def read_file(path: str | os.PathLike[str], *, max_bytes: int) -> bytes:
    """Returns the beginning of a regular file.

    Args:
      path: The file; links are followed.
      max_bytes: How much of it at most.

    Returns:
      So many bytes, or fewer where the file ends before.

    Raises:
      OSError: It cannot be read, or is a pipe, a socket or a device; `strerror` says so.
    """
    with open(path, "rb", opener=_open_at_once) as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise OSError(errno.ENOTSUP, "It is a pipe or a device, not a file", os.fspath(path))
        return file.read(max_bytes)


def _open_at_once(path: str, flags: int) -> int:
    # Opening a pipe waits for its writer, unless told not to.
    return os.open(path, flags | os.O_NONBLOCK)

"""The hashes of a file as it lies on the disk.

The Hub, and huggingface_hub's cache, name a content by its SHA-256 (LFS files), or by what git
calls the blob: the SHA-1 of `blob`, its length and itself.
"""

from __future__ import annotations

import hashlib
import os
import stat
from typing import Callable, NamedTuple, Union

# It stays in the processor's cache, and is large enough that Python's own time does not count.
_CHUNK_BYTES = 1 << 18

PathLike = Union[str, "os.PathLike[str]"]


class FileHashes(NamedTuple):
    """What a content is.

    Attributes:
      size_bytes: Its length.
      sha256: Hexadecimal; empty if it was not asked for.
      git: The SHA-1 that git calls the blob by; empty if it was not asked for.
    """

    size_bytes: int
    sha256: str
    git: str


def nobody(size_bytes: int) -> None:
    """Is told of progress where nobody else is."""


def hash_content(
    path: PathLike,
    *,
    with_sha256: bool = True,
    with_git: bool = False,
    advance_fn: Callable[[int], object] = nobody,
) -> FileHashes:
    """Reads a file once and returns its hashes.

    Args:
      path: A regular file, not a link.
      with_sha256: Whether that is wanted.
      with_git: Whether git's is wanted.
      advance_fn: Called with the number of bytes after each piece; what it raises ends the reading.

    Raises:
      OSError: It cannot be read, or is no regular file.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with open(descriptor, "rb", buffering=0) as file:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise OSError(f"{os.fspath(path)} is no regular file")
        sha256, git = hashlib.sha256(), hashlib.sha1(usedforsecurity=False)
        git.update(b"blob %d\0" % status.st_size)
        digests = [sha256] * with_sha256 + [git] * with_git
        # A small file wants no large buffer.
        buffer = memoryview(bytearray(max(1, min(_CHUNK_BYTES, status.st_size + 1))))
        size_bytes = 0
        while count := file.readinto(buffer):
            for digest in digests:
                digest.update(buffer[:count])
            size_bytes += count
            advance_fn(count)
    return FileHashes(
        size_bytes,
        sha256.hexdigest() if with_sha256 else "",
        git.hexdigest() if with_git else "",
    )

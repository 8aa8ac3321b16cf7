"""Lets libraries lock files where the file system has no locks.

huggingface_hub and `datasets` lock each file with `flock`, which many mounts of NFS and Weka answer
with an error. Whoever fetches holds the lock of the whole repository (`job_locks`), which needs no
`flock`: so nobody is kept out by theirs, and where it fails nothing is lost.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
from collections.abc import Iterator
from typing import Any

_NO_LOCKS = (errno.ENOLCK, errno.EIO, errno.ENOSYS, errno.EOPNOTSUPP)


@contextlib.contextmanager
def forgiving_flock() -> Iterator[None]:
    """Takes a lock for taken where the file system has none, in this process and this block.

    Only whoever holds a job lock may do that.

    Yields:
      Nothing.
    """
    real = fcntl.flock

    def flock(file: Any, operation: int) -> None:
        try:
            real(file, operation)
        except OSError as error:
            if error.errno not in _NO_LOCKS:
                raise

    fcntl.flock = flock
    try:
        yield
    finally:
        fcntl.flock = real

"""Writing so that a reader sees the whole of something or nothing of it.

*Atomic* here: the bytes go to a temporary name beside the target, are flushed to the disk, and get
the target's name in one rename. A writer that is killed leaves only temporary names, which start
with a dot and end in `.tmp`, and which the next writer removes.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import fcntl
import os
import pathlib
import shutil
import uuid
from collections.abc import Iterator
from typing import Union

from code_t5 import errors

PathLike = Union[str, "os.PathLike[str]"]


def _temporary_name(path: pathlib.Path) -> pathlib.Path:
    return path.with_name(f".{path.name}.{uuid.uuid4().hex[:12]}.tmp")


def _fsync_path(path: pathlib.Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_file(path: PathLike, data: bytes) -> None:
    """Writes `data` to `path`, replacing what is there, in one step.

    Args:
      path: The file; its directory must exist.
      data: The whole content.
    """
    target = pathlib.Path(path)
    temporary = _temporary_name(target)
    try:
        with open(temporary, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    _fsync_path(target.parent)


def remove_leftovers(path: PathLike) -> None:
    """Removes what killed writers of `path` left beside it.

    Only the holder of the lock that guards `path` may call this.

    Args:
      path: The target of those writers.
    """
    target = pathlib.Path(path)
    if not target.parent.is_dir():
        return
    for leftover in target.parent.glob(f".{target.name}.????????????.tmp"):
        if leftover.is_dir() and not leftover.is_symlink():
            shutil.rmtree(leftover, ignore_errors=True)
        else:
            leftover.unlink(missing_ok=True)


@contextlib.contextmanager
def directory(path: PathLike) -> Iterator[pathlib.Path]:
    """Yields an empty directory that takes the name `path` if the block ends well.

    What stood at `path` is replaced only then, and goes on existing if the block fails.

    Args:
      path: The directory to make; its parents are made too.

    Yields:
      The temporary directory to write to.
    """
    target = pathlib.Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = _temporary_name(target)
    temporary.mkdir()
    try:
        yield temporary
        publish_directory(temporary, target)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise


def publish_directory(temporary: PathLike, path: PathLike) -> None:
    """Flushes every file below `temporary` to the disk and renames it to `path`.

    Args:
      temporary: A finished directory on the same file system.
      path: The name that it gets; what stands there is removed after the rename.
    """
    source, target = pathlib.Path(temporary), pathlib.Path(path)
    for folder, _, names in os.walk(source):
        for name in names:
            file = pathlib.Path(folder, name)
            if not file.is_symlink():
                _fsync_path(file)
        _fsync_path(pathlib.Path(folder))
    if os.path.lexists(target):
        # One step: at no moment does the name stand for nothing.
        _exchange(source, target)
        _fsync_path(target.parent)
        if source.is_symlink():
            source.unlink()
        else:
            shutil.rmtree(source, ignore_errors=True)
    else:
        os.rename(source, target)
        _fsync_path(target.parent)


_AT_FDCWD = -100
_RENAME_EXCHANGE = 2


def _exchange(first: pathlib.Path, second: pathlib.Path) -> None:
    """Swaps two names by Linux's `renameat2`; by two renames where the file system has it not."""
    library = ctypes.CDLL(None, use_errno=True)
    names = os.fsencode(first), os.fsencode(second)
    if library.renameat2(_AT_FDCWD, names[0], _AT_FDCWD, names[1], _RENAME_EXCHANGE) == 0:
        return
    code = ctypes.get_errno()
    if code not in (errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP):
        raise OSError(code, os.strerror(code), os.fspath(second))
    aside = _temporary_name(second)
    os.rename(second, aside)
    os.rename(first, second)
    os.rename(aside, first)


@contextlib.contextmanager
def lock(path: PathLike, *, purpose: str) -> Iterator[None]:
    """Holds an exclusive lock for the length of the block; the kernel frees it if the process dies.

    Args:
      path: The lock file; made if missing, and left behind.
      purpose: What the holder does, for the message to whoever comes second.

    Yields:
      Nothing.

    Raises:
      BusyError: Another process holds the lock.
    """
    target = pathlib.Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    with open(target, "a+b") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise errors.BusyError(
                f"another process holds {target} ({purpose}); wanted to be the only one writing "
                "there; wait until it has ended, or stop it, and run the command again"
            ) from error
        yield

"""One writer at a time: a lock beside what is written, and the disk's errors in one line."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import pathlib
from collections.abc import Iterator
from typing import BinaryIO, Union

from code_t5 import errors

PathLike = Union[str, "os.PathLike[str]"]

_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_REFUSED = (
    *(errno.EACCES, errno.EPERM, errno.EROFS, errno.ENAMETOOLONG, errno.ELOOP),
    *(errno.ENOTDIR, errno.EISDIR, errno.EEXIST),
)
_MAX_ATTEMPTS = 100
# While something is written, its name is longer by this.
_TEMPORARY = ".{}.0123456789ab.tmp"


def resolve(path: PathLike) -> pathlib.Path:
    """Returns where something is to be written, links resolved.

    Args:
      path: As the user gave it.

    Raises:
      InputError: Nothing can have that name.
    """
    found = ""
    try:
        if os.fspath(path):
            target = pathlib.Path(os.path.realpath(os.path.expanduser(os.fspath(path))))
            if target.name:
                with contextlib.suppress(FileNotFoundError, NotADirectoryError):
                    os.lstat(target.with_name(_TEMPORARY.format(target.name)))
                return target
    except (OSError, ValueError, TypeError) as error:
        found = f" ({getattr(error, 'strerror', None) or error})"
    raise errors.InputError(
        f"found {ascii(path)[:80]} to write to{found}; wanted the name of a file or directory; "
        "give one"
    )


@contextlib.contextmanager
def clear_disk_errors(target: pathlib.Path) -> Iterator[None]:
    """Turns the disk's errors into the project's.

    Args:
      target: What is written in the block.

    Yields:
      Nothing.

    Raises:
      CodeT5Error: There is no room, or too many files are open.
      InputError: The disk refuses to read or write something.
    """
    try:
        yield
    except OSError as error:
        if error.errno in _NO_ROOM:
            raise errors.CodeT5Error(
                f"no room on the disk while writing {target} ({error.strerror}); wanted room for "
                "one more file; free some, or give another place, then run the same command "
                "again: it goes on"
            ) from error
        if error.errno in (errno.EMFILE, errno.ENFILE):
            raise errors.CodeT5Error(
                f"too many files are open while writing {target} ({error.strerror}); wanted one "
                "for each shard; put more samples into a shard, or allow more with: ulimit -n"
            ) from error
        if error.errno in _REFUSED:
            raise errors.InputError(
                f"{error.filename or target} cannot be used while writing {target} "
                f"({error.strerror}); wanted to read and write it; change its permissions, or "
                "give another place"
            ) from error
        raise


@contextlib.contextmanager
def only_writer(target: pathlib.Path) -> Iterator[None]:
    """Holds the lock of what is written, `.NAME.lock` beside it, which is removed at the end.

    The kernel frees the lock of a process that dies; the file that it leaves harms no one.

    Args:
      target: What is written; the folder above it is made.

    Yields:
      Nothing.

    Raises:
      BusyError: Another process writes the same.
    """
    path = target.with_name(f".{target.name}.lock")
    path.parent.mkdir(parents=True, exist_ok=True)
    with contextlib.ExitStack() as stack:
        for _ in range(_MAX_ATTEMPTS):
            file = stack.enter_context(open(path, "a+b"))
            _lock(file, target)
            # Who held it before may have removed the file: that was another one, then.
            if _is_named(file, path):
                break
            stack.pop_all().close()
        else:
            raise _busy(target)
        try:
            yield
        finally:
            # While it is still held: whoever opened it meanwhile finds that it is gone.
            path.unlink(missing_ok=True)


def _lock(file: BinaryIO, target: pathlib.Path) -> None:
    """Takes the lock.

    Raises:
      BusyError: Another process holds it.
    """
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise _busy(target) from error


def _busy(target: pathlib.Path) -> errors.BusyError:
    return errors.BusyError(
        f"another process writes {target}; wanted to be the only one; wait until it has ended, or "
        "stop it, and run the command again"
    )


def _is_named(file: BinaryIO, path: pathlib.Path) -> bool:
    try:
        return os.path.samestat(os.fstat(file.fileno()), os.stat(path))
    except OSError:
        return False

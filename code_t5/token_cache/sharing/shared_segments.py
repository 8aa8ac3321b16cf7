"""Read-only memory that processes share, and that is gone when the last of them is.

A *segment* is memory behind a file without a name (Linux's `memfd_create`): the kernel frees it
when no process has it open or mapped, however they ended, so a later run can never find it. Once
filled it is *sealed*: from then on nobody can change or cut it.

Processes find each other by the *registry*, a folder of the user's own. Whoever has a segment open
puts an empty file there, an *entry*, and holds a lock on it while it lives. The name of an entry
says what the segment holds (its *key*), which descriptor of which process it is, and the random
name that the segment was made with. Another process opens that descriptor by `/proc` and believes
it only if the kernel gives it the same random name: a process that got the number of a dead one
has no such file. An entry without its lock is one of a dead process, and is swept away.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import fcntl
import mmap
import os
import pathlib
import re
import stat
import tempfile
import time
import uuid
import weakref
from collections.abc import Iterator
from typing import Callable, NamedTuple, Union

from absl import logging

from code_t5 import errors, progress

PathLike = Union[str, "os.PathLike[str]"]

_MFD_CLOEXEC, _MFD_ALLOW_SEALING, _MFD_NOEXEC_SEAL = 1, 2, 8
_F_ADD_SEALS, _F_GET_SEALS = 1033, 1034
# No more seals, no shrinking, no growing, no writing.
_SEALS = 1 | 2 | 4 | 8
_ENTRY = re.compile(r"([0-9a-f]{32})-(\d+)-(\d+)-(\d+)-([0-9a-f]{32})")
_POLL_SECONDS = 0.05
_INSTEAD = "or read the cache without use_shared_memory"


class _Entry(NamedTuple):
    """What the name of an entry says.

    Attributes:
      key: What the segment holds.
      namespace: In which process numbers are counted; containers have their own.
      process: Who has it open.
      descriptor: As what.
      token: The random name of the segment.
    """

    key: str
    namespace: int
    process: int
    descriptor: int
    token: str

    @property
    def file_name(self) -> str:
        return "-".join(map(str, self))


def default_registry_dir() -> pathlib.Path:
    """Returns the registry of this user: in memory where the system has such a folder."""
    folder = "/dev/shm"
    if not os.access(folder, os.W_OK | os.X_OK):
        folder = tempfile.gettempdir()
    return pathlib.Path(folder, f"code_t5-shared-{os.geteuid()}")


class SegmentRegistry:
    """Where the processes of a user find each other's segments."""

    def __init__(self, folder: PathLike) -> None:
        """Makes the folder if it is missing.

        Args:
          folder: The registry; `default_registry_dir()`, but for tests.

        Raises:
          InputError: It cannot be made, or others could write to it.
        """
        self._folder = pathlib.Path(folder)
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            found = self._folder.lstat()
            self._namespace = os.stat("/proc/self/ns/pid").st_ino
        except OSError as error:
            raise errors.InputError(
                f"cannot use {error.filename} for shared memory: {error.strerror}; wanted a folder "
                f"of this user's own, and /proc; mend that, {_INSTEAD}"
            ) from error
        is_own = stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid()
        if not is_own or found.st_mode & 0o077:
            raise errors.InputError(
                f"{self._folder} is not a folder that this user alone can write to (mode "
                f"{stat.S_IMODE(found.st_mode):o}, user {found.st_uid}); wanted that for shared "
                f"memory; remove it, {_INSTEAD}"
            )

    def open_segment(
        self, key: str, *, size: int, fill_fn: Callable[[int], None], check_fn: Callable[[], None]
    ) -> mmap.mmap:
        """Returns the segment of a key: another process's, or one made now.

        While another process fills it, this one waits; if that one dies, this one goes on itself.

        Args:
          key: 32 hexadecimal digits; equal keys, equal bytes.
          size: Of the segment, in bytes.
          fill_fn: Called with the descriptor of the empty file; writes all of it.
          check_fn: Called before a segment is made; raises if it must not be.

        Returns:
          Read-only memory `[size]`. The segment lives while this, or what was made of it, does.

        Raises:
          InputError: There is no memory for it.
        """
        with progress.progress_bar(
            description="waiting for another process that copies", unit="look"
        ) as bar:
            while True:
                found = self._find_or_make(key, size=size, check_fn=check_fn)
                if found is None:
                    time.sleep(_POLL_SECONDS)
                    bar.update(1)
                    continue
                holder, is_new = found
                if is_new:
                    bar.close()
                try:
                    if is_new:
                        _fill(holder.descriptor, size=size, fill_fn=fill_fn)
                    return _map(holder, size=size)
                except BaseException:
                    holder.release()
                    raise

    def _find_or_make(
        self, key: str, *, size: int, check_fn: Callable[[], None]
    ) -> tuple[_Holder, bool] | None:
        """Returns a segment and whether it is a new one; None while another process fills it."""
        with self._locked():
            is_being_filled = False
            for entry in self._living_entries(key):
                descriptor = _open_entry(entry)
                if descriptor is None:
                    continue
                if not _is_sealed(descriptor):
                    os.close(descriptor)
                    is_being_filled = True
                elif os.fstat(descriptor).st_size == size:
                    return self._hold(key, descriptor=descriptor, token=entry.token), False
                else:
                    os.close(descriptor)
            if is_being_filled:
                return None
            check_fn()
            token = uuid.uuid4().hex
            descriptor = _make_file(_segment_name(token))
            return self._hold(key, descriptor=descriptor, token=token), True

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        """Holds the registry; only for as long as it takes to look through it."""
        descriptor = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            with contextlib.suppress(OSError):
                # Before closing: a process forked in between has this descriptor too.
                fcntl.flock(descriptor, fcntl.LOCK_UN)
            os.close(descriptor)

    def _living_entries(self, key: str) -> list[_Entry]:
        """Sweeps the entries of dead processes and returns those of a key."""
        living = []
        for name in sorted(os.listdir(self._folder)):
            match = _ENTRY.fullmatch(name)
            if match is None:
                continue
            path = self._folder / name
            try:
                descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
            except OSError:
                continue
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                path.unlink(missing_ok=True)
            except BlockingIOError:
                entry = _Entry(match[1], int(match[2]), int(match[3]), int(match[4]), match[5])
                if entry.key == key and entry.namespace == self._namespace:
                    living.append(entry)
            finally:
                os.close(descriptor)
        return living

    def _hold(self, key: str, *, descriptor: int, token: str) -> _Holder:
        """Puts an entry for an open segment of this process; closes it if that fails."""
        entry = _Entry(key, self._namespace, os.getpid(), descriptor, token)
        path = self._folder / entry.file_name
        try:
            lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        except OSError as error:
            os.close(descriptor)
            raise _no_room(error) from error
        # Nobody else has it: this process alone may look through the registry now.
        fcntl.flock(lock, fcntl.LOCK_EX)
        return _Holder(descriptor=descriptor, lock=lock, path=path, process=os.getpid())


class _Holder(NamedTuple):
    """One process's hold of a segment.

    Attributes:
      descriptor: Of the segment.
      lock: Descriptor of the entry, locked.
      path: The entry.
      process: Whose entry it is; after a fork the child has the descriptors too.
    """

    descriptor: int
    lock: int
    path: pathlib.Path
    process: int

    def release(self) -> None:
        """Takes the entry away and closes the segment; what is mapped stays mapped."""
        if os.getpid() == self.process:
            with contextlib.suppress(OSError):
                self.path.unlink()
        for descriptor in (self.descriptor, self.lock):
            with contextlib.suppress(OSError):
                os.close(descriptor)


def _segment_name(token: str) -> str:
    return f"code_t5-{token}"


def _no_room(error: OSError) -> errors.InputError:
    return errors.InputError(
        f"shared memory could not be made: {error.strerror}; wanted a file in memory for the "
        f"tokens; free memory, {_INSTEAD}"
    )


def _make_file(name: str) -> int:
    """Returns the descriptor of a new file in memory.

    `os.memfd_create` is missing where Python was built against an old C library.
    """
    library = ctypes.CDLL(None, use_errno=True)
    flags = _MFD_CLOEXEC | _MFD_ALLOW_SEALING
    for more in (_MFD_NOEXEC_SEAL, 0):
        try:
            descriptor = library.memfd_create(name.encode("ascii"), flags | more)
        except AttributeError as error:
            raise _no_room(OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))) from error
        if descriptor >= 0:
            return descriptor
    code = ctypes.get_errno()
    raise _no_room(OSError(code, os.strerror(code)))


def _open_entry(entry: _Entry) -> int | None:
    """Opens the segment of an entry; None unless it is the one that the entry was made for."""
    wanted = f"/memfd:{_segment_name(entry.token)} (deleted)"
    path = f"/proc/{entry.process}/fd/{entry.descriptor}"
    try:
        if os.readlink(path) != wanted:
            return None
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except PermissionError as error:
        logging.warning(
            "process %d shares its memory, and this system does not let process %d open it (%s): "
            "it makes a copy of its own",
            entry.process, os.getpid(), error.strerror,
        )  # fmt: skip
        return None
    except OSError:
        return None
    # The process may have ended, and its number been given away, between the two calls.
    if os.readlink(f"/proc/self/fd/{descriptor}") != wanted:
        os.close(descriptor)
        return None
    return descriptor


def _is_sealed(descriptor: int) -> bool:
    return fcntl.fcntl(descriptor, _F_GET_SEALS) & _SEALS == _SEALS


def _fill(descriptor: int, *, size: int, fill_fn: Callable[[int], None]) -> None:
    try:
        os.ftruncate(descriptor, size)
    except OSError as error:
        raise _no_room(error) from error
    fill_fn(descriptor)
    fcntl.fcntl(descriptor, _F_ADD_SEALS, _SEALS)


def _map(holder: _Holder, *, size: int) -> mmap.mmap:
    # Kernels before 6.7 map a sealed file only where it was opened for reading alone.
    readable = os.open(f"/proc/self/fd/{holder.descriptor}", os.O_RDONLY | os.O_CLOEXEC)
    try:
        memory = mmap.mmap(readable, size, access=mmap.ACCESS_READ)
    except OSError as error:
        raise _no_room(error) from error
    finally:
        os.close(readable)
    weakref.finalize(memory, holder.release)
    return memory

"""One job fetches an artefact, the others wait: locks that need no `flock`.

Network file systems are often mounted without it. A *lock* here is a file that only one process
can make (a hard link to a file that is finished; `O_EXCL` where there are no links). It says who
its owner is. The owner touches it every few seconds; that is its *heartbeat*. A waiter counts by
its own clock how long no heartbeat came: after a minute the owner is taken for dead. Of an owner on
the same machine it asks the kernel, and need not wait.

A lock of a dead owner is *taken over* by one waiter alone: by the one that holds a second lock
whose name is the dead owner's. A lock's name never comes back, so nobody can take over a lock that
somebody else has taken already.
"""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import json
import os
import pathlib
import socket
import threading
import time
import uuid
from collections.abc import Iterator
from typing import Callable

from code_t5 import errors, visible_text

_HEARTBEAT_SECONDS = 5.0
_DEAD_SECONDS = 60.0
_POLL_SECONDS = 0.5
_MAX_LOCK_BYTES = 4096
_NO_LINKS = (
    errno.EPERM, errno.ENOSYS, errno.EOPNOTSUPP, errno.EMLINK, errno.EACCES, errno.EXDEV,
)  # fmt: skip

Say = Callable[[str], object]


@dataclasses.dataclass(frozen=True)
class _Owner:
    """Who holds a lock.

    Attributes:
      lock_id: Of this lock and no other.
      machine: The host, since it was started, and its process numbers.
      host: Its name, for people.
      pid: The process.
      started: When the process was started, as the kernel counts.
      purpose: What it does, for people.
    """

    lock_id: str
    machine: str
    host: str
    pid: int
    started: str
    purpose: str


@dataclasses.dataclass
class JobLock:
    """A lock that is held.

    Attributes:
      has_waited: Whether another job held it before.
      is_lost: Whether another job has taken it over: this one had stood still for too long.
    """

    has_waited: bool = False
    is_lost: bool = False


@contextlib.contextmanager
def job_lock(
    path: pathlib.Path,
    *,
    purpose: str,
    wait_seconds: float = 3600.0,
    say: Say | None = None,
) -> Iterator[JobLock]:
    """Holds a lock for the length of the block.

    Args:
      path: The lock file; its directory is made if missing.
      purpose: What the holder does, for the messages of those who wait.
      wait_seconds: How long to wait for another job.
      say: Is told whom it waits for.

    Yields:
      The lock.

    Raises:
      BusyError: Another job still held it after `wait_seconds`.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    owner = _new_owner(purpose)
    is_over = threading.Event()
    beating: threading.Thread | None = None
    # Ctrl-C may come as soon as the file is there.
    try:
        held = JobLock(has_waited=_wait_for(path, owner, wait_seconds=wait_seconds, say=say))
        beating = threading.Thread(target=_beat, args=(path, owner, held, is_over), daemon=True)
        beating.start()
        yield held
    finally:
        is_over.set()
        if beating is not None:
            beating.join()
        _release(path, owner)


def _new_owner(purpose: str) -> _Owner:
    host, pid = socket.gethostname(), os.getpid()
    return _Owner(uuid.uuid4().hex, _machine(), host, pid, _start_of(pid), purpose[:500])


def _machine() -> str:
    """Returns what tells this machine, and this set of process numbers, from all others."""
    parts = [socket.gethostname()]
    with contextlib.suppress(OSError):
        parts.append(pathlib.Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip())
    with contextlib.suppress(OSError):
        parts.append(os.readlink("/proc/self/ns/pid"))
    return " ".join(parts)


def _start_of(pid: int) -> str:
    """Returns when a process was started; nothing if there is none."""
    try:
        stat = pathlib.Path(f"/proc/{pid}/stat").read_text("utf-8", errors="replace")
    except OSError:
        return ""
    # The name in brackets may hold blanks. State, then field 22 of proc(5).
    fields = stat.rpartition(")")[2].split()
    return "" if fields[0] in ("Z", "X") else fields[19]


def _wait_for(path: pathlib.Path, owner: _Owner, *, wait_seconds: float, say: Say | None) -> bool:
    """Waits until the lock is ours, and says whether another job held it.

    Raises:
      BusyError: Another job still holds it.
    """
    begun, watched, told_of = time.monotonic(), _Watch(), ""
    has_waited = False
    while not _make(path, owner):
        found = watched.look(path)
        if found is not None:
            if watched.is_dead(path, found) and watched.take_over(path, found, owner=owner):
                return True
            has_waited = True
            if time.monotonic() - begun >= wait_seconds:
                raise errors.BusyError(
                    f"{_name(found)} has held {path.name} for {wait_seconds:.0f} s and more; "
                    "wanted to do the same; wait until it has ended, or stop it, and run the "
                    "command again"
                )
            if say is not None and told_of != found.lock_id:
                say(f"waiting for {_name(found)}")
                told_of = found.lock_id
        time.sleep(min(_POLL_SECONDS, max(0.01, wait_seconds)))
    return has_waited


def _name(owner: _Owner) -> str:
    name = f"process {owner.pid} on {owner.host} ({owner.purpose})"
    return visible_text.one_line(name)


class _Watch:
    """Counts by this process's clock how long locks have had no heartbeat."""

    def __init__(self) -> None:
        self._seen: dict[pathlib.Path, tuple[str, int]] = {}
        self._since: dict[pathlib.Path, float] = {}

    def look(self, path: pathlib.Path) -> _Owner | None:
        """Returns who holds a lock now; None if nobody does."""
        read = _read(path)
        if read is None:
            return None
        owner, beat = read
        if self._seen.get(path) != (owner.lock_id, beat):
            self._seen[path], self._since[path] = (owner.lock_id, beat), time.monotonic()
        return owner

    def is_dead(self, path: pathlib.Path, owner: _Owner) -> bool:
        """Says whether the owner that was seen last is gone."""
        if owner.machine and owner.machine == _machine():
            return _start_of(owner.pid) != owner.started
        return time.monotonic() - self._since[path] > _DEAD_SECONDS

    def take_over(self, path: pathlib.Path, dead: _Owner, *, owner: _Owner) -> bool:
        """Takes a dead owner's lock; False if somebody else does, or did."""
        guard = path.with_name(f"{path.name[:100]}.{dead.lock_id}")
        if not _make(guard, owner):
            # Whoever wanted to take it over may be dead as well.
            second = self.look(guard)
            if second is None or not self.is_dead(guard, second):
                return False
            if not self.take_over(guard, second, owner=owner):
                return False
        try:
            found = _read(path)
            if found is None or found[0].lock_id != dead.lock_id:
                return False
            temporary = path.with_name(f".{owner.lock_id}.tmp")
            temporary.write_bytes(_content(owner))
            os.replace(temporary, path)
            return True
        finally:
            guard.unlink(missing_ok=True)


def _read(path: pathlib.Path) -> tuple[_Owner, int] | None:
    """Returns who holds a lock and its last heartbeat; None if nobody does."""
    try:
        # Opened anew each time: that is when network file systems ask their server.
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except FileNotFoundError:
        return None
    except OSError:
        return _Owner(f"unreadable-{path.name[:50]}", "", "?", 0, "", "a file that is no lock"), 0
    try:
        status = os.fstat(descriptor)
        content = os.read(descriptor, _MAX_LOCK_BYTES)
    except OSError:
        content = b""
    finally:
        os.close(descriptor)
    try:
        fields = json.loads(content)
        owner = _Owner(**{name: fields[name] for name in _Owner.__dataclass_fields__})
        owner = dataclasses.replace(owner, lock_id=uuid.UUID(owner.lock_id).hex, pid=int(owner.pid))
    except (AttributeError, KeyError, TypeError, ValueError, RecursionError):
        # Made, but not written yet; or its writer was killed in between.
        mark = f"{content!r} {status.st_ino} {status.st_mtime_ns}"
        lock_id = uuid.uuid5(uuid.NAMESPACE_OID, mark).hex
        owner = _Owner(lock_id, "", "?", 0, "", "a lock without an owner")
    return owner, status.st_mtime_ns


def _content(owner: _Owner) -> bytes:
    return json.dumps(dataclasses.asdict(owner)).encode()


def _make(path: pathlib.Path, owner: _Owner) -> bool:
    """Makes a lock file in one step; False if there is one.

    Raises:
      OSError: It cannot be made at all.
    """
    temporary = path.with_name(f".{owner.lock_id}.tmp")
    temporary.write_bytes(_content(owner))
    try:
        os.link(temporary, path)
        return True
    except FileExistsError:
        return False
    except OSError as error:
        # Over NFS an answer may be lost: the number of names tells.
        if temporary.stat().st_nlink == 2:
            return True
        if error.errno not in _NO_LINKS:
            raise
    finally:
        temporary.unlink(missing_ok=True)
    return _make_exclusively(path, _content(owner))


def _make_exclusively(path: pathlib.Path, content: bytes) -> bool:
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
    except FileExistsError:
        return False
    try:
        os.write(descriptor, content)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    return True


def _beat(path: pathlib.Path, owner: _Owner, held: JobLock, is_over: threading.Event) -> None:
    """Touches the lock until it is over; stops if another job has taken it."""
    while not is_over.wait(_HEARTBEAT_SECONDS):
        try:
            found = _read(path)
            if found is None or found[0].lock_id != owner.lock_id:
                held.is_lost = True
                return
            os.utime(path)
        except OSError:
            # A file system that is away for a while: the next beat tells.
            continue


def _release(path: pathlib.Path, owner: _Owner) -> None:
    with contextlib.suppress(OSError):
        found = _read(path)
        if found is not None and found[0].lock_id == owner.lock_id:
            path.unlink(missing_ok=True)

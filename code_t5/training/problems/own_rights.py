"""What a process gives up of itself: privileges, namespaces, its user, room for more.

Only `fence_child` calls these, in a fresh process of one thread that runs nothing else. A
*namespace* is a view of the system of one's own: of processes (whoever is in it cannot name those
outside, and all of it ends with its first process) or of mounted file systems.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import pathlib
import re
import resource
import struct
from collections.abc import Mapping

OWN_USER, SAME_USER = "own user", "same user"

# Of linux/sched.h, linux/mount.h, linux/prctl.h and linux/capability.h.
_NEW_MOUNTS, _NEW_USERS, _NEW_PROCESSES = 0x00020000, 0x10000000, 0x20000000
_MOUNT_NOSUID, _MOUNT_NODEV, _MOUNT_RECURSIVE, _MOUNT_PRIVATE = 2, 4, 1 << 14, 1 << 18
_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE, _PR_SET_KEEPCAPS, _PR_CAPBSET_DROP = 1, 4, 8, 24
_PR_SET_CHILD_SUBREAPER, _PR_SET_NO_NEW_PRIVS, _PR_CAP_AMBIENT, _AMBIENT_CLEAR = 36, 38, 47, 4
_CAPABILITY_VERSION, _DAC_READ_SEARCH, _MAX_CAPABILITY = 0x20080522, 2, 63
# Users of whom no system has any; one for each fence, so that the kernel counts each alone.
_FIRST_USER = 0x70000000
_INSIDE_USER = 1000
# The first Linux that counts the processes of a user in each user namespace alone.
_COUNTS_PER_NAMESPACE = (5, 14)


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _prctl(option: int, value: int = 0, third: int = 0) -> bool:
    zero = ctypes.c_ulong(0)
    arguments = ctypes.c_ulong(value), ctypes.c_ulong(third), zero, zero
    return _libc().prctl(option, *arguments) == 0


def end_with_parent(signal_number: int) -> None:
    """Asks for a signal when the process that started this one is gone."""
    _prctl(_PR_SET_PDEATHSIG, signal_number)


def adopt_orphans() -> bool:
    """Makes this process the parent of whatever its descendants leave behind."""
    return _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def refuse_new_privileges() -> bool:
    """Lets no program that is started have more rights than this process."""
    return _prctl(_PR_SET_NO_NEW_PRIVS, 1)


def enter_namespaces() -> bool:
    """Puts the children of this process into a namespace of their own, and its mounts.

    A user without privileges becomes the owner of a user namespace for it.

    Returns:
      Whether the kernel allows it here.
    """
    flags = _NEW_PROCESSES | _NEW_MOUNTS
    user, group = os.geteuid(), os.getegid()
    if user == 0 and _libc().unshare(flags) == 0:
        return True
    if _libc().unshare(flags | _NEW_USERS) != 0:
        return False
    with contextlib.suppress(OSError):
        pathlib.Path("/proc/self/setgroups").write_text("deny", encoding="ascii")
    try:
        for name, number in (("uid_map", user), ("gid_map", group)):
            path = pathlib.Path("/proc/self", name)
            path.write_text(f"{_INSIDE_USER} {number} 1", encoding="ascii")
    except OSError:
        # In the namespace all the same, as nobody.
        return True
    return True


def mount_scratch(path: str, *, size_bytes: int, max_files: int) -> bool:
    """Lays a file system in memory over a folder, seen by nobody outside.

    Args:
      path: The folder.
      size_bytes: Most bytes in it.
      max_files: Most files and folders in it.

    Returns:
      Whether it lies there.
    """
    libc = _libc()
    if libc.mount(None, b"/", None, ctypes.c_ulong(_MOUNT_RECURSIVE | _MOUNT_PRIVATE), None):
        return False
    flags = ctypes.c_ulong(_MOUNT_NOSUID | _MOUNT_NODEV)
    options = f"size={size_bytes},nr_inodes={max_files},mode=0700".encode("ascii")
    return libc.mount(b"code_t5", os.fsencode(path), b"tmpfs", flags, options) == 0


def give_up_rights(*, owned: str, keeps_reading: bool) -> str:
    """Gives up every privilege, and root's user for one that nobody else is.

    Args:
      owned: A folder that the new user gets.
      keeps_reading: Whether root's right to read what others may not is kept, because Python itself
        lies there. What is readable then is Landlock's to say.

    Returns:
      Who it is now: `OWN_USER` or `SAME_USER`.

    Raises:
      PermissionError: It is root still.
    """
    who, kept = SAME_USER, 0
    _prctl(_PR_CAP_AMBIENT, _AMBIENT_CLEAR)
    for number in range(_MAX_CAPABILITY + 1):
        if not (keeps_reading and number == _DAC_READ_SEARCH):
            _prctl(_PR_CAPBSET_DROP, number)
    if os.geteuid() == 0:
        user = _FIRST_USER + int.from_bytes(os.urandom(3), "little")
        if keeps_reading and _prctl(_PR_SET_KEEPCAPS, 1):
            kept = 1 << _DAC_READ_SEARCH
        # Refused where root is one in name only, in a container without other users.
        with contextlib.suppress(OSError):
            os.chown(owned, user, user)
            os.setgroups([])
            os.setresgid(user, user, user)
            os.setresuid(user, user, user)
            who = OWN_USER
    _set_capabilities(kept if who == OWN_USER else 0)
    _prctl(_PR_SET_DUMPABLE, 0)
    if _is_real_root():
        raise PermissionError("root's user cannot be given up here")
    return who


def _is_real_root() -> bool:
    """Says whether this is the machine's own root, whose processes the kernel does not count."""
    if os.geteuid() != 0:
        return False
    try:
        return pathlib.Path("/proc/self/uid_map").read_text(encoding="ascii").split()[1] == "0"
    except (OSError, IndexError):
        return True


def _set_capabilities(kept: int) -> None:
    """Leaves this process those capabilities alone.

    Raises:
      PermissionError: The kernel refused.
    """
    header = struct.pack("<Ii", _CAPABILITY_VERSION, 0)
    # Effective, permitted and inheritable, the low half of each and then the high.
    data = struct.pack("<6I", kept, kept, 0, 0, 0, 0)
    if _libc().capset(header, data) != 0:
        raise PermissionError("privileges cannot be given up here")


def _counts_per_namespace() -> bool:
    found = tuple(int(part) for part in re.findall(r"\d+", os.uname().release)[:2])
    return found >= _COUNTS_PER_NAMESPACE


def count_threads_of_user() -> int:
    """Returns how many threads this process's user has, as far as they can be seen."""
    user, count = os.getuid(), 0
    for path in pathlib.Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError, IndexError, ValueError):
            if path.stat().st_uid == user:
                stat = (path / "stat").read_bytes().rpartition(b")")[2].split()
                count += int(stat[17])
    return count


def limit_room(limits: Mapping[str, int], *, who: str, is_apart: bool) -> None:
    """Limits what this process and each that it starts may take.

    Args:
      limits: The fields of `FenceLimits`.
      who: What `give_up_rights` returned.
      is_apart: Whether the process lies in a user namespace of its own.
    """
    processes = limits["max_processes"]
    if who == SAME_USER:
        # Those that started this one count as well, and so may all others of the user.
        is_counted_apart = is_apart and _counts_per_namespace()
        processes += 2 if is_counted_apart else count_threads_of_user()
    wanted = {
        resource.RLIMIT_CPU: limits["cpu_seconds"],
        resource.RLIMIT_AS: limits["memory_bytes"],
        resource.RLIMIT_FSIZE: limits["file_bytes"],
        resource.RLIMIT_NOFILE: limits["max_descriptors"],
        resource.RLIMIT_NPROC: processes,
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_MEMLOCK: 0,
        resource.RLIMIT_MSGQUEUE: 0,
        resource.RLIMIT_SIGPENDING: 64,
        resource.RLIMIT_RTPRIO: 0,
        resource.RLIMIT_NICE: 0,
    }
    for kind, value in wanted.items():
        _, highest = resource.getrlimit(kind)
        value = value if highest == resource.RLIM_INFINITY else min(value, highest)
        resource.setrlimit(kind, (value, value))

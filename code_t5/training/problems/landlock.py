"""Shuts a process out of the file system but for named folders, for good (Landlock).

Landlock is the Linux kernel's own fence for programs without privileges (since 5.13): a *rule*
grants rights on everything beneath a file or folder, and whatever no rule grants is refused, to
this process and to all that it starts. Newer versions (*ABI*) of it cover more; what the kernel
offers is used. Names and sizes of files can still be asked for.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import stat
import sys
from collections.abc import Iterable

# The same numbers on every machine: linux/landlock.h.
_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_ASK_VERSION, _PATH_BENEATH = 1, 1
_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR = 1 << 0, 1 << 1, 1 << 2, 1 << 3
_REFER, _TRUNCATE, _IOCTL_DEVICE = 1 << 13, 1 << 14, 1 << 15
# Of the first version: the four above, removing and making.
_FIRST_RIGHTS = (1 << 13) - 1
_MAKE_CHARACTER_DEVICE, _MAKE_SOCKET, _MAKE_BLOCK_DEVICE = 1 << 6, 1 << 9, 1 << 11
_BIND_AND_CONNECT = 0b11
_SCOPE_ABSTRACT_SOCKETS_AND_SIGNALS = 0b11
_PR_SET_NO_NEW_PRIVS = 38
# What a rule on a file, not a folder, may grant.
_FILE_RIGHTS = _EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE | _IOCTL_DEVICE

_ABI_WITH_REFER, _ABI_WITH_TRUNCATE, _ABI_WITH_NET, _ABI_WITH_IOCTL, _ABI_WITH_SCOPES = (
    2,
    3,
    4,
    5,
    6,
)


class _RulesetAttributes(ctypes.Structure):
    _fields_ = [
        ("handled_files", ctypes.c_uint64),
        ("handled_network", ctypes.c_uint64),
        ("scoped", ctypes.c_uint64),
    ]


class _PathBeneath(ctypes.Structure):
    _pack_ = 1
    _fields_ = [("allowed", ctypes.c_uint64), ("parent", ctypes.c_int32)]


def version() -> int:
    """Returns Landlock's version in this kernel, 0 where there is none."""
    if sys.platform != "linux":
        return 0
    libc = ctypes.CDLL(None, use_errno=True)
    found = libc.syscall(ctypes.c_long(_CREATE_RULESET), None, ctypes.c_size_t(0), _ASK_VERSION)
    return max(0, int(found))


def _file_rights(abi: int) -> int:
    rights = _FIRST_RIGHTS
    rights |= _REFER if abi >= _ABI_WITH_REFER else 0
    rights |= _TRUNCATE if abi >= _ABI_WITH_TRUNCATE else 0
    return rights | (_IOCTL_DEVICE if abi >= _ABI_WITH_IOCTL else 0)


def _ruleset(abi: int) -> tuple[_RulesetAttributes, int]:
    """Returns what is refused unless a rule grants it, and the bytes that this kernel knows of."""
    attributes = _RulesetAttributes(handled_files=_file_rights(abi))
    size = 8
    if abi >= _ABI_WITH_NET:
        attributes.handled_network, size = _BIND_AND_CONNECT, 16
    if abi >= _ABI_WITH_SCOPES:
        attributes.scoped, size = _SCOPE_ABSTRACT_SOCKETS_AND_SIGNALS, 24
    return attributes, size


def restrict(
    *, readable: Iterable[str], writable: Iterable[str], devices: Iterable[str] = ()
) -> int:
    """Takes the rest of the file system away from this process and all that it starts from now on.

    Descriptors that are open stay open. The process must have one thread.

    Args:
      readable: Folders and files to read and to run programs from; those missing are passed over.
      writable: Folders to do anything in but to make devices and sockets.
      devices: Files to read and write.

    Returns:
      Landlock's version; 0 where the kernel has none and nothing is restricted.

    Raises:
      OSError: The kernel has Landlock and refused.
    """
    abi = version()
    if not abi:
        return 0
    libc = ctypes.CDLL(None, use_errno=True)
    attributes, size = _ruleset(abi)
    ruleset = _checked(
        libc.syscall(
            ctypes.c_long(_CREATE_RULESET), ctypes.byref(attributes), ctypes.c_size_t(size), 0
        )
    )
    everything = _file_rights(abi)
    no_devices = ~(_MAKE_CHARACTER_DEVICE | _MAKE_SOCKET | _MAKE_BLOCK_DEVICE | _IOCTL_DEVICE)
    grants = [(path, _EXECUTE | _READ_FILE | _READ_DIR) for path in readable]
    grants += [(path, everything & no_devices) for path in writable]
    grants += [(path, _READ_FILE | _WRITE_FILE) for path in devices]
    try:
        for path, rights in grants:
            _add_rule(libc, ruleset, path=path, rights=rights & everything)
        zero = ctypes.c_ulong(0)
        _checked(libc.prctl(_PR_SET_NO_NEW_PRIVS, ctypes.c_ulong(1), zero, zero, zero))
        _checked(libc.syscall(ctypes.c_long(_RESTRICT_SELF), ctypes.c_int(ruleset), 0))
    finally:
        os.close(ruleset)
    return abi


def _add_rule(libc: ctypes.CDLL, ruleset: int, *, path: str, rights: int) -> None:
    with contextlib.suppress(FileNotFoundError, NotADirectoryError):
        descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
        try:
            if not stat.S_ISDIR(os.fstat(descriptor).st_mode):
                rights &= _FILE_RIGHTS
            rule = _PathBeneath(allowed=rights, parent=descriptor)
            _checked(
                libc.syscall(
                    ctypes.c_long(_ADD_RULE),
                    ctypes.c_int(ruleset),
                    _PATH_BENEATH,
                    ctypes.byref(rule),
                    0,
                )
            )
        finally:
            os.close(descriptor)


def _checked(result: int) -> int:
    """Returns what a call of the C library gave.

    Raises:
      OSError: It failed.
    """
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return result

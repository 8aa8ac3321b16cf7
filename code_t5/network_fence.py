"""Takes the network away from a process, for good: to prove that something works without one.

The *fence* is a filter of system calls (seccomp) that lets no socket be made but those between
processes of this machine (AF_UNIX). It cannot be taken down again, and every process that is
started afterwards is behind it too, whatever it is written in. Beside it stands an audit hook of
Python, which says in words what was refused; where the kernel has no such filters it stands alone,
and then holds Python code only.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import socket
import struct
import sys
from typing import Any, NamedTuple

from code_t5 import errors

SECCOMP = "seccomp"
AUDIT_HOOK = "audit hook"

# Of linux/prctl.h, linux/seccomp.h and linux/bpf_common.h.
_PR_SET_SECCOMP, _PR_SET_NO_NEW_PRIVS = 22, 38
_MODE_FILTER = 2
_SET_MODE_FILTER, _FLAG_TSYNC = 1, 1
_ALLOW, _KILL_PROCESS, _ERRNO = 0x7FFF0000, 0x80000000, 0x00050000
_LOAD, _JUMP_EQUAL, _JUMP_AT_LEAST, _RETURN = 0x20, 0x15, 0x35, 0x06
# Offsets in struct seccomp_data; of the argument its low half, as both machines are little-endian.
_NUMBER, _ARCHITECTURE, _FIRST_ARGUMENT = 0, 4, 16
_X32_BIT = 0x40000000


class _Machine(NamedTuple):
    """The numbers by which a kernel knows its calls.

    Attributes:
      architecture: AUDIT_ARCH_... of its own programs; those of another one are not let run.
      socket: The call that makes a socket.
      seccomp: The call that sets a filter.
      refused: Calls that reach a network past `socket`: io_uring_setup, and pidfd_getfd and ptrace,
        by which a socket is taken out of another process.
    """

    architecture: int
    socket: int
    seccomp: int
    refused: tuple[int, ...]


_MACHINES = {
    "x86_64": _Machine(0xC000003E, 41, 317, (425, 438, 101)),
    "aarch64": _Machine(0xC00000B7, 198, 277, (425, 438, 117)),
}


class NetworkBlockedError(errors.CodeT5Error, PermissionError):
    """Something asked for the network behind the fence.

    An OSError too, because that is what libraries take for a network that is not there.
    """


def block_network() -> str:
    """Takes the network away from this process and all that it starts from now on.

    Sockets that are open already stay open: call it first. Calling it twice does no harm.

    Returns:
      What holds: `SECCOMP`, or `AUDIT_HOOK` where the kernel refuses a filter.
    """
    holds = SECCOMP if _set_filter() else AUDIT_HOOK
    sys.addaudithook(_audit)
    return holds


def _program(machine: _Machine) -> bytes:
    """Returns the filter, as the kernel's little machine runs it."""
    refuse, let_pass = _ERRNO | errno.EACCES, _ALLOW
    steps = [
        (_LOAD, 0, 0, _ARCHITECTURE),
        (_JUMP_EQUAL, 1, 0, machine.architecture),
        (_RETURN, 0, 0, _KILL_PROCESS),
        (_LOAD, 0, 0, _NUMBER),
        # Only x86-64 has numbers like these: its calls once more, with short pointers.
        (_JUMP_AT_LEAST, 0, 1, _X32_BIT),
        (_RETURN, 0, 0, refuse),
    ]
    for number in machine.refused:
        steps += [(_JUMP_EQUAL, 0, 1, number), (_RETURN, 0, 0, refuse)]
    steps += [
        (_JUMP_EQUAL, 1, 0, machine.socket),
        (_RETURN, 0, 0, let_pass),
        (_LOAD, 0, 0, _FIRST_ARGUMENT),
        (_JUMP_EQUAL, 1, 0, int(socket.AF_UNIX)),
        (_RETURN, 0, 0, refuse),
        (_RETURN, 0, 0, let_pass),
    ]
    return b"".join(struct.pack("<HBBI", *step) for step in steps)


class _FilterProgram(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("steps", ctypes.c_void_p)]


def _set_filter() -> bool:
    """Says whether the kernel took the filter for every thread of this process."""
    machine = _MACHINES.get(platform.machine())
    if machine is None or sys.platform != "linux" or ctypes.sizeof(ctypes.c_void_p) != 8:
        return False
    libc = ctypes.CDLL(None, use_errno=True)
    steps = _program(machine)
    kept = ctypes.create_string_buffer(steps, len(steps))
    program = _FilterProgram(len(steps) // 8, ctypes.cast(kept, ctypes.c_void_p))
    zero = ctypes.c_ulong(0)
    if libc.prctl(_PR_SET_NO_NEW_PRIVS, ctypes.c_ulong(1), zero, zero, zero):
        return False
    number = ctypes.c_long(machine.seccomp)
    flag = ctypes.c_ulong(_FLAG_TSYNC)
    # Not 0 but a thread's number: that one has another filter, and so would not get this one.
    if libc.syscall(number, ctypes.c_ulong(_SET_MODE_FILTER), flag, ctypes.byref(program)) == 0:
        return True
    if len(os.listdir("/proc/self/task")) > 1:
        return False
    return not libc.prctl(
        _PR_SET_SECCOMP, ctypes.c_ulong(_MODE_FILTER), ctypes.byref(program), zero, zero
    )


def _is_this_machine(host: object) -> bool:
    name = host.decode("ascii", "replace") if isinstance(host, bytes) else host
    return name in (None, "", "localhost", "127.0.0.1", "::1", socket.gethostname())


def _audit(event: str, arguments: tuple[Any, ...]) -> None:
    """Refuses what would reach the network.

    Raises:
      NetworkBlockedError: It would.
    """
    if not event.startswith("socket."):
        return
    if event == "socket.__new__":
        # -1 stands for the family of a descriptor that is open already.
        if arguments[1] not in (socket.AF_UNIX, -1):
            _refuse(f"a socket of family {arguments[1]}")
    elif event in ("socket.connect", "socket.sendto", "socket.sendmsg"):
        if arguments[0].family != socket.AF_UNIX:
            _refuse(f"a connection to {arguments[1]!a}")
    elif event in ("socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr"):
        if not _is_this_machine(arguments[0]):
            _refuse(f"the address of {arguments[0]!a}")


def _refuse(what: str) -> None:
    """Says in words what was asked for.

    Raises:
      NetworkBlockedError: Always.
    """
    raise NetworkBlockedError(
        errno.EACCES,
        f"{what} was asked for behind the fence of code_t5.network_fence; wanted nothing of the "
        "network; fetch what is missing where there is one",
    )

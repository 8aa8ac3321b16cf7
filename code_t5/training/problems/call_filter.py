"""Refuses system calls that generated code has no business with, for good (seccomp).

A *call filter* stands beside `code_t5.network_fence`'s, which keeps the network away: this one
refuses every socket but a pair of connected streams, whatever mounts, traces, loads or reaches into
the kernel or another process, new namespaces, memory that no limit counts (shared segments,
anonymous files), and changes to the metadata of files that only reading was granted on, which
Landlock does not cover. It holds for every process started afterwards, in whatever language.
"""

from __future__ import annotations

import ctypes
import errno
import platform
import struct
import sys
from collections.abc import Iterator

# Of linux/bpf_common.h, linux/seccomp.h and linux/prctl.h.
_LOAD, _AND, _JUMP_EQUAL, _JUMP_AT_LEAST, _JUMP_ANY, _RETURN = 0x20, 0x54, 0x15, 0x35, 0x45, 0x06
_ALLOW, _KILL_PROCESS, _ERRNO = 0x7FFF0000, 0x80000000, 0x00050000
_PR_SET_SECCOMP, _PR_SET_NO_NEW_PRIVS, _MODE_FILTER = 22, 38, 2
# Offsets in struct seccomp_data; of arguments the low half, as both machines are little-endian.
_NUMBER, _ARCHITECTURE, _ARGUMENTS = 0, 4, (16, 24, 32)
_X32_BIT = 0x40000000
_REFUSED, _UNKNOWN = _ERRNO | errno.EPERM, _ERRNO | errno.ENOSYS

# CLONE_NEW... of linux/sched.h.
_NEW_NAMESPACES = 0x7E020000
_OPEN_ACCESS, _OPEN_TRUNCATES = 0o3, 0o1000
_STREAM, _SOCKET_TYPES = 1, 0xF
# F_SETOWN, F_SETSIG, F_SETOWN_EX; FIOSETOWN, SIOCSPGRP: they let the kernel send signals.
_OWNER_CONTROLS, _OWNER_REQUESTS = (8, 10, 15), (0x8901, 0x8902)

_Step = tuple[int, int, int, int]

# Numbers on x86-64 and on aarch64; None where a machine does not have the call.
_CALLS: dict[str, tuple[int | None, int | None]] = {
    # The network, past what `network_fence` refuses.
    "socket": (41, 198),
    "connect": (42, 203),
    "bind": (49, 200),
    "listen": (50, 201),
    "accept": (43, 202),
    "accept4": (288, 242),
    # Other processes.
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "process_madvise": (440, 440),
    "process_mrelease": (448, 448),
    "kcmp": (312, 272),
    "pidfd_getfd": (438, 438),
    "move_pages": (279, 239),
    "migrate_pages": (256, 238),
    "setpriority": (141, 140),
    "ioprio_set": (251, 30),
    "sched_setaffinity": (203, 122),
    "sched_setattr": (314, 274),
    "sched_setparam": (142, 118),
    "sched_setscheduler": (144, 119),
    # What the file system is.
    "mount": (165, 40),
    "umount2": (166, 39),
    "pivot_root": (155, 41),
    "chroot": (161, 51),
    "move_mount": (429, 429),
    "open_tree": (428, 428),
    "open_tree_attr": (467, 467),
    "fsopen": (430, 430),
    "fsconfig": (431, 431),
    "fsmount": (432, 432),
    "fspick": (433, 433),
    "mount_setattr": (442, 442),
    "quotactl": (179, 60),
    "quotactl_fd": (443, 443),
    "swapon": (167, 224),
    "swapoff": (168, 225),
    "open_by_handle_at": (304, 265),
    "name_to_handle_at": (303, 264),
    "fanotify_init": (300, 262),
    # Metadata of files.
    "chmod": (90, None),
    "fchmod": (91, 52),
    "fchmodat": (268, 53),
    "fchmodat2": (452, 452),
    "chown": (92, None),
    "fchown": (93, 55),
    "lchown": (94, None),
    "fchownat": (260, 54),
    "utime": (132, None),
    "utimes": (235, None),
    "futimesat": (261, None),
    "utimensat": (280, 88),
    "setxattr": (188, 5),
    "lsetxattr": (189, 6),
    "fsetxattr": (190, 7),
    "removexattr": (197, 14),
    "lremovexattr": (198, 15),
    "fremovexattr": (199, 16),
    "setxattrat": (463, 463),
    "removexattrat": (466, 466),
    "file_setattr": (469, 469),
    # Landlock covers it from its third version on.
    "truncate": (76, 45),
    # Namespaces.
    "unshare": (272, 97),
    "setns": (308, 268),
    # Memory that no limit of a process counts.
    "memfd_create": (319, 279),
    "memfd_secret": (447, 447),
    "shmget": (29, 194),
    "shmat": (30, 196),
    "shmctl": (31, 195),
    "semget": (64, 190),
    "msgget": (68, 186),
    "mq_open": (240, 180),
    # The kernel and the machine.
    "bpf": (321, 280),
    "perf_event_open": (298, 241),
    "userfaultfd": (323, 282),
    "io_uring_setup": (425, 425),
    "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427),
    "keyctl": (250, 219),
    "add_key": (248, 217),
    "request_key": (249, 218),
    "init_module": (175, 105),
    "finit_module": (313, 273),
    "delete_module": (176, 106),
    "kexec_load": (246, 104),
    "kexec_file_load": (320, 294),
    "reboot": (169, 142),
    "sethostname": (170, 161),
    "setdomainname": (171, 162),
    "settimeofday": (164, 170),
    "clock_settime": (227, 112),
    "clock_adjtime": (305, 266),
    "adjtimex": (159, 171),
    "syslog": (103, 116),
    "acct": (163, 89),
    "vhangup": (153, 58),
    "iopl": (172, None),
    "ioperm": (173, None),
    "modify_ldt": (154, None),
}
# Refused where another process of the same user could be hit.
_SIGNALS: dict[str, tuple[int | None, int | None]] = {
    "kill": (62, 129),
    "tkill": (200, 130),
    "tgkill": (234, 131),
    "rt_sigqueueinfo": (129, 138),
    "rt_tgsigqueueinfo": (297, 240),
    "pidfd_send_signal": (424, 424),
}
# Said not to exist, so that the C library falls back on a call whose arguments can be seen.
_HIDDEN: dict[str, tuple[int | None, int | None]] = {
    "clone3": (435, 435),
    "openat2": (437, 437),
}
# Refused with some arguments.
_CLONE, _PRLIMIT, _OPEN, _OPENAT = (56, 220), (302, 261), (2, None), (257, 56)
_SOCKETPAIR, _FCNTL, _IOCTL = (53, 199), (72, 25), (16, 29)
# AUDIT_ARCH_..., and the column of the numbers.
_MACHINES = {"x86_64": (0xC000003E, 0), "aarch64": (0xC00000B7, 1)}


class _FilterProgram(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("steps", ctypes.c_void_p)]


def _only_if(number: int | None, steps: list[_Step]) -> list[_Step]:
    """Returns steps that run for one call alone; the last of them must return."""
    if number is None:
        return []
    return [(_JUMP_EQUAL, 0, len(steps), number), *steps]


def _refuse_all(numbers: Iterator[int | None], answer: int) -> Iterator[_Step]:
    for number in numbers:
        if number is not None:
            yield (_JUMP_EQUAL, 0, 1, number)
            yield (_RETURN, 0, 0, answer)


def _refuse_values(argument: int, values: tuple[int, ...]) -> list[_Step]:
    """Returns steps that refuse a call whose argument is one of some values."""
    steps = [(_LOAD, 0, 0, _ARGUMENTS[argument])]
    for value in values:
        steps += [(_JUMP_EQUAL, 0, 1, value), (_RETURN, 0, 0, _REFUSED)]
    return [*steps, (_RETURN, 0, 0, _ALLOW)]


def _by_argument(column: int) -> Iterator[list[_Step]]:
    """Yields the steps of the calls that are refused with some arguments only."""
    allow, refuse = (_RETURN, 0, 0, _ALLOW), (_RETURN, 0, 0, _REFUSED)
    load = [(_LOAD, 0, 0, offset) for offset in _ARGUMENTS]
    yield _only_if(_CLONE[column], [load[0], (_JUMP_ANY, 0, 1, _NEW_NAMESPACES), refuse, allow])
    # The limits of others.
    yield _only_if(_PRLIMIT[column], [load[0], (_JUMP_EQUAL, 0, 1, 0), allow, refuse])
    # Older Landlocks let a file that may be read be emptied.
    empties = [
        (_AND, 0, 0, _OPEN_ACCESS | _OPEN_TRUNCATES),
        (_JUMP_EQUAL, 0, 1, _OPEN_TRUNCATES),
        refuse,
        allow,
    ]
    yield _only_if(_OPEN[column], [load[1], *empties])
    yield _only_if(_OPENAT[column], [load[2], *empties])
    # Datagrams could be sent to any address.
    streams = [(_AND, 0, 0, _SOCKET_TYPES), (_JUMP_EQUAL, 0, 1, _STREAM), allow, refuse]
    yield _only_if(_SOCKETPAIR[column], [load[1], *streams])
    yield _only_if(_FCNTL[column], _refuse_values(1, _OWNER_CONTROLS))
    yield _only_if(_IOCTL[column], _refuse_values(1, _OWNER_REQUESTS))


def filter_steps(machine: str, *, with_signals: bool) -> bytes:
    """Returns the filter, as the kernel's little machine runs it.

    Args:
      machine: `x86_64` or `aarch64`.
      with_signals: Whether to refuse every signal too.

    Returns:
      8 bytes a step.
    """
    architecture, column = _MACHINES[machine]
    refused = [*_CALLS.values(), *(_SIGNALS.values() if with_signals else ())]
    steps: list[_Step] = [
        (_LOAD, 0, 0, _ARCHITECTURE),
        (_JUMP_EQUAL, 1, 0, architecture),
        (_RETURN, 0, 0, _KILL_PROCESS),
        (_LOAD, 0, 0, _NUMBER),
        # Only x86-64 has numbers like these: its calls once more, with short pointers.
        (_JUMP_AT_LEAST, 0, 1, _X32_BIT),
        (_RETURN, 0, 0, _REFUSED),
        *_refuse_all((numbers[column] for numbers in refused), _REFUSED),
        *_refuse_all((numbers[column] for numbers in _HIDDEN.values()), _UNKNOWN),
    ]
    for block in _by_argument(column):
        steps += block
    steps.append((_RETURN, 0, 0, _ALLOW))
    return b"".join(struct.pack("<HBBI", *step) for step in steps)


def set_filter(*, with_signals: bool) -> bool:
    """Takes the calls away from this process and all that it starts from now on.

    The process must have one thread.

    Args:
      with_signals: Whether to refuse every signal too.

    Returns:
      Whether the kernel took the filter.
    """
    machine = platform.machine()
    if machine not in _MACHINES or sys.platform != "linux":
        return False
    steps = filter_steps(machine, with_signals=with_signals)
    kept = ctypes.create_string_buffer(steps, len(steps))
    program = _FilterProgram(len(steps) // 8, ctypes.cast(kept, ctypes.c_void_p))
    libc, zero = ctypes.CDLL(None, use_errno=True), ctypes.c_ulong(0)
    if libc.prctl(_PR_SET_NO_NEW_PRIVS, ctypes.c_ulong(1), zero, zero, zero):
        return False
    mode = ctypes.c_ulong(_MODE_FILTER)
    return not libc.prctl(_PR_SET_SECCOMP, mode, ctypes.byref(program), zero, zero)

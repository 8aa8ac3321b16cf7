"""Runs a program on worse terms: on a file system without locks, or without root's rights.

    python tests/deprived.py flock=ENOLCK python scripts/precache.py ...
    python tests/deprived.py root=no python scripts/check_hf_cache.py ...

NFS and Weka mounts answer ENOLCK, EIO or ENOSYS to `flock`, by their options: here the kernel's
filter of system calls says so. Root may write where nobody may; without that right files that are
read-only are so for root too. Both hold for all that the program starts; the libraries are the real
ones.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import struct
import sys

_PR_SET_SECCOMP, _PR_SET_NO_NEW_PRIVS, _MODE_FILTER = 22, 38, 2
_ALLOW, _ERRNO = 0x7FFF0000, 0x00050000
_LOAD, _JUMP_EQUAL, _RETURN = 0x20, 0x15, 0x06
# CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH: to write and to read what permissions forbid.
_PR_CAPBSET_DROP, _DAC_RIGHTS = 24, (1, 2)
_FLOCK = {"x86_64": 73, "aarch64": 32}


def refuse_flock(error: int) -> None:
    """Lets every `flock` of this process, and of what it starts, fail with an error number."""
    steps = [
        (_LOAD, 0, 0, 0),
        (_JUMP_EQUAL, 0, 1, _FLOCK[platform.machine()]),
        (_RETURN, 0, 0, _ERRNO | error),
        (_RETURN, 0, 0, _ALLOW),
    ]
    code = b"".join(struct.pack("<HBBI", *step) for step in steps)
    kept = ctypes.create_string_buffer(code, len(code))
    # struct sock_fprog: the number of steps, and where they lie.
    program = struct.pack("@HP", len(steps), ctypes.addressof(kept))
    held = ctypes.create_string_buffer(program, len(program))
    libc, zero = ctypes.CDLL(None, use_errno=True), ctypes.c_ulong(0)
    one, mode = ctypes.c_ulong(1), ctypes.c_ulong(_MODE_FILTER)
    if libc.prctl(_PR_SET_NO_NEW_PRIVS, one, zero, zero, zero) or libc.prctl(
        _PR_SET_SECCOMP, mode, ctypes.c_void_p(ctypes.addressof(held)), zero, zero
    ):
        raise OSError(ctypes.get_errno(), "the kernel took no filter of system calls")


def drop_root_rights() -> None:
    """Lets programs that are started from now on heed the permissions of files, root or not."""
    if os.geteuid():
        return
    libc, zero = ctypes.CDLL(None, use_errno=True), ctypes.c_ulong(0)
    for right in _DAC_RIGHTS:
        if libc.prctl(_PR_CAPBSET_DROP, ctypes.c_ulong(right), zero, zero, zero):
            raise OSError(ctypes.get_errno(), "the kernel dropped no right")


def main(terms: str, *command: str) -> None:
    """Becomes the program, on the terms that are told as `flock=ERROR` or `root=no`."""
    name, _, value = terms.partition("=")
    if name == "flock":
        refuse_flock(getattr(errno, value))
    elif terms == "root=no":
        drop_root_rights()
    else:
        raise SystemExit(f"{terms} is no term")
    os.execvp(command[0], command)


if __name__ == "__main__":
    main(*sys.argv[1:])

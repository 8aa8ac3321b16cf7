"""The filter of system calls, run step by step as the kernel runs it."""

from __future__ import annotations

import errno
import struct

import pytest

from code_t5.training.problems import call_filter

_ALLOWED, _REFUSED, _UNKNOWN, _KILLED = (
    0x7FFF0000,
    0x50000 | errno.EPERM,
    0x50000 | errno.ENOSYS,
    0x80000000,
)
_ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}


def _answer(machine, number, *arguments, with_signals=False, architecture=None):
    """Returns what the filter says to a call."""
    padded = [*arguments, *[0] * (6 - len(arguments))]
    call = struct.pack("<iIQ6Q", number, architecture or _ARCHITECTURES[machine], 0, *padded)
    steps = call_filter.filter_steps(machine, with_signals=with_signals)
    place = value = 0
    while True:
        code, if_true, if_false, constant = struct.unpack_from("<HBBI", steps, 8 * place)
        place += 1
        if code == 0x20:
            (value,) = struct.unpack_from("<I", call, constant)
        elif code == 0x54:
            value &= constant
        elif code == 0x06:
            return constant
        else:
            holds = {0x15: value == constant, 0x35: value >= constant, 0x45: value & constant}
            place += if_true if holds[code] else if_false


# read, write, close, exit_group, mmap, execve, pipe2
@pytest.mark.parametrize(
    ("machine", "numbers"),
    [("x86_64", (0, 1, 3, 231, 9, 59, 293)), ("aarch64", (63, 64, 57, 94, 222, 221, 59))],
)
def test_ordinary_calls_are_let_through(machine, numbers):
    assert {_answer(machine, number) for number in numbers} == {_ALLOWED}


# By the kernel's tables, not by the module: ptrace, process_vm_writev, userfaultfd, bpf,
# io_uring_setup, perf_event_open, keyctl, mount, unshare, setns, init_module, pidfd_getfd,
# memfd_create, shmget, socket.
@pytest.mark.parametrize(
    ("machine", "numbers"),
    [
        ("x86_64", (101, 311, 323, 321, 425, 298, 250, 165, 272, 308, 175, 438, 319, 29, 41)),
        ("aarch64", (117, 271, 282, 280, 425, 241, 219, 40, 97, 268, 105, 438, 279, 194, 198)),
    ],
)
def test_calls_that_lead_out_are_refused(machine, numbers):
    assert {number for number in numbers if _answer(machine, number) != _REFUSED} == set()


@pytest.mark.parametrize(("machine", "column"), [("x86_64", 0), ("aarch64", 1)])
def test_every_named_call_is_refused_on_both_machines(machine, column):
    named = [numbers[column] for numbers in call_filter._CALLS.values() if numbers[column]]
    assert len(set(named)) == len(named) > 80
    assert {_answer(machine, number) for number in named} == {_REFUSED}
    hidden = [numbers[column] for numbers in call_filter._HIDDEN.values()]
    assert {_answer(machine, number) for number in hidden} == {_UNKNOWN}


@pytest.mark.parametrize(
    ("machine", "clone", "prlimit", "openat", "socketpair", "fcntl", "ioctl"),
    [("x86_64", 56, 302, 257, 53, 72, 16), ("aarch64", 220, 261, 56, 199, 25, 29)],
)
def test_arguments_decide_where_they_must(
    machine, clone, prlimit, openat, socketpair, fcntl, ioctl
):
    for namespace in (0x00020000, 0x02000000, 0x08000000, 0x10000000, 0x20000000, 0x40000000):
        assert _answer(machine, clone, namespace | 17) == _REFUSED
    # A thread, and a process.
    assert _answer(machine, clone, 0x3D0F00) == _ALLOWED
    assert _answer(machine, clone, 0x1200011) == _ALLOWED
    assert _answer(machine, prlimit, 0) == _ALLOWED
    assert _answer(machine, prlimit, 77) == _REFUSED
    assert _answer(machine, openat, 0, 0, 0o1000) == _REFUSED
    assert _answer(machine, openat, 0, 0, 0o2001000) == _REFUSED
    assert _answer(machine, openat, 0, 0, 0o1101) == _ALLOWED
    assert _answer(machine, openat, 0, 0, 0) == _ALLOWED
    assert _answer(machine, socketpair, 1, 0o2000001) == _ALLOWED
    assert _answer(machine, socketpair, 1, 2) == _REFUSED
    assert [_answer(machine, fcntl, 0, command) for command in (8, 10, 15, 1)] == [
        *[_REFUSED] * 3,
        _ALLOWED,
    ]
    assert _answer(machine, ioctl, 0, 0x8901) == _REFUSED
    assert _answer(machine, ioctl, 0, 0x5401) == _ALLOWED


def test_signals_are_refused_only_where_asked_for():
    assert _answer("x86_64", 62) == _ALLOWED
    assert _answer("x86_64", 62, with_signals=True) == _REFUSED
    assert _answer("aarch64", 131, with_signals=True) == _REFUSED


def test_other_machines_calls_are_not_let_run():
    assert _answer("x86_64", 0, architecture=0x40000003) == _KILLED
    # The same machine's calls with short pointers.
    assert _answer("x86_64", 0x40000000 | 0) == _REFUSED


def test_unknown_machine_gets_no_filter(monkeypatch):
    monkeypatch.setattr(call_filter.platform, "machine", lambda: "riscv64")
    assert not call_filter.set_filter(with_signals=False)

"""The inner side of the fence: run as a program in a child process, never imported by the library.

Three processes stand in a row. The *gatekeeper* is started by `fence`; it makes namespaces where
the kernel allows that, starts the *keeper* and waits for it. The keeper is the first process of the
namespace, or adopts what the program leaves behind where there is no namespace; it starts the
*program* and, when that has ended or somebody asks, ends all that is left. The program gives up its
rights one by one, says so, and then runs what it was given.

It says so through a pipe that is closed before anything generated runs.
"""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
import signal
import sys
import time
import types
from typing import Any, NoReturn

from code_t5 import network_fence
from code_t5.training.problems import call_filter, judge_side, landlock, own_rights, solution_side

# What programs may read and run: the system's and Python's own.
_SYSTEM = (
    *("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/etc/ld.so.cache", "/etc/alternatives"),
    *("/etc/localtime", "/etc/mime.types", "/dev/urandom", "/dev/random"),
)
_DEVICES = ("/dev/null", "/dev/zero", "/dev/full")
_EXIT_NOT_FENCED = 125
_SIGNALLED = 128
_ROUND_SECONDS = 0.01


class _NotFencedError(Exception):
    """A part of the fence does not hold here."""


def main(config_descriptor: int) -> NoReturn:
    """Starts the program behind the fence and ends with its status.

    Args:
      config_descriptor: An open file with the JSON that `fence` wrote.
    """
    # Generated code imports from Python alone.
    sys.path.remove(sys.argv[2])
    with os.fdopen(config_descriptor, "rb") as file:
        config = json.loads(file.read())
    own_rights.end_with_parent(signal.SIGKILL)
    if os.getppid() != config["parent"]:
        os._exit(_EXIT_NOT_FENCED)
    os.umask(0o077)
    uses_namespaces = not config["without_namespaces"] and own_rights.enter_namespaces()
    keeper = os.fork()
    if keeper == 0:
        _keep(config, uses_namespaces=uses_namespaces)
    signal.signal(signal.SIGTERM, lambda *_: os.kill(keeper, signal.SIGTERM))
    _close(config["status"], *config["descriptors"].values())
    os._exit(_status_of(keeper))


def _close(*descriptors: int) -> None:
    for descriptor in descriptors:
        with contextlib.suppress(OSError):
            os.close(descriptor)


def _status_of(child: int) -> int:
    """Waits for a child and returns its status as a shell gives it."""
    _, status = os.waitpid(child, 0)
    return _shell_status(status)


def _shell_status(status: int) -> int:
    if os.WIFSIGNALED(status):
        return _SIGNALLED + os.WTERMSIG(status)
    return os.WEXITSTATUS(status)


def _keep(config: dict[str, Any], *, uses_namespaces: bool) -> NoReturn:
    """Starts the program, waits for it and ends what it leaves behind."""
    program = 0

    def end(*_: object) -> NoReturn:
        _end_all(uses_namespaces=uses_namespaces)
        os._exit(_SIGNALLED + signal.SIGTERM)

    signal.signal(signal.SIGTERM, end)
    # To the gatekeeper: gone, it takes the keeper with it.
    own_rights.end_with_parent(signal.SIGTERM)
    if not uses_namespaces:
        own_rights.adopt_orphans()
    program = os.fork()
    if program == 0:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        _run(config, uses_namespaces=uses_namespaces)
    _close(config["status"], *config["descriptors"].values())
    while True:
        ended, status = os.wait()
        if ended == program:
            break
    _end_all(uses_namespaces=uses_namespaces)
    os._exit(_shell_status(status))


def _end_all(*, uses_namespaces: bool) -> None:
    """Ends every descendant of the keeper; in a namespace the kernel does it after the keeper."""
    if uses_namespaces:
        return
    while True:
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        found = _descendants(os.getpid())
        if not found:
            return
        # Stopped first, so that none starts another while its like are killed.
        for number in (signal.SIGSTOP, signal.SIGKILL):
            for process in found:
                with contextlib.suppress(OSError):
                    os.kill(process, number)
        time.sleep(_ROUND_SECONDS)


def _descendants(process: int) -> list[int]:
    """Returns the processes that a process started, and those that these did."""
    parents: dict[int, list[int]] = {}
    for path in pathlib.Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError, ValueError, IndexError):
            fields = path.read_bytes().rpartition(b")")[2].split()
            parents.setdefault(int(fields[1]), []).append(int(path.parent.name))
    found, rest = [], [process]
    while rest:
        children = parents.pop(rest.pop(), [])
        found += children
        rest += children
    return found


def _run(config: dict[str, Any], *, uses_namespaces: bool) -> NoReturn:
    """Gives up all rights and runs what was asked for."""
    try:
        holds = _fence_in(config, uses_namespaces=uses_namespaces)
        answer: dict[str, Any] = {"holds": holds}
    except (OSError, _NotFencedError, network_fence.NetworkBlockedError) as error:
        answer = {"error": f"{type(error).__name__}: {error}"}
    os.write(config["status"], json.dumps(answer).encode("ascii"))
    os.close(config["status"])
    if "error" in answer:
        os._exit(_EXIT_NOT_FENCED)
    descriptors, payload, role = config["descriptors"], config["payload"], config["role"]
    # The frames below generated code can be looked at: nothing of this machine is left in them.
    config.clear()
    sys.argv[:] = [""]
    if role == "judge":
        judge_side.run(payload, **descriptors)
    if role == "solution":
        solution_side.run(payload, **descriptors)
    module = types.ModuleType("__main__")
    sys.modules["__main__"] = module
    exec(compile(payload["code"], "<program>", "exec"), module.__dict__)
    sys.exit(0)


def _fence_in(config: dict[str, Any], *, uses_namespaces: bool) -> dict[str, str]:
    """Gives up all rights.

    Returns:
      What each part of the fence stands on.

    Raises:
      _NotFencedError: A part does not hold, and nobody allowed that.
      OSError: The kernel refused something.
    """
    limits, place = config["limits"], config["place"]
    is_apart = uses_namespaces and os.geteuid() != 0
    has_scratch = uses_namespaces and own_rights.mount_scratch(
        place, size_bytes=limits["disk_bytes"], max_files=limits["max_files"]
    )
    os.chdir(place)
    missing = []
    python = _python(config["home"])
    try:
        who = own_rights.give_up_rights(owned=place, keeps_reading=not _others_may_read(python))
    except PermissionError as error:
        missing.append(str(error))
        who = own_rights.SAME_USER
    # Giving up a user forgets this.
    own_rights.end_with_parent(signal.SIGKILL)
    own_rights.refuse_new_privileges()
    own_rights.limit_room(limits, who=who, is_apart=is_apart)
    abi = landlock.restrict(readable=(*_SYSTEM, *python), writable=(place,), devices=_DEVICES)
    if not abi:
        missing.append("this kernel has no Landlock, which keeps files safe")
    if network_fence.block_network() != network_fence.SECCOMP:
        missing.append("this kernel takes no filter of system calls for the network")
    if not call_filter.set_filter(with_signals=not uses_namespaces):
        missing.append("this kernel takes no filter of system calls")
    if missing and not config["allow_weaker"]:
        raise _NotFencedError("; ".join(missing))
    return {
        "files": f"Landlock {abi}" if abi else "nothing",
        "calls": "; ".join(missing) or "seccomp",
        "processes": "namespace" if uses_namespaces else "adopted by the keeper",
        "disk": "in memory" if has_scratch else "watched",
        "user": who if not is_apart else "user namespace",
    }


def _python(home: str) -> set[str]:
    """Returns the folders that Python and its libraries lie in, but for homes and above."""
    found = {sys.prefix, sys.base_prefix, sys.exec_prefix, sys.base_exec_prefix}
    found |= {os.path.realpath(path) for path in found}
    return {path for path in found if os.path.commonpath([path, home]) != path}


def _others_may_read(folders: set[str]) -> bool:
    """Says whether a user without rights may enter all these folders."""
    for name in folders:
        for folder in (pathlib.Path(name), *pathlib.Path(name).parents):
            if not folder.stat().st_mode & 0o001:
                return False
    return True

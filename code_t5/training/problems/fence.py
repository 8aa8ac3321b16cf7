"""Runs programs that nobody has read in child processes that can harm nothing.

The *fence* around a program (`fence_child` puts it up, layer by layer): no network and few system
calls (seccomp), no file but those of Python and the system to read and its own empty folder to
write (Landlock), no process but its own to see or signal (a namespace of processes where the kernel
allows one, otherwise a keeper that adopts and ends all of them), no privileges, a user of its own
where root starts it, limits on memory, processes, processor time, open and written files, a clock
on the wall, a clean environment and bounded output. Names and sizes of files elsewhere can be asked
for; their content cannot.

It is Linux's. Where the kernel lacks a layer, a program is not started unless `allow_weaker` says
so.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import pathlib
import selectors
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from typing import Any, Callable

from code_t5 import errors
from code_t5.training.problems import fence_room

_ROOT = pathlib.Path(__file__).resolve().parents[3]
_PROGRAM = (
    "import sys; sys.path.insert(0, sys.argv[2]); "
    "from code_t5.training.problems import fence_child; fence_child.main(int(sys.argv[1]))"
)
_POLL_SECONDS = 0.05
_START_SECONDS = 60.0
_END_SECONDS = 10.0
_OWN_END_SECONDS = 1.0
_MAX_STATUS_BYTES = 1 << 16
_KEPT_OUTPUT_BYTES = 1 << 12

EXITED, TIMED_OUT = "exited", "time limit"
TOO_MUCH_OUTPUT, TOO_MUCH_MEMORY, TOO_MUCH_DISK = "output limit", "memory limit", "disk limit"


class FenceError(errors.CodeT5Error):
    """A program was not run, because the fence around it does not stand."""


@dataclasses.dataclass(frozen=True)
class FenceLimits:
    """What a program may take.

    Attributes:
      wall_seconds: Time from when all of its processes are ready.
      memory_bytes: Address space of one process, and memory of all of them together.
      max_processes: Processes and threads at a time, its first included.
      max_descriptors: Open files of one process.
      file_bytes: Length of one file.
      disk_bytes: Of all files together.
      max_files: Files and folders.
      output_bytes: Printed on both streams together.
      allow_weaker: Whether to run programs where a layer of the fence is missing.
      without_namespaces: Whether to do without namespaces where the kernel has them: a check of
        what holds elsewhere.
    """

    wall_seconds: float = 10.0
    memory_bytes: int = 1 << 30
    max_processes: int = 16
    max_descriptors: int = 64
    file_bytes: int = 16 << 20
    disk_bytes: int = 64 << 20
    max_files: int = 4096
    output_bytes: int = 1 << 20
    allow_weaker: bool = False
    without_namespaces: bool = False


@dataclasses.dataclass(frozen=True)
class Part:
    """One of the processes that work together.

    Attributes:
      role: What it does: `judge`, `solution`, or `program` for code alone.
      payload: What it needs; JSON values.
      pipes: Its ends of pipes: name -> descriptor, open here.
    """

    role: str
    payload: Mapping[str, Any]
    pipes: Mapping[str, int] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class Ended:
    """How a process ended.

    Attributes:
      reason: `EXITED`, or the limit that it ran into.
      status: As a shell gives it: 128 and the signal's number if one ended it.
      output: The beginning of what it printed; anything.
      holds: What each layer of the fence stood on.
    """

    reason: str
    status: int
    output: bytes
    holds: Mapping[str, str]


class _Running:
    """One process behind the fence, seen from outside."""

    def __init__(self, part: Part, limits: FenceLimits) -> None:
        self.place = tempfile.mkdtemp(prefix="code_t5_fence_")
        self.output, self.num_output_bytes, self.holds = b"", 0, dict[str, str]()
        self._answer = b""
        status_end, status_start = os.pipe()
        output_end, output_start = os.pipe()
        self.status_end: int | None = status_end
        self.output_end: int | None = output_end
        config = _config(part, limits=limits, place=self.place, status=status_start)
        with tempfile.TemporaryFile() as file:
            file.write(json.dumps(config).encode("ascii"))
            file.flush()
            file.seek(0)
            self.process = subprocess.Popen(
                [sys.executable, "-s", "-B", "-X", "utf8", "-c", _PROGRAM]
                # The folder is for whoever looks at a list of processes.
                + [str(file.fileno()), str(_ROOT), self.place],
                stdin=subprocess.DEVNULL,
                stdout=output_start,
                stderr=output_start,
                cwd=self.place,
                env=_environment(self.place),
                pass_fds=(file.fileno(), status_start, *part.pipes.values()),
                start_new_session=True,
            )
        for descriptor in (status_start, output_start):
            os.close(descriptor)

    def read_status(self) -> None:
        """Takes in what it says of its fence.

        Raises:
          FenceError: The fence does not stand.
        """
        if self.status_end is None:
            return
        data = os.read(self.status_end, _MAX_STATUS_BYTES)
        self._answer += data
        if data and len(self._answer) < _MAX_STATUS_BYTES:
            return
        os.close(self.status_end)
        self.status_end = None
        answer = json.loads(self._answer) if self._answer else {}
        if "holds" not in answer:
            self._read_rest()
            said = answer.get("error") or self.output.decode("utf-8", "replace").strip()[-300:]
            raise FenceError(
                f"the fence does not stand here: {' '.join(said.split()) or 'its process ended'}; "
                "wanted all of it around generated code; run this on a Linux of 5.13 or later "
                "with Landlock, or in a throw-away machine with --allow_weaker_fence"
            )
        self.holds = answer["holds"]

    def _read_rest(self) -> None:
        self.process.wait()
        while self.output_end is not None:
            self.read_output()

    def read_output(self) -> None:
        """Takes in what it prints, and forgets all but the beginning."""
        if self.output_end is None:
            return
        data = os.read(self.output_end, 1 << 16)
        if not data:
            os.close(self.output_end)
            self.output_end = None
            return
        self.num_output_bytes += len(data)
        self.output += data[: max(0, _KEPT_OUTPUT_BYTES - len(self.output))]

    def over_limit(self, limits: FenceLimits) -> str | None:
        """Returns the limit that it ran into, if any."""
        if self.num_output_bytes > limits.output_bytes:
            return TOO_MUCH_OUTPUT
        if fence_room.memory_bytes(self.process.pid) > limits.memory_bytes:
            return TOO_MUCH_MEMORY
        if self.holds.get("disk") == "watched":
            num_files, size_bytes = fence_room.folder_size(self.place, most_files=limits.max_files)
            if num_files > limits.max_files or size_bytes > limits.disk_bytes:
                return TOO_MUCH_DISK
        return None

    def let_end(self) -> None:
        """Waits a moment for it to end by itself, so that its status is its own."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(timeout=_OWN_END_SECONDS)

    def end(self) -> int:
        """Ends it and all that it started, and removes its folder.

        Returns:
          Its status, as a shell gives it.
        """
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(timeout=_END_SECONDS)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        for descriptor in (self.status_end, self.output_end):
            if descriptor is not None:
                os.close(descriptor)
        self.status_end = self.output_end = None
        fence_room.remove_folder(self.place)
        status = self.process.returncode
        return 128 - status if status < 0 else status


def _config(part: Part, *, limits: FenceLimits, place: str, status: int) -> dict[str, Any]:
    """Returns what `fence_child` is told."""
    fields = dataclasses.asdict(limits)
    # Behind the clock on the wall, which starts later.
    fields["cpu_seconds"] = int(limits.wall_seconds) + 2
    return {
        "parent": os.getpid(),
        "home": os.path.expanduser("~"),
        "place": place,
        "status": status,
        "limits": fields,
        "allow_weaker": limits.allow_weaker,
        "without_namespaces": limits.without_namespaces,
        "role": part.role,
        "payload": dict(part.payload),
        "descriptors": dict(part.pipes),
    }


def _environment(place: str) -> dict[str, str]:
    single = {f"{name}_NUM_THREADS": "1" for name in ("OMP", "OPENBLAS", "MKL", "NUMEXPR")}
    return {
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "HOME": place,
        "TMPDIR": place,
        "LANG": "C.UTF-8",
        "PYTHONHASHSEED": "0",
        **single,
    }


def run_together(
    parts: Sequence[Part],
    *,
    limits: FenceLimits,
    is_done_fn: Callable[[], bool] = lambda: False,
    watched: Sequence[int] = (),
) -> list[Ended]:
    """Runs processes that speak to each other until the first of them has ended, or all must.

    Args:
      parts: The processes; their pipes are closed here once they have them.
      limits: Of each.
      is_done_fn: Asked after each move whether nothing more is to be waited for.
      watched: Descriptors that `is_done_fn` reads; whoever writes to them wakes it.

    Returns:
      How each ended; those that were stopped because another had ended count as `EXITED`.

    Raises:
      FenceError: The fence does not stand; nothing generated has run then.
    """
    running: list[_Running] = []
    try:
        try:
            for part in parts:
                running.append(_Running(part, limits))
        finally:
            for descriptor in {pipe for part in parts for pipe in part.pipes.values()}:
                os.close(descriptor)
        over = _wait(running, limits=limits, is_done_fn=is_done_fn, watched=watched)
        if not over:
            running[0].let_end()
        reasons = [over.get(number, EXITED) for number in range(len(running))]
        statuses = [one.end() for one in running]
    finally:
        for one in running:
            one.end()
    return [
        Ended(reason, status, one.output, one.holds)
        for reason, status, one in zip(reasons, statuses, running)
    ]


def _wait(
    running: Sequence[_Running],
    *,
    limits: FenceLimits,
    is_done_fn: Callable[[], bool],
    watched: Sequence[int],
) -> dict[int, str]:
    """Waits for the end.

    Returns:
      Which of them ran into a limit; all where time is over.
    """
    deadline = time.monotonic() + _START_SECONDS
    is_ready = False
    while True:
        _take_in(running, watched)
        if not is_ready and all(one.status_end is None for one in running):
            is_ready, deadline = True, time.monotonic() + limits.wall_seconds
        over = {
            number: limit
            for number, limit in enumerate(one.over_limit(limits) for one in running)
            if limit
        }
        if over:
            return over
        if is_done_fn() or (is_ready and running[0].process.poll() is not None):
            for one in running:
                _drain(one)
            return {}
        if time.monotonic() > deadline:
            return dict.fromkeys(range(len(running)), TIMED_OUT)


def _take_in(running: Sequence[_Running], watched: Sequence[int]) -> None:
    """Waits a moment for something to read, and reads it."""
    with selectors.DefaultSelector() as selector:
        for descriptor in watched:
            selector.register(descriptor, selectors.EVENT_READ)
        for one in running:
            for end, read in ((one.status_end, one.read_status), (one.output_end, one.read_output)):
                if end is not None:
                    selector.register(end, selectors.EVENT_READ, read)
        for key, _ in selector.select(_POLL_SECONDS):
            if key.data is not None:
                key.data()


def _drain(one: _Running) -> None:
    """Reads what is there already."""
    while one.output_end is not None:
        with selectors.DefaultSelector() as selector:
            selector.register(one.output_end, selectors.EVENT_READ)
            if not selector.select(0):
                return
        one.read_output()

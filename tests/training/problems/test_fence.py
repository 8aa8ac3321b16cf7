"""The fence against programs that try to get out, with a namespace of processes and without."""

from __future__ import annotations

import json
import os
import pathlib
import platform
import signal
import socket
import subprocess
import sys
import tempfile
import time

import pytest
from training.problems import hostile_programs as hostile

from code_t5.training.problems import fence, landlock

ROOT = pathlib.Path(__file__).resolve().parents[3]
_CLONE = {"x86_64": 56, "aarch64": 220}


def _limits(without_namespaces=False, **other):
    return fence.FenceLimits(
        **{"wall_seconds": 1.0, **other}, without_namespaces=without_namespaces
    )


def _run(code, *, limits):
    """Returns how a program ended behind the fence."""
    return fence.run_together([fence.Part("program", {"code": code})], limits=limits)[0]


@pytest.fixture(params=[False, True], ids=["namespace", "keeper"])
def limits(request):
    return _limits(without_namespaces=request.param)


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """Where the folders of this test's fences are made."""
    path = tmp_path / "fences"
    path.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(path))
    return path


def _fenced_processes(folder):
    """Returns the processes of this test's fences that are running."""
    found = []
    for path in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes()
        except OSError:
            continue
        if str(folder).encode() in words and b"fence_child" in words:
            found.append(path)
    return found


def test_program_runs_and_what_it_printed_is_kept(limits):
    ended = _run("print(6 * 7)", limits=limits)
    assert (ended.reason, ended.status, ended.output) == (fence.EXITED, 0, b"42\n")
    wanted = "adopted by the keeper" if limits.without_namespaces else "namespace"
    assert ended.holds["processes"] == wanted
    assert ended.holds["files"] == f"Landlock {landlock.version()}"


_LIMITS_SEEN = """
import json, resource, sys
kinds = [resource.RLIMIT_AS, resource.RLIMIT_FSIZE, resource.RLIMIT_NOFILE, resource.RLIMIT_CPU,
         resource.RLIMIT_CORE, resource.RLIMIT_MEMLOCK, resource.RLIMIT_MSGQUEUE,
         resource.RLIMIT_SIGPENDING, resource.RLIMIT_RTPRIO]
frame, told = sys._getframe(), []
while frame:
    told.append(repr(frame.f_locals.get('config')))
    frame = frame.f_back
print(json.dumps([[resource.getrlimit(kind) for kind in kinds], told, sys.argv]))
"""


def test_every_limit_holds_and_nothing_is_told_of_the_machine(limits):
    rooms, told, words = json.loads(_run(_LIMITS_SEEN, limits=limits).output)
    wanted = [1 << 30, 16 << 20, 64, 3, 0, 0, 0, 64, 0]
    # What is lower outside stays so.
    assert [soft == hard <= most for (soft, hard), most in zip(rooms, wanted)] == [True] * 9
    assert rooms[4] == [0, 0]
    assert set(told) <= {"None", "{}"}
    assert words == [""]


def test_process_that_crashes_keeps_its_own_status():
    code = "import ctypes\nctypes.string_at(16)"
    assert _run(code, limits=_limits()).status == 128 + signal.SIGSEGV
    # Whoever waits may hear of the end before the end.
    end, start = os.pipe()
    code = "import os, time\nos.close({start})\ntime.sleep(0.2)\nos._exit(7)"
    part = fence.Part("program", {"code": code.format(start=start)}, {"pipe": start})
    ended = fence.run_together(
        [part], limits=_limits(), is_done_fn=lambda: _is_closed(end), watched=[end]
    )
    os.close(end)
    assert ended[0].status == 7


def _is_closed(descriptor):
    os.set_blocking(descriptor, False)
    try:
        return os.read(descriptor, 1) == b""
    except BlockingIOError:
        return False


def test_nothing_outside_is_reached(limits, tmp_path):
    place = tmp_path / "outside"
    place.mkdir()
    (place / "victim").write_text("kept")
    sleeper = subprocess.Popen(["sleep", "60"])
    with socket.create_server(("127.0.0.1", 0)) as server, socket.socket(socket.AF_UNIX) as local:
        local.bind(str(place / "socket"))
        local.listen()
        code = hostile.program_of_tries(
            place=place,
            process=os.getpid(),
            sleeper=sleeper.pid,
            port=server.getsockname()[1],
            clone=_CLONE[platform.machine()],
        )
        mode = (place / "victim").stat()
        ended = _run(code, limits=_limits(limits.without_namespaces, wall_seconds=20))
    got_through, environment, typed = hostile.read_tries(ended.output)
    assert got_through == []
    assert typed == ""
    assert "PATH" in environment
    assert not {"HF_HOME", "CODE_T5_DATA_DIR", "PYTHONPATH", "USER"} & set(environment)
    assert sleeper.poll() is None
    sleeper.kill()
    sleeper.wait()
    assert (place / "victim").read_text() == "kept"
    assert (place / "victim").stat().st_mode == mode.st_mode
    assert sorted(path.name for path in place.iterdir()) == ["socket", "victim"]


def test_tries_get_through_without_the_fence(tmp_path):
    # Those above would prove nothing if they could not succeed.
    (tmp_path / "victim").write_text("kept")
    code = hostile.program_of_tries(hostile.HARMLESS, place=tmp_path)
    found = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        capture_output=True,
        check=True,
        stdin=subprocess.DEVNULL,
    )
    got_through, _, _ = hostile.read_tries(found.stdout)
    # A user without privileges may not be able to make namespaces.
    assert set(got_through) | {"be apart"} == set(hostile.HARMLESS)


def test_endless_loop_is_ended(limits):
    assert _run(hostile.ENDLESS, limits=limits).reason == fence.TIMED_OUT


def test_fork_bomb_is_ended(limits):
    assert _run(hostile.FORK_BOMB, limits=limits).reason == fence.TIMED_OUT


def test_memory_of_many_processes_is_counted_together(limits):
    limits = _limits(limits.without_namespaces, wall_seconds=20, memory_bytes=300 << 20)
    ended = _run(hostile.MEMORY_OF_MANY, limits=limits)
    assert ended.reason == fence.TOO_MUCH_MEMORY


def test_daemon_ends_with_the_program(limits, folder):
    ended = _run(hostile.DAEMON.format(seconds=61), limits=limits)
    assert ended.output == b"left\n"
    assert _fenced_processes(folder) == []


def test_killing_its_parent_does_not_help(limits, folder):
    ended = _run(hostile.KILLS_ITS_PARENT, limits=limits)
    assert ended.output in (b"here\n", b"")
    assert ended.reason == fence.EXITED
    assert _fenced_processes(folder) == []


def test_huge_output_is_ended_and_its_beginning_kept(limits):
    ended = _run(hostile.HUGE_OUTPUT, limits=limits)
    assert ended.reason == fence.TOO_MUCH_OUTPUT
    assert set(ended.output) == {ord("x")}
    assert len(ended.output) < 10_000


def test_disk_is_not_filled(limits):
    limits = _limits(limits.without_namespaces, wall_seconds=20)
    ended = _run(hostile.MANY_FILES, limits=limits)
    if limits.without_namespaces:
        assert ended.reason == fence.TOO_MUCH_DISK
    else:
        assert b"No space left on device" in ended.output


def test_folder_is_gone_afterwards(limits, folder):
    _run(hostile.DEEP_FOLDERS, limits=limits)
    _run("open('x', 'w').write('y')", limits=limits)
    assert list(folder.iterdir()) == []


def test_processes_end_with_whoever_started_them(folder):
    code = (
        "from code_t5.training.problems import fence\n"
        "part = fence.Part('program', {'code': 'while True: pass'})\n"
        "fence.run_together([part], limits=fence.FenceLimits(wall_seconds=50))\n"
    )
    child = subprocess.Popen(
        [sys.executable, "-c", code], cwd=ROOT, env={**os.environ, "TMPDIR": str(folder)}
    )
    deadline = time.monotonic() + 30
    while not _fenced_processes(folder) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert _fenced_processes(folder)
    child.kill()
    child.wait()
    while _fenced_processes(folder) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not _fenced_processes(folder)


# Takes Landlock away, as a kernel without it would: its first call does not exist.
_WITHOUT_LANDLOCK = """
import ctypes, errno, struct
from code_t5.training.problems import call_filter, fence
steps = [(0x20, 0, 0, 0), (0x15, 0, 1, 444), (0x06, 0, 0, 0x50000 | errno.ENOSYS),
         (0x06, 0, 0, 0x7FFF0000)]
data = b"".join(struct.pack("<HBBI", *step) for step in steps)
kept = ctypes.create_string_buffer(data, len(data))
program = call_filter._FilterProgram(4, ctypes.cast(kept, ctypes.c_void_p))
libc, zero = ctypes.CDLL(None), ctypes.c_ulong(0)
libc.prctl(38, ctypes.c_ulong(1), zero, zero, zero)
libc.prctl(22, ctypes.c_ulong(2), ctypes.byref(program), zero, zero)
part = fence.Part("program", {"code": "print('ran')"})
try:
    print(fence.run_together([part], limits=fence.FenceLimits())[0])
except fence.FenceError as error:
    print(error)
print(fence.run_together([part], limits=fence.FenceLimits(allow_weaker=True))[0])
"""


def test_without_landlock_nothing_runs_unless_it_is_allowed():
    found = subprocess.run(
        [sys.executable, "-c", _WITHOUT_LANDLOCK],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    refusal, weaker = found.stdout.splitlines()
    assert "no Landlock" in refusal
    assert "--allow_weaker_fence" in refusal
    assert "output=b'ran\\n'" in weaker
    assert "'files': 'nothing'" in weaker

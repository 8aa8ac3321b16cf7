from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from code_t5 import errors
from code_t5.hf_artifacts.fetching import job_locks

_HOLD = """
import pathlib, sys, time
from code_t5.hf_artifacts.fetching import job_locks
with job_locks.job_lock(pathlib.Path(sys.argv[1]), purpose="fetches it", wait_seconds=60) as lock:
    print("held", lock.has_waited, flush=True)
    time.sleep(float(sys.argv[2]))
"""
_COUNT = """
import os, pathlib, sys, time
from code_t5.hf_artifacts.fetching import job_locks
lock, place = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
for _ in range(int(sys.argv[3])):
    with job_locks.job_lock(lock, purpose="counts", wait_seconds=60):
        (place / "inside").mkdir()
        number = int((place / "number").read_text())
        (place / "number").write_text(str(number + 1))
        (place / "inside").rmdir()
"""


def _start(program, *arguments):
    command = [sys.executable, "-c", program, *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


@pytest.fixture
def quick(monkeypatch):
    """Owners are taken for dead after a second in place of a minute."""
    monkeypatch.setattr(job_locks, "_DEAD_SECONDS", 1.0)
    monkeypatch.setattr(job_locks, "_POLL_SECONDS", 0.05)
    monkeypatch.setattr(job_locks, "_HEARTBEAT_SECONDS", 0.2)


def _foreign_lock(path, **changes):
    """Writes the lock of a job on another machine."""
    fields = {
        "lock_id": "0123456789abcdef" * 2, "machine": "node7 boot pid:[1]", "host": "node7",
        "pid": 1, "started": "5", "purpose": "fetches it",
    }  # fmt: skip
    path.write_text(json.dumps({**fields, **changes}))


def test_a_lock_is_gone_when_it_was_given_back(tmp_path):
    path = tmp_path / "locks" / "a.lock"
    with job_locks.job_lock(path, purpose="fetches it") as lock:
        assert path.is_file()
        assert not lock.has_waited
    assert list(path.parent.iterdir()) == []


def test_a_second_job_waits_and_is_told_for_whom(tmp_path):
    path, said = tmp_path / "a.lock", []
    holder = _start(_HOLD, path, 0.7)
    assert holder.stdout.readline() == "held False\n"
    with job_locks.job_lock(path, purpose="x", say=said.append) as lock:
        assert lock.has_waited
        assert holder.wait(10) == 0
    assert len(said) == 1
    assert f"waiting for process {holder.pid} on " in said[0]
    assert "(fetches it)" in said[0]
    holder.stdout.close()


def test_a_job_that_waits_too_long_is_told_who_holds_it(tmp_path):
    path = tmp_path / "a.lock"
    with job_locks.job_lock(path, purpose="fetches\nit"):
        with pytest.raises(errors.BusyError) as caught:
            with job_locks.job_lock(path, purpose="x", wait_seconds=0):
                pass
    assert f"process {os.getpid()} on " in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_lock_of_a_killed_job_is_taken_at_once(tmp_path):
    path = tmp_path / "a.lock"
    holder = _start(_HOLD, path, 60)
    assert holder.stdout.readline() == "held False\n"
    os.kill(holder.pid, signal.SIGKILL)
    # Not waited for: a process that its parent has not buried is dead as well.
    with job_locks.job_lock(path, purpose="x", wait_seconds=20) as lock:
        assert lock.has_waited
        assert json.loads(path.read_text())["pid"] == os.getpid()
    holder.wait()
    holder.stdout.close()
    assert list(tmp_path.iterdir()) == []


def test_a_number_of_a_process_that_was_given_again_is_no_owner(tmp_path):
    path = tmp_path / "a.lock"
    _foreign_lock(path, machine=job_locks._machine(), pid=os.getpid(), started="1")
    with job_locks.job_lock(path, purpose="x", wait_seconds=5):
        assert json.loads(path.read_text())["started"] != "1"


def test_a_job_on_another_machine_is_dead_when_its_heartbeat_stops(tmp_path, quick):
    path = tmp_path / "a.lock"
    _foreign_lock(path)
    # Its clock may be wrong by years: only that it does not change counts.
    os.utime(path, (4e9, 4e9))
    begun = time.monotonic()
    with job_locks.job_lock(path, purpose="x", wait_seconds=30):
        assert time.monotonic() - begun > 1.0
    assert list(tmp_path.iterdir()) == []


def test_a_job_on_another_machine_with_a_heartbeat_is_waited_for(tmp_path, quick):
    path, is_over = tmp_path / "a.lock", threading.Event()
    _foreign_lock(path)

    def beat():
        while not is_over.wait(0.1):
            os.utime(path)

    beating = threading.Thread(target=beat)
    beating.start()
    try:
        with pytest.raises(errors.BusyError, match="process 1 on node7"):
            with job_locks.job_lock(path, purpose="x", wait_seconds=2.5):
                pass
    finally:
        is_over.set()
        beating.join()
    assert json.loads(path.read_text())["host"] == "node7"


def test_a_lock_that_is_held_has_a_heartbeat(tmp_path, quick):
    path = tmp_path / "a.lock"
    with job_locks.job_lock(path, purpose="x"):
        os.utime(path, (1e9, 1e9))
        deadline = time.monotonic() + 20
        while path.stat().st_mtime == 1e9 and time.monotonic() < deadline:
            time.sleep(0.02)
        assert path.stat().st_mtime > 1e9


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff" * 9000, b'{"lock_id": 5}'])
def test_a_lock_that_nobody_has_written_is_taken_after_a_while(tmp_path, quick, content):
    path = tmp_path / "a.lock"
    path.write_bytes(content)
    with job_locks.job_lock(path, purpose="x", wait_seconds=30) as lock:
        assert lock.has_waited


def test_a_link_in_place_of_a_lock_is_replaced_and_not_followed(tmp_path, quick):
    victim, path = tmp_path / "victim", tmp_path / "a.lock"
    victim.write_text("mine")
    path.symlink_to(victim)
    with job_locks.job_lock(path, purpose="x", wait_seconds=30):
        assert not path.is_symlink()
    assert victim.read_text() == "mine"


def test_a_job_that_stood_still_notices_that_its_lock_is_taken(tmp_path, quick):
    path = tmp_path / "a.lock"
    with job_locks.job_lock(path, purpose="x") as lock:
        _foreign_lock(path)
        deadline = time.monotonic() + 10
        while not lock.is_lost and time.monotonic() < deadline:
            time.sleep(0.02)
        assert lock.is_lost
    # The other one's lock is not removed.
    assert json.loads(path.read_text())["host"] == "node7"


def test_who_was_killed_while_it_took_over_is_no_obstacle(tmp_path):
    path = tmp_path / "a.lock"
    gone = {"machine": job_locks._machine(), "pid": 2**22 - 3, "started": "1"}
    _foreign_lock(path, **gone)
    guard = tmp_path / f"a.lock.{'0123456789abcdef' * 2}"
    _foreign_lock(guard, **gone, lock_id="f" * 32)
    with job_locks.job_lock(path, purpose="x", wait_seconds=10):
        assert json.loads(path.read_text())["pid"] == os.getpid()
    assert list(tmp_path.iterdir()) == []


def test_many_jobs_are_never_inside_together(tmp_path):
    (tmp_path / "number").write_text("0")
    path = tmp_path / "locks" / "a.lock"
    path.parent.mkdir()
    # They begin with the lock of a dead one, over which they race.
    gone = {"machine": job_locks._machine(), "pid": 2**22 - 3, "started": "1"}
    _foreign_lock(path, **gone)
    children = [_start(_COUNT, path, tmp_path, 2) for _ in range(4)]
    assert [child.wait(90) for child in children] == [0] * 4
    for child in children:
        child.stdout.close()
    assert (tmp_path / "number").read_text() == "8"
    assert list(path.parent.iterdir()) == []


def test_a_file_system_without_links_has_locks_as_well(tmp_path, monkeypatch):
    def no_links(*_):
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", no_links)
    path = tmp_path / "a.lock"
    with job_locks.job_lock(path, purpose="x"):
        assert json.loads(path.read_text())["pid"] == os.getpid()
        with pytest.raises(errors.BusyError):
            with job_locks.job_lock(path, purpose="y", wait_seconds=0):
                pass
    assert list(tmp_path.iterdir()) == []


def test_a_lock_whose_answer_was_lost_on_the_way_is_held(tmp_path, monkeypatch):
    link = os.link

    def lose_the_answer(source, target):
        link(source, target)
        raise TimeoutError(110, "Connection timed out")

    monkeypatch.setattr(os, "link", lose_the_answer)
    path = tmp_path / "a.lock"
    with job_locks.job_lock(path, purpose="x", wait_seconds=0) as lock:
        assert not lock.has_waited
        assert json.loads(path.read_text())["pid"] == os.getpid()
    assert list(tmp_path.iterdir()) == []


def test_a_lock_that_cannot_be_made_is_no_lock(tmp_path, monkeypatch):
    def give_no_answer(*_):
        raise TimeoutError(110, "Connection timed out")

    monkeypatch.setattr(os, "link", give_no_answer)
    with pytest.raises(TimeoutError):
        with job_locks.job_lock(tmp_path / "a.lock", purpose="x", wait_seconds=0):
            pass
    assert list(tmp_path.iterdir()) == []

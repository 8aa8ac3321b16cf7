from __future__ import annotations

import ctypes
import errno
import subprocess
import sys

import pytest

from code_t5 import errors
from code_t5.storage import atomic


def test_written_file_replaces_the_old_one(tmp_path):
    atomic.write_file(tmp_path / "f", b"one")
    atomic.write_file(tmp_path / "f", b"two")
    assert (tmp_path / "f").read_bytes() == b"two"
    assert [path.name for path in tmp_path.iterdir()] == ["f"]


def test_failed_write_keeps_the_old_file(tmp_path):
    atomic.write_file(tmp_path / "f", b"one")
    with pytest.raises(TypeError):
        atomic.write_file(tmp_path / "f", "no bytes")
    assert (tmp_path / "f").read_bytes() == b"one"
    assert [path.name for path in tmp_path.iterdir()] == ["f"]


def test_directory_appears_whole(tmp_path):
    with atomic.directory(tmp_path / "a" / "d") as folder:
        (folder / "f").write_text("x")
        assert not (tmp_path / "a" / "d").exists()
    assert (tmp_path / "a" / "d" / "f").read_text() == "x"
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["d"]


def test_failed_directory_keeps_the_old_one(tmp_path):
    with atomic.directory(tmp_path / "d") as folder:
        (folder / "f").write_text("old")
    with pytest.raises(RuntimeError), atomic.directory(tmp_path / "d") as folder:
        (folder / "f").write_text("new")
        raise RuntimeError
    assert (tmp_path / "d" / "f").read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["d"]


def test_directory_replaces_the_old_one_as_a_whole(tmp_path):
    for name in ("old", "new"):
        with atomic.directory(tmp_path / "d") as folder:
            (folder / name).write_text("x")
    assert [path.name for path in (tmp_path / "d").iterdir()] == ["new"]
    assert [path.name for path in tmp_path.iterdir()] == ["d"]


def test_directory_is_replaced_where_names_cannot_be_exchanged(tmp_path, monkeypatch):
    class Library:
        def renameat2(self, *arguments):
            ctypes.set_errno(errno.EINVAL)
            return -1

    monkeypatch.setattr(atomic.ctypes, "CDLL", lambda *a, **k: Library())
    test_directory_replaces_the_old_one_as_a_whole(tmp_path)


_KILLED = """
import os, signal, sys
from code_t5.storage import atomic
with atomic.directory(sys.argv[1]) as folder:
    (folder / "f").write_text("x")
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_killed_writer_leaves_nothing_readable_and_the_next_one_cleans_up(tmp_path):
    target = tmp_path / "d"
    assert subprocess.run([sys.executable, "-c", _KILLED, str(target)]).returncode == -9
    assert not target.exists()
    assert len(list(tmp_path.iterdir())) == 1
    atomic.remove_leftovers(target)
    assert list(tmp_path.iterdir()) == []


def test_second_holder_of_a_lock_is_refused(tmp_path):
    with atomic.lock(tmp_path / "l", purpose="building x"):
        with pytest.raises(errors.BusyError, match=r"building x.*wait until it has ended"):
            with atomic.lock(tmp_path / "l", purpose="building x"):
                pytest.fail("two held the lock")
    with atomic.lock(tmp_path / "l", purpose="building x"):
        pass


_HOLDS = """
import os, signal, sys
from code_t5.storage import atomic
with atomic.lock(sys.argv[1], purpose="p"):
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_lock_of_a_killed_process_is_free(tmp_path):
    assert subprocess.run([sys.executable, "-c", _HOLDS, str(tmp_path / "l")]).returncode == -9
    with atomic.lock(tmp_path / "l", purpose="p"):
        assert (tmp_path / "l").exists()


def test_a_link_at_the_name_is_replaced_and_what_it_points_to_stays(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere/kept").write_text("kept")
    for name, points_to in (("whole", "elsewhere"), ("dangling", "nowhere")):
        (tmp_path / name).symlink_to(tmp_path / points_to)
        with atomic.directory(tmp_path / name) as folder:
            (folder / "new").write_text("new")
        assert not (tmp_path / name).is_symlink()
        assert (tmp_path / name / "new").read_text() == "new"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["dangling", "elsewhere", "whole"]
    assert (tmp_path / "elsewhere/kept").read_text() == "kept"

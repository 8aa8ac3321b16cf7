"""Tests of `python -m preprocessing.inputs`, called as a user calls it."""

from __future__ import annotations

import os
import pathlib
import signal
import subprocess
import sys
import time

import fake_archives as archives
import pytest

ROOT = pathlib.Path(__file__).resolve().parents[3]
FILES = {"Alpha/app/main/a_0.py": b"a = 0\n", "beta/tool/main/c_0.py": b"c = 0\n"}


def _command(*flags):
    return [sys.executable, "-m", "preprocessing.inputs", *map(str, flags)]


def _run(*flags):
    return subprocess.run(_command(*flags), cwd=ROOT, capture_output=True, text=True, timeout=60)


def _archive(tmp_path):
    path = tmp_path / "set.tar.gz"
    path.write_bytes(archives.tar_bytes(archives.flcc_members(FILES)))
    return path


def test_archive_is_summed_up_in_one_line_and_made_once(tmp_path):
    flags = ["--source=archive", "--archive", _archive(tmp_path), "--select", "A*,B*"]
    flags += ["--output_dir", tmp_path / "dev"]
    first = _run(*flags)
    assert first.returncode == 0, first.stderr
    assert first.stdout.splitlines() == [
        f"A*,B* of the archive {tmp_path}/set.tar.gz: 1 repositories, 1 files, 0.0 MB; "
        "nothing skipped",
        f"source tree: {tmp_path}/dev",
    ]
    again = _run(*flags)
    assert again.returncode == 0
    assert again.stdout.splitlines()[0] == (
        f"{tmp_path}/dev is there already and was not made again (--overwrite does)"
    )


@pytest.mark.parametrize(
    "flags, says",
    [
        (["--source=archive"], "--source archive says not where; wanted --archive"),
        (["--source=checkouts"], "wanted --checkouts as well"),
        (["--source=python", "--select=A*"], "--select means nothing to --source python"),
        (["--source=python", "--max_file_bytes=9"], "--source archive or checkouts"),
        (["--source=archive", "--archive=x", "--select=A*,,"], "empty pattern"),
        (["--source=archive", "--archive=ftp://h/x"], "starts with 'ftp'"),
        (["--source=archive", "--archive=none.tar"], "there is no archive none.tar"),
        (["--source=checkouts", "--checkouts=none"], "No such file"),
        (["--source=python", "stray"], "what is 'stray'?"),
    ],
)
def test_wrong_flags_end_in_one_line(tmp_path, flags, says):
    result = _run("--output_dir", tmp_path / "dev", *flags)
    assert result.returncode == 1
    assert result.stdout == ""
    (line,) = result.stderr.splitlines()
    assert line.startswith("error: ") and says in line
    assert not (tmp_path / "dev").exists()


def test_killed_run_leaves_no_tree_and_the_next_one_is_clean(tmp_path):
    # The server never finishes its answer, so that the run is surely under way when it is killed.
    with archives.serve(_archive(tmp_path).read_bytes()) as served:
        served.hold_after = 10
        flags = ["--source=archive", "--archive", served.address, "--output_dir", tmp_path / "dev"]
        process = subprocess.Popen(_command(*flags), cwd=ROOT, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 50
        while not list(tmp_path.glob("downloads/*/*.part")) and time.monotonic() < deadline:
            time.sleep(0.02)
        busy = _run(*flags)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        assert busy.returncode == 1 and "another process holds" in busy.stderr
        assert not (tmp_path / "dev").exists()
        assert list(tmp_path.glob(".dev.*.tmp"))

        served.hold_after = None
        result = _run(*flags)
        assert result.returncode == 0, result.stderr
    assert not list(tmp_path.glob(".dev.*.tmp"))
    assert len(list((tmp_path / "dev").rglob("*_0.py"))) == 2


def test_interrupted_run_says_that_the_same_command_goes_on(tmp_path):
    with archives.serve(_archive(tmp_path).read_bytes()) as served:
        served.hold_after = 10
        flags = ["--source=archive", "--archive", served.address, "--output_dir", tmp_path / "dev"]
        process = subprocess.Popen(
            _command(*flags), cwd=ROOT, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        deadline = time.monotonic() + 50
        while not list(tmp_path.glob("downloads/*/*.part")) and time.monotonic() < deadline:
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=50)
    assert process.returncode == 130
    assert "interrupted: run the same command again" in said and "Traceback" not in said
    assert not list(tmp_path.glob(".dev.*.tmp"))

"""Builds that are stopped, killed, locked out, or two at once."""

from __future__ import annotations

import contextlib
import os
import pathlib
import signal
import subprocess
import sys

import pytest
import small_local_rows

from code_t5 import errors
from code_t5.hf_artifacts.built import build, find, split_writer, staging
from code_t5.hf_artifacts.built.build import BuildOptions
from code_t5.hf_artifacts.built.built_request import BuiltRequest
from code_t5.hf_artifacts.fetching import job_locks

_ROOT = pathlib.Path(__file__).resolve().parents[2]


@pytest.fixture
def source(tmp_path):
    return small_local_rows.write_rows(tmp_path / "my rows")


@pytest.fixture
def how(tmp_path):
    return BuildOptions(output_dir=tmp_path / "out put")


def test_an_interrupted_build_goes_on_where_it_stopped(source, how, monkeypatch):
    real, written = split_writer.SplitWriter.write, []

    def write(self, rows, folder):
        if folder.name == "validation" and len(written) == 1:
            raise KeyboardInterrupt
        written.append(folder.name)
        return real(self, rows, folder)

    monkeypatch.setattr(split_writer.SplitWriter, "write", write)
    with pytest.raises(KeyboardInterrupt):
        build.build_dataset(BuiltRequest(source), options=how)
    target = how.output_dir / BuiltRequest(source, "default").folder_name
    assert not target.exists()
    written.append("stopped")
    outcome = build.build_dataset(BuiltRequest(source), options=how)
    assert written == ["train", "stopped", "validation", "test"]
    outcome.built.check_content()
    names = {path.name for path in how.output_dir.iterdir()}
    assert names == {target.name}


def test_what_waits_from_another_source_is_not_taken(source, how, monkeypatch):
    real = split_writer.SplitWriter.write

    def write(self, rows, folder):
        if folder.name == "validation":
            raise KeyboardInterrupt
        return real(self, rows, folder)

    monkeypatch.setattr(split_writer.SplitWriter, "write", write)
    with pytest.raises(KeyboardInterrupt):
        build.build_dataset(BuiltRequest(source), options=how)
    monkeypatch.undo()
    small_local_rows.write_rows(pathlib.Path(source), word="other")
    os.utime(pathlib.Path(source) / "train.parquet", (1, 1))
    built = build.build_dataset(BuiltRequest(source), options=how).built
    assert small_local_rows.read_texts(built.directory, "train")[0] == "other 0 of train"


def _interrupt(*arguments, **options):
    raise KeyboardInterrupt


def test_what_waits_and_is_damaged_is_written_again(source, how, monkeypatch):
    monkeypatch.setattr(staging.Staging, "publish", _interrupt)
    with pytest.raises(KeyboardInterrupt):
        build.build_dataset(BuiltRequest(source), options=how)
    monkeypatch.undo()
    (shard,) = how.output_dir.glob(".*.building/rows/train/*.arrow")
    content = bytearray(shard.read_bytes())
    content[content.index(b"row 7")] ^= 1
    shard.write_bytes(content)
    built = build.build_dataset(BuiltRequest(source), options=how).built
    assert small_local_rows.read_texts(built.directory, "train")[:] == [
        f"row {row} of train" for row in range(40)
    ]


def test_who_lost_the_lock_publishes_nothing(source, how, monkeypatch):
    @contextlib.contextmanager
    def lost(path, **options):
        yield job_locks.JobLock(is_lost=True)

    monkeypatch.setattr(job_locks, "job_lock", lost)
    with pytest.raises(errors.BusyError, match="another process has begun to build"):
        build.build_dataset(BuiltRequest(source), options=how)
    assert find.find_built(source, output_dir=how.output_dir).found is None


def test_of_an_interrupted_build_only_what_is_asked_for_is_published(source, how, monkeypatch):
    real = split_writer.SplitWriter.write

    def write(self, rows, folder):
        written = real(self, rows, folder)
        if folder.name == "validation":
            raise KeyboardInterrupt
        return written

    monkeypatch.setattr(split_writer.SplitWriter, "write", write)
    with pytest.raises(KeyboardInterrupt):
        build.build_dataset(BuiltRequest(source), options=how)
    monkeypatch.undo()
    outcome = build.build_dataset(BuiltRequest(source), splits=["test"], options=how)
    names = {path.name for path in outcome.built.directory.iterdir()}
    assert names == {"test", "dataset_dict.json", "manifest.json", "COMPLETED"}


_KILLED = """
import os, signal, sys
from code_t5.hf_artifacts.built import build, built_request, staging
publish = staging.Staging.publish
def die(self, *arguments, **options):
    if sys.argv[3] == "before":
        os.kill(os.getpid(), signal.SIGKILL)
    publish(self, *arguments, **options)
staging.Staging.publish = die
keep = staging.Staging.keep
def die_in_between(self, name, *arguments, **options):
    if sys.argv[3] == name:
        os.kill(os.getpid(), signal.SIGKILL)
    keep(self, name, *arguments, **options)
staging.Staging.keep = die_in_between
build.build_dataset(
    built_request.BuiltRequest(sys.argv[1]), options=build.BuildOptions(output_dir=sys.argv[2])
)
"""


@pytest.mark.parametrize("moment", ["train", "validation", "before"])
def test_a_killed_build_leaves_nothing_readable_and_the_next_one_ends_well(
    source, how, tmp_path, moment
):
    command = [sys.executable, "-c", _KILLED, source, str(how.output_dir), moment]
    environment = {**os.environ, "PYTHONPATH": str(_ROOT), "HF_HOME": str(tmp_path / "home")}
    ran = subprocess.run(command, env=environment, capture_output=True, timeout=120)
    assert ran.returncode == -signal.SIGKILL, ran.stderr.decode()[-2000:]
    assert find.find_built(source, output_dir=how.output_dir).found is None
    outcome = build.build_dataset(BuiltRequest(source), options=how)
    outcome.built.check_content()
    assert small_local_rows.read_texts(outcome.built.directory, "train")[3] == "row 3 of train"


def test_of_two_builds_at_once_one_writes_and_both_find_it(source, how, tmp_path):
    program = (
        "import sys, time\n"
        "from code_t5.hf_artifacts.built import build, built_request, split_writer\n"
        "real = split_writer.SplitWriter.write\n"
        "def slow(*a, **k):\n    time.sleep(0.3)\n    return real(*a, **k)\n"
        "split_writer.SplitWriter.write = slow\n"
        "done = build.build_dataset(built_request.BuiltRequest(sys.argv[1]),\n"
        "    options=build.BuildOptions(output_dir=sys.argv[2]))\n"
        "print(done.num_new)\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(_ROOT), "HF_HOME": str(tmp_path / "home")}
    command = [sys.executable, "-c", program, source, str(how.output_dir)]
    running = [
        subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    answers = sorted(process.communicate(timeout=120)[0].strip() for process in running)
    assert answers == ["0", "3"]
    assert [process.returncode for process in running] == [0, 0]


def test_who_waits_too_long_is_told_so(source, how):
    name = BuiltRequest(source, "default").folder_name
    options = BuildOptions(output_dir=how.output_dir, wait_minutes=0.001)
    with job_locks.job_lock(how.output_dir / f".{name}.lock", purpose="a test"):
        with pytest.raises(errors.BusyError, match="a test"):
            build.build_dataset(BuiltRequest(source), options=options)

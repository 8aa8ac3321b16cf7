"""The program: what its flags ask for, what it prints, and what it refuses in one line."""

from __future__ import annotations

import os
import pathlib
import signal
import subprocess
import sys
import time

import pytest
from absl import flags
from refusals import assert_refused

from code_t5.training.students import registry, train_flags
from code_t5.training.teachers import registry as teacher_registry

_ROOT = pathlib.Path(__file__).resolve().parents[3]
_SCRIPT = "scripts/train_student.py"


@pytest.fixture(name="run")
def _run(tmp_path, monkeypatch):
    """Runs the program's flags in this process."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments):
        values = flags.FlagValues()
        train_flags.define_flags(values)
        values(["program", *arguments])
        return train_flags.run(values)

    return run


def _paths(caches):
    return [f"--{name}={path}" for name, path in caches.items()]


def test_a_student_is_trained_from_a_cache(run, caches, tmp_path):
    arguments = ["--config=9", "--use_cached_data", *_paths(caches), "--batch_size=5"]
    lines = run(*arguments, "--epochs=2", "--num_workers=0", "--device=cpu")
    assert lines[0].startswith("epoch 1: loss ")
    assert lines[2] == "students/small/student: the student after its last epoch"
    assert (tmp_path / "students" / "small" / "checkpoint" / "COMPLETED").is_file()


def test_a_student_is_trained_from_the_live_teacher(run, caches, tmp_path):
    live = ["--config=small", "--num_samples=20", "--epochs=1", "--batch_size=5", "--seed=7"]
    (line, _) = run(*live, "--output_dir=live", "--device=cpu", "--width=3")
    options = ["--use_cached_data", *_paths(caches), "--width=3"]
    (same, _) = run("--config=9", *options, "--epochs=1", "--batch_size=5", "--seed=7")
    assert line.split(", ")[:2] == same.split(", ")[:2]
    assert (tmp_path / "live" / "student" / "width.txt").read_text() == "3"


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        ([], "no teacher was given"),
        (["--config=77"], "there is no teacher '77'"),
        (["--config=9", "--use_cached_data"], "without --cached_train_path"),
        (["--config=9", "--use_cached_data", "--cached_train_path=a"], "--cached_val_path"),
        (["--config=9", "--cached_train_path=a"], "without --use_cached_data"),
        (["--config=9", "--learning_rate=-1"], "--learning_rate is -1.0; wanted a number above"),
        (["--config=9", "--learning_rate=nan"], "--learning_rate is nan"),
        (["--config=9", "--epochs=0"], "epochs"),
        (["--config=9", "--device=tpu"], "the device 'tpu' is not there"),
        (["--config=9", "--dtype=float64"], "does not take --dtype"),
        (["--config=0", "--device=cpu", "--width=4"], "do not take --width"),
        (["--config=9", "--seed=-1"], "--seed"),
    ],
)
def test_what_does_not_fit_is_refused(run, tmp_path, arguments, match):
    assert_refused(lambda: run(*arguments), match=match, unchanged=tmp_path)


def test_no_setting_of_a_student_has_the_name_of_one_of_a_teacher():
    students = {setting.name for setting in registry.all_settings()}
    assert not students & {setting.name for setting in teacher_registry.all_settings()}


def test_every_teacher_has_a_student():
    with_students = {name for family in registry.FAMILIES for name in family.teachers}
    assert with_students == set(teacher_registry.teacher_names())


_LIBRARIES = """
import runpy, sys
sys.argv = ["{script}", "--help"]
try:
    runpy.run_path(sys.argv[0], run_name="__main__")
except SystemExit:
    print("loaded", sorted({{"torch", "tensorflow", "transformers"}} & set(sys.modules)))
"""


def test_help_lists_every_flag_and_loads_no_library():
    done = subprocess.run(
        [sys.executable, "-c", _LIBRARIES.format(script=_SCRIPT)],
        cwd=_ROOT,
        capture_output=True,
        text=True,
        check=False,
        env={"PYTHONPATH": str(_ROOT), "PATH": "/usr/bin:/bin"},
    )
    assert done.stdout.splitlines()[-1] == "loaded []"
    for name in ("config", "use_cached_data", "cached_train_path", "wandb", "dtype"):
        assert f"--{name}" in done.stdout or f"--[no]{name}" in done.stdout


def _command(script, *arguments):
    return [sys.executable, str(_ROOT / "scripts" / script), *arguments]


def _environment():
    return {**os.environ, "PYTHONPATH": str(_ROOT), "OMP_NUM_THREADS": "1"}


@pytest.fixture(name="waveforms", scope="module")
def _waveforms(tmp_path_factory):
    """A folder with `cached_train.pt` and `cached_val.pt`, by the issue's commands."""
    folder = tmp_path_factory.mktemp("waveforms")
    generate = _command("generate_cached_dataset.py", "--config", "0", "--batch_size", "64")
    train = [*generate, "--num_samples", "48", "--seed", "3", "--output", "cached_train.pt"]
    validation = [*generate, "--validation", "--output", "cached_val.pt"]
    for command in (train, validation):
        subprocess.run(command, cwd=folder, check=True, env=_environment())
    return folder


_TRAIN = (
    *("--config", "0", "--use_cached_data", "--cached_train_path", "cached_train.pt"),
    *("--cached_val_path", "cached_val.pt", "--num_val_samples", "16", "--batch_size", "8"),
)


@pytest.mark.slow
def test_the_command_of_the_issue_killed_five_times_ends_as_one_that_was_not(waveforms):
    whole = _command("train_student.py", *_TRAIN, "--epochs", "4", "--output_dir", "whole")
    done = subprocess.run(
        whole, cwd=waveforms, capture_output=True, text=True, check=True, env=_environment()
    )
    killed = _command("train_student.py", *_TRAIN, "--epochs", "4", "--output_dir", "killed")
    killed += ["--checkpoint_seconds", "0"]
    for turn in range(5):
        child = subprocess.Popen(killed, cwd=waveforms, env=_environment())
        _wait_for_change(waveforms / "killed" / "checkpoint" / "manifest.json", child=child)
        time.sleep(0.05 * turn)
        child.kill()
        child.wait()
    again = subprocess.run(
        killed, cwd=waveforms, capture_output=True, text=True, check=True, env=_environment()
    )
    assert _losses(again.stdout) == _losses(done.stdout)
    state = "checkpoint/state.safetensors"
    assert (waveforms / "killed" / state).read_bytes() == (waveforms / "whole" / state).read_bytes()
    assert not [path.name for path in (waveforms / "killed").iterdir() if "tmp" in path.name]


def _wait_for_change(path, *, child):
    def stamp():
        return path.stat().st_mtime_ns if path.exists() else 0

    before, end = stamp(), time.monotonic() + 120
    while stamp() == before and child.poll() is None and time.monotonic() < end:
        time.sleep(0.02)


def _losses(text):
    return [line.split(", ")[:2] for line in text.splitlines() if line.startswith("epoch ")]


@pytest.mark.slow
def test_ctrl_c_says_one_line_and_the_same_command_goes_on(waveforms):
    command = _command("train_student.py", *_TRAIN, "--epochs", "200", "--output_dir", "stopped")
    child = subprocess.Popen(
        command, cwd=waveforms, env=_environment(), stderr=subprocess.PIPE, start_new_session=True
    )
    manifest = waveforms / "stopped" / "checkpoint" / "manifest.json"
    _wait_for_change(manifest, child=child)
    # The whole group, as a terminal does it.
    os.killpg(child.pid, signal.SIGINT)
    _, said = child.communicate(timeout=60)
    last = said.decode().replace("\r", "\n").splitlines()[-1]
    assert last == "interrupted: run the same command again and it goes on"
    assert (child.returncode, b"Traceback" in said) == (130, False)


@pytest.mark.slow
def test_a_cache_of_another_teacher_is_refused_by_the_program(waveforms):
    command = _command("train_student.py", *_TRAIN, "--config", "1", "--output_dir", "other")
    done = subprocess.run(
        command, cwd=waveforms, capture_output=True, text=True, check=False, env=_environment()
    )
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert line.startswith("error: cached_train.pt is not what was wanted: teacher.name is")
    assert "--config waveform_1 --output cached_train.pt --overwrite" in line

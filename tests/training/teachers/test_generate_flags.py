"""The program: what it prints, and what it refuses in one line."""

from __future__ import annotations

import pathlib
import subprocess
import sys

import pytest
from absl import flags
from refusals import assert_refused
from small_teacher import SmallTeacher

from code_t5.training.teachers import generate_flags, registry, verifying
from code_t5.training.teachers.registry import Setting, TeacherFamily

_ROOT = pathlib.Path(__file__).resolve().parents[3]
_SCRIPT = "scripts/generate_cached_dataset.py"


@pytest.fixture(name="run")
def _run(tmp_path, monkeypatch):
    """Runs the program's flags in this process; 9 is a small teacher with a setting."""
    settings = (Setting("offset", 0.0, "Is added.", kind="float"),)
    family = TeacherFamily(names={9: "small"}, make="small_teacher:open_small", settings=settings)
    monkeypatch.setattr(registry, "FAMILIES", (*registry.FAMILIES, family))
    monkeypatch.chdir(tmp_path)

    def run(*arguments):
        values = flags.FlagValues()
        generate_flags.define_flags(values)
        values(["program", *arguments])
        return generate_flags.run(values)

    return run


def _program(*arguments, cwd=_ROOT):
    command = [sys.executable, str(_ROOT / _SCRIPT), *arguments]
    environment = {"PYTHONPATH": str(_ROOT), "PATH": "/usr/bin:/bin"}
    return subprocess.run(
        command, cwd=cwd, capture_output=True, text=True, check=False, env=environment
    )


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
        env={"PYTHONPATH": str(_ROOT)},
    )
    assert "loaded []" in done.stdout
    for name in ("config", "num_samples", "output", "batch_size", "[no]validation", "seed"):
        assert f"--{name}:" in done.stdout
    for name in ("dtype", "device", "[no]overwrite", "[no]estimate", "[no]verify", "num_workers"):
        assert f"--{name}:" in done.stdout
    assert "waveform_3" in done.stdout


def test_hyphens_do_and_what_does_not_fit_is_one_line(tmp_path):
    done = _program(
        *("--config", "0", "--validation", "--num-samples", "3", "--output", "x.pt"), cwd=tmp_path
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.count("\n") == 1
    assert "--num_samples was given with --validation" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_it_says_what_was_generated_and_goes_on_with_nothing(run):
    command = ("--config=9", "--num_samples=5", "--output=small.pt", "--seed=3", "--num_workers=1")
    (line,) = run(*command)
    assert "small.pt: 5 train samples of small, seed 3, 0.0 MB (5 generated now)" in line
    assert "(0 generated now)" in run(*command)[0]
    (line,) = run("--config=small", "--validation", "--output=val", "--num_workers=1")
    assert "val: 20 validation samples of small, 0.0 MB (20 generated now)" in line


@pytest.mark.parametrize("name", ["small", "small.pt"])
def test_verify_says_what_there_is_and_asks_again(run, name):
    run("--config=9", "--num_samples=50", "--output", name, "--seed=3", "--num_workers=1")
    lines = run("--output", name, "--verify", "--num_asked=4")
    assert lines[0] == f"{name}: 50 train samples of small, all as written"
    assert "value: float64, one value" in lines
    assert "rows: uint16, any x 2" in lines
    assert "asked again about 4 samples:" in lines
    assert sum("largest error 0 " in line for line in lines) == 2
    low, high = next(line for line in lines if line.startswith("value: ") and " to " in line)[
        7:
    ].split(" to ")
    assert 0 <= int(low) < int(high) < 1000


def test_verify_asks_with_the_settings_of_the_cache(run):
    run("--config=9", "--num_samples=4", "--output=small", "--offset=0.5", "--num_workers=1")
    assert "all as written" in run("--output=small", "--verify")[0]
    assert_refused(
        lambda: run("--output=small", "--verify", "--offset=1"),
        match="teacher.offset is 0.5, wanted 1.0",
    )


def test_verify_refuses_what_the_teacher_does_not_say(run, monkeypatch):
    run("--config=9", "--num_samples=4", "--output=small", "--num_workers=1")
    original = SmallTeacher.run

    def says_more(self, inputs):
        columns = original(self, inputs)
        return {**columns, "value": columns["value"] + 0.25}

    monkeypatch.setattr(SmallTeacher, "run", says_more)
    assert_refused(
        lambda: run("--output=small", "--verify"),
        match="value: largest error 0.25 .*wanted at most 0.001",
    )


@pytest.mark.parametrize("name", ["small", "small.pt"])
def test_verify_refuses_what_is_damaged_or_of_another(run, name, tmp_path):
    run("--config=9", "--num_samples=4", "--output", name, "--num_workers=1")
    assert_refused(
        lambda: run("--output", name, "--verify", "--config=0"),
        match="teacher.name is .small., wanted .waveform_0.",
    )
    shard = tmp_path / name
    shard = shard if shard.is_file() else next(shard.glob("shard-*"))
    spoiled = bytearray(shard.read_bytes())
    spoiled[-1 if shard.suffix != ".pt" else len(spoiled) // 2] ^= 1
    shard.write_bytes(spoiled)
    assert_refused(lambda: run("--output", name, "--verify"), match=name)
    assert_refused(lambda: verifying.verify("nothing.pt"), match="nothing.pt")


def test_estimate_says_bytes_and_time_and_writes_nothing(run, tmp_path):
    lines = run("--config=9", "--num_samples=1000", "--output=small.pt", "--estimate")
    assert lines[0].startswith("1,000 samples: about 0.")
    assert "from a probe of 100" in lines[0]
    assert any("ms each in one" in line for line in lines)
    assert not any("float64" in line for line in lines)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        (("--config=0", "--num_samples=1"), "no output was given"),
        (("--output=x", "--num_samples=1"), "no teacher was given"),
        (("--output=x", "--config=0"), "number of samples is missing"),
        (("--output=x", "--config=0", "--num_samples=0"), "--num_samples is 0"),
        (("--output=x", "--config=0", "--num_samples=-3"), "--num_samples is -3"),
        (("--output=x", "--config=0", "--num_samples=1", "--batch_size=0"), "--batch_size is 0"),
        (("--output=x", "--config=0", "--num_samples=1", "--seed=-1"), "--seed is -1"),
        (("--output=x", "--config=8", "--num_samples=1"), "no teacher '8'"),
        (("--output=x", "--config=0", "--num_samples=1", "--offset=1"), "does not take --offset"),
        (("--output=x", "--config=9", "--num_samples=1", "--dtype=float64"), "not take --dtype"),
        (("--output=x", "--config=0", "--num_samples=1", "--dtype=int8"), "dtype is 'int8'"),
        (("--output=x", "--config=0", "--num_samples=1", "--device=tpu"), "device 'tpu'"),
        (("--output=x", "--config=0", "--validation", "--seed=1"), "--seed was given with --val"),
        (("--output=x", "--estimate", "--verify"), "--estimate was given with --verify"),
        (("--output=x", "--verify", "--num_samples=1"), "--num_samples was given with --verify"),
        (("--output=x", "--verify"), "x"),
    ],
    ids=str,
)
def test_flags_that_do_not_do_are_refused(run, tmp_path, arguments, match):
    assert_refused(lambda: run(*arguments), match=match, unchanged=tmp_path)
    assert list(tmp_path.iterdir()) == []

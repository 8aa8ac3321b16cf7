from __future__ import annotations

import pathlib
import subprocess
import sys

import pytest

_ROOT = pathlib.Path(__file__).resolve().parents[3]


def _run(*args: str) -> subprocess.CompletedProcess:
    command = [sys.executable, "scripts/cache_tasks.py", *args]
    return subprocess.run(command, cwd=_ROOT, capture_output=True, text=True, check=False)


def test_tasks_may_be_given_one_after_the_other_or_by_commas(small_data_dir, tmp_path):
    flags = [f"--data_dir={small_data_dir}", f"--output_cache_dir={tmp_path}", "--min_shards=2"]
    done = _run("--tasks", "small", "small_prefix_lm", *flags, "--num_workers=2")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert [line.split(": ")[:2] for line in lines] == [
        ["small", "written"], ["small_prefix_lm", "linked"],
    ]  # fmt: skip
    assert "train 45 files, " in lines[0]
    assert " tokens in 2 shards" in lines[0]
    again = _run("--tasks=small", "--tasks=small,small_span_corruption", *flags)
    assert [line.split(": ")[:2] for line in again.stdout.splitlines()] == [
        ["small", "was there"], ["small_span_corruption", "linked"],
    ]  # fmt: skip


def test_of_a_mixture_that_gin_defines_the_tasks_are_cached(small_data_dir, tmp_path):
    (tmp_path / "my_mix.gin").write_text(
        "MIXTURE_NAME = 'my_mix'\nrun.train_steps = 7\n"
        "my_mix/mixture.members = ['small_prefix_lm', 'inner']\n"
    )
    output = tmp_path / "out"
    flags = [f"--data_dir={small_data_dir}", f"--output_cache_dir={output}", "--min_shards=1"]
    gin_flags = [
        f"--gin_file={tmp_path / 'my_mix.gin'}",
        "--gin_param=inner/mixture.members = {'small': 2.0, 'small_prefix_lm': 1.0}",
    ]
    done = _run("--tasks=my_mix", *flags, *gin_flags)
    assert done.returncode == 0, done.stderr
    names = sorted(path.name for path in output.iterdir())
    assert names == [".caching", "small", "small_prefix_lm"]
    done = _run("--tasks=my_mx", *flags, *gin_flags)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("error: 'my_mx' is no Task")
    done = _run("--tasks=my_mix", *flags, "--gin_param=my_mix/mixture.members =")
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("error: gin does not take --gin_file and --gin")
    done = _run("--tasks=my_mix", *flags, "--gin_file=none.gin")
    assert done.returncode == 1
    assert done.stderr.startswith("error: there is no gin file none.gin; wanted a path")


def test_verify_says_what_is_whole_and_ends_in_one_line_on_what_is_not(small_data_dir, tmp_path):
    flags = ["--tasks=small", f"--data_dir={small_data_dir}", f"--output_cache_dir={tmp_path}"]
    _run(*flags, "--min_shards=2", "--num_workers=1")
    done = _run(*flags, "--verify")
    assert (done.returncode, done.stdout.split(": ")[:2]) == (0, ["small", "verified"])
    tokens = tmp_path / "small/tokens/train.npy"
    data = bytearray(tokens.read_bytes())
    data[-1] ^= 1
    tokens.write_bytes(data)
    done = _run(*flags, "--verify")
    assert (done.returncode, done.stdout) == (1, "")
    line = done.stderr.splitlines()[-1]
    assert line.startswith("error: ") and "tokens/train.npy has SHA-256" in line


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["--tasks=smll"], "error: 'smll' is no Task; wanted one of the data sets"),
        ([], "error: no Task was given; wanted --tasks NAME"),
    ],
)
def test_what_cannot_be_done_is_one_line(small_data_dir, tmp_path, args, message):
    flags = [f"--data_dir={small_data_dir}", f"--output_cache_dir={tmp_path}"]
    done = _run(*args, *flags)
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert line.startswith(message)


_HEAVY_AFTERWARDS = """
import runpy, sys
sys.argv = sys.argv[1:]
try:
    runpy.run_path(sys.argv[0], run_name="__main__")
except SystemExit as end:
    print(end.code, sorted({"tensorflow", "seqio", "t5", "torch", "transformers", "datasets"}
                           & set(sys.modules)))
"""


def test_the_program_loads_neither_tensorflow_nor_torch(small_data_dir, tmp_path):
    command = [sys.executable, "-c", _HEAVY_AFTERWARDS, "scripts/cache_tasks.py", "--tasks=small"]
    flags = [f"--data_dir={small_data_dir}", f"--output_cache_dir={tmp_path}", "--num_workers=1"]
    done = subprocess.run(
        [*command, *flags], cwd=_ROOT, capture_output=True, text=True, check=False
    )
    assert done.stdout.splitlines()[-1] == "0 []", done.stderr

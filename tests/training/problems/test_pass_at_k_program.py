"""The program `scripts/pass_at_k.py`, as a user runs it."""

from __future__ import annotations

import json
import pathlib
import subprocess
import sys

from training.problems import small_problems as small

ROOT = pathlib.Path(__file__).resolve().parents[3]


def _run(*arguments):
    return subprocess.run(
        [sys.executable, "scripts/pass_at_k.py", *map(str, arguments)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


def test_table_is_printed_and_results_are_written(tmp_path):
    problems = small.write_rows(tmp_path / "problems.jsonl.gz", small.AREA)
    samples = small.write_rows(
        tmp_path / "samples.jsonl",
        *small.samples_of("11", small.AREA["code"], "def area(side): return 9\n"),
    )
    found = _run(
        *("--problems", problems, "--samples", samples, "--output-dir", tmp_path / "out"),
        *("-k", "1", "2"),
    )
    assert found.returncode == 0, found.stderr
    assert found.stdout.splitlines()[:3] == [
        "1 problems, 2 programs",
        "pass@1     50.00 %  (standard error over problems 0.00)",
        "pass@2    100.00 %  (standard error over problems 0.00)",
    ]
    assert json.loads((tmp_path / "out" / "results.json").read_bytes())["num_programs"] == 2


def test_errors_are_one_line(tmp_path):
    for arguments, message in (
        (("-k", "x"), "-k is 'x'"),
        (("word",), "found the word 'word'"),
        ((), "both or neither of --model_dir and --samples"),
    ):
        found = _run("--problems", "none", "--output_dir", tmp_path / "out", *arguments)
        assert (found.returncode, found.stderr.count("\n")) == (1, 1)
        assert message in found.stderr
    assert not (tmp_path / "out").exists()


def test_help_names_the_flags():
    found = _run("--help")
    for name in ("--problems", "--samples", "--step", "--num_samples", "--k"):
        assert f"\n  {name}" in found.stdout

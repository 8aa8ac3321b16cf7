from __future__ import annotations

import json
import subprocess
import sys

import pytest

from fakes import some_code, write_code_repositories, write_flcc


@pytest.fixture
def built(tmp_path):
    """Runs a dry run of the program and returns its status, its error and its report."""
    write_code_repositories(tmp_path / "in")

    def run(*arguments: str):
        done = subprocess.run(
            [
                sys.executable, "-m", "preprocessing.build", f"--input_dir={tmp_path / 'in'}",
                f"--data_dir={tmp_path / 'data'}", "--num_workers=1", "--dry_run", *arguments,
            ],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        path = tmp_path / "data/dry_runs/small/report.json"
        report = json.loads(path.read_text()) if done.returncode == 0 else {}
        return done.returncode, done.stderr.strip().splitlines()[-1:], report

    return run


def test_several_benchmark_files_may_follow_one_flag(built, tmp_path):
    paths = [str(tmp_path / f"{name}.jsonl") for name in "ab"]
    for number, path in enumerate(paths):
        with open(path, "w") as file:
            file.write(json.dumps({"solution": some_code(1000 * number)}) + "\n")
    status, error, report = built("--benchmark", *paths, "--name", "small")
    assert status == 0, error
    assert [item["file"] for item in report["decontamination"]["benchmarks"]] == [
        "a.jsonl", "b.jsonl",
    ]  # fmt: skip
    assert report["files_by_verdict"] == {"kept": 38, "benchmark": 2}


def test_switches_of_the_near_duplicate_stage_arrive(built, tmp_path):
    write_flcc(tmp_path / "in", {"zoo/fork/main/a_1.py": some_code(1000) + "x = 1\n"})
    assert built("--name=small")[2]["files_by_verdict"] == {"kept": 40, "near_duplicate": 1}
    _, _, report = built("--name=small", "--near_dup_threshold=0.999")
    assert report["near_duplicates"]["num_removed"] == 0
    _, _, report = built("--name=small", "--noverify")
    assert report["near_duplicates"]["verify"] is False
    _, _, report = built("--name=small", "--no_near_dup")
    assert report["near_duplicates"]["enabled"] is False
    # The copy does not stand on two sides all the same: forks stay together.
    assert report["files_by_verdict"]["kept"] + report["leaks"]["num_dropped"] == 41


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["stray"], "error: 'stray' is no flag; wanted flags only"),
        (["--near_dup_threshold=0"], "error: --near_dup_threshold is 0.0; wanted"),
        (["--max_linked_fraction=2"], "error: --max_linked_fraction is 2.0; wanted"),
        (["--benchmark=nowhere.jsonl"], "error: "),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(built, arguments, message):
    status, error, _ = built("--name=small", *arguments)
    assert status == 1
    assert error[0].startswith(message)
    assert "nowhere" in error[0] or "nowhere" not in arguments[0]


@pytest.mark.parametrize("module", ["preprocessing.build", "preprocessing.beam_build"])
def test_help_lists_the_flags(module):
    done = subprocess.run(
        [sys.executable, "-m", module, "--help"], capture_output=True, text=True, check=False
    )
    assert {"--input_dir:", "--[no]dry_run:", "--vocabulary_kind:"} <= set(done.stdout.split())

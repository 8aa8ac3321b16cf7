"""The program `scripts/demo_train.py`: its flags, its exit status and where its lines go."""

from __future__ import annotations

import os
import pathlib
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
# Runs the program with a stand-in for what takes minutes.
STAND_IN = """
import runpy, sys
from code_t5 import errors
from code_t5.training import demonstration

def demonstrate(run, *, num_steps):
    yield f"{run.mixture_or_task_name} {run.model_dir} {run.data_dir} {num_steps}"
    yield " ".join(run.gin_files + run.gin_params)
    if num_steps == 7:
        raise errors.InputError("found 7 steps; wanted another number; choose one")

demonstration.demonstrate = demonstrate
sys.argv = ["scripts/demo_train.py"] + sys.argv[1:]
runpy.run_path("scripts/demo_train.py", run_name="__main__")
"""
# The program imports TensorFlow first, which takes seconds, and itself asks nothing of it.
WITHOUT_TENSORFLOW = "import sys, types; sys.modules['tensorflow'] = types.ModuleType('tensorflow')"


def run(*arguments, program=WITHOUT_TENSORFLOW + STAND_IN):
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(
        [sys.executable, "-c", program, *arguments],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_flags_reach_the_training():
    found = run("--model_dir=m", "--data_dir=d", "--task=dev", "--train_steps=9", program=STAND_IN)
    assert found.returncode == 0, found.stderr
    assert found.stdout.splitlines() == [
        "dev m d 9",
        "runs/dev_prefix_lm.gin run.train_steps = 9",
    ]


def test_error_is_one_line_and_status_1_after_what_was_found_out():
    found = run("--model_dir=m", "--task=dev", "--train_steps=7")
    assert found.returncode == 1
    assert found.stdout.startswith("dev m None 7\n")
    assert found.stderr.splitlines()[-1] == (
        "error: found 7 steps; wanted another number; choose one"
    )
    assert "Traceback" not in found.stderr


@pytest.mark.parametrize("flag", ["model_dir", "task"])
def test_missing_flag_is_named(flag):
    given = {"model_dir": "--model_dir=m", "task": "--task=dev"}
    found = run(*(text for name, text in given.items() if name != flag))
    assert found.returncode != 0
    assert flag in found.stderr

"""The one command from code to a page, from nothing, with a model that is hardly trained."""

from __future__ import annotations

import os
import pathlib
import re
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[3]
_DEV_LINES = (ROOT / "gin_configs/runs/dev_lines.gin").read_text()


def _run(*arguments, **settings):
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **settings}
    command = [str(ROOT / "scripts/from_code_to_page.sh"), *arguments]
    return subprocess.run(
        command, capture_output=True, text=True, env=environment, check=False, cwd="/"
    )


# Writes down what it was asked for, and as the trainer leaves a checkpoint.
_RECORDER = """#!/usr/bin/env bash
printf '%s ' "$@" >> "$DEMO_DIR/asked"
echo >> "$DEMO_DIR/asked"
case "$1" in
  */train.py)
    mkdir "$DEMO_DIR/page_model"
    echo 'model_checkpoint_path: "model.ckpt-1800"' > "$DEMO_DIR/page_model/checkpoint" ;;
esac
"""


def test_the_page_shows_a_model_that_has_learned_to_complete_lines(tmp_path):
    recorder = tmp_path / "recorder"
    recorder.write_text(_RECORDER)
    recorder.chmod(0o755)
    ran = _run("--check", DEMO_DIR=str(tmp_path), PYTHON=str(recorder), DEMO_STEPS="")
    assert ran.returncode == 0, ran.stderr
    asked = (tmp_path / "asked").read_text().splitlines()
    train, evaluate, export, serve = [one for one in asked if "scripts/" in one]
    assert "train.py dev_python_line_completion dev cpu_1" in train
    assert "--train_steps 1800 -- --gin_file=runs/dev_lines.gin" in train
    # train.sh has lengths of its own, which would count more than the gin file's.
    (lengths,) = re.findall("^utils.run.sequence_length = .*", _DEV_LINES, re.MULTILINE)
    assert f"--gin_param={lengths} " in train
    assert f"--model_dir {tmp_path}/page_model" in train and "page_model" in evaluate
    assert "--name dev_python_lines" in export and "--stop_at_newline" in export
    assert f"--model {tmp_path}/exports/dev_python_lines --version 1800 --check" in serve


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_from_nothing_to_a_page_that_answers_and_again_from_what_is_there(tmp_path):
    settings = {"DEMO_DIR": str(tmp_path), "DEMO_STEPS": "2", "DEMO_CURSORS": "4"}
    first = _run("--check", **settings)
    assert first.returncode == 0, first.stderr[-3000:]
    for part in ("== 2. Training", "loss at step 2:", "n-gram", "== 4. Export", "== 5. Page"):
        assert part in first.stdout
    assert "serving dev_python_lines, version 2;" in first.stdout
    assert "checked: the page has" in first.stdout
    assert first.stdout.endswith("the server has ended\n")
    again = _run(CHECK="1", **settings)
    assert again.returncode == 0, again.stderr[-3000:]
    assert "is trained for 2 steps already" in again.stdout
    assert "step 2 is exported already" in again.stdout
    assert "checked: the page has" in again.stdout


def test_another_word_is_told_before_anything_is_done(tmp_path):
    ran = _run("--chekc", DEMO_DIR=str(tmp_path / "none"))
    assert (ran.returncode, ran.stdout) == (1, "")
    assert ran.stderr.startswith("error: found --chekc; wanted --check or nothing")
    assert not (tmp_path / "none").exists()

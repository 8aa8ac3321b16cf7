"""The one command from code to a page, from nothing, with a model that is hardly trained."""

from __future__ import annotations

import os
import pathlib
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[3]


def _run(*arguments, **settings):
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **settings}
    command = [str(ROOT / "scripts/from_code_to_page.sh"), *arguments]
    return subprocess.run(
        command, capture_output=True, text=True, env=environment, check=False, cwd="/"
    )


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_from_nothing_to_a_page_that_answers_and_again_from_what_is_there(tmp_path):
    settings = {"DEMO_DIR": str(tmp_path), "DEMO_STEPS": "2", "DEMO_CURSORS": "4"}
    first = _run("--check", **settings)
    assert first.returncode == 0, first.stderr[-3000:]
    for part in ("== 2. Training", "loss at step 2:", "n-gram", "== 4. Export", "== 5. Page"):
        assert part in first.stdout
    assert "serving dev_python, version 2;" in first.stdout
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

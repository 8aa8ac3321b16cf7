"""Tests that fork, run in an interpreter of their own.

A worker that is forked out of a process with TensorFlow, Beam and their threads in it can die. The
whole suite is such a process.
"""

from __future__ import annotations

import functools
import os
import pathlib
import subprocess
import sys
from typing import Any, Callable

_ROOT = pathlib.Path(__file__).resolve().parents[1]
_IS_FRESH = "CODE_T5_TESTS_FRESH"


def run_pytest(test: str) -> bytes:
    """Runs tests in a process of their own, which must pass.

    Args:
      test: A file or a test, as pytest names it.

    Returns:
      What pytest printed.
    """
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", test]
    environment = {**os.environ, _IS_FRESH: "1"}
    ran = subprocess.run(command, cwd=_ROOT, capture_output=True, check=False, env=environment)
    assert ran.returncode == 0, ran.stdout.decode(errors="replace")[-8000:]
    return ran.stdout


def in_fresh_interpreter(test: Callable[..., None]) -> Callable[..., None]:
    """Returns a test that runs in an interpreter of its own.

    Args:
      test: The test.
    """

    @functools.wraps(test)
    def run(*args: Any, **kwargs: Any) -> None:
        if os.environ.get(_IS_FRESH):
            test(*args, **kwargs)
            return
        name, _, _ = os.environ["PYTEST_CURRENT_TEST"].rpartition(" (")
        assert b"1 passed" in run_pytest(name)

    return run

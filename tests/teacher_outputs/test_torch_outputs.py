"""Teacher outputs for torch; the checks are in a module of their own, run by themselves."""

from __future__ import annotations

import teacher_outputs_torch_checks
from fresh_interpreter import run_pytest


def test_torch_readers_pass_their_checks():
    printed = run_pytest(teacher_outputs_torch_checks.__file__)
    assert b"10 passed" in printed

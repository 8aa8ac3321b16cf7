"""How torch's threads wait."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from code_t5 import torch_threads


@pytest.mark.parametrize("own, wanted", [(None, "passive"), ("active", "active")])
def test_threads_sleep_unless_the_user_says_otherwise(monkeypatch, own, wanted):
    # Set first, so that whatever it was comes back.
    monkeypatch.setenv("OMP_WAIT_POLICY", own or "")
    if own is None:
        monkeypatch.delenv("OMP_WAIT_POLICY")
    torch_threads.wait_without_spinning()
    assert os.environ["OMP_WAIT_POLICY"] == wanted


def test_programs_that_train_in_torch_ask_for_it_before_torch_is_there():
    code = (
        "import sys; import scripts.train_student as program; "
        "from code_t5 import torch_threads; "
        "torch_threads.wait_without_spinning = lambda: sys.exit(7 + ('torch' in sys.modules)); "
        "program.main(['train_student'])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 7, done.stderr

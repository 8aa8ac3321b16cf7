"""Tests of the worker processes that every room uses."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

import house_rules
from code_t5 import errors, parallel


def test_results_come_in_the_order_of_the_inputs():
    with parallel.WorkerPool(2) as pool:
        assert list(pool.map(abs, range(-9, 0))) == [9, 8, 7, 6, 5, 4, 3, 2, 1]


def test_one_worker_is_this_process():
    with parallel.WorkerPool(1) as pool:
        (found,) = pool.map(_pid_and, [0])
    assert found == (os.getpid(), 0)


def _pid_and(number):
    return os.getpid(), number


def test_more_workers_are_other_processes():
    with parallel.WorkerPool(2) as pool:
        assert os.getpid() not in {pid for pid, _ in pool.map(_pid_and, range(4))}


def test_a_worker_that_is_killed_is_one_line():
    with (
        parallel.WorkerPool(2) as pool,
        pytest.raises(errors.CodeT5Error, match="a worker process died") as raised,
    ):
        list(pool.map(_kill, [0]))
    assert "\n" not in str(raised.value)


def _kill(number):
    os.kill(os.getpid(), signal.SIGKILL + number)


@pytest.mark.parametrize(
    "statement",
    [
        "with parallel.WorkerPool(2) as pool: print(*pool.map(abs, [-1, -2]))",
        "print(parallel.run_in_child(functools.partial(max, 1, 2), tick_fn=print))",
    ],
)
def test_workers_do_not_run_a_script_again_that_has_no_main_guard(tmp_path, statement):
    script = tmp_path / "script.py"
    script.write_text(
        "import functools\nfrom code_t5 import parallel\nprint('once')\n" + statement + "\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(house_rules.ROOT)}
    found = subprocess.run(
        [sys.executable, script], capture_output=True, text=True, timeout=60, env=environment
    )
    assert found.returncode == 0, found.stderr
    assert found.stdout.count("once") == 1
    assert found.stdout.split()[1:] in (["1", "2"], ["2"])

"""Calls from input pipelines at the end of a program."""

from __future__ import annotations

import subprocess
import sys
import threading
import time

import pytest

from code_t5.data import pipeline_calls


def test_a_call_returns_what_the_function_returns():
    assert pipeline_calls.pipeline_call(divmod)(7, 2) == (3, 1)


def test_the_end_waits_for_a_call_under_way_and_refuses_later_ones():
    calls, events = pipeline_calls._Calls(), []
    has_begun, may_end = threading.Event(), threading.Event()

    def work():
        with calls:
            has_begun.set()
            may_end.wait(10)
            events.append("called")

    def end():
        calls.end()
        events.append("ended")

    threads = [threading.Thread(target=work), threading.Thread(target=end)]
    threads[0].start()
    assert has_begun.wait(10)
    threads[1].start()
    time.sleep(0.05)
    assert events == []
    may_end.set()
    for thread in threads:
        thread.join(10)
    assert events == ["called", "ended"]
    with pytest.raises(RuntimeError, match="the program is ending"), calls:
        pass


def test_a_program_with_a_pipeline_at_work_ends():
    program = """
import numpy as np
import tensorflow as tf
from code_t5.data.pipeline_calls import pipeline_call

@pipeline_call
def work(number):
    # Array operations give way to other threads and come back.
    for _ in range(20):
        np.sort(np.arange(200_000)[::-1].astype(np.float64))
    return np.full(10, number)

def rows_of(number):
    return tf.ensure_shape(tf.numpy_function(work, [number], tf.int64), [10])

rows = iter(tf.data.Dataset.range(10**9).map(rows_of).prefetch(2).unbatch())
assert [int(next(rows)) for _ in range(35)][-1] == 3
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr

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
import time
import tensorflow as tf
from code_t5.data.pipeline_calls import pipeline_call

@pipeline_call
def work(number):
    # Holds the interpreter, and now and then gives way, as array operations do.
    stop = time.monotonic() + 0.2
    while time.monotonic() < stop:
        pass
    return number

dataset = tf.data.Dataset.range(10**9).map(lambda i: tf.numpy_function(work, [i], tf.int64))
numbers = iter(dataset.prefetch(2))
assert [int(next(numbers)) for _ in range(3)] == [0, 1, 2]
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr

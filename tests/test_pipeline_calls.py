"""Calls from input pipelines at the end of a program."""

from __future__ import annotations

import subprocess
import sys
import threading

import pytest

from code_t5 import errors, pipeline_calls


def test_a_call_returns_what_the_function_returns():
    assert pipeline_calls.pipeline_call(divmod)(7, 2) == (3, 1)


def test_the_first_of_our_errors_is_remembered(monkeypatch):
    monkeypatch.setattr(pipeline_calls, "_CALLS", pipeline_calls._Calls())

    @pipeline_calls.pipeline_call
    def refuse(number):
        raise errors.ArtifactError(f"found {number}")

    assert pipeline_calls.first_error() is None
    for number in (1, 2):
        with pytest.raises(errors.ArtifactError, match=f"found {number}"):
            refuse(number)
    assert str(pipeline_calls.first_error()) == "found 1"


def test_the_end_waits_for_a_call_under_way_and_refuses_later_ones():
    calls, events = pipeline_calls._Calls(), []
    has_begun, is_waiting, may_end = (threading.Event() for _ in range(3))
    wait_for = calls._changed.wait_for

    def say_and_wait_for(predicate):
        # Nobody else gets the lock before the real one waits.
        is_waiting.set()
        return wait_for(predicate)

    calls._changed.wait_for = say_and_wait_for

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
    assert is_waiting.wait(10)
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
from code_t5.pipeline_calls import pipeline_call

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

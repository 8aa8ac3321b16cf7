"""Python functions that an input pipeline calls, made safe at the end of the program.

A pipeline of `tf.data` calls Python (`tf.numpy_function`) from threads of its own and works ahead
of its reader. A program that ends while such a call is under way hangs: Python stops the thread for
good, and TensorFlow waits for it. So calls that are under way when the program ends are waited for,
and later ones are refused, until the pipelines' buffers are full of refusals and nothing calls.

What such a call raises reaches the pipeline's reader as an error of TensorFlow; `first_error` has
ours as it was.
"""

from __future__ import annotations

import atexit
import functools
import threading
import time
from collections.abc import Callable
from typing import Any, TypeVar

from code_t5 import errors

# No call for so long: the pipelines are at rest. Refusals follow each other within microseconds.
_REST_SECONDS = 0.2
_MAX_WAIT_SECONDS = 10.0

_Function = TypeVar("_Function", bound=Callable[..., Any])


class _Calls:
    """The calls that are under way, and whether more may begin."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._num_running = 0
        self._num_begun = 0
        self._is_ending = False
        self.first_error: errors.CodeT5Error | None = None

    def __enter__(self) -> None:
        with self._changed:
            self._num_begun += 1
            if self._is_ending:
                raise RuntimeError(
                    "the program is ending; an input pipeline was not read to its end"
                )
            self._num_running += 1

    def __exit__(self, *_: object) -> None:
        with self._changed:
            self._num_running -= 1
            self._changed.notify_all()

    def end(self) -> None:
        """Refuses further calls, and waits for those under way and until no more come."""
        with self._changed:
            self._is_ending = True
            self._changed.wait_for(lambda: self._num_running == 0)
        num_seen, stop = 0, time.monotonic() + _MAX_WAIT_SECONDS
        while num_seen != self._num_begun and time.monotonic() < stop:
            num_seen = self._num_begun
            time.sleep(_REST_SECONDS)


_CALLS = _Calls()
atexit.register(_CALLS.end)


def pipeline_call(function: _Function) -> Callable[..., Any]:
    """Returns a function that is safe to give to `tf.numpy_function`.

    Args:
      function: What a pipeline calls.
    """

    @functools.wraps(function)
    def call(*arguments: Any) -> Any:
        with _CALLS:
            try:
                return function(*arguments)
            except errors.CodeT5Error as error:
                _CALLS.first_error = _CALLS.first_error or error
                raise

    return call


def first_error() -> errors.CodeT5Error | None:
    """Returns the first of our errors that ended a call; None without."""
    return _CALLS.first_error

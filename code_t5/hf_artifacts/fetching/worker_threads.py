"""Runs a function over many inputs in threads that end with the program.

Ctrl-C must not wait for a download of ten gigabytes: the threads are daemons, and whatever they
wrote is gone on with at the next run.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterable
from typing import Callable, TypeVar

_Input = TypeVar("_Input")
_Output = TypeVar("_Output")
_POLL_SECONDS = 0.2


def map_in_threads(
    function: Callable[[_Input], _Output],
    *,
    inputs: Iterable[_Input],
    num_threads: int,
    stop: threading.Event,
) -> list[_Output]:
    """Returns `function(input)` of each input, in order.

    Args:
      function: Should end early when `stop` is set.
      inputs: Walked once, at the beginning.
      num_threads: How many run at a time.
      stop: Is set when the caller is interrupted or one of the inputs fails.

    Raises:
      BaseException: What the first that failed raised.
    """
    waiting: queue.SimpleQueue[tuple[int, _Input]] = queue.SimpleQueue()
    done: queue.SimpleQueue[tuple[int, _Output | None, BaseException | None]] = queue.SimpleQueue()
    count = 0
    for count, one in enumerate(inputs, start=1):
        waiting.put((count - 1, one))

    def work() -> None:
        while not stop.is_set():
            try:
                index, one = waiting.get_nowait()
            except queue.Empty:
                return
            try:
                done.put((index, function(one), None))
            except BaseException as error:  # noqa: BLE001 - raised again in the caller's thread
                done.put((index, None, error))

    for _ in range(min(num_threads, count)):
        threading.Thread(target=work, daemon=True).start()
    return _collect(done, count=count, stop=stop)


def _collect(
    done: queue.SimpleQueue[tuple[int, _Output | None, BaseException | None]],
    *,
    count: int,
    stop: threading.Event,
) -> list[_Output]:
    """Returns the results in the order of the inputs.

    Raises:
      BaseException: What the first that failed raised.
    """
    results: dict[int, _Output] = {}
    try:
        while len(results) < count:
            try:
                # With a time-out, so that Ctrl-C is heard.
                index, result, error = done.get(timeout=_POLL_SECONDS)
            except queue.Empty:
                continue
            if error is not None:
                raise error
            results[index] = result  # type: ignore[assignment]
    except BaseException:
        stop.set()
        raise
    return [results[index] for index in range(count)]

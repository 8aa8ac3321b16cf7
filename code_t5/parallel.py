"""Runs a function over many inputs in several processes, in order and with bounded memory."""

from __future__ import annotations

import collections
import concurrent.futures
import concurrent.futures.process
import multiprocessing
import multiprocessing.connection
import multiprocessing.context
import os
import signal
import sys
import threading
import types
from collections.abc import Iterable, Iterator
from typing import Any, Callable, TypeVar

from code_t5 import errors

_Input = TypeVar("_Input")
_Output = TypeVar("_Output")


def default_num_workers() -> int:
    """Returns the number of processors that this process may use."""
    return len(os.sched_getaffinity(0))


def _exit_with_parent() -> None:
    """Ends this worker when the process that started it is gone, however that happened."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        multiprocessing.connection.wait([parent.sentinel])
        os._exit(1)


def start_worker() -> None:
    """Has this process be a worker: it leaves Ctrl-C to its parent, and ends when that is gone."""
    # Ctrl-C goes to the whole process group; the parent alone decides what it means.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_exit_with_parent, daemon=True).start()


class _WorkerProcess(multiprocessing.context.ForkServerProcess):
    """A process that does not run the caller's program a second time.

    Python's own imports the file that is `__main__`, and so a short script without
    `if __name__ == "__main__"` starts workers that start workers, which Python refuses. What
    workers run here is importable by its module's name, so they need no `__main__`.
    """

    @staticmethod
    def _Popen(process_obj: Any) -> Any:
        main = sys.modules["__main__"]
        sys.modules["__main__"] = types.ModuleType("__main__")
        try:
            return multiprocessing.context.ForkServerProcess._Popen(process_obj)
        finally:
            sys.modules["__main__"] = main


class _WorkerContext(multiprocessing.context.ForkServerContext):
    """A fork server is single-threaded, so that no lock is ever copied in a locked state."""

    Process = _WorkerProcess


class WorkerPool:
    """Processes that are started once and used by several stages.

    With one worker everything runs in the calling process.

    Attributes:
      num_workers: How many processes work at a time.
    """

    def __init__(self, num_workers: int) -> None:
        """Remembers the size; processes start with the first work."""
        self.num_workers = num_workers
        self._executor: concurrent.futures.ProcessPoolExecutor | None = None

    def __enter__(self) -> WorkerPool:
        """Starts the pool's life."""
        return self

    def __exit__(self, *exception: Any) -> None:
        """Ends the processes; work that has not begun is dropped."""
        if self._executor is not None:
            self._executor.shutdown(wait=True, cancel_futures=True)

    def _started(self) -> concurrent.futures.ProcessPoolExecutor:
        if self._executor is None:
            self._executor = concurrent.futures.ProcessPoolExecutor(
                self.num_workers, mp_context=_WorkerContext(), initializer=start_worker
            )
        return self._executor

    def map(
        self, function: Callable[[_Input], _Output], inputs: Iterable[_Input]
    ) -> Iterator[_Output]:
        """Yields `function(input)` for each input, in order.

        At most three inputs per worker are under way, so a long iterator is never held in memory.

        Args:
          function: Importable by name from a module that is not the program itself.
          inputs: Walked once.

        Yields:
          The results.

        Raises:
          CodeT5Error: A worker process died.
        """
        if self.num_workers == 1:
            yield from map(function, inputs)
            return
        executor = self._started()
        window: collections.deque[concurrent.futures.Future[_Output]] = collections.deque()
        try:
            for value in inputs:
                window.append(executor.submit(function, value))
                if len(window) >= 3 * self.num_workers:
                    yield window.popleft().result()
            while window:
                yield window.popleft().result()
        except concurrent.futures.process.BrokenProcessPool as error:
            raise errors.CodeT5Error(
                "a worker process died (killed, or out of memory); wanted it to finish its files; "
                "run the same command again, with a smaller --num_workers if memory is short"
            ) from error
        finally:
            for future in window:
                future.cancel()


def run_in_child(
    function: Callable[[], _Output],
    *,
    tick_fn: Callable[[int], object],
    mend: str = "run the same command again where more memory is free",
) -> _Output:
    """Runs a function that cannot be interrupted in a process of its own.

    Args:
      function: Importable by name from a module that is not the program itself, arguments bound
        with `functools.partial`.
      tick_fn: Called with 1 about once a second until the function returns.
      mend: What to do if the process dies.

    Returns:
      What the function returned.

    Raises:
      CodeT5Error: The function raised one, or its process died.
    """
    executor = concurrent.futures.ProcessPoolExecutor(
        1, mp_context=_WorkerContext(), initializer=start_worker
    )
    future = executor.submit(function)
    processes = list((executor._processes or {}).values())
    try:
        while not concurrent.futures.wait([future], timeout=1).done:
            tick_fn(1)
        return future.result()
    except concurrent.futures.process.BrokenProcessPool as error:
        raise errors.CodeT5Error(
            "the process that did the work died (killed, or out of memory); wanted it to finish; "
            f"{mend}"
        ) from error
    except KeyboardInterrupt:
        for process in processes:
            process.kill()
        raise
    finally:
        executor.shutdown(wait=True, cancel_futures=True)

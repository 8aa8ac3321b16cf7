"""One queue in front of a model: prompts that wait together are run together.

A *batch* is what the model runs at once. One thread runs the model, so the machine's cores work on
one batch at a time; while it runs, the next one gathers. The first prompt of a batch waits a moment
for as many others as there were lately, so a lone client waits for nobody.
"""

from __future__ import annotations

import asyncio
import queue
import threading
import time
from collections.abc import Sequence
from typing import Callable, Protocol

from code_t5.training.serving import failures
from code_t5.training.serving.answers import RequestError
from code_t5.training.serving.predictions import Prediction, Prompt

_END_SECONDS = 5.0


class BatchObserver(Protocol):
    """Whoever counts batches."""

    def observe_batch(
        self, predictions: Sequence[Prediction], *, size: int, seconds: float
    ) -> None:
        """Counts one batch that was run."""


class Batcher:
    """Runs prompts in batches, on a thread of its own.

    Attributes:
      busy_since: When the batch began that is running now, on `time.monotonic`; None if none is.
    """

    def __init__(
        self,
        predict: Callable[[Sequence[Prompt]], list[Prediction]],
        *,
        batch_size: int,
        max_wait_seconds: float,
        max_queue: int,
        observer: BatchObserver,
    ) -> None:
        """Sets up; `start` starts.

        Args:
          predict: Runs a batch; called by one thread only.
          batch_size: Most prompts of one.
          max_wait_seconds: How long the first prompt of a batch waits for others.
          max_queue: Most prompts that wait.
          observer: Is told of each batch.
        """
        self.busy_since: float | None = None
        self._predict = predict
        self._batch_size = batch_size
        self._max_wait_seconds = max_wait_seconds
        self._max_queue = max_queue
        self._observer = observer
        self._waiting: dict[asyncio.Future[Prediction], Prompt] = {}
        self._inbox: queue.SimpleQueue[list[Prompt] | None] = queue.SimpleQueue()
        self._is_closing = False
        self._expected = 1

    @property
    def num_waiting(self) -> int:
        """How many prompts wait for a batch."""
        return len(self._waiting)

    def start(self) -> None:
        """Starts the thread and the gathering; called inside the event loop."""
        self._loop = asyncio.get_running_loop()
        self._changed = asyncio.Event()
        self._done: asyncio.Queue[list[Prediction | None]] = asyncio.Queue()
        self._thread = threading.Thread(target=self._work, name="model", daemon=True)
        self._thread.start()
        self._gathering = self._loop.create_task(self._gather_and_run())

    async def close(self) -> None:
        """Ends: what waits is told so, and a batch that runs gets a few seconds."""
        self._is_closing = True
        for future in list(self._waiting):
            if not future.done():
                future.set_exception(self._closing_error())
        self._gathering.cancel()
        self._inbox.put(None)
        await self._loop.run_in_executor(None, self._thread.join, _END_SECONDS)

    def submit(self, prompts: Sequence[Prompt]) -> list[asyncio.Future[Prediction]]:
        """Puts prompts into the queue, all or none.

        Args:
          prompts: What to run.

        Returns:
          A future per prompt; cancel it and the prompt is not run, if it is not running yet.

        Raises:
          RequestError: Too many wait (429), or the server is closing (503).
        """
        if self._is_closing:
            raise self._closing_error()
        if self.num_waiting + len(prompts) > self._max_queue:
            raise RequestError(
                f"{self.num_waiting} prompts wait and {len(prompts)} more came; wanted "
                f"{self._max_queue} at most; try again in a moment",
                status=429,
                headers={"Retry-After": "1"},
            )
        futures = []
        for prompt in prompts:
            future: asyncio.Future[Prediction] = self._loop.create_future()
            self._waiting[future] = prompt
            # Cancelled or answered, it waits no more.
            future.add_done_callback(lambda done: self._waiting.pop(done, None))
            futures.append(future)
        self._changed.set()
        return futures

    @staticmethod
    def _closing_error() -> RequestError:
        return RequestError("the server is closing; ask again when it is back", status=503)

    async def _gather(self) -> list[asyncio.Future[Prediction]]:
        """Returns the next batch: at least one prompt, after a short wait for others."""
        wanted = min(self._batch_size, self._expected)
        end: float | None = None
        while True:
            if self._waiting and end is None:
                end = self._loop.time() + self._max_wait_seconds
            left = None if end is None else end - self._loop.time()
            if left is not None and (len(self._waiting) >= wanted or left <= 0):
                batch = [future for future in self._waiting if not future.done()]
                if batch:
                    return batch[: self._batch_size]
                # All have gone while the first one waited.
                end = left = None
            self._changed.clear()
            try:
                await asyncio.wait_for(self._changed.wait(), left)
            except asyncio.TimeoutError:
                continue

    async def _gather_and_run(self) -> None:
        """Runs batch after batch until it is cancelled."""
        while True:
            batch = await self._gather()
            prompts = [self._waiting.pop(future) for future in batch]
            began = self.busy_since = time.monotonic()
            self._inbox.put(prompts)
            predictions = await self._done.get()
            seconds, self.busy_since = time.monotonic() - began, None
            self._expected = len(batch) + self.num_waiting
            for future, prediction in zip(batch, predictions):
                if future.done():
                    continue
                if prediction is None:
                    future.set_exception(RequestError("the model failed", status=500))
                else:
                    future.set_result(prediction)
            whole = [prediction for prediction in predictions if prediction is not None]
            self._observer.observe_batch(whole, size=len(batch), seconds=seconds)

    def _work(self) -> None:
        """Runs batches; what is left when the loop is closed belongs to nobody."""
        while True:
            prompts = self._inbox.get()
            if prompts is None:
                return
            results = self._run(prompts)
            if self._loop.is_closed():
                return
            self._loop.call_soon_threadsafe(self._done.put_nowait, results)

    def _run(self, prompts: list[Prompt]) -> list[Prediction | None]:
        """Returns a prediction per prompt, None where the model failed.

        Raises:
          ValueError: Never: it is caught here.
        """
        try:
            results = list(self._predict(prompts))
            if len(results) != len(prompts):
                raise ValueError(f"{len(results)} predictions")
            return list(results)
        except Exception:  # noqa: BLE001 - whatever it is, the next batch is run
            failures.log_failure(f"the model failed on a batch of {len(prompts)}")
        if len(prompts) == 1:
            return [None]
        # Nobody is refused for another one's prompt.
        return [result for prompt in prompts for result in self._run([prompt])]

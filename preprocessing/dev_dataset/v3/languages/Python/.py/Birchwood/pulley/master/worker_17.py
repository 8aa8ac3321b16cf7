"""Workers claim jobs and run them, in threads, until they are told to stop."""

from __future__ import annotations

import logging
import signal
import threading
import time
import traceback
from typing import List

from pulley import backoff
from pulley.broker import Broker
from pulley.job import Job, Registry, State
from pulley.metrics import Metrics

log = logging.getLogger("pulley.worker")


class Worker:
    """One thread of work over one or more queues; earlier queues go first."""

    def __init__(
        self,
        broker: Broker,
        registry: Registry,
        *,
        queues: List[str],
        metrics: Metrics,
        retry_after: backoff.Strategy = backoff.capped(backoff.exponential(), 600.0),
        idle_seconds: float = 0.5,
    ) -> None:
        self._broker = broker
        self._registry = registry
        self._queues = queues
        self._metrics = metrics
        self._retry_after = retry_after
        self._idle_seconds = idle_seconds
        self._stop = threading.Event()

    def stop(self) -> None:
        self._stop.set()

    def run(self) -> None:
        while not self._stop.is_set():
            if not self.step():
                self._stop.wait(self._idle_seconds)

    def drain(self) -> int:
        """Works until nothing is due; returns the number of jobs run."""
        count = 0
        while self.step():
            count += 1
        return count

    def step(self) -> bool:
        """Runs at most one job; False when none was due."""
        for queue in self._queues:
            job = self._broker.claim(queue)
            if job is not None:
                self._execute(job)
                return True
        return False

    def _execute(self, job: Job) -> None:
        log.info("running %s (%s), attempt %d", job.id, job.task, job.attempts)
        try:
            with self._metrics.timer(job.task):
                self._registry.call(job.task, job.arguments)
        except Exception as error:
            self._failed(job, error)
        else:
            job.become(State.DONE)
            self._metrics.increment("done", job.task)
        self._broker.put(job)

    def _failed(self, job: Job, error: Exception) -> None:
        job.error = "".join(traceback.format_exception_only(type(error), error)).strip()
        if job.exhausted or isinstance(error, LookupError):
            job.become(State.FAILED)
            self._metrics.increment("failed", job.task)
            log.error("giving up on %s: %s", job.id, job.error)
            return
        wait = self._retry_after(job.attempts)
        job.run_after = time.time() + wait
        job.become(State.WAITING)
        self._metrics.increment("retried", job.task)
        log.warning("%s failed, next attempt in %.1f s: %s", job.id, wait, job.error)


class Pool:
    """Several workers, and a signal handler that stops them all."""

    def __init__(self, workers: List[Worker]) -> None:
        self._workers = workers
        self._threads = [
            threading.Thread(target=worker.run, name=f"pulley-{number}", daemon=True)
            for number, worker in enumerate(workers)
        ]

    def start(self) -> None:
        signal.signal(signal.SIGTERM, lambda number, frame: self.stop())
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        for worker in self._workers:
            worker.stop()

    def join(self, timeout: float = 30.0) -> bool:
        """True when every thread ended within the time."""
        deadline = time.monotonic() + timeout
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        return not any(thread.is_alive() for thread in self._threads)

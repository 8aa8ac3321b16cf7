"""Brokers keep jobs between the moment they are asked for and the moment they run."""

from __future__ import annotations

import abc
import heapq
import sqlite3
import threading
import time
from typing import Dict, List, Optional, Tuple

from pulley.job import Job, State


class Broker(abc.ABC):
    """What a worker needs of a store of jobs."""

    @abc.abstractmethod
    def put(self, job: Job) -> None:
        """Stores a job, new or changed."""

    @abc.abstractmethod
    def claim(self, queue: str, now: Optional[float] = None) -> Optional[Job]:
        """Takes the next job that is due; no two workers get the same one."""

    @abc.abstractmethod
    def get(self, job_id: str) -> Optional[Job]:
        """Looks a job up, whatever its state."""

    def cancel(self, job_id: str) -> bool:
        job = self.get(job_id)
        if job is None or not job.state.may_become(State.CANCELLED):
            return False
        job.become(State.CANCELLED)
        self.put(job)
        return True


class MemoryBroker(Broker):
    """Keeps everything in this process; gone when it ends."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._jobs: Dict[str, Job] = {}
        self._heaps: Dict[str, List[Tuple[tuple, str]]] = {}

    def put(self, job: Job) -> None:
        with self._lock:
            self._jobs[job.id] = job
            if job.state is State.WAITING:
                heap = self._heaps.setdefault(job.queue, [])
                heapq.heappush(heap, (job.sort_key(), job.id))

    def claim(self, queue: str, now: Optional[float] = None) -> Optional[Job]:
        now = time.time() if now is None else now
        with self._lock:
            heap = self._heaps.get(queue, [])
            early, chosen = [], None
            while heap and chosen is None:
                entry = heapq.heappop(heap)
                job = self._jobs[entry[1]]
                if job.state is not State.WAITING:
                    continue
                if job.run_after > now:
                    early.append(entry)
                else:
                    chosen = job
            for entry in early:
                heapq.heappush(heap, entry)
            if chosen is not None:
                chosen.become(State.RUNNING)
            return chosen

    def get(self, job_id: str) -> Optional[Job]:
        return self._jobs.get(job_id)


class SqliteBroker(Broker):
    """One table; claims are made inside of an immediate transaction."""

    def __init__(self, path: str) -> None:
        self._connection = sqlite3.connect(path, isolation_level=None, timeout=30)
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.execute(
            "CREATE TABLE IF NOT EXISTS job (id TEXT PRIMARY KEY, queue TEXT, state TEXT,"
            " priority INTEGER, run_after REAL, created_at REAL, body TEXT)"
        )

    def put(self, job: Job) -> None:
        row = (job.id, job.queue, job.state.value, job.priority, job.run_after, job.created_at)
        self._connection.execute(
            "INSERT OR REPLACE INTO job VALUES (?, ?, ?, ?, ?, ?, ?)", row + (job.to_json(),)
        )

    def claim(self, queue: str, now: Optional[float] = None) -> Optional[Job]:
        now = time.time() if now is None else now
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            row = self._connection.execute(
                "SELECT body FROM job WHERE queue = ? AND state = 'waiting' AND run_after <= ?"
                " ORDER BY priority DESC, run_after, created_at, id LIMIT 1",
                (queue, now),
            ).fetchone()
            job = Job.from_json(row[0]) if row else None
            if job is not None:
                job.become(State.RUNNING)
                self.put(job)
        except BaseException:
            self._connection.execute("ROLLBACK")
            raise
        self._connection.execute("COMMIT")
        return job

    def get(self, job_id: str) -> Optional[Job]:
        row = self._connection.execute("SELECT body FROM job WHERE id = ?", (job_id,)).fetchone()
        return Job.from_json(row[0]) if row else None

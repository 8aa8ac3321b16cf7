"""Counters and timings of a worker, kept in memory and written as text.

The text is one sample per line, `name{label="value"} number`, a form that
common monitoring systems collect over HTTP.
"""

from __future__ import annotations

import bisect
import contextlib
import threading
import time
from collections import defaultdict
from typing import Callable, DefaultDict, Dict, Iterator, List, Sequence, Tuple

DEFAULT_BOUNDS = (0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 30.0, 120.0)


class Histogram:
    """Counts of observations up to each bound, plus their sum."""

    def __init__(self, bounds: Sequence[float] = DEFAULT_BOUNDS) -> None:
        if list(bounds) != sorted(set(bounds)):
            raise ValueError("bounds must be distinct and in order")
        self.bounds = tuple(bounds)
        self.buckets: List[int] = [0] * (len(self.bounds) + 1)
        self.total = 0.0

    @property
    def count(self) -> int:
        return sum(self.buckets)

    def observe(self, value: float) -> None:
        self.buckets[bisect.bisect_left(self.bounds, value)] += 1
        self.total += value

    def quantile(self, q: float) -> float:
        """The upper bound of the bucket in which the q-quantile lies."""
        if not 0.0 <= q <= 1.0:
            raise ValueError("a quantile lies between 0 and 1")
        wanted, seen = q * self.count, 0
        for bound, bucket in zip(self.bounds, self.buckets):
            seen += bucket
            if seen >= wanted:
                return bound
        return float("inf")


class Metrics:
    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._counters: DefaultDict[Tuple[str, str], int] = defaultdict(int)
        self._timings: Dict[str, Histogram] = {}

    def increment(self, name: str, task: str, by: int = 1) -> None:
        with self._lock:
            self._counters[name, task] += by

    def value(self, name: str, task: str) -> int:
        return self._counters.get((name, task), 0)

    @contextlib.contextmanager
    def timer(self, task: str) -> Iterator[None]:
        """Measures the block, whether it ends well or not."""
        start = self._clock()
        try:
            yield
        finally:
            elapsed = self._clock() - start
            with self._lock:
                self._timings.setdefault(task, Histogram()).observe(elapsed)

    def timing(self, task: str) -> Histogram:
        return self._timings[task]

    def render(self) -> str:
        lines = []
        with self._lock:
            for (name, task), count in sorted(self._counters.items()):
                lines.append(f'pulley_jobs_{name}_total{{task="{task}"}} {count}')
            for task, histogram in sorted(self._timings.items()):
                seen = 0
                for bound, bucket in zip(histogram.bounds, histogram.buckets):
                    seen += bucket
                    lines.append(f'pulley_seconds_bucket{{task="{task}",le="{bound:g}"}} {seen}')
                lines.append(f'pulley_seconds_count{{task="{task}"}} {histogram.count}')
                lines.append(f'pulley_seconds_sum{{task="{task}"}} {histogram.total:.6f}')
        return "\n".join(lines) + "\n"

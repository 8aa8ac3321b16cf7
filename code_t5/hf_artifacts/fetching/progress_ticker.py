"""Tells how many bytes of files have come, while a library fetches them.

The library says nothing, so a thread looks at the files now and then. *Half* of a file is what has
come of it so far, under a name of its own.
"""

from __future__ import annotations

import contextlib
import dataclasses
import threading
from collections.abc import Iterator
from typing import Callable

from code_t5.hf_artifacts.fetching import stream_hashes

_TICK_SECONDS = 0.3
# Smaller files are there before anybody looks.
_WATCHED_BYTES = 4 << 20

Moved = Callable[[int], object]


@dataclasses.dataclass
class WatchedFile:
    """One file that is being fetched.

    Attributes:
      half_path: Where its half lies.
      size_bytes: Of the whole.
      is_done: Set by whoever fetched it when all of it is there and right.
    """

    half_path: str
    size_bytes: int
    is_done: bool = False
    told_bytes: int = 0


class ProgressTicker:
    """Looks at files that are being fetched, from several threads."""

    def __init__(self, moved: Moved) -> None:
        """Looks at nothing yet.

        Args:
          moved: Is told of bytes by one thread at a time; fewer than none when they are lost.
        """
        self._moved = moved
        self._lock = threading.Lock()
        self._watched: list[WatchedFile] = []
        self._is_over = threading.Event()
        self._thread: threading.Thread | None = None

    def tell(self, count: int) -> None:
        """Tells of bytes that are there."""
        with self._lock:
            self._moved(count)

    @contextlib.contextmanager
    def watching(self, half_path: str, *, size_bytes: int) -> Iterator[WatchedFile]:
        """Looks at a file until the block ends; then all of it counts if it is done, or nothing.

        Args:
          half_path: Where its half lies.
          size_bytes: Of the whole.

        Yields:
          The file, to be marked as done.
        """
        file = WatchedFile(half_path, size_bytes)
        if size_bytes >= _WATCHED_BYTES:
            self._add(file)
        try:
            yield file
        finally:
            with self._lock:
                if file in self._watched:
                    self._watched.remove(file)
                self._moved((size_bytes if file.is_done else 0) - file.told_bytes)

    def close(self) -> None:
        """Looks no more."""
        self._is_over.set()
        if self._thread is not None:
            self._thread.join()

    def _add(self, file: WatchedFile) -> None:
        with self._lock:
            self._watched.append(file)
            if self._thread is None:
                self._thread = threading.Thread(target=self._look, daemon=True)
                self._thread.start()

    def _look(self) -> None:
        while not self._is_over.wait(_TICK_SECONDS):
            with self._lock:
                for file in self._watched:
                    here = min(stream_hashes.half_size(file.half_path), file.size_bytes)
                    if here > file.told_bytes:
                        self._moved(here - file.told_bytes)
                        file.told_bytes = here

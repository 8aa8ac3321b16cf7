"""Hashes of files while they come over the wire.

huggingface_hub writes what it reads from a session of `requests`. Of the session that it uses in a
thread, the *adapters* (what `requests` calls the parts that send) are wrapped: the bodies that they
give are hashed by a second thread while the first writes them. Where nothing of a body was seen (a
file came by xet, or a new session was made) there is no hash, and the file is read from the disk.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import queue
import re
import threading
from collections.abc import Iterator
from typing import Any

from code_t5.hf_artifacts.fetching.hub_listing import HubFile
from code_t5.hf_artifacts.records import StoredFile

_PIECE_BYTES = 1 << 18
_MAX_PIECES_WAITING = 64
_RANGE = re.compile(r"bytes (\d+)-")


class Digest:
    """SHA-256 of a content, and git's SHA-1 where that is its name.

    Attributes:
      size_bytes: Bytes that it has seen.
    """

    def __init__(self, wanted: HubFile) -> None:
        """Begins with nothing.

        Args:
          wanted: Says by which hash it is named, and its length.
        """
        self.size_bytes = 0
        self._sha256 = hashlib.sha256()
        # No security rests on it: it is git's name of a content, and SHA-256 is kept beside it.
        self._git = None if wanted.is_lfs else hashlib.new("sha1", usedforsecurity=False)
        if self._git is not None:
            self._git.update(b"blob %d\0" % wanted.size_bytes)

    def update(self, piece: bytes | memoryview) -> None:
        """Adds what comes next."""
        self.size_bytes += len(piece)
        self._sha256.update(piece)
        if self._git is not None:
            self._git.update(piece)

    def result(self) -> StoredFile:
        """Returns length and hashes."""
        sha256 = self._sha256.hexdigest()
        blob = sha256 if self._git is None else self._git.hexdigest()
        return StoredFile(self.size_bytes, sha256, blob)


class StreamHash:
    """Hashes one file while it is fetched in the thread that made this.

    A body that begins where the last one ended goes on with it; any other one makes it useless.
    """

    def __init__(self, wanted: HubFile, *, half_path: str) -> None:
        """Begins with what an earlier run has left.

        Args:
          wanted: The file.
          half_path: Where huggingface_hub keeps half of it.
        """
        self._wanted = wanted
        self._half_path = half_path
        self._digest = Digest(wanted)
        self._seen_bytes = 0
        self._is_useless = False
        self._pieces: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._room = threading.Semaphore(_MAX_PIECES_WAITING)
        self._thread: threading.Thread | None = None

    def begin_at(self, offset: int) -> bool:
        """Says whether a body that begins at an offset is hashed."""
        if self._thread is None and not self._is_useless:
            self._read_half(offset)
            self._thread = threading.Thread(target=self._work, daemon=True)
            self._thread.start()
        self._is_useless = self._is_useless or offset != self._seen_bytes
        return not self._is_useless

    def add(self, piece: bytes) -> None:
        """Takes the next piece; waits while too many are not hashed yet."""
        self._seen_bytes += len(piece)
        self._room.acquire()
        self._pieces.put(piece)

    def finish(self) -> StoredFile | None:
        """Ends, and returns the hashes; None if not all of the file was seen."""
        if self._thread is None:
            return None
        self._pieces.put(None)
        self._thread.join()
        is_whole = not self._is_useless and self._seen_bytes == self._wanted.size_bytes
        return self._digest.result() if is_whole else None

    def _read_half(self, offset: int) -> None:
        """Hashes what was there before."""
        if not offset:
            return
        try:
            with open(self._half_path, "rb") as file:
                while self._seen_bytes < offset:
                    piece = file.read(min(_PIECE_BYTES, offset - self._seen_bytes))
                    if not piece:
                        break
                    self._seen_bytes += len(piece)
                    self._digest.update(piece)
        except OSError:
            self._is_useless = True

    def _work(self) -> None:
        while True:
            piece = self._pieces.get()
            if piece is None:
                return
            self._digest.update(piece)
            self._room.release()


class _Local(threading.local):
    """What is fetched in this thread."""

    stream: StreamHash | None = None


_local = _Local()


@contextlib.contextmanager
def hashing(wanted: HubFile, *, half_path: str) -> Iterator[StreamHash]:
    """Hashes what huggingface_hub fetches in this thread during the block.

    Args:
      wanted: The file that it is asked for.
      half_path: Where it keeps half of it.

    Yields:
      What to `finish`.
    """
    stream = StreamHash(wanted, half_path=half_path)
    _local.stream = stream
    try:
        yield stream
    finally:
        _local.stream = None
        stream.finish()


def watch_session() -> None:
    """Wraps the adapters of the session that huggingface_hub uses in this thread, once."""
    from huggingface_hub import utils

    session = utils.get_session()
    # Another version may speak through another library: then files are read from the disk.
    for prefix, adapter in list(getattr(session, "adapters", {}).items()):
        if not isinstance(adapter, _Adapter):
            session.mount(prefix, _Adapter(adapter))


class _Adapter:
    """Sends through another adapter, and hashes bodies of the file that is being fetched."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner

    def send(self, request: Any, *arguments: Any, **options: Any) -> Any:
        answer = self._inner.send(request, *arguments, **options)
        stream = _local.stream
        if stream is None or request.method != "GET" or not options.get("stream"):
            return answer
        offset = _offset(answer)
        if offset is not None and stream.begin_at(offset):
            answer.raw = _Body(answer.raw, stream)
        return answer

    def close(self) -> None:
        self._inner.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


def _offset(answer: Any) -> int | None:
    """Returns where a body begins in its file; None if it is not a file's."""
    if answer.status_code == 200:
        return 0
    found = _RANGE.match(answer.headers.get("Content-Range", ""))
    return int(found[1]) if answer.status_code == 206 and found else None


class _Body:
    """A body whose pieces are hashed as they are read."""

    def __init__(self, raw: Any, stream: StreamHash) -> None:
        self._raw, self._stream = raw, stream

    def stream(
        self, amt: int = _PIECE_BYTES, decode_content: bool | None = None
    ) -> Iterator[bytes]:
        """Yields the content, in pieces that stay in the processor's cache."""
        while True:
            piece = self._raw.read(amt=min(amt, _PIECE_BYTES), decode_content=decode_content)
            if not piece:
                return
            self._stream.add(piece)
            yield piece

    def __getattr__(self, name: str) -> Any:
        return getattr(self._raw, name)


def half_size(path: str) -> int:
    """Returns how much of a file is there, also where it is not written from front to back.

    Args:
      path: Half of a file, which may be gone.
    """
    try:
        status = os.stat(path)
    except OSError:
        return 0
    return min(status.st_size, status.st_blocks * 512)

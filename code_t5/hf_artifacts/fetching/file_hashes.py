"""Hashes of files as they lie on the disk.

A *blob name* is what the Hub calls a content: its SHA-256 (LFS), or git's SHA-1 of `blob`, its
length and itself.
"""

from __future__ import annotations

from typing import Callable

from code_t5.hf_artifacts.fetching.hub_listing import HubFile
from code_t5.hf_artifacts.fetching.stream_hashes import Digest
from code_t5.hf_artifacts.records import StoredFile

# It stays in the processor's cache, and is large enough that Python's own time does not count.
_CHUNK_BYTES = 1 << 18

Moved = Callable[[int], object]


def hash_content(path: str, *, wanted: HubFile, moved: Moved | None = None) -> StoredFile:
    """Returns the length and the hashes of a file as it is on the disk.

    Args:
      path: The file.
      wanted: Says by which hash it is named.
      moved: Is told of bytes as they are read.
    """
    digest = Digest(wanted)
    buffer = bytearray(_CHUNK_BYTES)
    view = memoryview(buffer)
    with open(path, "rb", buffering=0) as file:
        while True:
            count = file.readinto(buffer)
            if not count:
                return digest.result()
            digest.update(view[:count])
            if moved is not None:
                moved(count)

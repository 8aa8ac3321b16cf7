"""A file on the disk as the Hub lists it, and as records keep it."""

from __future__ import annotations

from typing import Callable

from code_t5.hf_artifacts import content_hashes
from code_t5.hf_artifacts.fetching.hub_listing import HubFile
from code_t5.hf_artifacts.records import StoredFile


def hash_content(
    path: str, *, wanted: HubFile, moved: Callable[[int], object] | None = None
) -> StoredFile:
    """Returns the length and the hashes of a file as it is on the disk.

    Args:
      path: The file; not a link.
      wanted: Says by which hash it is named.
      moved: Is told of bytes as they are read.
    """
    found = content_hashes.hash_content(
        path, with_git=not wanted.is_lfs, advance_fn=moved or content_hashes.nobody
    )
    return StoredFile(found.size_bytes, found.sha256, found.sha256 if wanted.is_lfs else found.git)

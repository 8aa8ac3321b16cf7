"""Which commit a branch or a tag is, as the folders of `hub/` say it for the time without a Hub."""

from __future__ import annotations

import pathlib

from code_t5.hf_artifacts.cache_root import CacheRoot
from code_t5.hf_artifacts.fetching import repository_links
from code_t5.hf_artifacts.requests import ArtefactRequest
from code_t5.storage import atomic


def write_ref(root: CacheRoot, *, request: ArtefactRequest, commit: str) -> None:
    """Notes which commit the revision that was asked for is, as huggingface_hub does.

    Args:
      root: Where.
      request: Has the revision.
      commit: Which the Hub says it is.
    """
    path = ref_path(root, request)
    if path.name == commit:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.is_file() or path.read_bytes() != commit.encode():
        atomic.write_file(path, commit.encode())


def ref_path(root: CacheRoot, request: ArtefactRequest) -> pathlib.Path:
    """Returns where a folder of `hub/` says which commit a revision is.

    Args:
      root: Where.
      request: Has the revision.
    """
    folder = root.hub_dir / repository_links.folder_name(request)
    return folder / "refs" / (request.revision or "main")

"""What a run of precache.py is asked to do."""

from __future__ import annotations

import dataclasses

from code_t5.hf_artifacts.cache_root import CacheRoot
from code_t5.hf_artifacts.requests import ArtefactRequest


@dataclasses.dataclass(frozen=True)
class PrecacheConfig:
    """What is fetched, and how.

    Attributes:
      root: Where to.
      requests: What.
      verifies: Whether it is hashed again and loaded without a network.
      is_dry_run: Whether nothing is written.
      num_workers: Files fetched at once.
      wait_seconds: How long to wait for another job that fetches the same.
    """

    root: CacheRoot
    requests: tuple[ArtefactRequest, ...]
    verifies: bool = True
    is_dry_run: bool = False
    num_workers: int = 8
    wait_seconds: float = 3600.0

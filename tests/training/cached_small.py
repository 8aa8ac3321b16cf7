"""The data set `small`, cached: what the trainer's input functions read in tests."""

from __future__ import annotations

import pathlib

import pytest
import seqio

from code_t5.data import tasks
from code_t5.data.task_cache import build

TASKS = ("small_prefix_lm", "small_span_corruption")


def write_caches(data_dir: pathlib.Path, cache_dir: pathlib.Path) -> None:
    """Caches the Tasks of `small`."""
    build.cache_tasks(
        build.CacheConfig(
            tasks=TASKS,
            output_cache_dir=str(cache_dir),
            data_dir=str(data_dir),
            num_workers=1,
            min_shards=2,
        )
    )


def register(data_dir: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Registers the Tasks of a data directory for the length of a test, cached nowhere."""
    for registry in (seqio.TaskRegistry, seqio.MixtureRegistry):
        monkeypatch.setattr(registry, "_REGISTRY", {})
    monkeypatch.setattr(seqio.utils, "_GLOBAL_CACHE_DIRECTORIES", [])
    tasks.register_tasks(str(data_dir))

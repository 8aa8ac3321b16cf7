"""Hugging Face models, data sets and metrics: fetched ahead, proved loadable, read offline.

    from code_t5.hf_artifacts import load_dataset

    train = load_dataset("wikiann", "en", split="train")

`cache_root` says where things lie, `requests` what is wanted and `records` what was fetched.
`precache` fetches by `fetching` and proves by `checking`; `loading` reads without a network, and
`built` keeps processed data sets. Importing this loads nothing heavy.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from code_t5.hf_artifacts.built.find import load_built_dataset
    from code_t5.hf_artifacts.cache_root import CacheRoot, default_root, is_offline
    from code_t5.hf_artifacts.loading.load import load_dataset

__all__ = ["CacheRoot", "default_root", "is_offline", "load_built_dataset", "load_dataset"]

# Imported when they are first asked for: those who only look need less.
_MODULES = {
    "CacheRoot": "cache_root",
    "default_root": "cache_root",
    "is_offline": "cache_root",
    "load_built_dataset": "built.find",
    "load_dataset": "loading.load",
}


def __getattr__(name: str) -> Any:
    """Imports what users need when they first ask for it."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_MODULES[name]}"), name)

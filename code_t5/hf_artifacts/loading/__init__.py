"""Data sets read from what is cached, by the arguments of `datasets.load_dataset`.

`load` is what users call; `local_files` are not looked up. `dataset_request` holds what is asked
for, `places` where it may lie, `revisions` and `configs` which commit and configuration is meant.
`candidates` goes through the places: `arrow_place` (opened by `arrow_reading`), `snapshot_place`
(its files by `cards` and `snapshot_files`, read by `snapshot_reading`) and `saved_place`. `tried`
says why none of them was taken.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from code_t5.hf_artifacts.loading.load import Found, find_dataset, load_dataset
    from code_t5.hf_artifacts.loading.tried import NotCachedError

__all__ = ["Found", "NotCachedError", "find_dataset", "load_dataset"]

# Imported when they are first asked for: `--help` needs none of them.
_MODULES = {
    "Found": "load",
    "NotCachedError": "tried",
    "find_dataset": "load",
    "load_dataset": "load",
}


def __getattr__(name: str) -> Any:
    """Imports what users need when they first ask for it."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_MODULES[name]}"), name)

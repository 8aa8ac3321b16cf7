"""Contiguous, memory-mapped token ids: encoded once, read at any sequence length.

    from code_t5.token_cache import FastHfDatasetProvider

    provider = FastHfDatasetProvider.from_cache("cache/glue-sst2-gpt2")
    train = provider.get_train_dataset(seq_len=512)

`layout` says what lies in a cache and `provider` brings all together. Documents come from
`sources`, become ids by `tokenizing`, are written by `building` and `writer`, and read by `reader`
and `reading`; `sharing` keeps one copy in memory for many processes. Nothing here needs a framework
before it is asked for one's form.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from code_t5.token_cache.provider import FastHfDatasetProvider
    from code_t5.token_cache.reading.torch_windows import ResumableLoader

__all__ = ["FastHfDatasetProvider", "ResumableLoader"]

# Imported when they are first asked for: those who read caches need less.
_MODULES = {"FastHfDatasetProvider": "provider", "ResumableLoader": "reading.torch_windows"}


def __getattr__(name: str) -> Any:
    """Imports what users need when they first ask for it."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_MODULES[name]}"), name)

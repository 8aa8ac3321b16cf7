"""Contiguous, memory-mapped token ids: encoded once, read at any sequence length.

    from code_t5.token_cache import FastHfDatasetProvider

    provider = FastHfDatasetProvider.from_cache("cache/glue-sst2-gpt2")
    train = provider.get_train_dataset(seq_len=512)

`layout` says what lies in a cache, `build` and `writer` make one, `reader` and `windows` read it,
`provider` brings it all together. Nothing here needs a framework before it is asked for one's form.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from code_t5.token_cache.provider import FastHfDatasetProvider

__all__ = ["FastHfDatasetProvider"]


def __getattr__(name: str) -> Any:
    """Imports the provider when it is first asked for: those who read caches need less."""
    if name != "FastHfDatasetProvider":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from code_t5.token_cache import provider

    return provider.FastHfDatasetProvider

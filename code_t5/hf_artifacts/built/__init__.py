"""Data sets that are processed once and read by every training: built below `./data`.

`built_request` says what is wanted and what its folder is called, `build` makes it (from
`source_rows`, by `subset`, `tokenize_rows`, `split_writer` and `staging`), `built_record` is what
the folder says of itself, and `find` is how it is read.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from code_t5.hf_artifacts.built.built_request import BuiltRequest, TokenizingOptions
    from code_t5.hf_artifacts.built.find import find_built, load_built_dataset, open_built

__all__ = ["BuiltRequest", "TokenizingOptions", "find_built", "load_built_dataset", "open_built"]

# Imported when they are first asked for: `--help` needs none of them.
_MODULES = {
    "BuiltRequest": "built_request",
    "TokenizingOptions": "built_request",
    "find_built": "find",
    "load_built_dataset": "find",
    "open_built": "find",
}


def __getattr__(name: str) -> Any:
    """Imports what users need when they first ask for it."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_MODULES[name]}"), name)

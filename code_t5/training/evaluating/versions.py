"""Versions of what an evaluation's figures hang on."""

from __future__ import annotations

import importlib.metadata

import code_t5

_LIBRARIES = (
    *("tensorflow", "mesh-tensorflow", "t5", "seqio", "torch", "transformers", "numpy"),
    "editdistance",
)


def installed() -> dict[str, str]:
    """Returns the versions of code_t5 and of the libraries that are installed, by name."""
    found = {"code_t5": code_t5.__version__}
    for name in _LIBRARIES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found

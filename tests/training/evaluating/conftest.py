"""Programs define absl flags when they are imported, and two in one process may clash."""

from __future__ import annotations

import importlib
import sys

import pytest
from absl import flags

_PROGRAMS = ("benchmarks.", "scripts.")


def _program_flags():
    values = flags.FLAGS
    owners = {name: str(values.find_module_defining_flag(name)) for name in list(values)}
    return {name: values[name] for name, owner in owners.items() if owner.startswith(_PROGRAMS)}


@pytest.fixture
def import_program():
    """Imports a program with flags of its own; the test's end takes both back."""
    before, imported = _program_flags(), []
    for name in before:
        delattr(flags.FLAGS, name)

    def load(name):
        imported.append((name, sys.modules.pop(name, None)))
        return importlib.import_module(name)

    yield load
    for name in _program_flags():
        delattr(flags.FLAGS, name)
    for name, module in imported:
        sys.modules.pop(name, None)
        if module is not None:
            sys.modules[name] = module
    for name, flag in before.items():
        flags.FLAGS[name] = flag

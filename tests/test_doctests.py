"""Examples in docstrings run."""

from __future__ import annotations

import doctest
import importlib

import pytest

import house_rules


def _modules_with_examples():
    for path in house_rules.source_paths("code_t5", "preprocessing"):
        if ">>> " in (house_rules.ROOT / path).read_text(encoding="utf-8"):
            yield path[: -len(".py")].replace("/", ".").replace(".__init__", "")


@pytest.mark.parametrize("name", list(_modules_with_examples()))
def test_examples_give_what_they_say(name):
    result = doctest.testmod(importlib.import_module(name), optionflags=doctest.ELLIPSIS)
    assert result.attempted > 0
    assert result.failed == 0

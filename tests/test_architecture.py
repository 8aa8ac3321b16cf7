"""Arrows point one way, and what is imported lightly stays light."""

from __future__ import annotations

import subprocess
import sys

import pytest

import house_rules

_LOADED = "import sys; print(*sorted({name.split('.')[0] for name in sys.modules}))"


def _loaded_after(statements: str) -> set[str]:
    program = f"{statements}\n{_LOADED}"
    child = [sys.executable, "-c", program]
    result = subprocess.run(
        child, cwd=house_rules.ROOT, capture_output=True, text=True, timeout=240
    )
    assert result.returncode == 0, result.stderr
    return set(result.stdout.split())


def test_every_room_is_on_the_plan():
    rooms = {house_rules.room_of(path) for path in house_rules.source_paths()}
    assert rooms - {"tests", "setup"} <= set(house_rules.ARROWS)


def test_no_arrow_is_drawn_backwards():
    slips = []
    for path in house_rules.source_paths():
        if house_rules.room_of(path) in house_rules.ARROWS:
            source = (house_rules.ROOT / path).read_text(encoding="utf-8")
            slips += house_rules.arrow_slips(source, path=path)
    assert not slips, "\n".join(slips)


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("code_t5/storage/shards.py", "from code_t5.data import tasks"),
        ("code_t5/storage/shards.py", "from ..data import tasks"),
        ("code_t5/storage/shards.py", "def f():\n    import code_t5.training.launch"),
        ("code_t5/storage/shards.py", "import code_t5"),
        ("code_t5/data/tasks.py", "from code_t5.training import launch"),
        ("code_t5/data/tasks.py", "import preprocessing.build"),
        ("code_t5/training/launch.py", "from preprocessing import build"),
        ("code_t5/token_cache/reader.py", "from code_t5 import teacher_outputs"),
        ("code_t5/progress.py", "from code_t5 import command_line"),
        ("code_t5/errors.py", "from code_t5.storage import atomic"),
        ("preprocessing/build.py", "from scripts import demo"),
        (
            "code_t5/storage/shards.py",
            "try:\n    import tensorflow as tf\nexcept ImportError:\n    pass",
        ),
        ("code_t5/token_cache/reader.py", "class C:\n    import torch.nn"),
        ("code_t5/__init__.py", "from t5 import data"),
        ("preprocessing/build.py", "import tensorflow_datasets as tfds"),
    ],
)
def test_arrow_lint_catches(path, source):
    assert len(house_rules.arrow_slips(source, path=path)) == 1


@pytest.mark.parametrize(
    ("path", "source"),
    [
        (
            "code_t5/storage/shards.py",
            "from code_t5 import errors\nfrom code_t5.storage import atomic",
        ),
        (
            "code_t5/storage/shards.py",
            "from . import atomic\nfrom .. import errors\nimport numpy as np",
        ),
        ("code_t5/storage/shards.py", "def f():\n    import tensorflow as tf"),
        (
            "code_t5/token_cache/reader.py",
            "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import torch",
        ),
        ("code_t5/data/tasks.py", "import seqio\nfrom code_t5.token_cache import reader"),
        (
            "code_t5/training/launch.py",
            "import tensorflow\nimport code_t5\nfrom code_t5.data import tasks",
        ),
        ("preprocessing/flcc/flcc_dataset_builder.py", "import tensorflow_datasets as tfds"),
        (
            "preprocessing/build.py",
            "from code_t5.storage import atomic\nfrom preprocessing import filters",
        ),
        ("scripts/demo.py", "import tensorflow\nfrom preprocessing import build"),
    ],
)
def test_arrow_lint_lets_pass(path, source):
    assert house_rules.arrow_slips(source, path=path) == []


def test_importing_code_t5_alone_loads_nothing_heavy():
    loaded = _loaded_after("import code_t5")
    assert "code_t5" in loaded
    assert not loaded & (house_rules.HEAVY | {"numpy", "pyarrow", "sentencepiece", "requests"})


def test_rooms_below_data_and_preprocessing_load_no_framework_even_indirectly():
    modules = []
    for path in house_rules.source_paths("code_t5", "preprocessing"):
        light = house_rules.room_of(path) not in house_rules.MAY_BE_HEAVY
        if light and not path.startswith("preprocessing/flcc/"):
            modules.append(path[: -len(".py")].replace("/", ".").replace(".__init__", ""))
    assert "code_t5.errors" in modules
    loaded = _loaded_after("\n".join(f"import {name}" for name in modules))
    assert not loaded & house_rules.HEAVY

"""The programs below `benchmarks` that read prepared data run to their end on a little of it."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

import house_rules
from fakes import some_code


def _run(program, *arguments):
    done = subprocess.run(
        [sys.executable, "-m", f"benchmarks.{program}", *arguments],
        cwd=house_rules.ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


def test_objectives_prints_examples_and_a_speed_for_each(small_data_dir):
    shown = _run("objectives", f"--data_dir={small_data_dir}", "--name=small", "--seconds=0")
    assert shown.count("\ninputs, ") == shown.count("\ntargets, ") == 11
    assert "### infilling, unit=ast, rate=1.0: example " in shown
    rows = re.findall(r"^(\w[\w=, ]*?) +[\d.]+ +[\d.]+ +[\d.]+$", shown, re.M)
    assert rows == [
        *("prefix_lm", "span_corruption", "causal_lm", "infilling", "line_completion"),
        *("infilling, unit=lines", "infilling, unit=ast"),
        *("prefix_lm of t5", "span_corruption of t5"),
    ]


def test_encoding_finds_the_same_ids_by_all_encoders(small_data_dir, tmp_path):
    for number in range(4):
        (tmp_path / f"{number}.py").write_text(some_code(500 * number) + "\u00e9\n")
    (tmp_path / "latin.py").write_bytes(b"\xe9\n")
    vocabulary = small_data_dir / "vocabularies/default"
    shown = _run("encoding", f"--input_dir={tmp_path}", f"--vocabulary_dir={vocabulary}")
    assert re.search(r"^4 files, ", shown, re.M), shown
    assert re.search(r"\b0 (of \S+ )?files", shown), shown


# Twelve processes, one after the other.
@pytest.mark.timeout(1200)
@pytest.mark.slow
def test_reading_compares_the_readers(small_data_dir, tmp_path):
    shown = _run(
        "reading", f"--data_dir={small_data_dir}", "--name=small", "--seconds=0.1", "--repeats=1",
        f"--cache_dir={tmp_path}",
    )  # fmt: skip
    for reader in ("t5, uncached", "t5, cached", "token caches"):
        assert shown.count(reader) >= 2, shown

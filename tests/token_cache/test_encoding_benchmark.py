"""The benchmark of building token caches runs to its end on a little data."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import pytest

import house_rules
from benchmarks import token_cache_encoding_runs as runs
from code_t5.token_cache.tokenizing import encoders


def test_the_texts_are_those_of_the_data_set(small_data_dir):
    texts = list(runs.read_texts(str(small_data_dir), name="small"))
    some = list(runs.read_texts(str(small_data_dir), name="small", max_bytes=len(texts[0])))
    assert some == texts[:1]
    assert len(texts) > 3


# A dozen programs, one after the other, most of which import transformers.
@pytest.mark.slow
def test_the_benchmark_compares_all_kinds(small_data_dir, tmp_path):
    done = subprocess.run(
        [
            *(sys.executable, "-m", "benchmarks.token_cache_encoding"),
            *(f"--data_dir={small_data_dir}", "--name=small", f"--work_dir={tmp_path}"),
            *("--vocab_size=400", "--repeats=1", "--compare_all"),
        ],
        cwd=house_rules.ROOT, capture_output=True, text=True, check=False,
        env={**os.environ, "HF_HOME": str(tmp_path / "home")},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    shown = done.stdout
    chosen = re.search(r"chosen: (\w+)$", shown, re.M).group(1)
    assert chosen in encoders.ENGINES
    for row in ("build", "documents", f"{chosen}, 1 process", "tokenizers, 2 processes"):
        assert re.search(rf"^{row} +[\d.]+ s", shown, re.M), shown
    assert re.search(r"^build is +[\d.]+ times as fast as datasets.map$", shown, re.M), shown
    assert re.search(r"^ids of \d+ documents compared with tokenizers: 0 differ$", shown, re.M)
    assert list(tmp_path.glob("code_t5_benchmark_*")) == []

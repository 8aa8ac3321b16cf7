from __future__ import annotations

import pathlib
import subprocess
import sys

from benchmarks import task_cache
from code_t5.data.task_cache import build
from code_t5.storage import prepared, tfrecords

_ROOT = pathlib.Path(__file__).resolve().parents[3]


def test_the_first_files_of_a_data_set_are_a_data_set(small_data_dir, tmp_path):
    source = prepared.PreparedDataset("small", str(small_data_dir))
    (path,) = source.dataset_dir.glob("flcc-train*")
    texts = [text for (text,) in tfrecords.read_features(path, ["text"])]
    limit = sum(map(len, texts[:4])) + 1
    size = task_cache.lay_out(source, output_dir=tmp_path, name="first", max_bytes=limit)
    assert size == limit - 1
    config = build.CacheConfig(("first",), str(tmp_path / "out"), str(tmp_path), num_workers=1)
    (outcome,) = build.cache_tasks(config)
    assert outcome.num_examples == {"train": 4}


def test_it_prints_a_row_for_each_writer(small_data_dir, tmp_path):
    command = [
        *(sys.executable, "-m", "benchmarks.task_cache", "--name=small", "--noseqio"),
        *(f"--data_dir={small_data_dir}", f"--work_dir={tmp_path}", "--num_workers=1"),
    ]
    done = subprocess.run(command, cwd=_ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    titles = [line for line in lines if line.startswith("-- ")]
    assert titles == ["-- 0.0 MB, vocabulary default (sentencepiece)"] * 2
    assert sum(line.startswith("cache_tasks.py --num_workers=1 ") for line in lines) == 2
    assert sum(line.startswith("bare library, 1 processes ") for line in lines) == 2
    assert not list(tmp_path.iterdir())

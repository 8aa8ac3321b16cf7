from __future__ import annotations

import re
import subprocess
import sys

import house_rules


def _run(*arguments):
    return subprocess.run(
        [sys.executable, "-m", "benchmarks.token_cache_reading", "--num_tokens=1000000",
         "--seconds=0.02", "--repeats=1", "--sparse_gb=0.1", *arguments],
        cwd=house_rules.ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_readers_are_compared(tmp_path):
    readers = "NumPy, gather;NumPy, rows of a view;ours, WindowReader;ours, NumPy"
    done = _run(f"--readers={readers}", f"--work_dir={tmp_path}")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert [line[:24].strip() for line in lines[1:5]] == readers.split(";")
    assert all(float(line[24:36]) > 0 for line in lines[1:5])
    assert float(lines[1][36:55]) == 1.0
    assert re.fullmatch(r"opening 1 KB: [0-9.]+ ms", lines[5])
    assert re.fullmatch(r"opening 0.1 GB: [0-9.]+ ms", lines[6])
    assert re.fullmatch(r"resident memory grew by -?\d+ MB while 0.1 GB were read", lines[7])
    assert not list(tmp_path.iterdir())


def test_unknown_reader_is_refused(tmp_path):
    done = _run("--readers=none of these", f"--work_dir={tmp_path}")
    assert done.returncode == 1
    assert "there is no reader none of these; wanted some of NumPy, gather" in done.stderr

from __future__ import annotations

import importlib.util
import subprocess
import sys

import house_rules
from fakes import some_code


def _run(*arguments):
    return subprocess.run(
        [sys.executable, "-m", "benchmarks.byte_bpe", *arguments],
        cwd=house_rules.ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_every_file_is_encoded_by_each_and_compared(tmp_path):
    for number in range(5):
        (tmp_path / f"file_{number}.py").write_text(some_code(1000 * number) + "é\n")
    (tmp_path / "latin.py").write_bytes(b"\xe9\n")
    done = _run(f"--corpus={tmp_path}", "--vocab_size=400", f"--peers_python={sys.executable}")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0].startswith("5 files, ")
    assert done.stdout.count(" pieces trained in ") == 2
    (row,) = (line for line in lines if line.startswith("byte_bpe, table of units"))
    assert row.endswith("0 files with other ids than that,")
    assert "0 of 5 files decoded to something else" in done.stdout
    # Each is asked twice: with our cuts, and with GPT-2's.
    for peer in ("gigatoken", "splintr"):
        refusal = f"refuses: ModuleNotFoundError: No module named '{peer}'"
        is_there = importlib.util.find_spec(peer) is not None
        assert done.stdout.count(refusal) == (0 if is_there else 2)
        assert f"{peer}, cut as GPT-2" in done.stdout


def test_folder_without_python_files_is_refused(tmp_path):
    done = _run(f"--corpus={tmp_path}")
    assert done.returncode == 1
    assert "holds no Python file" in done.stderr

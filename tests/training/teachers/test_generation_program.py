"""The real program, killed while it asks a real teacher."""

from __future__ import annotations

import os
import pathlib
import subprocess
import sys
import time

import pytest
from refusals import content

_ROOT = pathlib.Path(__file__).resolve().parents[3]


def _start(output):
    # Shards of 64 samples: a window of one shard in each process.
    return subprocess.Popen(
        [sys.executable, "scripts/generate_cached_dataset.py", "--config", "0", "--validation"]
        + ["--output", str(output), "--batch_size", "64"],
        cwd=_ROOT,
        env={**os.environ, "PYTHONPATH": str(_ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )


def _num_markers(output):
    staged = output.parent / f"..{output.name}.outputs.generating"
    return len(list((staged / "markers").glob("*.json"))) if staged.exists() else 0


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_killed_five_times_a_file_has_the_bytes_of_one_run(tmp_path):
    once, often = tmp_path / "once", tmp_path / "often"
    for folder in (once, often):
        folder.mkdir()
    assert _start(once / "val.pt").wait() == 0
    for turn in range(5):
        child = _start(often / "val.pt")
        before = _num_markers(often / "val.pt")
        while child.poll() is None and _num_markers(often / "val.pt") == before and turn < 3:
            time.sleep(0.05)
        time.sleep(0.5 * turn)
        child.kill()
        child.wait()
        child.stdout.close()
    last = _start(often / "val.pt")
    said = last.stdout.read()
    assert last.wait() == 0
    last.stdout.close()
    assert "256 validation samples of waveform_0" in said
    assert "(256 generated now)" not in said
    assert content(often) == content(once)

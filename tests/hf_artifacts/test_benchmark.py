"""What benchmarks/hf_artifacts.py measures is what it says."""

from __future__ import annotations

import subprocess
import sys

import fake_hub
import hf_programs

_TELL = "from benchmarks import hf_artifacts; print(hf_artifacts._HASH)"


def _run(program, *arguments):
    done = subprocess.run(
        [sys.executable, "-c", program, *map(str, arguments)],
        cwd=hf_programs.ROOT, env=hf_programs.offline("/none"), capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_program_that_hashes_counts_what_is_damaged(tmp_path):
    with fake_hub.serve() as hub:
        hub.add("model", "x/y", {"config.json": "{}", "model.safetensors": b"1" * 1000})
        spec = hf_programs.write_spec(tmp_path, models=["x/y"])
        assert hf_programs.precache(hub, tmp_path / "root", spec=spec).status == 0
    program = _run(_TELL)
    seconds, num_wrong = _run(program, tmp_path / "root").split()
    assert (float(seconds) > 0, num_wrong) == (True, "0")
    (blob,) = [path for path in tmp_path.rglob("blobs/*") if path.stat().st_size == 1000]
    blob.write_bytes(b"1" * 999 + b"2")
    _, num_wrong = _run(program, tmp_path / "root").split()
    assert int(num_wrong) >= 1

"""Prints what a build costs on Beam's runners, and that it gives the same bytes as the local one.

    python -m benchmarks.beam --input_dir=FLCC_DIR

builds a folder in FLCC layout locally on two processes, then with Beam's DirectRunner on two
processes, then on a Dask cluster of two worker processes that it starts. Each is a program of its
own, so that start-up counts; peak memory is that of the launcher and everything that it started.
"""

from __future__ import annotations

import contextlib
import os
import pathlib
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence

from absl import flags

from benchmarks import preprocessing as measured
from code_t5 import command_line, errors
from code_t5.storage import fingerprints

_DIRECT = "--runner=DirectRunner --direct_running_mode=multi_processing --direct_num_workers=2"


def _tree_hashes(folder: pathlib.Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): fingerprints.hash_file(path)
        for path in sorted(folder.rglob("*"))
        if path.is_file() and ".building" not in path.parts
    }


def _run(arguments: Sequence[str]) -> tuple[float, int]:
    """Runs a program; returns its seconds and the peak memory of its process tree, in bytes."""
    start, peak = time.monotonic(), 0
    with subprocess.Popen([sys.executable, "-m", *arguments], stdout=subprocess.DEVNULL) as process:
        while process.poll() is None:
            peak = max(peak, measured.tree_rss_bytes(process.pid))
            time.sleep(0.2)
    if process.returncode:
        raise errors.CodeT5Error(f"{arguments[0]} ended with {process.returncode}; see above")
    return time.monotonic() - start, peak


@contextlib.contextmanager
def _dask_cluster(folder: pathlib.Path) -> Iterator[str]:
    """Starts a scheduler and two worker processes; yields the runner's options."""
    file = folder / "scheduler.json"
    environment = {**os.environ, "PYTHONPATH": os.getcwd()}
    with contextlib.ExitStack() as stack:
        for words in (["scheduler"], ["worker", "--nworkers=2", "--nthreads=1"]):
            command = [sys.executable, "-m", "dask", *words, f"--scheduler-file={file}"]
            process = stack.enter_context(
                subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL, cwd=folder)
            )
            stack.callback(process.terminate)
        while not file.exists():
            time.sleep(0.1)
        yield f"--runner=DaskRunner --dask_scheduler_file={file}"


def main(argv: Sequence[str]) -> None:
    """Builds three times and compares.

    Args:
      argv: The program's name; everything else is a flag.
    """
    del argv
    with tempfile.TemporaryDirectory(dir=flags.FLAGS.work_dir) as scratch:
        folder = pathlib.Path(scratch)
        shared = [f"--input_dir={flags.FLAGS.input_dir}", "--name=same", "--vocab_size=8000"]
        found = {}
        with _dask_cluster(folder) as dask:
            for name, program, more in (
                ("local", "build", ["--num_workers=2"]),
                ("DirectRunner", "beam_build", ["--pipeline_options", _DIRECT]),
                ("DaskRunner", "beam_build", ["--pipeline_options", dask]),
            ):
                place = folder / name
                arguments = [f"preprocessing.{program}", *shared, f"--data_dir={place}", *more]
                seconds, peak = _run(arguments)
                found[name] = _tree_hashes(place)
                is_same = "same bytes" if found[name] == found["local"] else "OTHER BYTES"
                print(f"{name:<14}{seconds:8.1f} s{peak / 1e6:9.0f} MB peak   {is_same}")


if __name__ == "__main__":
    flags.DEFINE_string("input_dir", None, "Folder in FLCC layout.", required=True)
    flags.DEFINE_string("work_dir", None, "Where to put the temporary data; needs a few GB.")
    command_line.run(main)

"""Prints how fast a large data set is built: MB/s, files/s and peak memory per stage, beside peers.

    python -m benchmarks.preprocessing --site_packages=.venv/lib/python3.11/site-packages

lays an installed environment out as FLCC repositories (one per top-level package), trains a small
vocabulary on them, which is not counted, then builds the data set with every stage on, benchmarks
included, and prints a line per stage; and once more with nothing but filters, exact deduplication
and splits. The peers read the same files in the same run: reading and hashing alone, on one
process; reading, filtering, hashing and writing JSON lines, on as many processes as the build; a
plain TFDS `GeneratorBasedBuilder`, on one. `--copies=2` makes the input twice as large, with other
words in each copy, to show what grows with it. MB are 10^6 bytes of source files as found.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import hashlib
import json
import multiprocessing
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from typing import Any

from absl import flags

from code_t5 import command_line, errors
from preprocessing import build, build_config, decontamination, dev_dataset, filters, scan
from preprocessing.dedup import near

_WORD = re.compile(rb"[A-Za-z_]{3,}")
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
# From the first file read to the ledger of the records written: all decisions, and their measuring.
_RECORD_STAGES = ("scan", "compare", "records", "ledger")
# What needs the vocabulary.
_VOCABULARY_STAGES = ("vocabulary", "lossless")


def lay_out(site_packages: pathlib.Path, *, output_dir: pathlib.Path, copies: int) -> int:
    """Writes an installed environment as an FLCC data set.

    Args:
      site_packages: Each folder with Python files becomes a repository.
      output_dir: Where to write.
      copies: How often; each copy has other words, so that none is a duplicate, not even nearly.

    Returns:
      The size of the files, in bytes.

    Raises:
      InputError: There is no Python file.
    """
    size_bytes = 0
    for root in sorted(path for path in site_packages.iterdir() if path.is_dir()):
        sources = sorted(root.rglob("*.py"))
        for copy in range(copies if sources else 0):
            branch = f"{root.name.strip('_')}{copy or ''}/{root.name}/master"
            folder = output_dir / "v3/languages/Python/.py" / branch
            folder.mkdir(parents=True)
            paths = {}
            for number, source in enumerate(sources):
                content = source.read_bytes()
                if copy:
                    content = _WORD.sub(rb"\\g<0>%d" % copy, content)
                name = f"{source.stem}_{number}.py"
                (folder / name).write_bytes(content)
                paths[name] = str(source.relative_to(site_packages))
                size_bytes += len(content)
            paths_dir = output_dir / "v3/repositories" / branch
            paths_dir.mkdir(parents=True)
            (paths_dir / "paths.json").write_text(json.dumps(paths))
    if not size_bytes:
        raise errors.InputError(f"{site_packages} has no Python files; check --site_packages")
    return size_bytes


def tree_rss_bytes(root_pid: int) -> int:
    """Resident memory of a process and its descendants; pages that they share count twice."""
    parents, resident = {}, {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            with contextlib.suppress(OSError, IndexError, ValueError):
                stat = pathlib.Path("/proc", entry, "stat").read_text().rsplit(")", 1)[1].split()
                parents[int(entry)] = int(stat[1])
                statm = pathlib.Path("/proc", entry, "statm").read_text().split()
                resident[int(entry)] = int(statm[1]) * _PAGE_BYTES
    total = 0
    for pid, size in resident.items():
        while pid not in (0, root_pid):
            pid = parents.get(pid, 0)
        total += size if pid == root_pid else 0
    return total


class MeasuringClock(build.StageClock):
    """Also keeps the peak memory of each stage, sampled 20 times a second over all processes."""

    def __init__(self) -> None:
        """Starts sampling."""
        super().__init__()
        self.peak_bytes: dict[str, int] = {}
        self._stage = ""
        threading.Thread(target=self._sample, daemon=True).start()

    def _sample(self) -> None:
        while True:
            stage, size = self._stage, tree_rss_bytes(os.getpid())
            if stage:
                self.peak_bytes[stage] = max(size, self.peak_bytes.get(stage, 0))
            time.sleep(0.05)

    @contextlib.contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Times one stage and samples its memory."""
        self._stage = name
        with super().stage(name):
            yield
        self._stage = ""


def _input_files(input_dir: pathlib.Path) -> list[str]:
    return sorted(map(str, input_dir.glob("v3/languages/Python/.py/*/*/*/*.py")))


def _hash_file(path: str) -> bytes:
    with open(path, "rb") as file:
        return hashlib.sha256(file.read()).digest()


def _convert_file(path: str) -> str | None:
    with open(path, "rb") as file:
        verdict, content = filters.decide(file.read(), filters.FilterConfig())
    if verdict != filters.KEPT:
        return None
    sha256 = hashlib.sha256(content).hexdigest()
    return json.dumps({"text": content.decode("utf-8"), "path": path, "sha256": sha256}) + "\n"


def _convert(paths: Sequence[str], output: pathlib.Path, num_workers: int) -> None:
    with open(output, "w") as file, multiprocessing.Pool(num_workers) as pool:
        for line in pool.imap(_convert_file, paths, chunksize=64):
            if line:
                file.write(line)


_TFDS_PEER = """
import hashlib, pathlib, sys, time
import tensorflow_datasets as tfds
class Plain(tfds.core.GeneratorBasedBuilder):
  VERSION = tfds.core.Version("1.0.0")
  def _info(self):
    features = {name: tfds.features.Text() for name in ("text", "path", "hash")}
    return tfds.core.DatasetInfo(builder=self, features=tfds.features.FeaturesDict(features))
  def _split_generators(self, dl_manager):
    return {"train": self._generate_examples()}
  def _generate_examples(self):
    for line in open(sys.argv[1]):
      path = line.rstrip()
      data = open(path, "rb").read()
      try:
        text = data.decode()
      except UnicodeDecodeError:
        continue
      yield path, {"text": text, "path": path, "hash": hashlib.sha256(data).hexdigest()}
tfds.disable_progress_bar()
start = time.monotonic()
Plain(data_dir=sys.argv[2]).download_and_prepare()
print(time.monotonic() - start)
"""


def _tfds_seconds(paths: Sequence[str], folder: pathlib.Path) -> float | None:
    """Seconds of a plain TFDS builder in a new process, imports excluded; None without TFDS."""
    (folder / "paths").write_text("\n".join(paths))
    command = [sys.executable, "-c", _TFDS_PEER, str(folder / "paths"), str(folder / "tfds")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return float(done.stdout.split()[-1]) if done.returncode == 0 else None


def _seconds(function: Any) -> float:
    start = time.monotonic()
    function()
    return time.monotonic() - start


def _print_peers(input_dir: pathlib.Path, megabytes: float, num_workers: int) -> None:
    paths = _input_files(input_dir)
    with tempfile.TemporaryDirectory() as scratch:
        folder = pathlib.Path(scratch)
        rows = {
            "read + SHA-256, 1 process": _seconds(lambda: [_hash_file(path) for path in paths]),
            f"read, filter, hash, JSON lines, {num_workers} processes": _seconds(
                functools.partial(_convert, paths, folder / "jsonl", num_workers)
            ),
            "plain TFDS GeneratorBasedBuilder, 1 process": _tfds_seconds(paths, folder),
        }
    for name, seconds in rows.items():
        shown = f"{megabytes / seconds:8.1f} MB/s" if seconds else "could not be run"
        print(f"peer: {name:<50}{shown}")


def _measure(config: build_config.BuildConfig, title: str) -> None:
    clock = MeasuringClock()
    print(f"-- {title}")
    result = build.build_dataset(config, clock=clock)
    megabytes, num_files = result["size_bytes"] / 1e6, result["num_files"]
    print(f"{num_files:,} files, {megabytes:.1f} MB")
    for stage, seconds in clock.seconds.items():
        print(
            f"stage: {stage:<12}{seconds:8.2f} s{megabytes / seconds:10.1f} MB/s"
            f"{num_files / seconds:12.0f} files/s"
            f"{clock.peak_bytes.get(stage, 0) / 1e6:9.0f} MB peak"
        )
    everything = set(clock.seconds)
    for name, stages in (
        ("first file read to last record measured", everything & set(_RECORD_STAGES)),
        ("whole build but the vocabulary's proof", everything - set(_VOCABULARY_STAGES)),
        ("whole build", everything),
    ):
        total = sum(clock.seconds[stage] for stage in stages)
        peak = max(clock.peak_bytes.get(stage, 0) for stage in stages)
        print(
            f"{name}: {total:.2f} s, {megabytes / total:.1f} MB/s, {num_files / total:.0f} "
            f"files/s, {peak / 1e6:.0f} MB peak"
        )


def _plain(config: build_config.BuildConfig) -> build_config.BuildConfig:
    """Returns a build of filters, exact deduplication and splits alone."""
    return dataclasses.replace(
        config,
        redact=scan.REDACT_OFF,
        decontamination=decontamination.DecontaminationConfig(),
        near_duplicates=near.NearDupConfig(enabled=False),
    )


def main(argv: Sequence[str]) -> None:
    """Lays out, builds twice (the first time trains the vocabulary), prints, compares.

    Args:
      argv: The program's name; everything else is a flag.
    """
    del argv
    values = flags.FLAGS
    folder = pathlib.Path(tempfile.mkdtemp(prefix="code_t5_benchmark_", dir=values.work_dir))
    try:
        input_dir = folder / "input"
        size = lay_out(
            pathlib.Path(values.site_packages), output_dir=input_dir, copies=values.copies
        )
        config = build_config.BuildConfig(
            input_dir=str(input_dir),
            data_dir=str(folder / "data"),
            name="benchmark",
            num_workers=values.num_workers,
            decontamination=decontamination.DecontaminationConfig(
                benchmark_paths=(str(dev_dataset.benchmark_path()),)
            ),
            vocabulary=build_config.VocabularyConfig(vocab_size=8000, max_sample_bytes=5_000_000),
        )
        build.build_dataset(config, clock=build.StageClock())
        for _ in range(values.repeats):
            _measure(dataclasses.replace(config, overwrite=True), "every stage")
        _measure(dataclasses.replace(_plain(config), overwrite=True), "filters and exact copies")
        _print_peers(input_dir, size / 1e6, values.num_workers)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    flags.DEFINE_string("site_packages", None, "An installed environment.", required=True)
    flags.DEFINE_string("work_dir", None, "Where to put the temporary data; needs a few GB.")
    flags.DEFINE_integer("copies", 1, "How often to take the environment.", lower_bound=1)
    flags.DEFINE_integer("num_workers", 2, "Processes.", lower_bound=1)
    flags.DEFINE_integer("repeats", 3, "How often to build.", lower_bound=1)
    command_line.run(main)

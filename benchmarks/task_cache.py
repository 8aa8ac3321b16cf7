"""Prints how fast task caches are written, and in how much memory, beside seqio and SentencePiece.

    python -m benchmarks.task_cache --data_dir=DATA_DIR --name=NAME --vocabularies=default,bpe

takes a prepared data set, its first 30 MB (`--megabytes`) and all of it, with each of some
vocabularies of the data directory. Each writer is a program of its own and is timed as a whole,
start-up included: `scripts/cache_tasks.py` with one process and with `--num_workers`, and seqio's
`cache_tasks_main` on Beam's DirectRunner, for vocabularies that are SentencePiece models. The bare
library encodes the same texts in `--num_workers` processes, line by line, which takes it half the
time of whole texts; reading them is not counted. Times are of the clock and of the processors: they
differ on a machine that is busy with other work. Memory is resident: of all processes together, in
which shared pages count several times, and of the largest. Processes are looked at 20 times a
second. MB are 10^6 bytes of source files.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from absl import flags

from code_t5 import command_line, errors
from code_t5.encoding import piece_model, token_model
from code_t5.storage import manifest, prepared, shards, tfrecords

_ROOT = pathlib.Path(__file__).resolve().parent.parent
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
_TICKS = os.sysconf("SC_CLK_TCK")


class Measured(NamedTuple):
    """What a program took.

    Attributes:
      seconds: From its start to its end.
      cpu_seconds: Of all its processes.
      total_bytes: Most resident memory of all its processes together.
      process_bytes: Most of one of them.
    """

    seconds: float
    cpu_seconds: float
    total_bytes: int
    process_bytes: int


def _children(pid: int) -> Iterator[int]:
    for path in pathlib.Path(f"/proc/{pid}/task").glob("*/children"):
        for child in map(int, path.read_text().split()):
            yield child
            yield from _children(child)


def _look(root_pid: int) -> dict[int, tuple[int, float]]:
    """Returns resident bytes and seconds of the processor of a process and its descendants."""
    found = {}
    try:
        for pid in (root_pid, *_children(root_pid)):
            stat = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
            # User and system time are fields 14 and 15, resident pages field 24, counted from 1.
            ticks = int(stat[11]) + int(stat[12])
            found[pid] = (int(stat[21]) * _PAGE_BYTES, ticks / _TICKS)
    except OSError:
        # One ended while it was looked at.
        pass
    return found


def measure(command: Sequence[str], *, environment: Mapping[str, str]) -> Measured:
    """Runs a program.

    Args:
      command: Its command line.
      environment: Variables that are added to this program's.

    Returns:
      What it took.

    Raises:
      CodeT5Error: It failed.
    """
    total = largest = 0
    cpu_seconds: dict[int, float] = {}
    with tempfile.TemporaryFile() as log:
        start = time.monotonic()
        process = subprocess.Popen(
            command, cwd=_ROOT, env={**os.environ, **environment}, stdout=log, stderr=log
        )
        while process.poll() is None:
            looks = _look(process.pid)
            sizes = [size for size, _ in looks.values()]
            total, largest = max(total, sum(sizes)), max([largest, *sizes])
            cpu_seconds.update((pid, seconds) for pid, (_, seconds) in looks.items())
            time.sleep(0.05)
        seconds = time.monotonic() - start
        if process.returncode:
            log.seek(0)
            raise errors.CodeT5Error(f"{command} failed: {log.read()[-2000:].decode()}")
    return Measured(seconds, sum(cpu_seconds.values()), total, largest)


def lay_out(
    dataset: prepared.PreparedDataset, *, output_dir: pathlib.Path, name: str, max_bytes: int
) -> int:
    """Writes the first training files of a data set as a data set.

    Args:
      dataset: What to read.
      output_dir: Gets it as a data directory.
      name: Of the new data set.
      max_bytes: Most source text; 0 takes the data set as it is.

    Returns:
      Bytes of source text.
    """
    folder = output_dir / prepared.DATASET_NAME / name / dataset.version
    folder.mkdir(parents=True)
    info = json.loads((dataset.dataset_dir / "dataset_info.json").read_text())
    size_bytes = 0
    if max_bytes:
        size_bytes, num_records = _copy_first(dataset, folder=folder, max_bytes=max_bytes)
        train = next(split for split in info["splits"] if split["name"] == "train")
        info["splits"] = [{**train, "shardLengths": [str(num_records)]}]
    else:
        for path in sorted(dataset.dataset_dir.glob("*.tfrecord-*")):
            os.symlink(path.resolve(), folder / path.name)
            texts = tfrecords.read_features(path, ["text"])
            size_bytes += sum(len(text) for (text,) in texts if isinstance(text, bytes))
    (folder / "dataset_info.json").write_text(json.dumps({**info, "configName": name}))
    shutil.copy(dataset.dataset_dir / "features.json", folder)
    fields = dataset.read_manifest()
    vocabulary = piece_model.read_vocabulary_manifest(dataset.vocabulary_dir)
    fields = {
        **fields,
        "name": name,
        "vocabulary": dataset.vocabulary,
        "vocabulary_fingerprint": vocabulary["fingerprint"],
    }
    manifest.write_manifest(folder, fields)
    shutil.copytree(
        dataset.vocabulary_dir,
        output_dir / "vocabularies" / dataset.vocabulary,
        dirs_exist_ok=True,
    )
    return size_bytes


def _copy_first(
    dataset: prepared.PreparedDataset, *, folder: pathlib.Path, max_bytes: int
) -> tuple[int, int]:
    """Writes one shard of the first training files; returns bytes of text and number of files."""
    size_bytes = num_records = 0
    name = shards.shard_name(prepared.DATASET_NAME, split="train", shard_index=0, num_shards=1)
    with open(folder / name, "wb") as file:
        for path in sorted(dataset.dataset_dir.glob("*-train.tfrecord-*")):
            for data in tfrecords.read_records(path):
                text = tfrecords.decode_example(data, names=["text"])["text"]
                if not isinstance(text, bytes) or size_bytes + len(text) > max_bytes:
                    return size_bytes, num_records
                file.write(tfrecords.frame_record(data))
                size_bytes, num_records = size_bytes + len(text), num_records + 1
    return size_bytes, num_records


def _encode_share(index: int, paths: Sequence[str], model_path: str, shared: Any) -> None:
    """Encodes every so many-th text, once all processes have read theirs."""
    import sentencepiece

    num_workers, barrier, results = shared
    processor = sentencepiece.SentencePieceProcessor(model_file=model_path)
    texts, number = [], 0
    for path in paths:
        for (text,) in tfrecords.read_features(path, ["text"]):
            if number % num_workers == index and isinstance(text, bytes):
                texts.append(text.decode("utf-8").splitlines(keepends=True))
            number += 1
    barrier.wait()
    start, cpu_start = time.monotonic(), time.process_time()
    for lines in texts:
        processor.encode(lines, num_threads=1)
    results.put((time.monotonic() - start, time.process_time() - cpu_start))


def bare_seconds(dataset: prepared.PreparedDataset, *, num_workers: int) -> tuple[float, float]:
    """Returns what the SentencePiece library takes to encode a data set's texts.

    Args:
      dataset: The data set.
      num_workers: Processes.

    Returns:
      Seconds of the clock, and of the processors.
    """
    context = multiprocessing.get_context("spawn")
    shared = (num_workers, context.Barrier(num_workers), context.Queue())
    paths = [str(path) for path in sorted(dataset.dataset_dir.glob("*.tfrecord-*"))]
    model_path = str(dataset.vocabulary_dir / piece_model.MODEL_NAME)
    processes = [
        context.Process(target=_encode_share, args=(index, paths, model_path, shared))
        for index in range(num_workers)
    ]
    for process in processes:
        process.start()
    times = [shared[2].get() for _ in processes]
    for process in processes:
        process.join()
    return max(clock for clock, _ in times), sum(cpu for _, cpu in times)


def _ours(dataset: prepared.PreparedDataset, num_workers: int) -> Measured:
    with tempfile.TemporaryDirectory(dir=dataset.data_dir) as output:
        command = [
            *(sys.executable, "scripts/cache_tasks.py", f"--tasks={dataset.name}"),
            f"--data_dir={dataset.data_dir}",
            f"--output_cache_dir={output}",
            f"--num_workers={num_workers}",
        ]
        return measure(command, environment={"PYTHONPATH": str(_ROOT)})


def _seqio(dataset: prepared.PreparedDataset) -> Measured:
    with tempfile.TemporaryDirectory(dir=dataset.data_dir) as output:
        command = [
            *(sys.executable, "-m", "seqio.scripts.cache_tasks_main", "--module_import=code_t5"),
            f"--tasks={dataset.name}",
            f"--output_cache_dir={output}",
        ]
        environment = {prepared.DATA_DIR_VARIABLE: dataset.data_dir, "CUDA_VISIBLE_DEVICES": ""}
        return measure(command, environment=environment)


def _row(name: str, *, megabytes: float, measured: Measured, reference: Measured | None) -> str:
    ratio = ""
    if reference:
        ratio = f"{reference.seconds / measured.seconds:7.1f}"
        ratio += f"{reference.cpu_seconds / measured.cpu_seconds:7.1f}"
    return (
        f"{name:<32}{measured.seconds:7.1f} s{measured.cpu_seconds:7.1f} s"
        f"{megabytes / measured.seconds:7.1f} MB/s{measured.total_bytes / 1e6:7.0f} MB"
        f"{measured.process_bytes / 1e6:7.0f} MB{ratio}"
    )


def _compare(
    dataset: prepared.PreparedDataset,
    *,
    megabytes: float,
    num_workers: int,
    reference: Measured | None,
) -> Measured | None:
    """Prints a row per writer; returns what seqio took, which every ratio is of."""
    kind = piece_model.read_vocabulary_manifest(dataset.vocabulary_dir)["kind"]
    is_pieces = kind == token_model.SENTENCEPIECE
    print(f"-- {megabytes:.1f} MB, vocabulary {dataset.vocabulary} ({kind})")
    print(f"{'':32}{'clock':>9}{'cpu':>9}{'':12}{'memory':>10}{'largest':>10}  seqio / this")
    if is_pieces and flags.FLAGS.seqio:
        reference = _seqio(dataset)
        row = _row(
            "seqio cache_tasks_main", megabytes=megabytes, measured=reference, reference=None
        )
        print(row, flush=True)
    for count in sorted({1, num_workers}):
        ours = _ours(dataset, count)
        name = f"cache_tasks.py --num_workers={count}"
        print(_row(name, megabytes=megabytes, measured=ours, reference=reference), flush=True)
    if is_pieces:
        seconds, cpu_seconds = bare_seconds(dataset, num_workers=num_workers)
        print(
            f"{f'bare library, {num_workers} processes':<32}{seconds:7.1f} s{cpu_seconds:7.1f} s"
            f"{megabytes / seconds:7.1f} MB/s; cache_tasks.py takes {ours.seconds / seconds:.2f} "
            f"({ours.cpu_seconds / cpu_seconds:.2f}) times that"
        )
    return reference


def main(argv: Sequence[str]) -> None:
    """Lays the data sets out, runs every writer on each, prints.

    Args:
      argv: The program's name; everything else is a flag.
    """
    del argv
    values = flags.FLAGS
    folder = pathlib.Path(tempfile.mkdtemp(prefix="code_t5_benchmark_", dir=values.work_dir))
    try:
        for max_bytes in (values.megabytes * 1_000_000, 0):
            reference: Measured | None = None
            for vocabulary in values.vocabularies:
                source = prepared.PreparedDataset(values.name, values.data_dir, vocabulary)
                name = f"{'first' if max_bytes else 'all'}_{vocabulary}"
                data_dir = folder / name
                size = lay_out(source, output_dir=data_dir, name=name, max_bytes=max_bytes)
                reference = _compare(
                    prepared.PreparedDataset(name, str(data_dir), vocabulary),
                    megabytes=size / 1e6,
                    num_workers=values.num_workers,
                    reference=reference,
                )
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    flags.DEFINE_string("data_dir", None, "A data directory.", required=True)
    flags.DEFINE_string("name", None, "Of a data set in it.", required=True)
    flags.DEFINE_list("vocabularies", ["default"], "To encode with, SentencePiece first.")
    flags.DEFINE_integer("megabytes", 30, "Size of the small data set.", lower_bound=1)
    flags.DEFINE_integer("num_workers", 2, "Processes.", lower_bound=1)
    flags.DEFINE_boolean("seqio", True, "Whether to run seqio's program too.")
    flags.DEFINE_string("work_dir", None, "Where to put the temporary data; needs 1 GB.")
    command_line.run(main)

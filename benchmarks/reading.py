"""Prints how fast the trainer's batches are read: by t5's function, cached or not, and by ours.

    python -m benchmarks.reading --data_dir=DATA_DIR --name=NAME

caches two Tasks of a prepared data set in a temporary directory or `--cache_dir`, and reads packed
batches of 128 rows of 512 and 512 tokens of each. Each measurement is a process of its own that has
made the trainer's imports before; readers take turns, `--repeats` times, and the median counts.
Printed are millions of target tokens per second (padding does not count) once the first batch is
there, and seconds from the end of the imports to the first batch: of training, and of evaluating
the validation split.
"""

from __future__ import annotations

import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import seqio
import t5.models.mesh_transformer_main  # noqa: F401  what the trainer imports
import tensorflow as tf
from absl import flags
from t5.models import mesh_transformer

from code_t5 import command_line, errors
from code_t5.data import tasks
from code_t5.data.task_cache import build
from code_t5.training import input_functions

_DATA_DIR = flags.DEFINE_string("data_dir", None, "Where the data set was built.", required=True)
_NAME = flags.DEFINE_string("name", None, "Of the data set.", required=True)
_SECONDS = flags.DEFINE_float("seconds", 10, "How long to read.", lower_bound=0)
_REPEATS = flags.DEFINE_integer("repeats", 3, "Processes per reader.", lower_bound=1)
_READER = flags.DEFINE_string("reader", None, "For the processes that this program starts.")
_KIND = flags.DEFINE_string("kind", None, "For the same.")
_TASK = flags.DEFINE_string("task", None, "For the same.")
_CACHE_DIR = flags.DEFINE_string("cache_dir", None, "Where to cache; None is a temporary folder.")

_ROOT = pathlib.Path(__file__).resolve().parent.parent
_READERS = ("t5, uncached", "t5, cached", "token caches")
_OBJECTIVES = ("prefix_lm", "span_corruption")
_KINDS = ("train", "eval")
_BATCH_ROWS = 128
_EVAL_BATCH_ROWS = 8
_LENGTHS = {"inputs": 512, "targets": 512}


def _functions(reader: str, task: str) -> tuple[Callable[[], Any], Callable[[], Any]]:
    """Returns what makes the rows of a training, and of an evaluation."""
    if reader == "token caches":
        options: dict[str, Any] = {"mixture_or_task_name": task}
        train_fn = input_functions.token_train_dataset_fn
        eval_fn = input_functions.token_eval_dataset_fn
    else:
        options = {"mixture_or_task_name": task, "use_cached": reader == "t5, cached"}
        train_fn = mesh_transformer.mesh_train_dataset_fn
        eval_fn = mesh_transformer.mesh_eval_dataset_fn
    return (
        lambda: train_fn(sequence_length=_LENGTHS, **options),
        lambda: eval_fn(sequence_length=_LENGTHS, dataset_split="validation", seed=0, **options)[
            0
        ].dataset_fn(),
    )


def _batches(rows_fn: Callable[[], Any], *, batch_rows: int) -> Iterator[dict[str, Any]]:
    batches = rows_fn().repeat().batch(batch_rows, drop_remainder=True)
    yield from batches.prefetch(tf.data.AUTOTUNE).as_numpy_iterator()


def _read() -> dict[str, float]:
    """Returns what a reader's process measures, with everything imported before."""
    start = time.monotonic()
    tasks.register_tasks(_DATA_DIR.value)
    seqio.add_global_cache_dirs([_CACHE_DIR.value])
    train_fn, eval_fn = _functions(_READER.value, _TASK.value)
    if _KIND.value == "eval":
        next(_batches(eval_fn, batch_rows=_EVAL_BATCH_ROWS))
        return {"eval_seconds": time.monotonic() - start}
    batches = _batches(train_fn, batch_rows=_BATCH_ROWS)
    next(batches)
    begun = time.monotonic()
    num_tokens = 0
    while time.monotonic() < begun + _SECONDS.value:
        num_tokens += int(np.count_nonzero(next(batches)["targets"]))
    seconds = time.monotonic() - begun
    # A pipeline that is left running can keep the program from ending.
    batches.close()
    return {"train_seconds": begun - start, "tokens_per_second": num_tokens / seconds}


def _start_reader(reader: str, *, task: str, cache_dir: str, kind: str) -> dict[str, float]:
    command = [sys.executable, "-m", "benchmarks.reading"]
    command += [f"--data_dir={_DATA_DIR.value}", f"--name={_NAME.value}", f"--reader={reader}"]
    command += [
        f"--kind={kind}",
        f"--task={task}",
        f"--cache_dir={cache_dir}",
        f"--seconds={_SECONDS.value}",
    ]
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": ""}
    done = subprocess.run(
        command, cwd=_ROOT, env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise errors.InputError(
            f"reading {task} by {reader} failed: {done.stderr.strip().splitlines()[-1:]}; wanted "
            "batches; run the command that failed to see more: " + " ".join(command)
        )
    return json.loads(done.stdout.splitlines()[-1])


def _compare(task: str, cache_dir: str) -> None:
    found: dict[str, list[dict[str, float]]] = {reader: [] for reader in _READERS}
    for _ in range(_REPEATS.value):
        for reader in _READERS:
            measured: dict[str, float] = {}
            for kind in _KINDS:
                measured.update(_start_reader(reader, task=task, cache_dir=cache_dir, kind=kind))
            found[reader].append(measured)
    print(f"{task}: {'M target tokens/s':>32} {'x uncached':>10} {'train':>8} {'eval':>8}")
    uncached = 0.0
    for reader, measured in found.items():
        rate, train, evaluation = (
            statistics.median(one[name] for one in measured)
            for name in ("tokens_per_second", "train_seconds", "eval_seconds")
        )
        uncached = uncached or rate
        print(
            f"  {reader:20} {rate / 1e6:>{len(task) + 12}.2f} {rate / uncached:10.2f} "
            f"{train:6.2f} s {evaluation:6.2f} s",
            flush=True,
        )


def main(argv: Sequence[str]) -> None:
    """Caches, lets every reader read, and prints.

    Args:
      argv: Ignored.
    """
    del argv
    if _READER.value is not None:
        print(json.dumps(_read()))
        return
    names = tuple(f"{_NAME.value}_{objective}" for objective in _OBJECTIVES)
    with tempfile.TemporaryDirectory(prefix="code_t5_benchmark_") as temporary:
        cache_dir = _CACHE_DIR.value or temporary
        build.cache_tasks(build.CacheConfig(names, cache_dir, _DATA_DIR.value))
        for task in names:
            _compare(task, cache_dir)


if __name__ == "__main__":
    command_line.run(main)

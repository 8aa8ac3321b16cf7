"""Asks a teacher about many samples and stores what it says; goes on where it was stopped.

Shards that are still missing are asked for in *windows*: as many in a row as make a full batch, or
one by one for a teacher whose bytes depend on the batch. On
a CPU each processor works on a window of its own, with one thread, so that no sum depends on how
many there are; with several GPUs, each takes its share of the windows.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import itertools
import pathlib
import sys
from collections.abc import Generator, Iterator, Sequence
from typing import Any, NamedTuple

from code_t5 import errors, parallel, progress
from code_t5.encoding import ragged
from code_t5.encoding.whole_numbers import read_whole_number
from code_t5.teacher_outputs import writer
from code_t5.teacher_outputs.plan import OutputsPlan
from code_t5.training.teachers import teacher as teachers
from code_t5.training.teachers.batching import BatchRunner
from code_t5.training.teachers.destination import Destination
from code_t5.training.teachers.teacher import TRAIN, VALIDATION, Teacher, TeacherSpec

DEFAULT_BATCH_SIZE = 64


@dataclasses.dataclass(frozen=True)
class GenerationConfig:
    """What is to be generated, and how.

    Attributes:
      spec: Whom to ask.
      num_samples: How many samples; None for validation samples, which have a fixed number.
      split: `train` or `validation`.
      seed: What training samples are drawn with; None for a new one each time.
      batch_size: Samples that are asked about at once.
      devices: Of torch; windows are shared among them.
      num_workers: Processes; 0 for one per device, on CPUs one per processor.
      overwrite: Whether other outputs that are there are replaced.
      samples_per_shard: None for a good number.
    """

    spec: TeacherSpec
    num_samples: int | None = None
    split: str = TRAIN
    seed: int | None = None
    batch_size: int = DEFAULT_BATCH_SIZE
    devices: tuple[str, ...] = ("cpu",)
    num_workers: int = 0
    overwrite: bool = False
    samples_per_shard: int | None = None

    def plan(self, teacher: Teacher, *, seed: int | None) -> OutputsPlan:
        """Returns what is to be written.

        Args:
          teacher: Who is asked.
          seed: What samples are drawn with; None if nothing is.

        Raises:
          InputError: A number does not do, or numbers are given for validation samples.
        """
        read_whole_number(self.batch_size, name="the batch size", at_least=1)
        return teachers.make_plan(
            teacher,
            num_samples=self._num_samples(teacher),
            seed=seed,
            split=self.split,
            batch_size=self.batch_size,
            samples_per_shard=self.samples_per_shard,
        )

    def _num_samples(self, teacher: Teacher) -> int:
        """Returns how many samples are wanted.

        Raises:
          InputError: The number is missing, or does not do.
        """
        available, wanted = teacher.num_available(self.split), self.num_samples
        if self.split == VALIDATION:
            for name, value in (("num_samples", wanted), ("seed", self.seed)):
                if value is not None:
                    raise errors.InputError(
                        f"--{name} was given with --validation, whose samples are the same every "
                        f"time; wanted --validation alone; leave --{name} out"
                    )
        wanted = available if wanted is None else wanted
        if wanted is None:
            raise errors.InputError(
                "the number of samples is missing; wanted --num_samples N, or --validation; give "
                "one of these"
            )
        read_whole_number(wanted, name="the number of samples", at_least=1)
        if available is not None and wanted > available:
            raise errors.InputError(
                f"found {wanted:,} as the number of samples; wanted at most the {available:,} "
                f"that {teacher.name} has; give fewer, or leave --num_samples out"
            )
        return wanted


class Generated(NamedTuple):
    """What was generated.

    Attributes:
      path: Where it is.
      plan: What it is.
      size_bytes: On the disk.
      num_generated: Samples that this run asked about; the others were there.
    """

    path: pathlib.Path
    plan: OutputsPlan
    size_bytes: int
    num_generated: int


class _Work(NamedTuple):
    """One window, for whichever process takes it."""

    spec: TeacherSpec
    device: str
    batch_size: int
    seed: int
    split: str
    shards: tuple[int, ...]
    numbers: tuple[int, ...]


def generate(config: GenerationConfig, *, output: str) -> Generated:
    """Generates outputs, or what is missing of them.

    Args:
      config: What, and how.
      output: A name that ends in `.pt`, or that of a directory.

    Returns:
      What there is now.

    Raises:
      InputError: A number does not do, or something else is at `output`.
      BusyError: Another process generates the same.
      CodeT5Error: The disk is full, or there is no memory for one sample; what was generated is
        kept.
    """
    teacher = config.spec.make(config.devices[0])
    place = Destination(output)
    make_plan = functools.partial(_plan_of_seed, config, teacher)
    seed = _fixed_seed(config, teacher)
    if seed is None and teacher.draws_at_random:
        seed = place.choose_seed(make_plan, overwrite=config.overwrite)
    plan = make_plan(seed)
    if place.is_written(plan):
        place.remove_outputs()
        return Generated(place.path, plan, place.size_bytes(), 0)
    place.check_free(overwrite=config.overwrite)
    writing = writer.OutputsWriter(
        place.outputs_dir,
        plan=plan,
        overwrite=config.overwrite,
        discard_unfinished=config.overwrite,
    )
    with writing:
        num_generated = plan.num_samples - writing.num_samples_done
        _write_missing(config, writing, depends_on_batch=teacher.depends_on_batch)
        outputs = writing.publish()
        place.write_pt(outputs, order=teacher.order, overwrite=config.overwrite)
        place.remove_outputs()
    return Generated(place.path, plan, place.size_bytes(), num_generated)


def _plan_of_seed(config: GenerationConfig, teacher: Teacher, seed: int | None) -> OutputsPlan:
    return config.plan(teacher, seed=seed)


def _fixed_seed(config: GenerationConfig, teacher: Teacher) -> int | None:
    """Returns the seed that there is no choice about.

    Raises:
      InputError: One was given, and nothing is drawn.
    """
    if not teacher.draws_at_random:
        if config.seed is not None:
            raise errors.InputError(
                f"--seed was given, and {teacher.name} draws nothing; wanted its samples in their "
                "order; leave --seed out"
            )
        return None
    return teachers.VALIDATION_SEED if config.split == VALIDATION else config.seed


def _write_missing(
    config: GenerationConfig, writing: writer.OutputsWriter, *, depends_on_batch: bool
) -> None:
    """Asks about the samples of the missing shards."""
    plan, missing = writing.plan, writing.missing_shards()
    bar = progress.progress_bar(
        description="asking the teacher",
        unit="sample",
        total=plan.num_samples,
        initial=writing.num_samples_done,
    )
    answers = ask(config, plan=plan, shards=missing, alone=depends_on_batch)
    with bar, contextlib.closing(answers):
        for shards, columns in answers:
            start = 0
            for shard in shards:
                stop = start + len(plan.samples_of(shard))
                part = {
                    name: rows(column, start=start, stop=stop) for name, column in columns.items()
                }
                writing.write_columns(shard, part)
                bar.update(stop - start)
                start = stop


def ask(
    config: GenerationConfig, *, plan: OutputsPlan, shards: Sequence[int], alone: bool = False
) -> Generator[tuple[tuple[int, ...], dict[str, Any]], None, None]:
    """Asks about the samples of some shards.

    Args:
      config: Whom, and how.
      plan: Which samples lie in which shard.
      shards: Which.
      alone: Whether each shard is asked about by itself, whatever the size of a batch.

    Yields:
      Of each window its shards, and the columns of their samples together.

    Raises:
      CodeT5Error: There is no memory for one sample, or a process died.
    """
    works = []
    devices = itertools.cycle(config.devices)
    per_window = 1 if alone else max(1, config.batch_size // plan.samples_per_shard)
    for window in _windows(shards, per_window=per_window):
        numbers = tuple(number for shard in window for number in plan.samples_of(shard))
        where = (config.spec, next(devices), config.batch_size)
        works.append(_Work(*where, plan.seed or 0, config.split, window, numbers))
    wanted = config.num_workers or default_num_workers(config.devices)
    with parallel.WorkerPool(max(1, min(wanted, len(works)))) as pool:
        yield from zip((work.shards for work in works), pool.map(_run, works))


def default_num_workers(devices: Sequence[str]) -> int:
    """Returns how many processes ask: one per GPU, or one per processor.

    Args:
      devices: Of torch.
    """
    if any(device.startswith("cpu") for device in devices):
        return parallel.default_num_workers()
    return len(devices)


def _windows(shards: Sequence[int], *, per_window: int) -> Iterator[tuple[int, ...]]:
    """Yields shards that are asked about together."""
    for start in range(0, len(shards), per_window):
        yield tuple(shards[start : start + per_window])


def rows(column: Any, *, start: int, stop: int) -> Any:
    """Returns some samples of a column, views.

    Args:
      column: An array or `Ragged`.
      start: First sample.
      stop: The sample behind the last.
    """
    if not isinstance(column, ragged.Ragged):
        return column[start:stop]
    offsets = column.offsets[start : stop + 1]
    return ragged.Ragged(column.values[offsets[0] : offsets[-1]], offsets - offsets[0])


@functools.lru_cache(maxsize=16)
def _runner(spec: TeacherSpec, device: str, batch_size: int) -> BatchRunner:
    """Returns this process's teacher, which remembers how large a batch may be."""
    return BatchRunner(spec.make(device), batch_size=batch_size)


def _run(work: _Work) -> dict[str, Any]:
    """Asks about a window; what a worker process does."""
    runner = _runner(work.spec, work.device, work.batch_size)
    with one_thread():
        return runner.run_window(work.numbers, seed=work.seed, split=work.split)


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    """Has torch reckon with one thread in the block: then no sum depends on how many there are.

    It looks for torch where a teacher imported it when it was made.
    """
    torch = sys.modules.get("torch")
    if torch is None:
        yield
        return
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def find_devices(asked: str) -> tuple[str, ...]:
    """Returns devices of torch.

    Args:
      asked: `auto` (all GPUs, or the CPU), or names with commas between, as `cuda:0,cuda:1`.

    Raises:
      InputError: There is no such device.
    """
    if asked == "cpu":
        return ("cpu",)
    import torch

    num_gpus = torch.cuda.device_count() if torch.cuda.is_available() else 0
    gpus = tuple(f"cuda:{index}" for index in range(num_gpus))
    if asked == "auto":
        return gpus or ("cpu",)
    found: list[str] = []
    for name in asked.split(","):
        full = "cuda:0" if name == "cuda" else name
        if full not in ("cpu", *gpus) or full in found:
            known = ", ".join(("auto", "cpu", *gpus))
            raise errors.InputError(
                f"the device {name[:40]!a} is not there, or twice; wanted {known}; give one of "
                "these, or several with commas between"
            )
        found.append(full)
    return tuple(found)

"""Says how large outputs will be and how long they will take, from a probe of some samples."""

from __future__ import annotations

import dataclasses
import pathlib
import shutil
import tempfile
import time
from collections.abc import Mapping
from typing import Any

import numpy as np

from code_t5.encoding import ragged
from code_t5.teacher_outputs import pt_file, writer
from code_t5.teacher_outputs.plan import OutputsPlan
from code_t5.teacher_outputs.schema import ArrayField, OutputSchema
from code_t5.training.teachers import generating
from code_t5.training.teachers import teacher as teachers
from code_t5.training.teachers.batching import BatchRunner
from code_t5.training.teachers.destination import Destination
from code_t5.training.teachers.generating import GenerationConfig
from code_t5.training.teachers.teacher import Teacher

NUM_PROBED = 100
# Asked before the clock starts: libraries are loaded, memory is taken.
_NUM_WARM_UP = 2
_PRECISIONS = ("float32", "float64")


@dataclasses.dataclass(frozen=True)
class Estimate:
    """What a generation would give.

    Attributes:
      num_samples: Of all.
      num_probed: Of the probe.
      sample_bytes: Of a sample on the disk as it was asked for.
      bytes_by_dtype: The same, if floating-point fields were of this dtype; empty for a teacher
        that offers no choice.
      size_bytes: Of all on the disk.
      peak_bytes: Of all while a `.pt` file is made.
      free_bytes: On the disk.
      seconds_per_sample: Of one process.
      num_workers: Processes.
    """

    num_samples: int
    num_probed: int
    sample_bytes: float
    bytes_by_dtype: Mapping[str, float]
    size_bytes: float
    peak_bytes: float
    free_bytes: int
    seconds_per_sample: float
    num_workers: int

    @property
    def seconds(self) -> float:
        """How long all takes."""
        return self.seconds_per_sample * self.num_samples / self.num_workers


def estimate(config: GenerationConfig, *, output: str, num_probed: int = NUM_PROBED) -> Estimate:
    """Asks about a few samples and reckons what all would be; leaves nothing on the disk.

    Args:
      config: What would be generated.
      output: Where; it need not be free.
      num_probed: Samples of the probe, at most.

    Returns:
      The estimate.

    Raises:
      InputError: A number does not do.
      CodeT5Error: There is no memory for one sample, or no room for the probe.
    """
    device = config.devices[0]
    teacher, place = config.spec.make(device), Destination(output)
    num_samples = config.plan(teacher, seed=0).num_samples
    probed = teachers.make_plan(
        teacher,
        num_samples=min(num_probed, num_samples),
        seed=teachers.VALIDATION_SEED,
        split=config.split,
    )
    columns, seconds = _probe(config, teacher, num_probed=probed.num_samples)
    with tempfile.TemporaryDirectory(prefix="teacher-probe-") as folder:
        by_dtype = {
            dtype: _written_bytes(columns, probed, dtype=dtype, folder=pathlib.Path(folder))
            for dtype in _PRECISIONS
            if "dtype" in teacher.options
        }
        stored = _written_bytes(columns, probed, dtype=None, folder=pathlib.Path(folder))
        as_pt = stored
        if place.is_pt:
            as_pt = _written_bytes(
                columns, probed, dtype=None, folder=pathlib.Path(folder), pt=True
            )
    workers = config.num_workers or generating.default_num_workers(config.devices)
    num_batches = -(-num_samples // config.batch_size)
    return Estimate(
        num_samples=num_samples,
        num_probed=probed.num_samples,
        sample_bytes=as_pt,
        bytes_by_dtype=by_dtype,
        size_bytes=as_pt * num_samples,
        peak_bytes=(stored + as_pt if place.is_pt else stored) * num_samples,
        free_bytes=_free_bytes(place.path),
        seconds_per_sample=seconds,
        num_workers=max(1, min(workers, num_batches)),
    )


def _probe(
    config: GenerationConfig, teacher: Teacher, *, num_probed: int
) -> tuple[dict[str, Any], float]:
    """Returns the columns of some samples, evenly spread, and how long one took."""
    runner = BatchRunner(teacher, batch_size=config.batch_size)
    available = teacher.num_available(config.split) or num_probed
    numbers = np.linspace(0, available - 1, num_probed).astype(int).tolist()
    with generating.one_thread():
        runner.run_window(numbers[:_NUM_WARM_UP], seed=0, split=config.split)
        start = time.perf_counter()
        columns = runner.run_window(numbers, seed=0, split=config.split)
        return columns, (time.perf_counter() - start) / num_probed


def _written_bytes(
    columns: Mapping[str, Any],
    probed: OutputsPlan,
    *,
    dtype: str | None,
    folder: pathlib.Path,
    pt: bool = False,
) -> float:
    """Writes the probe and returns the bytes of a sample on the disk."""
    schema = probed.schema if dtype is None else _as_dtype(probed.schema, dtype)
    plan = dataclasses.replace(probed, schema=schema)
    path = folder / "probe"
    with writer.OutputsWriter(path, plan=plan) as writing:
        start = 0
        for shard in writing.missing_shards():
            stop = start + len(plan.samples_of(shard))
            part = {
                name: generating.rows(columns[name], start=start, stop=stop)
                for name in schema.names
            }
            writing.write_columns(shard, {n: _cast(c, schema.field(n)) for n, c in part.items()})
            start = stop
        outputs = writing.publish()
    total = sum(file.stat().st_size for file in path.iterdir())
    if pt:
        total = pt_file.write_pt(outputs, path=folder / "probe.pt").size_bytes
    shutil.rmtree(path)
    return total / probed.num_samples


def _as_dtype(schema: OutputSchema, dtype: str) -> OutputSchema:
    return OutputSchema(
        tuple(
            dataclasses.replace(field, dtype=dtype) if field.dtype in _PRECISIONS else field
            for field in schema.fields
        )
    )


def _cast(column: Any, field: ArrayField) -> Any:
    if isinstance(column, ragged.Ragged):
        return ragged.Ragged(column.values.astype(field.numpy_dtype), column.offsets)
    return np.asarray(column).astype(field.numpy_dtype)


def _free_bytes(path: pathlib.Path) -> int:
    while not path.exists():
        path = path.parent
    return shutil.disk_usage(path).free


def describe(found: Estimate) -> list[str]:
    """Returns some lines about an estimate.

    Args:
      found: The estimate.
    """
    lines = [
        f"{found.num_samples:,} samples: about {found.size_bytes / 1e6:,.1f} MB on the disk "
        f"({found.sample_bytes:,.0f} bytes each, from a probe of {found.num_probed})",
        f"about {_duration(found.seconds)} with {found.num_workers} "
        f"{'process' if found.num_workers == 1 else 'processes'} "
        f"({found.seconds_per_sample * 1e3:.1f} ms each in one)",
    ]
    if found.bytes_by_dtype:
        single, double = (found.bytes_by_dtype[dtype] for dtype in _PRECISIONS)
        lines.insert(
            1,
            f"float32: {single:,.0f} bytes each; float64: {double:,.0f}, {double / single:.2f} "
            "times as much",
        )
    if found.peak_bytes > found.size_bytes:
        lines.append(f"while the .pt file is made: {found.peak_bytes / 1e6:,.1f} MB on the disk")
    if found.peak_bytes > found.free_bytes:
        lines.append(f"the disk has {found.free_bytes / 1e6:,.1f} MB free: that is not enough")
    return lines


def _duration(seconds: float) -> str:
    """Returns a time as it is said.

    >>> _duration(75.2)
    '1 min 15 s'
    """
    whole = max(1, round(seconds))
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"

"""Prints how fast teacher outputs are read, beside the same bytes in a plain memory map.

    python -m benchmarks.teacher_outputs_reading

writes random samples of two kinds: waveforms (two float32 arrays of 52,920 numbers, and two numbers
each), and tokens (the 32 most likely of 50 to 450 positions, with the tail's mass). They are
written as teacher outputs, and as one `.npy` file for each field. Then batches of 64 samples are
read in random order: from the plain maps (`numpy.load(..., mmap_mode="r")`, rows copied together),
with `TeacherOutputs.read`, and with the readers for NumPy, torch and TensorFlow, which also pad
what is ragged and turn uint16 into int32. Readers take turns of `--seconds`, `--repeats` times; the
median counts. All count the bytes that are stored. MB are 10^6 bytes.
"""

from __future__ import annotations

import itertools
import pathlib
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from absl import flags

from code_t5 import command_line
from code_t5.encoding import ragged
from code_t5.teacher_outputs.codec import TopKCodec
from code_t5.teacher_outputs.plan import OutputsPlan, default_samples_per_shard
from code_t5.teacher_outputs.reader import TeacherOutputs
from code_t5.teacher_outputs.sample_batches import OutputBatches
from code_t5.teacher_outputs.schema import ArrayField, OutputSchema
from code_t5.teacher_outputs.writer import OutputsWriter

_MEGABYTES = flags.DEFINE_integer("megabytes", 800, "Of each kind of samples.", lower_bound=10)
_SECONDS = flags.DEFINE_float("seconds", 2, "How long a reader reads at a time.", lower_bound=0)
_REPEATS = flags.DEFINE_integer("repeats", 5, "Turns of each reader.", lower_bound=1)
_WORK_DIR = flags.DEFINE_string("work_dir", None, "Where files go; None is a temporary folder.")

_BATCH_SIZE = 64
_TIME_SAMPLES = 52_920
_VOCAB_SIZE = 32_128
_PLAIN = "plain memory map"

_WAVEFORMS = OutputSchema(
    (
        ArrayField("x", "float32", (_TIME_SAMPLES, 1)),
        ArrayField("y", "float32", (_TIME_SAMPLES, 1)),
        ArrayField("f0", "float32"),
        ArrayField("dB", "float32"),
    )
)
_TOKENS = OutputSchema(TopKCodec(_VOCAB_SIZE).fields())


def _draw(schema: OutputSchema, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Returns one random sample."""
    num_rows = int(rng.integers(50, 450))
    found = {}
    for field in schema.fields:
        shape = (num_rows, *field.row_shape) if field.is_ragged else field.row_shape
        if field.dtype == "uint16":
            found[field.name] = rng.integers(0, _VOCAB_SIZE, size=shape, dtype=np.uint16)
        else:
            found[field.name] = np.asarray(rng.random(shape, dtype=np.float32), dtype=field.dtype)
    return found


def _write(folder: pathlib.Path, schema: OutputSchema) -> TeacherOutputs:
    rng = np.random.default_rng(0)
    probe = [sum(array.nbytes for array in _draw(schema, rng).values()) for _ in range(20)]
    sample_bytes = statistics.mean(probe)
    num_samples = max(4 * _BATCH_SIZE, int(_MEGABYTES.value * 1e6 / sample_bytes))
    plan = OutputsPlan(schema, num_samples, default_samples_per_shard(sample_bytes))
    with OutputsWriter(folder / "outputs", plan=plan) as writer:
        for index in writer.missing_shards():
            writer.write_shard(index, (_draw(schema, rng) for _ in plan.samples_of(index)))
        outputs = writer.publish()
    whole = outputs.read(np.arange(num_samples))
    for name, column in whole.items():
        if isinstance(column, ragged.Ragged):
            np.save(folder / "offsets.npy", column.offsets)
            column = column.values
        np.save(folder / f"{name}.npy", column)
    return outputs


def _indexes(num_samples: int) -> Iterator[np.ndarray]:
    rng = np.random.default_rng(1)
    while True:
        order = rng.permutation(num_samples)
        whole = num_samples // _BATCH_SIZE * _BATCH_SIZE
        yield from order[:whole].reshape(-1, _BATCH_SIZE)


def _plain_batches(folder: pathlib.Path, outputs: TeacherOutputs) -> Iterator[Any]:
    maps = {field: np.load(folder / f"{field.name}.npy", mmap_mode="r") for field in outputs.fields}
    is_ragged = any(field.is_ragged for field in outputs.fields)
    offsets = np.load(folder / "offsets.npy") if is_ragged else np.zeros(1, dtype=np.int64)
    for indexes in _indexes(len(outputs)):
        batch = {}
        bounds = [(offsets[i], offsets[i + 1]) for i in indexes.tolist()] if is_ragged else []
        for field, array in maps.items():
            if field.is_ragged:
                batch[field.name] = np.concatenate([array[start:stop] for start, stop in bounds])
            else:
                batch[field.name] = np.asarray(array[indexes])
        yield batch


def _read_batches(outputs: TeacherOutputs) -> Iterator[Any]:
    return (outputs.read(indexes) for indexes in _indexes(len(outputs)))


def _endless(epochs: Any) -> Iterator[Any]:
    while True:
        yield from epochs


def _torch_dataset(outputs: TeacherOutputs) -> Iterator[Any]:
    import torch.utils.data

    from code_t5.teacher_outputs import torch_outputs

    dataset = torch_outputs.output_dataset(outputs)
    return _endless(
        torch.utils.data.DataLoader(dataset, batch_size=_BATCH_SIZE, shuffle=True, drop_last=True)
    )


def _torch_stream(outputs: TeacherOutputs) -> Iterator[Any]:
    from code_t5.teacher_outputs import torch_outputs

    stream = torch_outputs.output_stream(outputs, batch_size=_BATCH_SIZE)
    return _endless(torch_outputs.ResumableLoader(stream))


def _tf_dataset(outputs: TeacherOutputs) -> Iterator[Any]:
    from code_t5.teacher_outputs import tf_outputs

    return iter(tf_outputs.TfOutputBatches(outputs, batch_size=_BATCH_SIZE).dataset(None))


_OURS: dict[str, Callable[[TeacherOutputs], Iterator[Any]]] = {
    "TeacherOutputs.read": _read_batches,
    "NumPy batches": lambda outputs: _endless(OutputBatches(outputs, batch_size=_BATCH_SIZE)),
    "torch Dataset": _torch_dataset,
    "torch stream": _torch_stream,
    "tf.data": _tf_dataset,
}


def _batches_per_second(batches: Iterator[Any]) -> float:
    # What was read ahead while others took their turn does not count.
    for _ in itertools.islice(batches, 4):
        pass
    start, count = time.perf_counter(), 0
    while count < 2 or time.perf_counter() - start < _SECONDS.value:
        next(batches)
        count += 1
    return count / (time.perf_counter() - start)


def _compare(name: str, *, schema: OutputSchema, folder: pathlib.Path) -> None:
    folder.mkdir()
    outputs = _write(folder, schema)
    size_bytes = sum(path.stat().st_size for path in (folder / "outputs").iterdir())
    print(f"{name}: {len(outputs):,} samples, {size_bytes / 1e6:,.0f} MB")
    readers = {_PLAIN: _plain_batches(folder, outputs)}
    readers.update({reader: open_fn(outputs) for reader, open_fn in _OURS.items()})
    rates: dict[str, list[float]] = {reader: [] for reader in readers}
    for turn in range(_REPEATS.value + 1):
        for reader, batches in readers.items():
            rate = _batches_per_second(batches)
            if turn:
                # The first turn fills the page cache.
                rates[reader].append(rate)
    megabytes = size_bytes / len(outputs) * _BATCH_SIZE / 1e6
    base = statistics.median(rates[_PLAIN])
    for reader, found in rates.items():
        rate = statistics.median(found)
        print(f"  {reader:20} {rate * megabytes:8,.0f} MB/s  {rate / base:5.2f} x", flush=True)


def main(argv: Sequence[str]) -> None:
    """Writes the samples, lets every reader read, and prints.

    Args:
      argv: Ignored.
    """
    del argv
    import torch

    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory(dir=_WORK_DIR.value, prefix="code_t5_benchmark_") as temporary:
        folder = pathlib.Path(temporary)
        _compare("waveforms", schema=_WAVEFORMS, folder=folder / "waveforms")
        _compare("tokens", schema=_TOKENS, folder=folder / "tokens")


if __name__ == "__main__":
    command_line.run(main)

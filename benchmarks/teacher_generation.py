"""Prints how fast a teacher is asked in batches, beside the same samples one by one.

    python -m benchmarks.teacher_generation --config 0

asks about `--num_samples` samples at once, then about the first `--num_alone` of them one by one,
in one process with one thread, as `scripts/generate_cached_dataset.py` does in each of its
processes. Both take turns, `--repeats` times; the median counts. What the answers of both have in
common is checked: teachers whose bytes do not depend on the batch say the same, byte by byte. A
sample's time includes its draw; nothing is written. The flags of the teacher's settings are those
of that program.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence
from typing import Any

from absl import flags

from code_t5 import command_line, errors
from code_t5.encoding import ragged
from code_t5.training.teachers import generate_flags, generating, registry
from code_t5.training.teachers.batching import BatchRunner
from code_t5.training.teachers.teacher import TRAIN, Teacher

_CONFIG = flags.DEFINE_string("config", "0", "The teacher: its number or name.")
_NUM_SAMPLES = flags.DEFINE_integer("num_samples", 64, "Asked about at once.", lower_bound=1)
_NUM_ALONE = flags.DEFINE_integer("num_alone", 8, "Asked about one by one.", lower_bound=1)
_REPEATS = flags.DEFINE_integer("repeats", 3, "Turns of each.", lower_bound=1)
_DEVICE = flags.DEFINE_string("device", "cpu", "Of torch.")


def _bytes(column: Any) -> bytes:
    values = column.values if isinstance(column, ragged.Ragged) else column
    return bytes(values.tobytes())


def _ask(teacher: Teacher, *, num_samples: int, batch_size: int) -> tuple[float, dict[str, Any]]:
    """Returns the seconds of a sample, and the columns."""
    start = time.perf_counter()
    runner = BatchRunner(teacher, batch_size=batch_size)
    columns = runner.run_window(range(num_samples), seed=0, split=TRAIN)
    return (time.perf_counter() - start) / num_samples, columns


def _check_same(teacher: Teacher, alone: dict[str, Any], together: dict[str, Any]) -> None:
    """Compares the answers to the samples that were asked about both ways.

    Raises:
      CodeT5Error: They differ.
    """
    for agreement in teacher.compare(alone, together):
        if not agreement.is_close:
            raise errors.CodeT5Error(
                f"batches and single samples differ: {agreement}; wanted {agreement.wanted}; mend "
                "the teacher"
            )
    if teacher.depends_on_batch:
        return
    for name, column in alone.items():
        if _bytes(column) != _bytes(together[name]):
            raise errors.CodeT5Error(
                f"{name} depends on the batch; wanted the same bytes; mend the teacher"
            )


def main(argv: Sequence[str]) -> None:
    """Prints both, and their ratio.

    Args:
      argv: Nothing but the program's name.
    """
    del argv
    device = generating.find_devices(_DEVICE.value)[0]
    settings = generate_flags.read_settings()
    teacher = registry.open_teacher(_CONFIG.value, settings=settings, device=device)
    available = teacher.num_available(TRAIN) or _NUM_SAMPLES.value
    num_samples = min(_NUM_SAMPLES.value, teacher.max_batch, available)
    num_alone = min(_NUM_ALONE.value, num_samples)
    times: dict[str, list[float]] = {"alone": [], "together": []}
    with generating.one_thread():
        # Libraries are loaded, memory is taken.
        _ask(teacher, num_samples=2, batch_size=2)
        for _ in range(_REPEATS.value):
            seconds, alone = _ask(teacher, num_samples=num_alone, batch_size=1)
            times["alone"].append(seconds)
            seconds, together = _ask(teacher, num_samples=num_samples, batch_size=num_samples)
            times["together"].append(seconds)
    first = {
        name: generating.rows(column, start=0, stop=num_alone) for name, column in together.items()
    }
    _check_same(teacher, alone, first)
    single, batched = (statistics.median(times[name]) for name in ("alone", "together"))
    print(f"{teacher.name} on {device}, one thread")
    print(f"one by one: {single * 1e3:.1f} ms for each of {num_alone} samples")
    print(f"in a batch of {num_samples}: {batched * 1e3:.1f} ms a sample")
    print(f"batched {single / batched:.1f} times as fast (wanted: at least 3)")


if __name__ == "__main__":
    generate_flags.define_settings()
    command_line.run(main)

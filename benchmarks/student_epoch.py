"""Prints how long a student's epoch takes from a cache, and from the live teacher.

    python -m benchmarks.student_epoch --config 0
    python -m benchmarks.student_epoch --config t5_dev_top32 --data_dir DATA_DIR [--model_dir DIR]

For each of `--seeds` it asks the teacher once for `--num_samples` training samples and for the
validation samples, and stores them. Then the same student is trained twice, as
`scripts/train_student.py` does it, from the cache and from the live teacher: the same samples in
the same order, the same batches, the same first weights. Epochs take turns, so that both sides see
the same machine. An epoch's time is that of its steps: getting batches, and learning from them.
At least 5 is wanted of the ratio of the medians. The losses after the last epoch are printed for
both: over seeds they show what is noise, and on each whether the cache says what the teacher says.
"""

from __future__ import annotations

import pathlib
import statistics
import tempfile
import time
from collections.abc import Sequence
from typing import Any, NamedTuple

from absl import flags

from code_t5 import command_line, torch_threads
from code_t5.training.students import registry, student_training
from code_t5.training.students.student_training import StudentTrainingConfig
from code_t5.training.students.training_loop import EpochResult
from code_t5.training.teachers import generate_flags, generating
from code_t5.training.teachers import registry as teacher_registry
from code_t5.training.teachers.teacher import TRAIN, VALIDATION

_CONFIG = flags.DEFINE_string("config", "0", "The teacher: its number or name.")
_NUM_SAMPLES = flags.DEFINE_integer("num_samples", 256, "Training samples.", lower_bound=1)
_NUM_VAL = flags.DEFINE_integer("num_val_samples", 64, "Validation samples.", lower_bound=1)
_EPOCHS = flags.DEFINE_integer("epochs", 3, "Of each training.", lower_bound=1)
_BATCH_SIZE = flags.DEFINE_integer("batch_size", 16, "Samples of a batch.", lower_bound=1)
_SEEDS = flags.DEFINE_list("seeds", ["0", "1", "2"], "A cache and two trainings for each.")
_NUM_WORKERS = flags.DEFINE_integer("num_workers", 1, "That read the cache.", lower_bound=0)
_DEVICE = flags.DEFINE_string("device", "cpu", "Of torch, for the teacher and the student.")
_WORK_DIR = flags.DEFINE_string("work_dir", None, "Where files go; None is a temporary folder.")

CACHED, LIVE = "cached", "live"
_WANTED_RATIO = 5.0


class Side(NamedTuple):
    """One training.

    Attributes:
      history: Its epochs.
      seconds: All of it: opening, training, validation and checkpoints.
    """

    history: list[EpochResult]
    seconds: float


def _generate(path: pathlib.Path, *, seed: int | None, settings: dict[str, Any]) -> None:
    """Asks the teacher once: about training samples if there is a seed, else for validation."""
    spec = teacher_registry.teacher_spec(_CONFIG.value, settings)
    is_train = seed is not None
    start = time.perf_counter()
    config = generating.GenerationConfig(
        spec=spec,
        num_samples=_NUM_SAMPLES.value if is_train else None,
        split=TRAIN if is_train else VALIDATION,
        seed=seed if spec.make(_DEVICE.value).draws_at_random else None,
        devices=(_DEVICE.value,),
    )
    generating.generate(config, output=str(path))
    print(f"{path.name}: asked once in {time.perf_counter() - start:.1f} s", flush=True)


def _train(config: StudentTrainingConfig) -> Side:
    start = time.perf_counter()
    history = student_training.train(config)
    return Side(history, time.perf_counter() - start)


def _run_seed(
    folder: pathlib.Path, *, seed: int, settings: dict[str, Any], student_settings: dict[str, Any]
) -> dict[str, Side]:
    """Trains both, an epoch of each in turn."""
    train_path = folder / f"train_{seed}"
    _generate(train_path, seed=seed, settings=settings)
    sources: dict[str, dict[str, Any]] = {
        CACHED: {
            "cached_train_path": str(train_path),
            "cached_val_path": str(folder / VALIDATION),
        },
        LIVE: {},
    }
    totals = dict.fromkeys(sources, 0.0)
    sides: dict[str, Side] = {}
    for epochs in range(1, _EPOCHS.value + 1):
        for name, source in sources.items():
            found = _train(
                StudentTrainingConfig(
                    teacher=_CONFIG.value,
                    output_dir=folder / f"student_{seed}_{name}",
                    teacher_settings=settings,
                    student_settings=student_settings,
                    num_samples=_NUM_SAMPLES.value,
                    num_val_samples=_NUM_VAL.value,
                    epochs=epochs,
                    batch_size=_BATCH_SIZE.value,
                    seed=seed,
                    num_workers=_NUM_WORKERS.value,
                    device=_DEVICE.value,
                    **source,
                )
            )
            totals[name] += found.seconds
            sides[name] = Side(found.history, totals[name])
            print(f"  {name:6} {found.history[-1]}", flush=True)
    return sides


def _print_result(found: Sequence[dict[str, Side]]) -> None:
    seconds = {
        name: [result.seconds for sides in found for result in sides[name].history]
        for name in (CACHED, LIVE)
    }
    medians = {name: statistics.median(values) for name, values in seconds.items()}
    waiting = {
        name: statistics.median(r.share_waiting for sides in found for r in sides[name].history)
        for name in (CACHED, LIVE)
    }
    for name in (CACHED, LIVE):
        print(
            f"{name:6} epoch, median of {len(seconds[name])}: {medians[name]:.2f} s, "
            f"{waiting[name]:.0%} of it waiting for batches"
        )
    ratio = medians[LIVE] / medians[CACHED]
    verdict = "as wanted" if ratio >= _WANTED_RATIO else "too little"
    print(f"cached is {ratio:.1f} times as fast as live; wanted {_WANTED_RATIO:.0f}: {verdict}")
    for sides in found:
        ends = {name: side.history[-1] for name, side in sides.items()}
        print(
            "after the last epoch, loss and validation loss: "
            + "; ".join(f"{name} {end.loss:.6g} {end.val_loss:.6g}" for name, end in ends.items())
            + "; all in "
            + ", ".join(f"{name} {side.seconds:.1f} s" for name, side in sides.items())
        )


def main(argv: Sequence[str]) -> None:
    """Asks, trains and prints.

    Args:
      argv: Ignored.
    """
    del argv
    torch_threads.wait_without_spinning()
    settings = generate_flags.read_settings()
    student_settings = generate_flags.read_settings(settings=registry.all_settings())
    name = teacher_registry.resolve_name(_CONFIG.value)
    print(f"{name}: {_NUM_SAMPLES.value} samples, batches of {_BATCH_SIZE.value}")
    with tempfile.TemporaryDirectory(dir=_WORK_DIR.value, prefix="code_t5_benchmark_") as temporary:
        folder = pathlib.Path(temporary)
        _generate(folder / VALIDATION, seed=None, settings=settings)
        found = [
            _run_seed(folder, seed=seed, settings=settings, student_settings=student_settings)
            for seed in map(int, _SEEDS.value)
        ]
        _print_result(found)


if __name__ == "__main__":
    generate_flags.define_settings()
    generate_flags.define_settings(settings=registry.all_settings())
    command_line.run(main)

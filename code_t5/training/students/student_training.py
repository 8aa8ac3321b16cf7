"""Trains the student of a teacher: finds its samples, makes it, and runs the loop.

With cached data, the cache must be of this teacher: of its weights, its sample rate, its ranges,
whatever its fingerprint holds. A teacher whose weights lie in files is opened for that only when
the user says where they are; else its name is compared, and what the training samples say of their
teacher with what the validation samples say.
"""

from __future__ import annotations

import contextlib
import dataclasses
import pathlib
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from code_t5 import errors
from code_t5.encoding.whole_numbers import read_whole_number
from code_t5.storage import atomic
from code_t5.teacher_outputs import only_writer
from code_t5.teacher_outputs import plan as plans
from code_t5.training.students import registry, sources, training_logs, training_loop
from code_t5.training.students.sources import CachedSource, LiveSource, SampleBatches, SampleSource
from code_t5.training.students.student import Student
from code_t5.training.students.training_loop import EpochResult, LoopConfig, StudentLoop
from code_t5.training.teachers import opening, verifying
from code_t5.training.teachers import registry as teacher_registry
from code_t5.training.teachers import teacher as teachers
from code_t5.training.teachers.batching import BatchRunner
from code_t5.training.teachers.opening import CachedSamples
from code_t5.training.teachers.teacher import TRAIN, VALIDATION, Teacher

DEFAULT_BATCH_SIZE = 16
DEFAULT_EPOCHS = 10
DEFAULT_NUM_SAMPLES = 1024
# What a cache of training samples and one of validation samples share.
_SHARED_PARTS = ("teacher", "vocabulary", "options", "schema")


@dataclasses.dataclass(frozen=True)
class StudentTrainingConfig:
    """What is to be trained.

    Attributes:
      teacher: Its number or name.
      output_dir: Gets everything.
      cached_train_path: Training samples; None to ask the live teacher.
      cached_val_path: Validation samples; None to ask the live teacher.
      teacher_settings: Those that are not to be the default.
      student_settings: The same.
      num_samples: Training samples, the first ones; None for all, or for a default if there is no
        end of them.
      num_val_samples: Validation samples, the first ones; None for all.
      epochs: Passes over the training samples.
      batch_size: Samples of a batch.
      learning_rate: None for the student's own.
      seed: Of whatever is drawn.
      num_workers: Processes that read a cache ahead; a live teacher is asked in this one.
      device: Of torch.
      checkpoint_seconds: Between checkpoints; there is one after each epoch as well.
      wandb: Whether to log to Weights & Biases too.
    """

    teacher: str | int
    output_dir: pathlib.Path
    cached_train_path: str | None = None
    cached_val_path: str | None = None
    teacher_settings: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    student_settings: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    num_samples: int | None = None
    num_val_samples: int | None = None
    epochs: int = DEFAULT_EPOCHS
    batch_size: int = DEFAULT_BATCH_SIZE
    learning_rate: float | None = None
    seed: int = 0
    num_workers: int = 1
    device: str = "cpu"
    checkpoint_seconds: float = 60.0
    wandb: bool = False


class _Data(NamedTuple):
    """What a student learns from, before it is known which fields it reads."""

    parts: dict[str, Any]
    train: CachedSamples | LiveSource
    validation: CachedSamples | LiveSource


def train(config: StudentTrainingConfig) -> list[EpochResult]:
    """Trains a student, or goes on with it.

    Args:
      config: What is to be trained.

    Returns:
      What is known of each epoch.

    Raises:
      InputError: Something of the config does not do.
      NotBuiltError: There is no cache, or no such teacher.
      ArtifactError: The cache is damaged or of another teacher, or the checkpoint is damaged.
      BusyError: Another process trains in this directory.
      CodeT5Error: The loss is no number, the disk is full, or wandb does not begin.
      KeyboardInterrupt: Ctrl-C was pressed; the last step is kept.
    """
    for name, at_least in (("epochs", 1), ("batch_size", 1), ("seed", 0)):
        read_whole_number(getattr(config, name), name=f"--{name}", at_least=at_least)
    registry.family_of(config.teacher)
    if config.wandb:
        training_logs.import_wandb()
    data = _cached_data(config) if config.cached_train_path else _live_data(config)
    import torch

    torch.manual_seed(config.seed)
    student = registry.open_student(
        config.teacher,
        parts=data.parts,
        settings=config.student_settings,
        teacher_settings=config.teacher_settings,
    )
    target = only_writer.resolve(config.output_dir)
    with only_writer.clear_disk_errors(target), only_writer.only_writer(target):
        for name in (training_loop.CHECKPOINT_NAME, training_loop.STUDENT_NAME):
            atomic.remove_leftovers(target / name)
        loop = _make_loop(config, student=student, data=data)
        with _open_logs(config, student=student, step=loop.step) as logs:
            return loop.run(logs)


def _make_loop(config: StudentTrainingConfig, *, student: Student, data: _Data) -> StudentLoop:
    """Returns the loop, where its checkpoint is.

    Raises:
      InputError: There are too few samples, or the checkpoint is of another training.
      ArtifactError: It is damaged.
    """
    rate = student.learning_rate if config.learning_rate is None else config.learning_rate
    batches = [
        SampleBatches(
            _source(samples, student=student, num_samples=num_samples),
            collate_fn=student.collate_fn,
            batch_size=config.batch_size,
            seed=config.seed,
            shuffle=samples is data.train,
        )
        for samples, num_samples in (
            (data.train, config.num_samples),
            (data.validation, config.num_val_samples),
        )
    ]
    is_cached = config.cached_train_path is not None
    pin_memory = config.device != "cpu"
    num_workers = config.num_workers if is_cached else 0
    loaders = [
        sources.make_loader(one, num_workers=num_workers, pin_memory=pin_memory) for one in batches
    ]
    identity = {
        "student": {"name": student.name, **student.description},
        "samples": batches[0].source.identity,
        "batch_size": config.batch_size,
        "learning_rate": rate,
        "seed": config.seed,
    }
    return StudentLoop(
        LoopConfig(
            output_dir=config.output_dir,
            epochs=config.epochs,
            learning_rate=rate,
            seed=config.seed,
            device=config.device,
            checkpoint_seconds=config.checkpoint_seconds,
        ),
        student=student,
        train=loaders[0],
        validation=loaders[1],
        identity=identity,
    )


def _source(
    samples: CachedSamples | LiveSource, *, student: Student, num_samples: int | None
) -> SampleSource:
    """Returns the samples that are read.

    Raises:
      InputError: There are fewer than are wanted.
    """
    if isinstance(samples, CachedSamples):
        return CachedSource(samples, fields=student.fields, num_samples=num_samples)
    return samples


@contextlib.contextmanager
def _open_logs(
    config: StudentTrainingConfig, *, student: Student, step: int
) -> Iterator[list[training_logs.TrainingLog]]:
    """Opens the logs that are wanted, and closes them.

    Yields:
      The logs.

    Raises:
      CodeT5Error: wandb does not begin.
    """
    logs: list[training_logs.TrainingLog] = []
    try:
        logs.append(training_logs.TensorBoardLog(config.output_dir, step=step))
        if config.wandb:
            shown = {**dataclasses.asdict(config), "student": dict(student.description)}
            shown["output_dir"] = str(config.output_dir)
            name = config.output_dir.resolve().name
            logs.append(training_logs.WandbLog(config.output_dir, name=name, config=shown))
        yield logs
    finally:
        for log in logs:
            log.close()


def _cached_data(config: StudentTrainingConfig) -> _Data:
    """Opens caches, and looks whether they are of the teacher.

    Raises:
      InputError: A path or a teacher is missing.
      NotBuiltError: There is no cache, or no such teacher.
      ArtifactError: A cache is damaged, or of another teacher.
    """
    train_path, val_path = config.cached_train_path, config.cached_val_path
    if train_path is None or val_path is None:
        raise errors.InputError(
            "cached data was asked for, and one path is missing; wanted --cached_train_path and "
            "--cached_val_path; give both"
        )
    name = teacher_registry.resolve_name(config.teacher)
    train_samples = opening.open_cache(train_path, split=TRAIN, name=name)
    validation = opening.open_cache(val_path, split=VALIDATION, name=name)
    paths = registry.family_of(name).teacher_paths
    if not paths or any(config.teacher_settings.get(path) is not None for path in paths):
        teacher = verifying.teacher_of(
            train_samples, name=name, settings=config.teacher_settings, device=config.device
        )
        train_samples.check_teacher(teacher, split=TRAIN)
        validation.check_teacher(teacher, split=VALIDATION)
    wanted = {part: train_samples.parts.get(part) for part in _SHARED_PARTS}
    said = train_samples.parts.get("data")
    if isinstance(said, dict):
        wanted["data"] = {**said, "split": VALIDATION}
    validation.check_parts(wanted)
    return _Data(dict(train_samples.parts), train_samples, validation)


def _live_data(config: StudentTrainingConfig) -> _Data:
    """Opens the teacher.

    Raises:
      InputError: A number does not do, or a path was given.
      NotBuiltError: There is no such teacher.
    """
    if config.cached_val_path is not None:
        raise errors.InputError(
            "--cached_val_path was given without --cached_train_path; wanted both, or neither to "
            "ask the live teacher; give both"
        )
    teacher = teacher_registry.open_teacher(
        config.teacher, settings=config.teacher_settings, device=config.device
    )
    found = {}
    for split, wanted in ((TRAIN, config.num_samples), (VALIDATION, config.num_val_samples)):
        parts = plans.as_json(
            teachers.expected_parts(teacher, split=split, batch_size=config.batch_size)
        )
        found[split] = (
            parts,
            LiveSource(
                BatchRunner(teacher, batch_size=config.batch_size),
                parts=parts,
                split=split,
                num_samples=_num_samples(teacher, split=split, wanted=wanted),
                seed=sources.seed_of(
                    split, seed=config.seed, draws_at_random=teacher.draws_at_random
                ),
            ),
        )
    return _Data(found[TRAIN][0], found[TRAIN][1], found[VALIDATION][1])


def _num_samples(teacher: Teacher, *, split: str, wanted: int | None) -> int:
    """Returns how many samples a live teacher is asked about.

    Raises:
      InputError: The number does not do.
    """
    available = teacher.num_available(split)
    if wanted is None:
        return DEFAULT_NUM_SAMPLES if available is None else available
    read_whole_number(wanted, name=f"the number of {split} samples", at_least=1)
    if available is not None and wanted > available:
        raise errors.InputError(
            f"found {wanted:,} as the number of {split} samples; wanted at most the {available:,} "
            f"that {teacher.name} has; give fewer"
        )
    return wanted

"""Input functions for t5's trainer that read token caches, and a training that resumes its data.

The trainer asks gin for three functions. `token_train_dataset_fn` and `token_eval_dataset_fn` take
the place of t5's `mesh_train_dataset_fn` and `mesh_eval_dataset_fn`: they make whole blocks of rows
at a time from the token caches that `scripts/cache_tasks.py` writes. `resumable_train_model` takes
the place of mesh-tensorflow's `train_model`: it lets the first of them go on at the checkpoint's
step, and, whatever function the rows come from, logs how full they are, sets how steps are run,
watches them, and refuses what does not fit. `runs/resumable.gin` names all three.

Import this module only in a trainer's process: it registers with gin and imports TensorFlow.
"""

from __future__ import annotations

import dataclasses
import functools
import inspect
import pathlib
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import gin
import numpy as np
import tensorflow.compat.v1 as tf
from absl import logging
from mesh_tensorflow.transformer import dataset as mesh_dataset

from code_t5 import errors
from code_t5.data import row_stream, task_streams, trainer_errors
from code_t5.data.example_stream import TaskStream
from code_t5.data.row_memo import FILE_NAME, RowMemo
from code_t5.data.row_stream import RowStream
from code_t5.pipeline_calls import pipeline_call
from code_t5.training.checkpoints import going_on
from code_t5.training.fill_log import FillLog
from code_t5.training.stepping import session, watch
from code_t5.training.stepping.data_watch import DataWatch

_RESUME = "resume"
# Blocks that are made ahead of the training.
_BLOCKS_AHEAD = 2


@dataclasses.dataclass(frozen=True)
class ResumePoint:
    """Where a training goes on.

    Attributes:
      first_row: Rows that the training has seen.
      batch_size: Rows per step.
      model_dir: Where what is known of the rows is kept.
    """

    first_row: int
    batch_size: int
    model_dir: str


def rows_dataset(rows: RowStream, first_row: int = 0) -> tf.data.Dataset:
    """Returns the rows of a stream, from one on.

    Args:
      rows: The stream.
      first_row: Where to begin.

    Returns:
      One row per element: int32 `[length]` by name.
    """
    first_block, skipped = rows.locate(first_row) if first_row else (0, 0)
    num_blocks = np.iinfo(np.int64).max if rows.num_blocks is None else rows.num_blocks

    @pipeline_call
    def make(index: np.ndarray) -> list[np.ndarray]:
        block = rows.block(int(index))
        start = skipped if index == first_block else 0
        return [block[key][start:] for key in rows.keys]

    def as_features(index: tf.Tensor) -> dict[str, tf.Tensor]:
        arrays = tf.numpy_function(make, [index], [tf.int32] * len(rows.keys))
        features = dict(zip(rows.keys, arrays))
        for key, array in features.items():
            array.set_shape([None, rows.row_length(key)])
        return features

    blocks = tf.data.Dataset.range(first_block, num_blocks).map(as_features)
    return blocks.prefetch(_BLOCKS_AHEAD).unbatch()


@gin.configurable
def token_train_dataset_fn(
    sequence_length: Mapping[str, int],
    *,
    vocabulary: Any = None,
    dataset_split: str = "train",
    mixture_or_task_name: str = gin.REQUIRED,
    seed: int = 0,
    shuffle: bool = True,
    pack: bool = True,
    resume: ResumePoint | None = None,
) -> tf.data.Dataset:
    """Returns the endless rows of a Task or Mixture, as `utils.run.train_dataset_fn` must.

    Args:
      sequence_length: Of the rows' inputs and targets.
      vocabulary: Not looked at: it is the Tasks'.
      dataset_split: Which split to read.
      mixture_or_task_name: Name of the Task or Mixture, cached by `scripts/cache_tasks.py`.
      seed: Another one gives another order and other random numbers.
      shuffle: Whether to draw an order for each epoch.
      pack: Whether to put several examples into a row.
      resume: Where to go on; None begins with the first row.

    Returns:
      One row per element.

    Raises:
      InputError: A name, split, length, rate or objective does not do; or the run to go on with has
        read other data.
      NotBuiltError: A Task is not cached.
      ArtifactError: A cache is damaged or stale.
      SystemExit: In the trainer, any of these; the message is one line.
    """
    del vocabulary
    with trainer_errors.one_line_errors():
        examples, parts = task_streams.open_training(
            mixture_or_task_name,
            split=dataset_split,
            sequence_length=sequence_length,
            seed=seed,
            shuffle=shuffle,
        )
        memo, first_row = None, 0
        if resume is not None:
            memo = _open_memo(resume, {**parts, "pack": pack})
            first_row = resume.first_row
        rows = RowStream(examples, lengths=sequence_length, pack=pack, memo=memo)
        return rows_dataset(rows, first_row)


def _open_memo(resume: ResumePoint, parts: Mapping[str, Any]) -> RowMemo:
    """Opens what the model directory knows of the rows."""
    if "://" in resume.model_dir:
        raise errors.InputError(
            f"the model directory {resume.model_dir} is not on this machine; wanted a folder, as "
            f"{FILE_NAME} is kept there, by which a training goes on with its rows; name a folder "
            "as --model_dir, or read with mesh_train_dataset_fn, without runs/resumable.gin"
        )
    parts = {
        **parts,
        "batch_size": resume.batch_size,
        "block_examples": row_stream.BLOCK_EXAMPLES,
        "version": row_stream.STREAM_VERSION,
    }
    return RowMemo(pathlib.Path(resume.model_dir, FILE_NAME), parts=parts)


@gin.configurable
def token_eval_dataset_fn(
    sequence_length: Mapping[str, int] | None,
    *,
    dataset_split: str,
    vocabulary: Any = None,
    mixture_or_task_name: str = gin.REQUIRED,
    num_eval_examples: int | None = -1,
    pack: bool = False,
    seed: int = 0,
) -> list[mesh_dataset.EvalDataset]:
    """Returns each Task's examples once, as `utils.run.eval_dataset_fn` must.

    Documents come as they stand, and a seed cuts or masks them alike every time.

    Args:
      sequence_length: Of the rows' inputs and targets.
      dataset_split: Which split to read.
      vocabulary: Not looked at: it is the Tasks'.
      mixture_or_task_name: Name of the Task or Mixture, cached by `scripts/cache_tasks.py`.
      num_eval_examples: Most rows of each Task; None or a negative number for all.
      pack: Whether to put several examples into a row.
      seed: Another one gives other random numbers.

    Returns:
      One entry per Task that has the split.

    Raises:
      InputError: A name, split, length or objective does not do.
      NotBuiltError: A Task is not cached.
      ArtifactError: A cache is damaged or stale.
      SystemExit: In the trainer, any of these; the message is one line.
    """
    del vocabulary
    with trainer_errors.one_line_errors():
        if sequence_length is None:
            raise errors.InputError(
                "utils.run.sequence_length is None; wanted lengths, as examples are made to fit "
                "them; set them, or evaluate with mesh_eval_dataset_fn"
            )
        opened = task_streams.open_tasks(
            mixture_or_task_name,
            split=dataset_split,
            sequence_length=sequence_length,
            seed=seed,
            shuffle=False,
        )
    num_rows = -1 if num_eval_examples is None else num_eval_examples
    options = {"lengths": sequence_length, "pack": pack}
    return [
        mesh_dataset.EvalDataset(
            examples.task.name,
            functools.partial(_rows_of_all, examples.stream, num_rows=num_rows, options=options),
            examples.task.postprocess_fn,
            examples.task.metric_fns,
        )
        for examples in opened
    ]


def _rows_of_all(
    stream: TaskStream, *, num_rows: int, options: Mapping[str, Any]
) -> tf.data.Dataset:
    """Returns the rows of every example once, or the first so many."""
    rows = RowStream(stream, num_examples=stream.num_examples, **options)
    # -1 takes all.
    return rows_dataset(rows).take(max(-1, num_rows))


def _is_resumable(train_dataset_fn: Callable[..., tf.data.Dataset]) -> bool:
    # gin wraps what it configures; a signature is that of what is wrapped.
    return _RESUME in inspect.signature(train_dataset_fn).parameters


def _trained_steps(estimator: Any) -> int:
    """Returns the step of the newest checkpoint, 0 without one."""
    if estimator.latest_checkpoint() is None:
        return 0
    return int(estimator.get_variable_value("global_step"))


class _Watches(NamedTuple):
    """Who looks at the batches of a training: when they are made, and when a step takes them."""

    fill_log: FillLog | None
    data_watch: DataWatch | None


def _batches(
    rows: tf.data.Dataset, *, size: int, num_skipped: int, num_ahead: int, watches: _Watches
) -> tf.data.Dataset:
    batches = rows.repeat().batch(size, drop_remainder=True).skip(num_skipped)
    if watches.fill_log is not None:
        batches = watches.fill_log.watch(batches)
    if num_ahead:
        batches = batches.prefetch(num_ahead)
    return batches if watches.data_watch is None else watches.data_watch.watch(batches)


def _resumed(
    make_rows: functools.partial[tf.data.Dataset], point: ResumePoint
) -> functools.partial[tf.data.Dataset]:
    """Has rows go on at a point, and refuses what cannot be read, even if no step is left."""
    logging.info("The data goes on at row %d", point.first_row)
    make_rows = functools.partial(make_rows, **{_RESUME: point})
    # In a graph of its own: there is no model yet.
    with tf.Graph().as_default():
        make_rows()
    return make_rows


def _made_ready(estimator: Any, vocabulary: Any) -> int:
    """Settles what a training goes on from and how it runs; returns its step."""
    with trainer_errors.one_line_errors():
        going_on.prepare(estimator.model_dir, vocabulary)
    session.configure(estimator)
    return _trained_steps(estimator)


def _watches(model_dir: str, *, step: int, every_steps: int | None) -> _Watches:
    # A pipeline whose state is saved can hold no Python function.
    if every_steps is None:
        return _Watches(None, None)
    log = FillLog(model_dir, first_step=step, every_steps=every_steps) if every_steps else None
    return _Watches(log, DataWatch())


def _hooks(estimator: Any, *, step: int, watches: _Watches) -> list[tf.estimator.SessionRunHook]:
    return [
        *going_on.going_on_hooks(estimator.model_dir),
        *watch.step_hooks(estimator.model_dir, first_step=step, **watches._asdict()),
    ]


@gin.configurable
def resumable_train_model(
    estimator: Any,
    vocabulary: Any,
    sequence_length: Mapping[str, int],
    batch_size: int,
    train_dataset_fn: Callable[..., tf.data.Dataset],
    train_steps: int,
    ensemble_inputs: int | None,
    dataset_split: str = "train",
    skip_seen_data: bool = False,
    seen_data_init_step: int = 0,
    checkpoint_input_pipeline: bool = False,
    log_fill_every_steps: int = 100,
    batches_ahead: int = tf.data.experimental.AUTOTUNE,
) -> None:
    """Trains as mesh-tensorflow's `train_model` does; `utils.run` calls it by position.

    Rows of `token_train_dataset_fn` go on at the newest checkpoint, others if `skip_seen_data`.

    Args:
      estimator: The model, its directory and its checkpoints.
      vocabulary: For the function.
      sequence_length: Of the rows' inputs and targets.
      batch_size: Rows per step of each member of an ensemble.
      train_dataset_fn: Gives the rows.
      train_steps: Steps at the end, counted from the model's first.
      ensemble_inputs: Members of an ensemble that get rows of their own; None for none.
      dataset_split: Which split to train on.
      skip_seen_data: Whether to skip what was seen.
      seen_data_init_step: The step at which this data was begun with.
      checkpoint_input_pipeline: Whether checkpoints hold the state of the input pipeline.
      log_fill_every_steps: How often the fill rate is logged; 0 for never.
      batches_ahead: Batches made while a step is worked on; -1 lets tf.data choose, 0 for none.

    Raises:
      SystemExit: In the trainer, the data or a checkpoint does not do; the message is one line.
      CodeT5Error: The same elsewhere.
    """
    step = _made_ready(estimator, vocabulary)
    num_seen = max(0, step - seen_data_init_step)
    rows_per_step = batch_size * (ensemble_inputs or 1)
    settings = {"sequence_length": sequence_length, "vocabulary": vocabulary}
    make_rows = functools.partial(train_dataset_fn, dataset_split=dataset_split, **settings)
    if _is_resumable(train_dataset_fn):
        point = ResumePoint(num_seen * rows_per_step, rows_per_step, estimator.model_dir)
        make_rows = _resumed(make_rows, point)
        skip_seen_data = checkpoint_input_pipeline = False
    every_steps = None if checkpoint_input_pipeline else log_fill_every_steps
    watches = _watches(estimator.model_dir, step=step, every_steps=every_steps)
    num_skipped = num_seen if skip_seen_data else 0
    options = {"size": rows_per_step, "num_skipped": num_skipped, "num_ahead": batches_ahead}
    hooks = _hooks(estimator, step=step, watches=watches)
    if checkpoint_input_pipeline:
        hooks.append(tf.data.experimental.CheckpointInputPipelineHook(estimator))
    with trainer_errors.one_line_errors(), going_on.clear_ending(estimator.model_dir, hooks):
        estimator.train(
            input_fn=lambda params: _batches(make_rows(), watches=watches, **options),
            max_steps=train_steps,
            hooks=hooks,
        )

"""Lets a training go on only from a whole checkpoint that fits the model.

`prepare` comes before anything asks for a checkpoint, the hook of `going_on_hooks` when the model's
variables are known and before any is read; `clear_ending` is put around the training itself.

Import this module only in a trainer's process: it imports TensorFlow.
"""

from __future__ import annotations

import contextlib
import os
import pathlib
import signal
from collections.abc import Iterable, Iterator
from typing import Any

import tensorflow.compat.v1 as tf
from absl import logging

from code_t5 import errors
from code_t5.storage import atomic
from code_t5.training.checkpoints import (
    choosing,
    fitting,
    reading,
    saving,
    stopping,
    vocabulary_record,
)

_LOCK = ".training.lock"
_PURPOSE = "trains there"


def _is_here(model_dir: str | os.PathLike[str] | None) -> bool:
    """Returns whether a model directory is a folder of this machine, and not gs://..."""
    return bool(model_dir) and "://" not in os.fspath(model_dir or "")


def prepare(model_dir: str, vocabulary: Any = None) -> None:
    """Has the newest whole checkpoint of a model directory be the one to go on from.

    Args:
      model_dir: The model directory.
      vocabulary: The trainer's; None where nobody knows it.

    Raises:
      ArtifactError: There are checkpoints, and none is whole.
      VocabularyMismatchError: The model was trained with another vocabulary.
      BusyError: Another training writes there.
    """
    if not _is_here(model_dir):
        return
    with atomic.lock(pathlib.Path(model_dir, _LOCK), purpose=_PURPOSE):
        has_checkpoint = bool(reading.files_by_step(model_dir))
        vocabulary_record.check(model_dir, vocabulary=vocabulary, has_checkpoint=has_checkpoint)
        choice = choosing.choose(model_dir)
    if choice.changes:
        logging.warning("In %s: %s", model_dir, choice.changes)
    if choice.step is not None:
        logging.info("The training goes on from the checkpoint of step %d", choice.step)


def going_on_hooks(model_dir: str) -> list[tf.estimator.SessionRunHook]:
    """Returns the hooks that refuse a checkpoint of another model, and a second training.

    Args:
      model_dir: The model directory.
    """
    return [GoingOnHook(model_dir)] if _is_here(model_dir) else []


@contextlib.contextmanager
def clear_ending(model_dir: str, hooks: Iterable[tf.estimator.SessionRunHook]) -> Iterator[None]:
    """Ends a training in one line where the disk is full, and well where it is asked to stop.

    Args:
      model_dir: The model directory.
      hooks: Those of the training, one of `going_on_hooks` among them.

    Raises:
      NotSavedError: Something could not be written.
      SystemExit: A signal asked the training to stop; all that it has done is saved.
    """
    requests = [hook.stop_request for hook in hooks if isinstance(hook, GoingOnHook)]
    with saving.clear_ending(model_dir), contextlib.ExitStack() as stack:
        for request in requests:
            request.is_wanted = True
            stack.callback(request.leave)
        yield
    number = next((request.signal for request in requests if request.signal), None)
    if number is not None:
        steps = reading.recorded_steps(model_dir)
        name = signal.Signals(number).name
        logging.warning(
            "Stopped by %s; the checkpoint of step %s is saved, and the same command goes on",
            name,
            steps[-1] if steps else "none",
        )
        raise SystemExit(stopping.STATUS_OF_SIGNAL + number)


def check_model(model_dir: str) -> None:
    """Compares the variables of the graph with those of the newest checkpoint.

    Args:
      model_dir: The model directory.

    Raises:
      InputError: The checkpoint is another model's.
      ArtifactError: Its index cannot be read.
    """
    steps = reading.recorded_steps(model_dir)
    if not steps:
        return
    asked = {v.op.name: tuple(v.shape.as_list()) for v in _saved_variables()}
    config = pathlib.Path(model_dir, "operative_config.gin")
    kept = f", or ask for that model, whose settings are in {config}" if config.exists() else ""
    prefix = reading.prefix_of(model_dir, steps[-1])
    warning = fitting.check_fits(
        reading.variable_shapes(prefix),
        asked=asked,
        prefix=str(prefix),
        what_to_do=f"name another --model_dir{kept}; nothing was changed",
    )
    if warning:
        logging.warning("%s", warning)


def _savers() -> list[tf.train.Saver]:
    return tf.get_collection(tf.GraphKeys.SAVERS)


def _saved_variables() -> list[tf.Variable]:
    """Returns what mesh-tensorflow saves: the whole weights; their slices are local variables."""
    return tf.global_variables()


class GoingOnHook(tf.estimator.SessionRunHook):
    """Looks at the model before a checkpoint is read into it, and watches how it is saved.

    Attributes:
      stop_request: Heard as long as `clear_ending` is around the training.
    """

    def __init__(self, model_dir: str) -> None:
        """Does nothing yet.

        Args:
          model_dir: The model directory.
        """
        self._model_dir = model_dir
        self._alone = contextlib.ExitStack()
        self.stop_request = stopping.StopRequest()

    def begin(self) -> None:
        """Compares the model with the newest checkpoint; called before the session is made.

        Raises:
          InputError: The checkpoint is another model's.
          ArtifactError: Its index cannot be read.
          BusyError: Another training writes there.
        """
        lock = atomic.lock(pathlib.Path(self._model_dir, _LOCK), purpose=_PURPOSE)
        # Until the end of the session, or of this process.
        self._alone.enter_context(lock)
        try:
            check_model(self._model_dir)
        except errors.CodeT5Error:
            self._alone.close()
            raise
        for saver in _savers():
            saving.watch_saver(saver, model_dir=self._model_dir)
        warning = saving.room_warning(self._model_dir, _saved_variables())
        if warning:
            logging.warning("%s", warning)

    def after_create_session(self, session: tf.Session, coord: Any) -> None:
        """Begins to listen for signals: from here on there is something to save.

        Args:
          session: Not looked at.
          coord: Not looked at.
        """
        del session, coord
        if self.stop_request.is_wanted:
            self.stop_request.listen()

    def after_run(self, run_context: Any, run_values: Any) -> None:
        """Ends the training after a step if it was asked to stop.

        Args:
          run_context: Takes the request.
          run_values: Not looked at.
        """
        del run_values
        if self.stop_request.signal is not None:
            run_context.request_stop()

    def end(self, session: tf.Session) -> None:
        """Lets others train there.

        Args:
          session: Not looked at.
        """
        del session
        self._alone.close()

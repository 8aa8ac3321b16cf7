"""Ends a training in one line when a checkpoint cannot be written, and keeps those that are.

TensorFlow reports a full disk in as many ways as there are writers. A file-size limit or quota is
even an `OutOfRangeError`, which its training loop takes for the end of the data: the training would
end as if all were well. So the saver itself is watched.

Import this module only in a trainer's process: it imports TensorFlow.
"""

from __future__ import annotations

import contextlib
import errno
import numbers
import os
import re
import shutil
from collections.abc import Iterator
from typing import Any

import tensorflow.compat.v1 as tf

from code_t5 import errors, library_errors
from code_t5.training.checkpoints import choosing, reading

_FULL = re.compile(
    r"No space left on device|Disk quota exceeded|File too large|Read-only file system"
)
_ERRNOS = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS)
_MIB = 1 << 20


class NotSavedError(errors.CodeT5Error):
    """A training could not write what it goes on from; the earlier checkpoints are as they were."""


def _reason(error: BaseException) -> str | None:
    """Returns why nothing more can be written; None for an error of another kind."""
    if isinstance(error, OSError):
        return os.strerror(error.errno or 0) if error.errno in _ERRNOS else None
    found = _FULL.search(str(error)) if isinstance(error, tf.errors.OpError) else None
    return found.group() if found else None


def _message(model_dir: str, what: str) -> str:
    """Returns the line that a training ends with."""
    steps = reading.recorded_steps(model_dir)
    kept = (
        f"the checkpoint of step {steps[-1]} is kept, and the same command goes on from it"
        if steps
        else "no checkpoint was there before; the same command begins anew"
    )
    free = _free_bytes(model_dir) // _MIB
    return (
        f"{what} in {model_dir}, where {free:,} MiB are free; wanted room for a checkpoint; "
        f"{kept}: free some space, or keep fewer checkpoints "
        "(--gin_param='run.keep_checkpoint_max = 1')"
    )


def _free_bytes(model_dir: str) -> int:
    try:
        return shutil.disk_usage(model_dir).free
    except OSError:
        return 0


@contextlib.contextmanager
def clear_ending(model_dir: str) -> Iterator[None]:
    """Turns a full disk, whoever met it, into an error of ours.

    Args:
      model_dir: The model directory.

    Raises:
      NotSavedError: The disk is full, read-only, or a limit is reached.
    """
    try:
        yield
    except (tf.errors.OpError, OSError) as error:
        reason = _reason(error)
        if reason is None:
            raise
        raise NotSavedError(_message(model_dir, f"{reason} while training")) from error


def watch_saver(saver: Any, *, model_dir: str) -> None:
    """Has a saver end in a clear error where it cannot write, and tidy up behind itself.

    Args:
      saver: TensorFlow's; of this one alone `save` is replaced.
      model_dir: The model directory.

    Raises:
      NotSavedError: Not here: whoever saves gets it.
    """
    save = saver.save

    def watched(*arguments: Any, **options: Any) -> Any:
        """Saves as the saver does.

        Raises:
          NotSavedError: It cannot write.
        """
        try:
            return save(*arguments, **options)
        except (tf.errors.OpError, OSError, ValueError) as error:
            if isinstance(error, ValueError) and os.path.isdir(model_dir):
                raise
            # The disk has that room again.
            choosing.remove_leftovers(model_dir)
            reason = _reason(error) or library_errors.one_line(error)
            step = options.get("global_step")
            # It may be a tensor, too.
            of_step = f" of step {step}" if isinstance(step, numbers.Integral) else ""
            what = f"{reason} while saving the checkpoint{of_step}"
            raise NotSavedError(_message(model_dir, what)) from error

    saver.save = watched


def room_warning(model_dir: str, variables: list[Any]) -> str:
    """Returns a warning in one line if the disk has no room for two more checkpoints, else nothing.

    Args:
      model_dir: The model directory.
      variables: TensorFlow's, those that are saved.
    """
    size = sum(v.shape.num_elements() * v.dtype.base_dtype.size for v in variables)
    free = _free_bytes(model_dir)
    if free >= 2 * size:
        return ""
    return (
        f"A checkpoint of this model takes {size / _MIB:,.0f} MiB, and {free / _MIB:,.0f} MiB are "
        f"free in {model_dir}; the training will soon end for want of room: free some"
    )

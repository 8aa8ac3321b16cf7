"""Ends the trainer in one line where a user can mend what is wrong.

The trainer is t5's program: an error that our functions raise in it ends in pages of traceback, to
which gin adds lines for every function that it calls. What gin and seqio let through unchanged is
`SystemExit`, whose message Python prints as it is.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from absl import flags

from code_t5 import errors, pipeline_calls, visible_text

# How gin begins what it adds to the message of an error.
_GIN_LINES = "\n  In call to configurable "


def trainer_flags() -> flags.FlagValues | None:
    """Returns the trainer's flags, or None in another program."""
    values = flags.FLAGS
    is_trainer = values.is_parsed() and "module_import" in values and "t5_tfds_data_dir" in values
    return values if is_trainer else None


def _behind(error: Exception) -> errors.CodeT5Error | None:
    """Returns the error of ours that TensorFlow reports as one of its own; None for any other."""
    is_tensorflows = type(error).__module__.startswith("tensorflow.")
    return pipeline_calls.first_error() if is_tensorflows else None


@contextlib.contextmanager
def one_line_errors() -> Iterator[None]:
    """Turns our errors into the end of the program, in the trainer alone.

    An error of TensorFlow counts as ours if one of ours ended a call of a pipeline. Put this inside
    of a function that gin configures, not around it: gin reads a function's parameters from the
    function itself.

    Raises:
      SystemExit: In the trainer, of an error; the message is one line.
      CodeT5Error: The same elsewhere.
    """
    try:
        yield
    except Exception as error:
        ours = error if isinstance(error, errors.CodeT5Error) else _behind(error)
        if ours is None or trainer_flags() is None:
            raise
        message = str(ours).partition(_GIN_LINES)[0]
        raise SystemExit(f"error: {visible_text.one_line(message)}") from error

"""Ends the trainer before it starts if the Task or Mixture it was asked for cannot be read.

The trainer looks `MIXTURE_NAME` up after gin is parsed and reads data after the graph is built;
without this check a wrong name ends minutes later in a page of traceback.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence

import seqio
from absl import flags

from code_t5 import errors
from code_t5.data import prepared, sources

_BINDING = re.compile(r"""^\s*MIXTURE_NAME\s*=\s*(['"])(?P<name>[^'"]*)\1\s*$""")


def requested_name(gin_params: Sequence[str]) -> str | None:
    """Returns the name that the last `MIXTURE_NAME = '…'` binding gives, if there is one.

    Args:
      gin_params: Values of `--gin_param`.

    >>> requested_name(["run.train_steps = 10", "MIXTURE_NAME = 'dev_prefix_lm'"])
    'dev_prefix_lm'
    """
    matches = [match for match in map(_BINDING.match, gin_params) if match]
    return matches[-1].group("name") if matches else None


def check_name(name: str, built: Sequence[str]) -> None:
    """Checks that a Task or Mixture is registered and that its data can be read.

    Args:
      name: Of the Task or Mixture.
      built: Names of the prepared data sets.

    Raises:
      InputError: No Task or Mixture has that name.
      NotBuiltError: A member's data set is not built.
      ArtifactError: A member's data set is damaged or does not fit its vocabulary.
    """
    known = [*seqio.TaskRegistry.names(), *seqio.MixtureRegistry.names()]
    if name not in known:
        close = difflib.get_close_matches(name, known, n=1)
        hint = f"; did you mean {close[0]}?" if close else ""
        data_dir = prepared.find_data_dir()
        raise errors.InputError(
            f"MIXTURE_NAME is {name!r}, which is no Task or Mixture{hint} Under {data_dir} are "
            f"built: {', '.join(built) or 'none'}; wanted one of those, alone or followed by "
            "_prefix_lm or _span_corruption; build one with scripts/build_dev_dataset.sh "
            f"--data_dir={data_dir}"
        )
    for task in seqio.get_subtasks(seqio.get_mixture_or_task(name)):
        if isinstance(task.source, sources.FlccDataSource):
            task.source.check()


def check_requested(built: Sequence[str]) -> None:
    """Runs `check_name` on the trainer's command line; does nothing in another program.

    Args:
      built: Names of the prepared data sets.

    Raises:
      SystemExit: The name cannot be read; the message is one line.
    """
    values = flags.FLAGS
    if not values.is_parsed() or "gin_param" not in values or "module_import" not in values:
        return
    name = requested_name(values["gin_param"].value or [])
    # A module that is imported after this one may still register the name.
    if name is None or (values["module_import"].value or [""])[-1] != "code_t5":
        return
    try:
        check_name(name, built)
    except errors.CodeT5Error as error:
        raise SystemExit(f"error: {error}") from error

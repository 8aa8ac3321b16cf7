"""Checks that the Task or Mixture that a program was asked for is there and can be read.

The trainer reads data after the graph is built; without this check a wrong name ends minutes later
in a page of traceback. `gin_mixtures.mixture_name` asks right after gin is parsed.
"""

from __future__ import annotations

from typing import Any

import seqio

from code_t5 import errors
from code_t5.data import (
    mixture_definitions,
    nbest_source,
    near_names,
    preprocessors,
    sources,
    token_cache_source,
)
from code_t5.storage import prepared


def check_source(task: seqio.Task) -> None:
    """Checks that the data of a Task can be read, if its source is one of code_t5.

    Args:
      task: The Task.

    Raises:
      NotBuiltError: It is not built.
      ArtifactError: It is damaged or does not fit its vocabulary.
    """
    kinds = (
        sources.FlccDataSource,
        token_cache_source.TokenCacheDataSource,
        nbest_source.NBestDataSource,
    )
    if isinstance(task.source, kinds):
        task.source.check()


def find(
    name: Any, *, asked: str | None = None, wanted: str | None = None
) -> seqio.Task | seqio.Mixture:
    """Returns a Task or Mixture by its name.

    Args:
      name: Of the Task or Mixture.
      asked: How the message begins: who asks for what. By default it is gin's MIXTURE_NAME.
      wanted: How it ends: what is wanted, and what to do. By default with the data sets that are
        built.

    Returns:
      What is registered under the name.

    Raises:
      InputError: Nothing is; the message has near names.
    """
    known = [*seqio.TaskRegistry.names(), *seqio.MixtureRegistry.names()]
    if isinstance(name, str) and name in known:
        return seqio.get_mixture_or_task(name)
    hint = near_names.near_hint(str(name), [*known, *mixture_definitions.bound_names()])
    asked = f"MIXTURE_NAME is {name!r}" if asked is None else asked
    wanted = _built_names() if wanted is None else wanted
    raise errors.InputError(f"{asked}, which is no Task or Mixture{hint or '.'} {wanted}")


def _built_names() -> str:
    """Returns what to say of the data sets that are there."""
    data_dir = prepared.find_data_dir()
    built = [dataset.name for dataset in prepared.list_datasets(data_dir)]
    suffixes = ", ".join(f"_{objective}" for objective in preprocessors.PREPROCESSORS)
    return (
        f"Under {data_dir} are built: {', '.join(built) or 'none'}; wanted one of those, alone or "
        f"followed by one of {suffixes}, or a mixture that a gin file defines, as "
        "mixtures/published.gin does; build a data set with scripts/build_dev_dataset.sh "
        f"--data_dir={data_dir}, or add the --gin_file"
    )


def check_name(name: Any) -> None:
    """Checks that a Task or Mixture is registered and that its data can be read.

    Args:
      name: Of the Task or Mixture.

    Raises:
      InputError: No Task or Mixture has that name.
      NotBuiltError: A member's data set is not built.
      ArtifactError: A member's data set is damaged or does not fit its vocabulary.
    """
    for task in seqio.get_subtasks(find(name)):
        check_source(task)

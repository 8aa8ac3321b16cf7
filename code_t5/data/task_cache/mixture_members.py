"""Replaces Mixtures that gin files define by the Tasks that they are made of, without seqio."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Collection, Sequence

from absl import logging

from code_t5 import errors

_GIN_FOLDER = "gin_configs"


def _trainer_folders() -> list[str]:
    """Returns t5's gin folder, found without importing t5; nothing where it is not installed."""
    spec = importlib.util.find_spec("t5")
    locations = spec.submodule_search_locations if spec else None
    return [os.path.join(folder, "models", "gin") for folder in locations or ()]


def expand_mixtures(
    names: Sequence[str],
    *,
    known: Collection[str],
    gin_files: Sequence[str],
    gin_params: Sequence[str],
) -> list[str]:
    """Returns the names of the Tasks that are asked for; what gin had parsed is forgotten.

    Args:
      names: Of Tasks, and of Mixtures that gin defines.
      known: Names of Tasks.
      gin_files: Files that define Mixtures: paths, or names below `gin_configs`.
      gin_params: Bindings that do.

    Returns:
      Names that gin does not define, in order, each once.

    Raises:
      InputError: gin does not understand the files or bindings, or a definition is not what it
        should be.
    """
    if not gin_files and not gin_params:
        return list(names)
    import gin

    from code_t5.data import mixture_definitions

    with gin.unlock_config():
        gin.clear_config()
        try:
            _parse_gin(gin_files, gin_params)
            found = [mixture_definitions.task_names(name, known=known) for name in names]
        finally:
            gin.clear_config()
    return list(dict.fromkeys(task for tasks in found for task in tasks))


def _parse_gin(gin_files: Sequence[str], gin_params: Sequence[str]) -> None:
    import gin

    # The trainer's own folder first, as in the trainer.
    folders = (*_trainer_folders(), _GIN_FOLDER)
    for name in gin_files:
        if not any(os.path.isfile(os.path.join(folder, name)) for folder in ("", *folders)):
            raise errors.InputError(
                f"there is no gin file {name}; wanted a path, or a name below {_GIN_FOLDER}; run "
                "from the repository's root, or mend the name"
            )
    for folder in folders:
        gin.add_config_file_search_path(folder)
    # gin complains of every folder in which it looks for a file in vain.
    verbosity = logging.get_verbosity()
    logging.set_verbosity(logging.FATAL)
    try:
        # Whatever else the files bind is of no account here.
        gin.parse_config_files_and_bindings(
            list(gin_files), list(gin_params), skip_unknown=True, finalize_config=False
        )
    except (OSError, ValueError, SyntaxError, NameError, ImportError, TypeError) as error:
        raise errors.InputError(
            f"gin does not take --gin_file and --gin_param: {' '.join(str(error).split())}; "
            "wanted files and bindings that define mixtures; mend what is named"
        ) from error
    finally:
        logging.set_verbosity(verbosity)

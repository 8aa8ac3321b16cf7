"""Brings this process into the state in which the trainer reads data.

Modules that register Tasks are imported, gin files and bindings are parsed where and in the order
in which the trainer parses them, and folders of cached Tasks are made known. gin's configuration
and seqio's registries are global to a process, so only a program calls this.
"""

from __future__ import annotations

import contextlib
import copy
import importlib
import os
import pathlib
from collections.abc import Iterator, Sequence
from typing import Any

from absl import logging

from code_t5 import errors
from code_t5.data.preview.preview_config import DEFAULT_LENGTH, PreviewConfig

_GIN_FOLDER = "gin_configs"
_PUBLISHED = "mixtures/published.gin"
_LENGTHS = "mesh_tensorflow.transformer.utils.run.sequence_length"


def register(config: PreviewConfig) -> None:
    """Registers the Tasks and Mixtures of the data directory and of the modules asked for.

    Args:
      config: `module_imports`, `data_dir` and `cache_dirs` of it.

    Raises:
      InputError: A module is not there.
    """
    import seqio

    from code_t5.data import tasks

    tasks.register_tasks(config.data_dir)
    for module in config.module_imports:
        try:
            importlib.import_module(module)
        except ModuleNotFoundError as error:
            raise errors.InputError(
                f"there is no module {error.name} to import for --module_import={module}; wanted "
                "one that registers Tasks; install it, or set PYTHONPATH"
            ) from error
    seqio.add_global_cache_dirs(
        [path for path in config.cache_dirs if path not in seqio.get_global_cache_dirs()]
    )


def _trainer_defaults() -> tuple[pathlib.Path, pathlib.Path, Sequence[str]]:
    """Returns t5's gin folder, the trainer's default file and the names that it passes over."""
    from mesh_tensorflow.transformer import utils
    from t5.models import mesh_transformer

    return (
        pathlib.Path(mesh_transformer.__file__).parent / "gin",
        pathlib.Path(utils.__file__).parent / "gin" / "defaults.gin",
        mesh_transformer.DEPRECATED_GIN_REFERENCES,
    )


def parse_gin(config: PreviewConfig) -> None:
    """Parses gin files and bindings as the trainer does; what an earlier call parsed is forgotten.

    The published mixtures are known without being asked for.

    Args:
      config: `name`, `gin_files`, `gin_params` and `with_path` of it.

    Raises:
      InputError: gin does not understand them.
    """
    import gin

    from code_t5.data import gin_mixtures  # registers what mixtures are defined with  # noqa: F401

    t5_folder, defaults, skipped = _trainer_defaults()
    # Its own folder first, as in the trainer.
    folders = ("", str(t5_folder), _GIN_FOLDER)
    for name in config.gin_files:
        if not any(os.path.isfile(os.path.join(folder, name)) for folder in folders):
            raise errors.InputError(
                f"there is no gin file {name}; wanted a path, or a name below {_GIN_FOLDER} or "
                f"{t5_folder}; run from the repository's root, or mend the name"
            )
    for folder in folders[1:]:
        gin.add_config_file_search_path(folder)
    # By their whole paths: gin complains of every folder that has them not.
    files = [str(path) for path in (defaults, pathlib.Path(_GIN_FOLDER, _PUBLISHED))]
    # Files bind things to MIXTURE_NAME, and gin evaluates them whoever names the mixture.
    named = [] if config.name is None else [f"MIXTURE_NAME = {config.name!r}"]
    with gin.unlock_config(), _quiet():
        gin.clear_config()
        try:
            gin.parse_config_files_and_bindings(
                [*filter(os.path.isfile, files), *config.gin_files],
                bindings=[*config.gin_params, *named],
                skip_unknown=skipped,
                finalize_config=False,
            )
        except (OSError, ValueError, SyntaxError, NameError, ImportError, TypeError) as error:
            raise errors.InputError(
                f"gin does not take --gin_file and --gin_param: {' '.join(str(error).split())}; "
                "wanted files and bindings that the trainer takes; mend what is named"
            ) from error
        if config.with_path:
            _bind_paths(True)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keeps gin from complaining of every folder in which it looks for a file in vain."""
    verbosity = logging.get_verbosity()
    logging.set_verbosity(logging.FATAL)
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)


def _bind_paths(with_path: bool) -> None:
    """Has every objective of ours put repository and path in front of its inputs, or not."""
    import gin

    from code_t5.data import objectives

    for objective in objectives.OBJECTIVES.values():
        gin.bind_parameter(f"code_t5.objectives.{objective.__name__}.with_path", with_path)


def queried(parameter: str) -> Any:
    """Returns the value that gin binds to a parameter or macro, None if it binds none."""
    import gin

    try:
        # A copy is how gin itself turns references to macros into their values.
        return copy.deepcopy(gin.query_parameter(parameter))
    except ValueError:
        return None


def requested_name(config: PreviewConfig) -> str:
    """Returns the Task or Mixture that is asked for.

    Args:
      config: The name stands in it, or gin knows it as `MIXTURE_NAME`.

    Raises:
      InputError: It stands nowhere.
    """
    name = config.name or queried("%MIXTURE_NAME")
    if not isinstance(name, str):
        raise errors.InputError(
            "no Task or Mixture is named, neither here nor as MIXTURE_NAME in gin; wanted one of "
            "those that scripts/preview_task.py --list shows; name it"
        )
    return name


def sequence_lengths(config: PreviewConfig, features: list[str]) -> dict[str, int]:
    """Returns the most tokens by feature: what is asked for, else gin's, else 512.

    Args:
      config: `sequence_length` of it.
      features: Those of the Task or Mixture.

    Returns:
      By feature.

    Raises:
      InputError: A length is asked for that belongs to no feature.
    """
    given = config.sequence_length or {}
    strange = sorted(set(given) - {*features, "inputs", "targets"})
    if strange:
        raise errors.InputError(
            f"--sequence_length names {strange[0]}, and the features are {', '.join(features)}; "
            "wanted lengths of those; leave it out"
        )
    bound = queried(_LENGTHS)
    found = {**(bound if isinstance(bound, dict) else {}), **given}
    return {name: int(found.get(name, DEFAULT_LENGTH)) for name in features}

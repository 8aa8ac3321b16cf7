"""The directory that is filled where there is a network and read where there is none.

    ROOT/hub/           as huggingface_hub lays repositories out (HF_HUB_CACHE)
    ROOT/datasets/      Arrow files that `datasets` prepared (HF_DATASETS_CACHE)
    ROOT/transformers/  links to the models in hub/ (TRANSFORMERS_CACHE)
    ROOT/modules/       scripts of metrics, where `evaluate` imports them (HF_MODULES_CACHE)
    ROOT/artifacts/     one record for each artefact: `records.py`
    ROOT/locks/         who fetches what: `job_locks.py`
    ROOT/env.sh         the settings for a shell: `env_file.py`

A *root* is such a directory. Nothing in it holds a path of the machine, so it may be copied.
"""

from __future__ import annotations

import os
import pathlib
from collections.abc import Mapping
from typing import Union

from code_t5 import errors

PathLike = Union[str, "os.PathLike[str]"]

OFFLINE_FLAGS = (
    "HF_HUB_OFFLINE",
    "HF_DATASETS_OFFLINE",
    "TRANSFORMERS_OFFLINE",
    "HF_EVALUATE_OFFLINE",
)
_MAX_SHOWN = 100


class CacheRoot:
    """Where things lie below a root.

    Attributes:
      path: The root, absolute.
    """

    def __init__(self, path: PathLike) -> None:
        """Takes a directory, which need not be there.

        Args:
          path: With or without `~`.
        """
        self.path = pathlib.Path(os.path.abspath(os.path.expanduser(path)))

    @property
    def hub_dir(self) -> pathlib.Path:
        """Repositories, as huggingface_hub keeps them."""
        return self.path / "hub"

    @property
    def datasets_dir(self) -> pathlib.Path:
        """What `datasets` prepared."""
        return self.path / "datasets"

    @property
    def transformers_dir(self) -> pathlib.Path:
        """Links to the models in `hub_dir`."""
        return self.path / "transformers"

    @property
    def modules_dir(self) -> pathlib.Path:
        """Scripts of metrics."""
        return self.path / "modules"

    @property
    def artifacts_dir(self) -> pathlib.Path:
        """The records."""
        return self.path / "artifacts"

    @property
    def locks_dir(self) -> pathlib.Path:
        """Who fetches what."""
        return self.path / "locks"

    @property
    def env_path(self) -> pathlib.Path:
        """The settings for a shell."""
        return self.path / "env.sh"

    def environment(self, *, is_offline: bool) -> dict[str, str]:
        """Returns the variables by which the libraries find this root, and no other.

        Args:
          is_offline: Whether they may ask the Hub.
        """
        switch = "1" if is_offline else "0"
        return {
            "HF_HOME": str(self.path),
            "HF_HUB_CACHE": str(self.hub_dir),
            "HF_DATASETS_CACHE": str(self.datasets_dir),
            "TRANSFORMERS_CACHE": str(self.transformers_dir),
            "HF_MODULES_CACHE": str(self.modules_dir),
            **{name: switch for name in OFFLINE_FLAGS},
        }


def check_place(path: PathLike, *, flag: str = "cache_dir") -> None:
    """Refuses a path that no directory can have; it need not be there.

    Args:
      path: That was named.
      flag: By which it was named.

    Raises:
      InputError: The system does not take it.
    """
    try:
        os.stat(path)
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        # Whoever reads or writes there says it.
        return
    except (OSError, ValueError) as error:
        shown = os.fspath(path)
        shown = shown if len(shown) <= _MAX_SHOWN else shown[:_MAX_SHOWN] + "..."
        why = getattr(error, "strerror", None) or str(error)
        raise errors.InputError(
            f"{shown!a} cannot be a directory ({why}); wanted a path that the file system takes; "
            f"name another with --{flag}"
        ) from error


def default_root(environment: Mapping[str, str] | None = None) -> CacheRoot:
    """Returns the root that is meant where none is named: an existing `HF_HOME`, else `~/hf-cache`.

    Args:
      environment: Instead of the process's own.
    """
    given = os.environ if environment is None else environment
    home = given.get("HF_HOME", "")
    is_there = bool(home) and os.path.isdir(os.path.expanduser(home))
    return CacheRoot(home if is_there else "~/hf-cache")


def root_of_flag(value: str | None, *, environment: Mapping[str, str] | None = None) -> CacheRoot:
    """Returns the root that `--cache_dir` names, or the default one where it was not given.

    Args:
      value: Of the flag; None if it was not given.
      environment: Instead of the process's own.

    Raises:
      InputError: It is empty, as of a variable of the shell that is not set, or cannot be a path.
    """
    if value is None:
        return default_root(environment)
    if not value.strip():
        raise errors.InputError(
            "--cache_dir is empty; wanted a directory; name one, or leave the flag out"
        )
    check_place(value)
    return CacheRoot(value)


def is_offline(environment: Mapping[str, str] | None = None) -> bool:
    """Says whether one of the libraries' offline flags is set.

    Args:
      environment: Instead of the process's own.
    """
    given = os.environ if environment is None else environment
    # The words that huggingface_hub and datasets take for yes.
    return any(given.get(name, "").upper() in {"1", "ON", "YES", "TRUE"} for name in OFFLINE_FLAGS)

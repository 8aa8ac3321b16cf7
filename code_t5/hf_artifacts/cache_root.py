"""The directory that is filled where there is a network and read where there is none.

    ROOT/hub/           as huggingface_hub lays repositories out (HF_HUB_CACHE)
    ROOT/datasets/      Arrow files that `datasets` prepared (HF_DATASETS_CACHE)
    ROOT/transformers/  links to the models in hub/ (TRANSFORMERS_CACHE)
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

PathLike = Union[str, "os.PathLike[str]"]

OFFLINE_FLAGS = (
    "HF_HUB_OFFLINE",
    "HF_DATASETS_OFFLINE",
    "TRANSFORMERS_OFFLINE",
    "HF_EVALUATE_OFFLINE",
)


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
            **{name: switch for name in OFFLINE_FLAGS},
        }


def default_root(environment: Mapping[str, str] | None = None) -> CacheRoot:
    """Returns the root that is meant where none is named: an existing `HF_HOME`, else `~/hf-cache`.

    Args:
      environment: Instead of the process's own.
    """
    given = os.environ if environment is None else environment
    home = given.get("HF_HOME", "")
    is_there = bool(home) and os.path.isdir(os.path.expanduser(home))
    return CacheRoot(home if is_there else "~/hf-cache")


def is_offline(environment: Mapping[str, str] | None = None) -> bool:
    """Says whether one of the libraries' offline flags is set.

    Args:
      environment: Instead of the process's own.
    """
    given = os.environ if environment is None else environment
    # The words that huggingface_hub and datasets take for yes.
    return any(given.get(name, "").upper() in {"1", "ON", "YES", "TRUE"} for name in OFFLINE_FLAGS)

"""Folders that cost seconds to make, made once per session: pytest's workers share them.

A session fixture is made by each worker of pytest-xdist anew. The first that asks for a folder of
some name makes it here, the others wait for it.
"""

from __future__ import annotations

import fcntl
import os
import pathlib
import shutil
from collections.abc import Callable

import pytest

_MARKER = ".made"


def session_folder(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """Returns a folder that the workers of this session share, and no other session."""
    own = tmp_path_factory.getbasetemp()
    # A worker's lies in that of the session; without workers the folder above is all sessions'.
    shared = (own.parent if own.name.startswith("popen-") else own) / "made_once"
    shared.mkdir(exist_ok=True)
    return shared


def made_once(
    shared: pathlib.Path, name: str, make: Callable[[pathlib.Path], object]
) -> pathlib.Path:
    """Returns a folder that is only to be read; where nobody has made it, makes it.

    Args:
      shared: What `session_folder` returned.
      name: Of the folder.
      make: Fills the folder, which is there and empty. If it raises, the next one tries again.
    """
    folder = shared / name
    with open(shared / f"{name}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / _MARKER).exists():
            shutil.rmtree(folder, ignore_errors=True)
            os.mkdir(folder)
            make(folder)
            (folder / _MARKER).touch()
    return folder

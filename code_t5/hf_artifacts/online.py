"""What must hold before a root is filled: the user lets the libraries ask the Hub."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Mapping, Sequence

from code_t5 import errors
from code_t5.hf_artifacts import cache_root
from code_t5.hf_artifacts.cache_root import OFFLINE_FLAGS


def check_online(
    environment: Mapping[str, str] | None = None, *, arguments: Sequence[str] | None = None
) -> None:
    """Refuses to fetch where the user has forbidden the network.

    Args:
      environment: Instead of the process's own.
      arguments: The program and its arguments, instead of the process's own.

    Raises:
      InputError: One of the libraries' offline flags is set.
    """
    given = os.environ if environment is None else environment
    found = [name for name in OFFLINE_FLAGS if cache_root.is_offline({name: given.get(name, "")})]
    if not found:
        return
    program = sys.argv if arguments is None else arguments
    command = " ".join([*(f"{name}=0" for name in found), "python", shlex.join(program)])
    shown = " and ".join(f"{name}={given[name]}" for name in found)
    raise errors.InputError(
        f"{shown} is set, which forbids to ask the Hub; wanted it off while artefacts are fetched; "
        f"run {command}"
    )

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


def check_token() -> None:
    """Refuses a token that no request can carry.

    Raises:
      InputError: It is so; the token is not shown.
    """
    from huggingface_hub import constants, utils

    try:
        token = utils.get_token() or ""
    except (OSError, ValueError) as error:
        raise errors.InputError(
            f"the token in {constants.HF_TOKEN_PATH} cannot be read ({type(error).__name__}); "
            "wanted a file of text; log in again with `hf auth login`"
        ) from None
    if not all("!" <= character <= "~" for character in token):
        name = "HF_TOKEN" if os.environ.get("HF_TOKEN") else constants.HF_TOKEN_PATH
        raise errors.InputError(
            f"the token in {name} has a character that no token has; wanted one as the Hub gives "
            "them; set it anew, or log in again with `hf auth login`"
        )

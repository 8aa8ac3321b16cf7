"""Why a data set could not be read from what is cached: every place, and the command that mends it.

A place is *refused* when it does not hold what is asked for, or not whole.
"""

from __future__ import annotations

import dataclasses
import json
import shlex
from collections.abc import Sequence
from typing import Any

from code_t5 import errors, library_errors, visible_text
from code_t5.hf_artifacts.loading.dataset_request import DatasetRequest

RECORDED = "Arrow files of a record"
ARROW = "the Arrow cache of datasets"
SNAPSHOT = "hub snapshot"
BUILT = "built directory"
SAVED = "directory of save_to_disk"
_MAX_REASON = 400
_MAX_SHOWN = 12


class NotCachedError(errors.InputError):
    """Nothing that is cached holds what was asked for."""


class NoConfigError(errors.InputError):
    """No configuration is named, and several could be meant.

    Attributes:
      found: What is wrong.
      choices: The configurations that could be named.
    """

    def __init__(self, found: str, *, todo: str, choices: tuple[str, ...]) -> None:
        """Takes what is told.

        Args:
          found: What is wrong.
          todo: What the caller is to do.
          choices: The configurations that could be named.
        """
        super().__init__(f"{found}; wanted one; {todo}")
        self.found = found
        self.choices = choices

    def with_flag(self) -> NoConfigError:
        """Returns the same error for a program, where a flag names the configuration."""
        return NoConfigError(
            self.found, todo=f"add --config={shlex.quote(self.choices[0])}", choices=self.choices
        )


class RefusedError(errors.CodeT5Error):
    """One place does not hold what was asked for; the message is the reason."""


@dataclasses.dataclass(frozen=True)
class Tried:
    """One place that was refused.

    Attributes:
      place: Its kind, in words.
      directory: Where.
      reason: Why.
    """

    place: str
    directory: str
    reason: str

    @property
    def line(self) -> str:
        """The refusal, for a message."""
        return f"{self.place} {self.directory}: {self.reason[:_MAX_REASON]}"


def not_cached(request: DatasetRequest, *, tried: Sequence[Tried], root: str) -> NotCachedError:
    """Returns the error that says what was tried and what to do.

    Args:
      request: What was asked for.
      tried: The places, in the order they were tried.
      root: The cache that is to be filled.
    """
    shown = [f"({number}) {one.line}" for number, one in enumerate(tried, start=1)]
    if len(shown) > _MAX_SHOWN:
        shown = [*shown[:_MAX_SHOWN], f"and {len(shown) - _MAX_SHOWN} more"]
    places = "; ".join(shown)
    text = (
        f"{request.where} is not in what is cached: {places}; wanted one of these to hold it "
        f"whole; where there is a network run: {mending_command(request, root=root)}"
    )
    return NotCachedError(visible_text.one_line(library_errors.hide_secrets(text)))


def mending_command(request: DatasetRequest, *, root: str) -> str:
    """Returns the command that fetches a data set.

    Args:
      request: What is asked for.
      root: The cache.

    >>> mending_command(DatasetRequest("wikiann", "de"), root="/my c")
    "python scripts/precache.py --cache_dir '/my c' --no_conll2003 --no_models --wikiann_langs de"
    """
    words = ["python", "scripts/precache.py", "--cache_dir", root]
    is_simple = not request.chooses_files
    if is_simple and request.path == "conll2003":
        words += ["--no_wikiann", "--no_models"]
        words += ["--revision", request.revision] if request.revision else []
    elif is_simple and request.path == "wikiann" and request.config and not request.revision:
        words += ["--no_conll2003", "--no_models", "--wikiann_langs", request.config]
    else:
        # By a pipe: a file of this name may be the user's own. Some shells' `echo` reads escapes.
        text = json.dumps({"datasets": [_as_entry(request)]})
        command = shlex.join([*words, "--spec", "/dev/stdin"])
        return f"printf %s {shlex.quote(text)} | {command}"
    return shlex.join(words)


def _as_entry(request: DatasetRequest) -> dict[str, Any]:
    entry: dict[str, Any] = {"name": request.path}
    if request.revision:
        entry["revision"] = request.revision
    if request.config:
        entry["configs"] = [request.config]
    if request.data_dir:
        entry["data_dir"] = request.data_dir
    if request.data_files:
        entry["data_files"] = {split: list(files) for split, files in request.data_files.items()}
    return entry

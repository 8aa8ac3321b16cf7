"""Turns what loading a part returns or raises into a verdict of one line."""

from __future__ import annotations

from typing import Callable

from code_t5 import errors, library_errors, network_fence, visible_text
from code_t5.hf_artifacts.checking.load_target import NO, PLAIN_PART, YES

_MAX_SHOWN = 600
# By name: these are of libraries that are not loaded here.
_UNCACHED = {"OfflineModeIsEnabled", "LocalEntryNotFoundError", "NotCachedError"}
_UNCACHED_TEXTS = (
    "offline mode",
    "offlinemode",
    "couldn't connect",
    "couldn't reach",
    "not cached",
)


class NothingToLoadError(errors.CodeT5Error):
    """The artefact has no such part."""


class Verdicts:
    """Collects the verdicts on the parts of one artefact.

    Attributes:
      parts: By part.
      wants_network: Whether one that decides asked for something that is not cached.
    """

    def __init__(self) -> None:
        self.parts: dict[str, str] = {}
        self.wants_network = False

    def try_part(self, part: str, load_fn: Callable[[], str | None]) -> None:
        """Loads one part.

        Args:
          part: Its name.
          load_fn: Loads it, and returns what there is to say of it.
        """
        try:
            note = load_fn()
        except NothingToLoadError as error:
            self.parts[part] = f"-: {error}" if str(error) else "-"
        except MemoryError:
            self.parts[part] = f"{NO}: there is too little memory"
        except Exception as error:  # noqa: BLE001 - any library's, on any damage: it is the verdict
            if part != PLAIN_PART:
                self.wants_network = self.wants_network or _is_uncached(error)
            self.parts[part] = f"{NO}: {describe_error(error)}"
        else:
            self.parts[part] = f"{YES}: {one_line(note)}" if note else YES


def describe_error(error: BaseException) -> str:
    """Returns an error as part of a verdict.

    Args:
      error: Of any library.
    """
    if isinstance(error, errors.CodeT5Error):
        return one_line(library_errors.hide_secrets(str(error)))
    text = library_errors.one_line(error)
    kind = type(error).__name__
    return one_line(text if text == kind else f"{kind}: {text}")


def one_line(text: str) -> str:
    """Returns a text as part of a verdict: short, and nothing that a terminal would obey.

    Args:
      text: Any.
    """
    return visible_text.one_line(" ".join(text.split()))[:_MAX_SHOWN]


def _is_uncached(error: BaseException) -> bool:
    for one in library_errors.causes(error, with_hidden=True):
        if isinstance(one, (network_fence.NetworkBlockedError, ConnectionError)):
            return True
        if type(one).__name__ in _UNCACHED:
            return True
        if isinstance(one, OSError) and any(text in str(one).lower() for text in _UNCACHED_TEXTS):
            return True
    return False

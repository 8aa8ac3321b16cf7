"""Which files of a repository are fetched: those that loading it takes, or those that are named.

A *card* is the README of a repository; the YAML at its head names the configurations of a data set
and the files of each.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Mapping
from typing import TYPE_CHECKING

from code_t5 import errors
from code_t5.hf_artifacts.fetching import dataset_files, model_files
from code_t5.hf_artifacts.requests import ArtefactRequest

if TYPE_CHECKING:
    from code_t5.hf_artifacts.fetching.hub_listing import HubFile

CARD_NAME = "README.md"
MAX_CARD_BYTES = 16 << 20
_NOT_OF_METRICS = {"app.py", "tests.py", "test.py", "setup.py"}


def needs_card(request: ArtefactRequest) -> bool:
    """Says whether the choice depends on what the card says.

    Args:
      request: What is wanted.
    """
    return request.kind == "dataset" and not request.patterns and request.data_files is None


def choose(
    request: ArtefactRequest, *, files: Mapping[str, HubFile], card: bytes = b""
) -> set[str]:
    """Returns the paths that are fetched for a request.

    Args:
      request: What is wanted; its patterns are shell patterns over whole paths, in which `*`
        takes slashes as well, as huggingface_hub has them.
      files: What the repository has.
      card: The content of its README, if `needs_card`.

    Raises:
      InputError: Nothing matches a pattern, or a configuration is not there.
    """
    if request.patterns:
        chosen = set[str]()
        for pattern in request.patterns:
            found = {path for path in files if _matches(path, pattern)}
            if not found:
                raise _nothing(request, f"the pattern {pattern!r}", files)
            chosen |= found
    elif request.kind == "model":
        chosen = model_files.choose_model_files(files)
    elif request.kind == "dataset":
        chosen = dataset_files.choose_dataset_files(request, paths=files, card=card)
    else:
        chosen = {path for path in files if path.endswith(".py") and "/" not in path}
        chosen -= _NOT_OF_METRICS
    ignored = request.ignore_patterns
    chosen = {path for path in chosen if not any(_matches(path, one) for one in ignored)}
    if not chosen:
        raise _nothing(request, "what loading it takes", files)
    return chosen


def _matches(path: str, pattern: str) -> bool:
    return fnmatch.fnmatchcase(path, f"{pattern}*" if pattern.endswith("/") else pattern)


def _nothing(
    request: ArtefactRequest, wanted: str, files: Mapping[str, HubFile]
) -> errors.InputError:
    shown = ", ".join(sorted(files)[:5]) or "nothing"
    return errors.InputError(
        f"{request.where} has {len(files)} files ({shown}, ...), none for {wanted}; wanted at "
        "least one; mend the request (patterns, ignore_patterns, revision)"
    )

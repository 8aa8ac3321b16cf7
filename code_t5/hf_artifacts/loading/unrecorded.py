"""What is known of a snapshot that has no record: the Arrow files beside it tell who filled it.

`datasets` fetches what a program asks for and no more. What it made of it lies in its Arrow cache:
under a configuration's name if all of it was asked for, with a hash behind the name if files,
features or long options were chosen.
"""

from __future__ import annotations

import glob
import pathlib
import re

from code_t5.hf_artifacts.loading import arrow_place, snapshot_files
from code_t5.hf_artifacts.loading.arrow_place import ArrowEntry
from code_t5.hf_artifacts.loading.cards import Card
from code_t5.hf_artifacts.loading.dataset_request import DatasetRequest
from code_t5.hf_artifacts.loading.places import Lookup
from code_t5.hf_artifacts.loading.tried import RefusedError

_HASH = re.compile(r"-[0-9a-f]{16}")


def check_unrecorded(lookup: Lookup, *, snapshot: pathlib.Path, config: str, card: Card) -> bool:
    """Refuses a snapshot that is known to be a part of its repository.

    Args:
      lookup: What is asked for.
      snapshot: Where files of it are.
      config: The configuration's name.
      card: What the repository says of itself.

    Returns:
      Whether all files of the configuration were fetched; False where nobody knows.

    Raises:
      RefusedError: Only some files of the repository were fetched.
    """
    request = lookup.request
    if lookup.tried:
        raise RefusedError("the record that says what was fetched of it cannot be read")
    entries = list(arrow_place.list_entries(lookup, snapshot.name))
    if not request.chooses_files:
        if any(entry.config == config and not _chose_files(entry) for entry in entries):
            return True
        if any(_chose_files(entry) for entry in entries):
            raise RefusedError(_told(entries, "what is asked for"))
        return False
    if entries:
        raise RefusedError(_told(entries, "what is asked for"))
    for name in card.configs:
        if not _has_files(snapshot, name, card=card, path=request.path):
            raise RefusedError(
                f"it has no files of the configuration {name}: it was fetched in part, and which "
                "other files belong to what is asked for is not known"
            )
    _check_patterns(snapshot, request, card=card)
    return False


def _chose_files(entry: ArrowEntry) -> bool:
    """Says whether files may have been chosen; options that are short are written out."""
    return bool(_HASH.fullmatch(entry.config_id[len(entry.config) :]))


def _told(entries: list[ArrowEntry], what: str) -> str:
    there = ", ".join(sorted({entry.config_id for entry in entries}))
    return (
        f"datasets fetched only some files of this commit (its Arrow cache has {there}), and "
        f"which others belong to {what} is not known"
    )


def _has_files(snapshot: pathlib.Path, config: str, *, card: Card, path: str) -> bool:
    try:
        snapshot_files.choose_files(
            snapshot, request=DatasetRequest(path), config=config, card=card
        )
    except RefusedError:
        return False
    return True


def _check_patterns(snapshot: pathlib.Path, request: DatasetRequest, *, card: Card) -> None:
    """Refuses a pattern that finds nothing beside others that do.

    Raises:
      RefusedError: There is one.
    """
    for split, patterns in (request.data_files or {}).items():
        for pattern in patterns if len(patterns) > 1 else ():
            one = DatasetRequest(
                request.path, data_dir=request.data_dir, data_files={split: (pattern,)}
            )
            try:
                snapshot_files.choose_files(snapshot, request=one, config=None, card=card)
            except RefusedError as error:
                if glob.has_magic(pattern):
                    raise RefusedError(f"no file of it matches {pattern!a}") from error
                raise

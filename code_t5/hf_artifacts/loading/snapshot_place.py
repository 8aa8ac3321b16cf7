"""Which files of a snapshot in `hub/` are what is asked for, and whether they are all of it."""

from __future__ import annotations

import dataclasses
import functools
import glob
import logging
import os
import pathlib
from collections.abc import Sequence

from code_t5.hf_artifacts.loading import arrow_place, cards, snapshot_files
from code_t5.hf_artifacts.loading.cards import Card
from code_t5.hf_artifacts.loading.dataset_request import DatasetRequest
from code_t5.hf_artifacts.loading.places import Lookup
from code_t5.hf_artifacts.loading.snapshot_files import ChosenFiles
from code_t5.hf_artifacts.loading.tried import RefusedError
from code_t5.hf_artifacts.records import ArtefactRecord
from code_t5.hf_artifacts.requests import ArtefactRequest


@dataclasses.dataclass(frozen=True)
class SnapshotSource:
    """A configuration in a snapshot, all its files checked.

    Attributes:
      snapshot: Its folder.
      name: The repository's.
      commit: Of the repository.
      config: The configuration's name.
      card: What the repository says of itself.
      chosen: The files.
      splits: Those that are read: the wanted ones where not all are there.
    """

    snapshot: pathlib.Path
    name: str
    commit: str
    config: str
    card: Card
    chosen: ChosenFiles
    splits: tuple[str, ...]


def find_source(
    lookup: Lookup, *, name: str, snapshot: pathlib.Path, config: str
) -> SnapshotSource:
    """Finds what is asked for in one snapshot.

    Args:
      lookup: What is asked for.
      name: The repository's, as its folder has it.
      snapshot: The folder.
      config: The configuration's name.

    Raises:
      RefusedError: It is not there, or not whole.
    """
    request = lookup.request
    card = cards.read_card(snapshot)
    if card.configs and not request.chooses_files and config not in card.configs:
        raise RefusedError(
            f"it has no configuration {config}, only {', '.join(sorted(card.configs))}"
        )
    chosen = snapshot_files.choose_files(snapshot, request=request, config=config, card=card)
    here = os.path.realpath(snapshot)
    records = [
        one.record
        for one in lookup.records_of(snapshot.name)
        if os.path.realpath(one.record.snapshot_dir(one.root)) == here
    ]
    every = tuple(str(split) for split in chosen.data_files)
    source = SnapshotSource(snapshot, name, snapshot.name, config, card, chosen, every)
    check = functools.partial(snapshot_files.check_whole, snapshot, records=records)
    try:
        check(chosen=chosen, splits=every)
        if not request.chooses_files:
            _check_described(source)
    except RefusedError:
        wanted = request.split_names
        if wanted is None:
            raise
        # What is there of other splits does not matter.
        chosen = _only(chosen, wanted)
        check(chosen=chosen, splits=wanted)
        source = dataclasses.replace(source, chosen=chosen, splits=wanted)
    missing = [split for split in request.split_names or () if split not in source.splits]
    if missing:
        raise RefusedError(f"it has no split {', '.join(missing)}, only {', '.join(every)}")
    _check_known(source, request, records)
    return source


def _only(chosen: ChosenFiles, splits: tuple[str, ...]) -> ChosenFiles:
    """Returns the files of some splits."""
    from datasets.data_files import DataFilesDict

    files = {split: found for split, found in chosen.data_files.items() if split in splits}
    patterns = {split: found for split, found in chosen.patterns.items() if str(split) in splits}
    return dataclasses.replace(chosen, data_files=DataFilesDict(files), patterns=patterns)


def _check_described(source: SnapshotSource) -> None:
    """Refuses a snapshot without a file of a split that its README.md describes.

    Raises:
      RefusedError: One is missing.
    """
    info = source.card.infos.get(source.config)
    lacking = [split for split in (info and info.splits) or () if split not in source.splits]
    if lacking:
        raise RefusedError(
            f"no file of the split {', '.join(lacking)} is in it, which its README.md describes"
        )


def _check_known(
    source: SnapshotSource, request: DatasetRequest, records: Sequence[ArtefactRecord]
) -> None:
    """Refuses files of which nobody knows whether they are all that the patterns mean.

    Raises:
      RefusedError: The records of the snapshot chose other files.
    """
    patterns = [name for names in (request.data_files or {}).values() for name in names]
    info = source.card.infos.get(source.config)
    is_described = not request.chooses_files and bool(info and info.splits)
    if is_described or (patterns and not any(glob.has_magic(name) for name in patterns)):
        return
    if not records:
        logging.getLogger(__name__).warning(
            "No record says whether %s is whole; what is there of %s is read",
            source.snapshot, source.name,
        )  # fmt: skip
    elif not any(_covers(record, request, source.config) for record in records):
        chosen = "; ".join(_describe_choice(record.request) for record in records)
        raise RefusedError(
            f"of this commit only some files were fetched ({chosen}); which others belong to what "
            "is asked for is not known"
        )


def _covers(record: ArtefactRecord, request: DatasetRequest, config: str) -> bool:
    """Says whether all files of what is asked for were fetched for a record."""
    asked = record.request
    if asked.patterns or asked.ignore_patterns:
        return False
    if arrow_place.chooses_same(asked, request):
        return not asked.configs or config in asked.configs
    return asked.data_files is None and asked.data_dir is None and not asked.configs


def _describe_choice(asked: ArtefactRequest) -> str:
    fields = asked.as_json()
    names = ("patterns", "ignore_patterns", "configs", "data_dir", "data_files")
    return ", ".join(f"{name} {fields[name]}" for name in names if fields[name])

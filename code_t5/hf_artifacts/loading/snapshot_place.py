"""Which files of a snapshot in `hub/` are what is asked for, and whether they are all of it."""

from __future__ import annotations

import dataclasses
import logging
import os
import pathlib
from collections.abc import Collection, Sequence

from code_t5.hf_artifacts.loading import cards, meant_files, snapshot_files, unrecorded
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
      note: What the user must know of it; may be empty.
    """

    snapshot: pathlib.Path
    name: str
    commit: str
    config: str
    card: Card
    chosen: ChosenFiles
    splits: tuple[str, ...]
    note: str = ""


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
    listing = meant_files.find_listing(lookup, snapshot.name)
    every = tuple(str(split) for split in chosen.data_files)
    if listing is not None:
        every = tuple(
            meant_files.describe_splits(listing, request=request, config=config, card=card)
        )
    source = SnapshotSource(snapshot, name, snapshot.name, config, card, chosen, every)
    try:
        _check(source, request, records=records, listing=listing)
    except RefusedError:
        wanted = request.split_names
        if wanted is None:
            raise
        # What is there of other splits does not matter.
        source = dataclasses.replace(source, chosen=_only(chosen, wanted), splits=wanted)
        _check(source, request, records=records, listing=listing)
    missing = [split for split in request.split_names or () if split not in source.splits]
    if missing:
        raise RefusedError(f"it has no split {', '.join(missing)}, only {', '.join(every)}")
    if listing is not None:
        return source
    return dataclasses.replace(source, note=_check_known(source, lookup, records))


def _check(
    source: SnapshotSource,
    request: DatasetRequest,
    *,
    records: Sequence[ArtefactRecord],
    listing: Collection[str] | None,
) -> None:
    """Refuses splits of which a file is missing, as far as that can be told.

    Raises:
      RefusedError: One is, or has another size than its record says.
    """
    snapshot_files.check_whole(
        source.snapshot, chosen=source.chosen, splits=source.splits, records=records
    )
    is_every = request.split_names is None or source.splits != request.split_names
    if is_every and not request.chooses_files:
        _check_described(source)
    if listing is not None:
        meant_files.check_listing(
            listing,
            snapshot=source.snapshot,
            chosen=source.chosen,
            splits=source.splits,
            request=request,
            config=source.config,
            card=source.card,
        )


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


def _check_known(source: SnapshotSource, lookup: Lookup, records: Sequence[ArtefactRecord]) -> str:
    """Refuses files of which it is not known whether they are all that the request means.

    Returns:
      What the user must know: that nobody says whether they are; empty where that is known.

    Raises:
      RefusedError: Only a part of the repository was fetched.
    """
    request = lookup.request
    info = source.card.infos.get(source.config)
    is_described = not request.chooses_files and bool(info and info.splits)
    is_counted = not request.is_streaming and request.verification != "no_checks"
    if (is_described and is_counted) or meant_files.is_literal(request):
        return ""
    if records:
        if any(
            meant_files.covers(one, request=request, config=source.config, card=source.card)
            for one in records
        ):
            return ""
        chosen = "; ".join(_describe_choice(record.request) for record in records)
        raise RefusedError(
            f"of this commit only some files were fetched ({chosen}); which others belong to what "
            "is asked for is not known"
        )
    if unrecorded.check_unrecorded(
        lookup, snapshot=source.snapshot, config=source.config, card=source.card
    ):
        return ""
    note = f"no record says whether {source.snapshot} is whole; what is there of it is read"
    logging.getLogger(__name__).warning("%s: %s", source.name, note)
    return note


def _describe_choice(asked: ArtefactRequest) -> str:
    fields = asked.as_json()
    names = ("patterns", "ignore_patterns", "configs", "data_dir", "data_files")
    return ", ".join(f"{name} {fields[name]}" for name in names if fields[name])

"""Which files of the whole repository a request means, told though only some of them are here.

A pattern that is matched against a part of a repository finds a part of the files, and nothing
shows that. A *listing* is the paths of all files of a commit: a record has it, of what was fetched
and of what was not. Where there is none, only what needs none is told.
"""

from __future__ import annotations

import glob
import os
import pathlib
import tempfile
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from code_t5.hf_artifacts.loading import arrow_place, cards, snapshot_files
from code_t5.hf_artifacts.loading.cards import Card
from code_t5.hf_artifacts.loading.dataset_request import DatasetRequest
from code_t5.hf_artifacts.loading.places import Lookup
from code_t5.hf_artifacts.loading.snapshot_files import ChosenFiles
from code_t5.hf_artifacts.loading.tried import RefusedError
from code_t5.hf_artifacts.records import ArtefactRecord

# Without these a data set has other configurations, or other types of columns.
_CARDS = ("README.md", ".huggingface.yaml", "dataset_infos.json")
_NO_CARD = Card({}, None, {})


def find_listing(lookup: Lookup, commit: str | None) -> frozenset[str] | None:
    """Returns every file of a commit; None if no record says which there are.

    Args:
      lookup: Where records may be.
      commit: Of the repository.
    """
    for one in lookup.records_of(commit) if commit else ():
        if one.record.others is not None:
            return frozenset((*one.record.files, *one.record.others))
    return None


def is_literal(request: DatasetRequest) -> bool:
    """Says whether every file that is wanted is named."""
    names = [name for names in (request.data_files or {}).values() for name in names]
    return bool(names) and not any(glob.has_magic(name) for name in names)


def covers(record: ArtefactRecord, *, request: DatasetRequest, config: str, card: Card) -> bool:
    """Says whether all files of what is asked for were fetched for a record.

    Args:
      record: Of the commit.
      request: What is asked for.
      config: The configuration's name.
      card: What the repository says of itself.
    """
    asked = record.request
    if asked.patterns or asked.ignore_patterns:
        return False
    if arrow_place.chooses_same(asked, request):
        return not asked.configs or config in asked.configs
    if asked.data_files is not None or asked.data_dir is not None or asked.configs:
        return False
    # Of a repository that lists configurations, only their files were fetched.
    return not (request.chooses_files and card.configs)


def find_files(lookup: Lookup, *, commit: str, config: str) -> Mapping[Any, list[str]] | None:
    """Returns the files that a request with `data_files` or `data_dir` means online.

    Args:
      lookup: What is asked for.
      commit: Of the repository.
      config: The configuration's name.

    Returns:
      Paths in the repository by split, as `datasets` makes a hash of them; None if that cannot be
      told.
    """
    request = lookup.request
    listing = find_listing(lookup, commit)
    try:
        if listing is not None:
            return _of_listing(listing, request=request, config=config, card=_NO_CARD)[0]
        if is_literal(request):
            folder = f"{request.data_dir}/" if request.data_dir else ""
            named = request.data_files or {}
            return {split: [folder + name for name in names] for split, names in named.items()}
    except RefusedError:
        return None
    for _, snapshot in lookup.snapshots(commit):
        try:
            card = cards.read_card(snapshot)
            chosen = snapshot_files.choose_files(
                snapshot, request=request, config=config, card=card
            )
        except RefusedError:
            continue
        records = [one.record for one in lookup.records_of(commit)]
        is_whole = any(covers(one, request=request, config=config, card=card) for one in records)
        # `datasets` names splits by a type of its own where no files were named, and the type is
        # part of the hash: Arrow files with it were made of the whole folder.
        is_folder = request.data_files is None and str not in {*map(type, chosen.data_files)}
        if is_whole or is_folder:
            return chosen.relative_to(snapshot)
    return None


def check_listing(
    listing: Collection[str],
    *,
    snapshot: pathlib.Path,
    chosen: ChosenFiles,
    splits: Sequence[str],
    request: DatasetRequest,
    config: str,
    card: Card,
) -> None:
    """Refuses files of a snapshot that are not all that the whole repository has of them.

    Args:
      listing: Every file of the repository.
      snapshot: Where some of them are.
      chosen: Those of the configuration that are there.
      splits: The splits that are wanted.
      request: What is asked for.
      config: The configuration's name.
      card: What the repository says of itself.

    Raises:
      RefusedError: Files are missing.
    """
    _check_cards(snapshot, listing)
    if all(os.path.isfile(snapshot / path) for path in listing):
        return
    wanted, module = _of_listing(listing, request=request, config=config, card=card)
    here = chosen.relative_to(snapshot, matched=module is None)
    if module not in (None, chosen.module):
        raise RefusedError(
            f"the whole repository is read as {module}, what is there as {chosen.module}: it was "
            "fetched in part"
        )
    meant = {str(split): names for split, names in wanted.items()}
    found = {str(split): names for split, names in here.items()}
    for split in splits:
        lacking = sorted({*meant.get(split, ())} - {*found.get(split, ())})
        if lacking:
            raise RefusedError(
                f"{snapshot_files.several(lacking)} is not there, which the split {split} has on "
                "the Hub: the repository was fetched in part"
            )
        if meant.get(split, []) != found.get(split, []):
            raise RefusedError(f"the split {split} is of other files on the Hub")


def find_splits(lookup: Lookup, *, commit: str | None, config: str) -> list[str] | None:
    """Returns the splits that a request means online; None if that cannot be told.

    Only where patterns kept some from being fetched.

    Args:
      lookup: What is asked for.
      commit: Of the repository.
      config: The configuration's name.
    """
    listing = find_listing(lookup, commit)
    if listing is None or not arrow_place.narrow_dirs(lookup, commit):
        return None
    for _, snapshot in lookup.snapshots(commit):
        try:
            _check_cards(snapshot, listing)
            card = cards.read_card(snapshot)
            return describe_splits(listing, request=lookup.request, config=config, card=card)
        except RefusedError:
            continue
    return None


def describe_splits(
    listing: Collection[str], *, request: DatasetRequest, config: str, card: Card
) -> list[str]:
    """Returns the splits that the whole repository has.

    Args:
      listing: Every file of the repository.
      request: What is asked for.
      config: The configuration's name.
      card: What the repository says of itself.

    Raises:
      RefusedError: It has none of what is asked for.
    """
    files, _ = _of_listing(listing, request=request, config=config, card=card)
    return [str(split) for split, names in files.items() if names]


def _check_cards(snapshot: pathlib.Path, listing: Collection[str]) -> None:
    """Refuses a snapshot without what its repository says of itself.

    Raises:
      RefusedError: It says something that was not fetched.
    """
    for name in _CARDS:
        if name in listing and not os.path.isfile(snapshot / name):
            raise RefusedError(f"{name} is not there: the repository was fetched in part")


def _of_listing(
    listing: Collection[str], *, request: DatasetRequest, config: str, card: Card
) -> tuple[dict[Any, list[str]], str | None]:
    """Returns the files that a configuration has in the whole repository, and their reader.

    The reader is None where it cannot be told without what is in the files (archives).

    Raises:
      RefusedError: There are none.
    """
    with tempfile.TemporaryDirectory(prefix="code_t5-listing-") as folder:
        tree = pathlib.Path(os.path.realpath(folder), "repository")
        try:
            for path in listing:
                (tree / path).parent.mkdir(parents=True, exist_ok=True)
                (tree / path).touch()
        except (OSError, ValueError) as error:
            raise RefusedError(f"the list of its files cannot be laid out ({error})") from error
        found = snapshot_files.match_files(tree, request=request, config=config, card=card)
        try:
            chosen = snapshot_files.choose_of(found, request=request)
        except RefusedError:
            raise
        except Exception:  # noqa: BLE001 - empty archives, of a dozen kinds
            return snapshot_files.below(found.files, tree), None
        return chosen.relative_to(tree), chosen.module

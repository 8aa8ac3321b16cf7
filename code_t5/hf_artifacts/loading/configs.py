"""Which configuration is meant where none is named: one, or an error with the list."""

from __future__ import annotations

import pathlib

from code_t5.hf_artifacts.loading import arrow_place, cards, snapshot_files
from code_t5.hf_artifacts.loading.cards import Card
from code_t5.hf_artifacts.loading.places import Lookup
from code_t5.hf_artifacts.loading.tried import NoConfigError, RefusedError

_DEFAULT = "default"


def choose_config(lookup: Lookup, commit: str | None) -> str:
    """Returns the configuration that is meant.

    Args:
      lookup: What is asked for.
      commit: Of the repository.

    Raises:
      NoConfigError: Several could be meant.
    """
    request = lookup.request
    if request.config is not None:
        return request.config
    cached = arrow_place.configs_cached(lookup, commit)
    listed: list[str] = []
    for _, snapshot in lookup.snapshots(commit) if commit else ():
        try:
            card = cards.read_card(snapshot)
        except RefusedError:
            continue
        if card.default is not None:
            return card.default
        if card.configs and not request.chooses_files:
            listed += [name for name in card.configs if name not in listed]
            cached += [name for name in listed if _has_files(lookup, snapshot, name, card)]
    names = sorted(set(cached))
    if request.chooses_files or _DEFAULT in names or not (names or listed):
        return _DEFAULT
    if len(names) == 1:
        return names[0]
    there = f"there are {', '.join(names)}" if names else "none of its configurations is cached"
    example = (names or listed)[0]
    raise NoConfigError(
        f"{request.where}: no configuration is named, and {there}"
        + (f" (the repository lists {', '.join(listed)})" if listed and not names else ""),
        todo=f"call load_dataset({request.path!r}, {example!r})",
        choices=tuple(names or listed),
    )


def _has_files(lookup: Lookup, snapshot: pathlib.Path, config: str, card: Card) -> bool:
    try:
        snapshot_files.choose_files(snapshot, request=lookup.request, config=config, card=card)
    except RefusedError:
        return False
    return True

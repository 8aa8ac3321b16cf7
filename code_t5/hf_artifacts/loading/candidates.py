"""The places that hold what is asked for, in the order in which they are read.

A *candidate* is a place that passed every check that needs no reading of rows.
"""

from __future__ import annotations

import dataclasses
import glob
import pathlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from code_t5.hf_artifacts.loading import (
    arrow_place,
    arrow_reading,
    cards,
    configs,
    places,
    revisions,
    saved_place,
    snapshot_files,
    snapshot_place,
    snapshot_reading,
)
from code_t5.hf_artifacts.loading.arrow_reading import ArrowFiles
from code_t5.hf_artifacts.loading.places import Lookup
from code_t5.hf_artifacts.loading.snapshot_place import SnapshotSource
from code_t5.hf_artifacts.loading.tried import BUILT, SNAPSHOT, RefusedError, Tried


@dataclasses.dataclass(frozen=True)
class Found:
    """Where a data set is read from.

    Attributes:
      place: Its kind: one of the names in capitals here.
      directory: Where.
      commit: Of the repository; None if that is not known.
      config: Its configuration; None if there is none.
      tried: What was refused before.
    """

    place: str
    directory: pathlib.Path
    commit: str | None
    config: str | None
    tried: tuple[Tried, ...] = ()


@dataclasses.dataclass(frozen=True)
class Candidate:
    """A place that holds what is asked for, as far as can be seen without reading it.

    Attributes:
      found: Where.
      open: Reads it; raises `RefusedError` where it turns out not to hold it.
    """

    found: Found
    open: Callable[[], Any]


def candidates(lookup: Lookup, tried: list[Tried]) -> Iterator[Candidate]:
    """Yields the places that hold what is asked for, as far as can be seen without reading it.

    Args:
      lookup: What is asked for, and where it may be.
      tried: Gets the places that are refused.

    Yields:
      Places, in order.

    Raises:
      InputError: Several commits or configurations could be meant.
    """
    commit = None
    try:
        commit = revisions.find_commit(lookup)
    except RefusedError as error:
        tried.append(revisions.refused(lookup, error))
    else:
        config = configs.choose_config(lookup, commit)
        snapshots = _from_snapshots(lookup, commit, config, tried)
        if lookup.request.is_streaming:
            yield from snapshots
        if lookup.request.uses_prepared:
            yield from _from_arrow(lookup, commit, config, tried)
        if not lookup.request.is_streaming:
            yield from snapshots
    yield from _from_built(lookup, commit, tried)
    if commit is not None:
        others = revisions.describe_others(lookup, commit)
        if others:
            where = str(lookup.caches.hub_dirs[0])
            tried.append(Tried("other commits", where, f"cached: {others}; wanted {commit}"))


def _from_arrow(
    lookup: Lookup, commit: str | None, config: str, tried: list[Tried]
) -> Iterator[Candidate]:
    request = lookup.request
    ids = _config_ids(lookup, commit, config)
    found = arrow_place.find_arrow(lookup, commit=commit, config=config, ids=ids, tried=tried)
    for place, known, arrow in found:

        def open_it(arrow: ArrowFiles = arrow) -> Any:
            loaded = arrow_reading.open_arrow(
                arrow, split=request.split, keep_in_memory=request.keep_in_memory
            )
            return arrow_reading.as_streams(loaded) if request.is_streaming else loaded

        yield Candidate(Found(place, arrow.directory, known, config), open_it)


def _config_ids(lookup: Lookup, commit: str | None, config: str) -> set[str]:
    """Returns what `datasets` would call the directory of what is asked for."""
    files: Mapping[Any, Any] | None = None
    if lookup.request.chooses_files and commit:
        named = lookup.request.data_files or {}
        if named and not any(glob.has_magic(name) for names in named.values() for name in names):
            folder = f"{lookup.request.data_dir}/" if lookup.request.data_dir else ""
            files = {split: [folder + name for name in names] for split, names in named.items()}
        for _, snapshot in lookup.snapshots(commit):
            try:
                chosen = snapshot_files.choose_files(
                    snapshot,
                    request=lookup.request,
                    config=config,
                    card=cards.read_card(snapshot),
                )
            except RefusedError:
                continue
            files = chosen.relative_to(snapshot)
            break
    try:
        return arrow_place.config_ids(lookup, config=config, commit=commit, data_files=files)
    except RefusedError:
        return set()


def _from_snapshots(
    lookup: Lookup, commit: str | None, config: str, tried: list[Tried]
) -> Iterator[Candidate]:
    request, is_any = lookup.request, False
    for name, snapshot in lookup.snapshots(commit) if commit else ():
        is_any = True
        try:
            source = snapshot_place.find_source(lookup, name=name, snapshot=snapshot, config=config)
        except RefusedError as error:
            tried.append(Tried(SNAPSHOT, str(snapshot), str(error)))
            continue

        def open_it(source: SnapshotSource = source) -> Any:
            if request.is_streaming:
                return snapshot_reading.open_stream(source, lookup=lookup)
            arrow = snapshot_reading.prepare(source, lookup=lookup)
            return arrow_reading.open_arrow(
                arrow, split=request.split, keep_in_memory=request.keep_in_memory
            )

        yield Candidate(Found(SNAPSHOT, snapshot, commit, source.config), open_it)
    if not is_any:
        folders = [str(hub / places.folder_name(request.path)) for hub in lookup.caches.hub_dirs]
        reason = f"the commit {commit} is not there" if commit else "it is not there"
        tried.append(Tried(SNAPSHOT, ", ".join(folders), reason))


def _from_built(lookup: Lookup, commit: str | None, tried: list[Tried]) -> Iterator[Candidate]:
    from code_t5.hf_artifacts.built import find

    request = lookup.request
    if request.options or request.features is not None:
        tried.append(Tried(BUILT, find.DEFAULT_OUTPUT_DIR, "features or options are asked for"))
        return
    looked = find.find_built(
        request.path,
        request.config,
        revision=request.revision,
        data_dir=request.data_dir,
        data_files=request.data_files,
        splits=request.split_names or (),
    )
    if looked.found is None:
        tried.append(Tried(BUILT, find.DEFAULT_OUTPUT_DIR, looked.reason))
        return
    built = looked.found
    if commit is not None and built.commit not in (None, "", commit):
        reason = f"it was built of the commit {built.commit}; wanted {commit}"
        tried.append(Tried(BUILT, str(built.directory), reason))
        return

    def open_it() -> Any:
        return saved_place.open_saved(
            pathlib.Path(built.directory),
            split=request.split,
            is_streaming=request.is_streaming,
            keep_in_memory=request.keep_in_memory,
        )

    yield Candidate(
        Found(BUILT, pathlib.Path(built.directory), built.commit, built.config), open_it
    )

"""The places that hold what is asked for, in the order in which they are read.

A *candidate* is a place that passed every check that needs no reading of rows.
"""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from code_t5.hf_artifacts.loading import (
    arrow_place,
    arrow_reading,
    configs,
    meant_files,
    places,
    revisions,
    saved_place,
    snapshot_place,
    snapshot_reading,
)
from code_t5.hf_artifacts.loading.arrow_reading import ArrowFiles
from code_t5.hf_artifacts.loading.dataset_request import DatasetRequest
from code_t5.hf_artifacts.loading.places import Lookup
from code_t5.hf_artifacts.loading.snapshot_place import SnapshotSource
from code_t5.hf_artifacts.loading.tried import BUILT, SNAPSHOT, RefusedError, Tried

if TYPE_CHECKING:
    from code_t5.hf_artifacts.built.find import Looked


@dataclasses.dataclass(frozen=True)
class Found:
    """Where a data set is read from.

    Attributes:
      place: Its kind: one of the names in capitals here.
      directory: Where.
      commit: Of the repository; None if that is not known.
      config: Its configuration; None if there is none.
      tried: What was refused before.
      note: What the user must know of it: that nobody says whether it is whole; may be empty.
    """

    place: str
    directory: pathlib.Path
    commit: str | None
    config: str | None
    tried: tuple[Tried, ...] = ()
    note: str = ""


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
    found = arrow_place.find_arrow(
        lookup,
        commit=commit,
        config=config,
        ids=ids,
        every=meant_files.find_splits(lookup, commit=commit, config=config),
        tried=tried,
    )
    for place, known, arrow in found:

        def open_it(arrow: ArrowFiles = arrow) -> Any:
            loaded = arrow_reading.open_arrow(
                arrow, split=request.split, keep_in_memory=request.keep_in_memory
            )
            return arrow_reading.as_streams(loaded) if request.is_streaming else loaded

        yield Candidate(Found(place, arrow.directory, known, config), open_it)


def _config_ids(lookup: Lookup, commit: str | None, config: str) -> set[str]:
    """Returns what `datasets` would call the directory of what is asked for."""
    files = None
    if lookup.request.chooses_files and commit:
        files = meant_files.find_files(lookup, commit=commit, config=config)
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

        found = Found(SNAPSHOT, snapshot, commit, source.config, note=source.note)
        yield Candidate(found, open_it)
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
    # By the name asked for, else by another of the same repository: it was built by one of them.
    looked = [_find_built(request, name) for name in lookup.names]
    built = next((one.found for one in looked if one.found is not None), None)
    if built is None:
        reasons = "; ".join(one.reason for one in looked)
        tried.append(Tried(BUILT, find.DEFAULT_OUTPUT_DIR, reasons))
        return
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


def _find_built(request: DatasetRequest, name: str) -> Looked:
    from code_t5.hf_artifacts.built import find

    return find.find_built(
        name,
        request.config,
        revision=request.revision,
        data_dir=request.data_dir,
        data_files=request.data_files,
        splits=request.split_names or (),
    )

"""One artefact, from the Hub to its record.

The order: lock; what is there already; fetch and hash; of data sets, prepare; record. `proving`
loads it afterwards, and notes that in the record.
"""

from __future__ import annotations

import contextlib
import dataclasses
import importlib.metadata
from collections.abc import Mapping
from typing import TYPE_CHECKING, Callable, NamedTuple

from code_t5 import errors
from code_t5.hf_artifacts import records, records_beside, unpublished, whole_files
from code_t5.hf_artifacts.cache_root import CacheRoot
from code_t5.hf_artifacts.precache_config import PrecacheConfig
from code_t5.hf_artifacts.records import ArtefactRecord, StoredFile
from code_t5.hf_artifacts.requests import ArtefactRequest

if TYPE_CHECKING:
    from code_t5.hf_artifacts.fetching.hub_listing import HubFile, HubListing
    from code_t5.hf_artifacts.fetching.preparing import PreparingChild

# Letters of the names of files that were not asked for: more are not written down.
_MAX_OTHERS_LENGTH = 4 << 20
_LIBRARIES = ("datasets", "evaluate", "huggingface-hub", "transformers")


class Fetched(NamedTuple):
    """One artefact that is there.

    Attributes:
      record: Of it.
      is_new: Whether something of it was fetched or made now.
    """

    record: ArtefactRecord
    is_new: bool

    @property
    def is_left_unprepared(self) -> bool:
        """Whether patterns chose files of a data set from which nothing could be prepared."""
        request = self.record.request
        return request.kind == "dataset" and request.prepare and not self.record.prepared


def fetch_artefact(
    config: PrecacheConfig,
    *,
    request: ArtefactRequest,
    listing: HubListing,
    moved: Callable[[int], object],
    say: Callable[[str], object],
    doing: Callable[[str], object] = lambda text: None,
    child: PreparingChild | None = None,
) -> Fetched:
    """Makes one artefact be there, if it is not; other jobs that want it wait meanwhile.

    Args:
      config: The root, and how.
      request: What.
      listing: What the Hub says of it.
      moved: Is told of bytes as they are there.
      say: Is told what is waited for.
      doing: Is told what is being done.
      child: That prepares data sets; one is started where there is none.

    Returns:
      Its record, which is on the disk.

    Raises:
      CodeT5Error: It cannot be fetched, or another job holds it for too long.
    """
    title = request.title
    with _lock(config, request, listing=listing, say=say):
        doing(title)
        known = known_record(config.root, request)
        if known is not None and known.commit == listing.commit:
            if whole_files.is_whole(
                config.root, record=known, with_hashes=config.verifies, moved=moved
            ):
                _write_ref(config.root, known)
                return Fetched(known, is_new=_install(config.root, known))
        with unpublished.removed_on_failure(config.root, request=request, commit=listing.commit):
            files = _fetch(config, request, listing=listing, moved=moved, say=say)
            record = _record(request, listing, files=files)
            if request.kind == "dataset" and request.prepare:
                doing(f"preparing {title}")
                record = _prepare(config, record, listing=listing, child=child, say=say)
        records.write_record(config.root, record)
        return Fetched(record, is_new=True)


def add_fetched_files(
    config: PrecacheConfig, *, record: ArtefactRecord, listing: HubListing
) -> None:
    """Takes what the libraries fetched on their own into a record, and writes it.

    Args:
      config: The root, and how.
      record: Of the artefact that they loaded.
      listing: What the Hub has of its commit.

    Raises:
      CodeT5Error: What they fetched is not what the Hub has.
    """
    with _lock(config, record.request, listing=listing):
        whole = _with_others(
            config, record, listing=listing, found=_others(config.root, record, listing=listing)
        )
        if whole != record:
            records.write_record(config.root, whole)


def remove_locks(config: PrecacheConfig, *, record: ArtefactRecord, listing: HubListing) -> None:
    """Removes what `datasets` left in the root when it loaded a data set.

    Nothing is done while another job fetches it: that one does the same.

    Args:
      config: The root, and how.
      record: Of the data set.
      listing: What the Hub has of its commit.
    """
    from code_t5.hf_artifacts.fetching import leftover_locks

    at_once = dataclasses.replace(config, wait_seconds=0.0)
    folders = [config.root.path / prepared.arrow_dir for prepared in record.prepared]
    with contextlib.suppress(errors.BusyError), _lock(at_once, record.request, listing=listing):
        names = {record.request.name, record.repository, listing.repository}
        leftover_locks.remove_locks(config.root, names=names, folders=folders)


def _others(root: CacheRoot, record: ArtefactRecord, *, listing: HubListing) -> dict[str, HubFile]:
    """Returns the files that nobody asked for and that lie there, but not for another record."""
    folder = record.snapshot_dir(root)
    found = {path: file for path, file in listing.others.items() if (folder / path).is_file()}
    if not found:
        return {}
    for other in records_beside.list_beside(root, record):
        found = {path: file for path, file in found.items() if path not in other.files}
    return found


def _write_ref(root: CacheRoot, record: ArtefactRecord) -> None:
    """Says again which commit the revision is; somebody else may have said something else."""
    from code_t5.hf_artifacts.fetching import refs

    refs.write_ref(root, request=record.request, commit=record.commit)


def _lock(
    config: PrecacheConfig,
    request: ArtefactRequest,
    *,
    listing: HubListing,
    say: Callable[[str], object] | None = None,
) -> contextlib.AbstractContextManager[object]:
    """Returns the lock of a repository: two requests of it write to the same folder."""
    from code_t5.hf_artifacts.fetching import job_locks, repository_links

    name = repository_links.folder_name(request, listing.repository)
    return job_locks.job_lock(
        config.root.locks_dir / f"{name}.lock",
        purpose=f"fetches {request.where}",
        wait_seconds=config.wait_seconds,
        say=say,
    )


def known_record(root: CacheRoot, request: ArtefactRequest) -> ArtefactRecord | None:
    """Returns the record that is there; a damaged one counts for none, and is written anew.

    Args:
      root: Where.
      request: Of what.
    """
    try:
        return records.find_record(root, request)
    except errors.ArtifactError:
        return None


def _fetch(
    config: PrecacheConfig,
    request: ArtefactRequest,
    *,
    listing: HubListing,
    moved: Callable[[int], object],
    say: Callable[[str], object],
) -> dict[str, StoredFile]:
    """Fetches what is missing, and returns all of it."""
    from code_t5.hf_artifacts.fetching import download

    root, workers = config.root, config.num_workers
    return download.fetch(
        root, request=request, listing=listing, progress=moved, num_workers=workers, say=say
    )


def _prepare(
    config: PrecacheConfig,
    record: ArtefactRecord,
    *,
    listing: HubListing,
    child: PreparingChild | None,
    say: Callable[[str], object],
) -> ArtefactRecord:
    """Prepares a data set whose files are there; returns its record with what came of it.

    Where patterns chose the files, no other one is fetched for that.
    """
    from code_t5.hf_artifacts.fetching import preparing

    root, folder = config.root, record.snapshot_dir(config.root)
    before = {path for path in listing.others if (folder / path).is_file()}
    beside = list(records_beside.list_beside(root, record))
    is_chosen = bool(record.request.patterns or record.request.ignore_patterns)
    there = {path for other in beside for path in other.files if (folder / path).is_file()}
    prepared = preparing.prepare_dataset(
        root,
        request=record.request,
        commit=record.commit,
        allowed={*record.files, *there} if is_chosen else None,
        child=child,
        say=say,
    )
    for other in beside:
        records_beside.renew_prepared(root, record=other, prepared=prepared)
    # What `datasets` fetched on its own, now or in a run that was interrupted.
    now = {
        path: file
        for path, file in listing.others.items()
        if path not in before and (folder / path).is_file()
    }
    found = {**_others(root, record, listing=listing), **now}
    return dataclasses.replace(
        _with_others(config, record, listing=listing, found=found), prepared=prepared
    )


def _with_others(
    config: PrecacheConfig,
    record: ArtefactRecord,
    *,
    listing: HubListing,
    found: Mapping[str, HubFile],
) -> ArtefactRecord:
    """Returns a record with more files, which are compared with what the Hub has."""
    from code_t5.hf_artifacts.fetching import download

    if not found:
        return record
    more = dataclasses.replace(listing, files=found)
    files = download.fetch(config.root, request=record.request, listing=more)
    others = record.others and tuple(path for path in record.others if path not in files)
    return dataclasses.replace(record, files={**record.files, **files}, others=others)


def _install(root: CacheRoot, record: ArtefactRecord) -> bool:
    """Puts a metric's scripts where `evaluate` looks; says whether they were not there."""
    from code_t5.hf_artifacts.fetching import metric_modules

    if record.request.kind != "metric":
        return False
    folder = record.snapshot_dir(root)
    return metric_modules.install(root, request=record.request, snapshot_dir=folder)


def _record(
    request: ArtefactRequest, listing: HubListing, *, files: Mapping[str, StoredFile]
) -> ArtefactRecord:
    return ArtefactRecord(
        request=request,
        repository=listing.repository,
        commit=listing.commit,
        files=files,
        versions=_versions(),
        others=_names_of_others(listing),
    )


def _names_of_others(listing: HubListing) -> tuple[str, ...] | None:
    """Returns the files that were not asked for; None where they are too many for a record."""
    names = sorted(listing.others)
    return tuple(names) if sum(map(len, names)) <= _MAX_OTHERS_LENGTH else None


def _versions() -> dict[str, str]:
    found = {}
    for name in _LIBRARIES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found

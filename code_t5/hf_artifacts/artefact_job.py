"""One artefact, from the Hub to its record.

The order: lock; what is there already; fetch and hash; of data sets, prepare; record. `proving`
loads it afterwards, and notes that in the record.
"""

from __future__ import annotations

import concurrent.futures
import contextlib
import dataclasses
import importlib.metadata
import os
import pathlib
import shutil
import stat
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Callable, NamedTuple

from code_t5 import errors, parallel
from code_t5.hf_artifacts import records
from code_t5.hf_artifacts.cache_root import CacheRoot
from code_t5.hf_artifacts.precache_config import PrecacheConfig
from code_t5.hf_artifacts.records import ArtefactRecord, PreparedConfig, StoredFile
from code_t5.hf_artifacts.requests import ArtefactRequest
from code_t5.storage import fingerprints

if TYPE_CHECKING:
    from code_t5.hf_artifacts.fetching.hub_listing import HubListing

_LIBRARIES = ("datasets", "evaluate", "huggingface-hub", "transformers")


class Fetched(NamedTuple):
    """One artefact that is there.

    Attributes:
      record: Of it.
      is_new: Whether something of it was fetched or made now.
    """

    record: ArtefactRecord
    is_new: bool


def fetch_artefact(
    config: PrecacheConfig,
    *,
    request: ArtefactRequest,
    listing: HubListing,
    moved: Callable[[int], object],
    say: Callable[[str], object],
) -> Fetched:
    """Makes one artefact be there, if it is not; other jobs that want it wait meanwhile.

    Args:
      config: The root, and how.
      request: What.
      listing: What the Hub says of it.
      moved: Is told of bytes as they are there.
      say: Is told what is waited for.

    Returns:
      Its record, which is on the disk.

    Raises:
      CodeT5Error: It cannot be fetched, or another job holds it for too long.
    """
    with _lock(config, request, listing=listing, say=say):
        known = _known_record(config.root, request)
        if known is not None and known.commit == listing.commit:
            if _is_whole(config.root, known, with_hashes=config.verifies, moved=moved):
                return Fetched(known, is_new=False)
        record = _fetch(config, request, listing=listing, moved=moved, say=say)
        records.write_record(config.root, record)
        return Fetched(record, is_new=True)


def add_fetched_files(
    config: PrecacheConfig, *, record: ArtefactRecord, listing: HubListing
) -> None:
    """Takes what the libraries fetched on their own into a record.

    Args:
      config: The root, and how.
      record: Of the artefact that they loaded.
      listing: What the Hub has of its commit.

    Raises:
      CodeT5Error: What they fetched is not what the Hub has.
    """
    from code_t5.hf_artifacts.fetching import download

    folder = record.snapshot_dir(config.root)
    found = {path: file for path, file in listing.others.items() if (folder / path).is_file()}
    if not found:
        return
    more = dataclasses.replace(listing, files=found)
    with _lock(config, record.request, listing=listing):
        files = download.fetch(config.root, request=record.request, listing=more)
        record = dataclasses.replace(record, files={**record.files, **files})
        records.write_record(config.root, record)


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


def _known_record(root: CacheRoot, request: ArtefactRequest) -> ArtefactRecord | None:
    """Returns the record that is there; a damaged one is written anew."""
    try:
        return records.find_record(root, request)
    except errors.ArtifactError:
        return None


def _is_whole(
    root: CacheRoot, record: ArtefactRecord, *, with_hashes: bool, moved: Callable[[int], object]
) -> bool:
    """Says whether every file of a record is there; what `datasets` prepared is removed if not."""
    counted = 0
    is_whole = True
    for is_right, size_bytes in _check_files(
        record.snapshot_dir(root), record.files, with_hashes=with_hashes
    ):
        is_whole = is_whole and is_right
        counted += size_bytes
        moved(size_bytes)
    for config in record.prepared:
        folder = root.path / config.arrow_dir
        found = _check_files(folder, config.files, with_hashes=with_hashes)
        if not all(is_right for is_right, _ in found):
            _remove_prepared(root, folder)
            is_whole = False
    if not is_whole:
        # They will be counted when they are fetched, or looked at once more.
        moved(-counted)
    return is_whole


def _remove_prepared(root: CacheRoot, folder: pathlib.Path) -> None:
    """Removes what is damaged: `datasets` takes a folder that is there for one that is right."""
    held = pathlib.Path(os.path.realpath(folder))
    # The record may come from elsewhere, and links lead anywhere.
    if pathlib.Path(os.path.realpath(root.datasets_dir)) in held.parents:
        shutil.rmtree(held, ignore_errors=True)


def _check_files(
    folder: pathlib.Path, files: Mapping[str, StoredFile], *, with_hashes: bool
) -> Iterator[tuple[bool, int]]:
    """Yields of each file whether it is right, and its size."""

    def is_right(item: tuple[str, StoredFile]) -> bool:
        path, wanted = item
        try:
            status = (folder / path).stat()
            if not stat.S_ISREG(status.st_mode) or status.st_size != wanted.size_bytes:
                return False
            return not with_hashes or fingerprints.hash_file(folder / path) == wanted.sha256
        except OSError:
            return False

    with concurrent.futures.ThreadPoolExecutor(parallel.default_num_workers()) as threads:
        for answer, file in zip(threads.map(is_right, files.items()), files.values()):
            yield answer, file.size_bytes


def _fetch(
    config: PrecacheConfig,
    request: ArtefactRequest,
    *,
    listing: HubListing,
    moved: Callable[[int], object],
    say: Callable[[str], object],
) -> ArtefactRecord:
    """Returns the record of what was fetched and prepared."""
    from code_t5.hf_artifacts.fetching import download, preparing

    root, workers = config.root, config.num_workers
    files = download.fetch(
        root, request=request, listing=listing, progress=moved, num_workers=workers, say=say
    )
    prepared: tuple[PreparedConfig, ...] = ()
    if request.kind == "dataset":
        prepared = preparing.prepare_dataset(root, request=request, commit=listing.commit)
    return ArtefactRecord(
        request=request,
        repository=listing.repository,
        commit=listing.commit,
        files=files,
        prepared=prepared,
        versions=_versions(),
    )


def _versions() -> dict[str, str]:
    found = {}
    for name in _LIBRARIES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found

"""Fetches the files of a request into `hub/`, hashes each and compares it with the Hub's own hash.

Single files are fetched by huggingface_hub, which keeps half of one as `.incomplete` and goes on
there. A *group* is the files of a commit with the same content: it is fetched once. What is there
and right is not asked for again; what is there and wrong is fetched anew.
"""

from __future__ import annotations

import collections
import contextlib
import dataclasses
import logging
import os
import pathlib
import threading
from collections.abc import Iterator
from typing import Any, Callable

from code_t5 import errors
from code_t5.hf_artifacts.cache_root import CacheRoot
from code_t5.hf_artifacts.fetching import (
    file_hashes,
    file_locks,
    hub_errors,
    metric_modules,
    progress_ticker,
    refs,
    repository_links,
    retries,
    stream_hashes,
    worker_threads,
)
from code_t5.hf_artifacts.fetching.hub_listing import HubFile, HubListing
from code_t5.hf_artifacts.records import StoredFile
from code_t5.hf_artifacts.requests import ArtefactRequest

Moved = Callable[[int], object]


@dataclasses.dataclass
class _Job:
    """What the threads of one fetch share."""

    root: CacheRoot
    request: ArtefactRequest
    listing: HubListing
    ticker: progress_ticker.ProgressTicker
    say: retries.Say | None
    stop: threading.Event

    @property
    def name(self) -> str:
        """The present name, if it stands for the same folder: no request is sent on then."""
        present = repository_links.folder_name(self.request, self.listing.repository)
        is_same = self.folder.resolve() == (self.root.hub_dir / present).resolve()
        return self.listing.repository if is_same else self.request.name

    @property
    def folder(self) -> pathlib.Path:
        return self.root.hub_dir / repository_links.folder_name(self.request)

    def blob_path(self, file: HubFile) -> pathlib.Path:
        return self.folder / "blobs" / file.blob

    def pointer_path(self, path: str) -> pathlib.Path:
        return self.folder / "snapshots" / self.listing.commit / path


def fetch(
    root: CacheRoot,
    *,
    request: ArtefactRequest,
    listing: HubListing,
    progress: Moved | None = None,
    num_workers: int = 8,
    say: retries.Say | None = None,
) -> dict[str, StoredFile]:
    """Fetches what is missing of a listing, and hashes all of it.

    Only one job may do this for a repository at a time: whoever holds its lock (`job_locks`).

    Args:
      root: Where to.
      request: What was asked for; the files lie under its name, and under the present one.
      listing: What the Hub has.
      progress: Is told of bytes as they are on the disk; what was there already counts too.
      num_workers: Files at once.
      say: Is told what is waited for.

    Returns:
      Every file of `listing.files`, as it is on the disk.

    Raises:
      InputError: The repository is gated, or not there any more.
      HubUnreachableError: The Hub gives no answer.
      ArtifactError: The Hub sends something else than it lists.
    """
    repository_links.link_repository(root, request=request, repository=listing.repository)
    ticker = progress_ticker.ProgressTicker(progress or (lambda count: None))
    job = _Job(root, request, listing, ticker, say, threading.Event())
    groups: dict[HubFile, list[str]] = collections.defaultdict(list)
    for path, file in listing.files.items():
        groups[file].append(path)
    # The largest first: none is left over for one thread at the end.
    ordered = sorted(groups.items(), key=lambda group: -group[0].size_bytes)
    with quiet_libraries(), file_locks.forgiving_flock(), contextlib.closing(ticker):
        stored = worker_threads.map_in_threads(
            lambda group: _fetch_group(job, group[0], paths=group[1]),
            inputs=ordered,
            num_threads=num_workers,
            stop=job.stop,
        )
    refs.write_ref(root, request=request, commit=listing.commit)
    if request.kind == "metric":
        folder = job.folder / "snapshots" / listing.commit
        metric_modules.install(root, request=request, snapshot_dir=folder)
    by_file = {file: held for (file, _), held in zip(ordered, stored)}
    return {path: by_file[file] for path, file in listing.files.items()}


def missing_bytes(root: CacheRoot, *, request: ArtefactRequest, listing: HubListing) -> int:
    """Returns how much of a listing is not here yet, by names and sizes alone.

    Args:
      root: Where it would lie.
      request: What was asked for.
      listing: What the Hub has.
    """
    names = {repository_links.folder_name(request)}
    names.add(repository_links.folder_name(request, listing.repository))
    missing = 0
    for file in set(listing.files.values()):
        blobs = [root.hub_dir / name / "blobs" / file.blob for name in names]
        halves = [blob.with_name(f"{blob.name}.incomplete") for blob in blobs]
        held = max(map(_size, [*blobs, *halves]))
        missing += max(0, file.size_bytes - held)
    return missing


@contextlib.contextmanager
def quiet_libraries() -> Iterator[None]:
    """Keeps huggingface_hub from drawing bars and from logging addresses for some time.

    Yields:
      Nothing.
    """
    import warnings

    from huggingface_hub import utils

    logger = logging.getLogger("huggingface_hub")
    level, had_bars = logger.level, not utils.are_progress_bars_disabled()
    logger.setLevel(logging.CRITICAL)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        utils.disable_progress_bars()
        try:
            yield
        finally:
            logger.setLevel(level)
            if had_bars:
                utils.enable_progress_bars()


def _size(path: pathlib.Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _fetch_group(job: _Job, file: HubFile, *, paths: list[str]) -> StoredFile:
    """Returns a content as it is on the disk, under all its names.

    Raises:
      ArtifactError: The Hub sends something else than it lists.
      CodeT5Error: It cannot be fetched.
    """
    half = job.blob_path(file).with_name(f"{file.blob}.incomplete")
    # huggingface_hub would ask for what is behind the end, for ever.
    if _size(half) > file.size_bytes:
        half.unlink(missing_ok=True)
    stored = _hash_or_remove(job, file, path=job.blob_path(file))
    for path in paths:
        pointer = job.pointer_path(path)
        if os.path.realpath(pointer) != os.path.realpath(job.blob_path(file)):
            # A copy, as file systems without links have them; or it leads elsewhere.
            held = None if pointer.is_symlink() else _hash_or_remove(job, file, path=pointer)
            if held is None:
                pointer.unlink(missing_ok=True)
            stored = stored or held
        if stored is None or not pointer.exists():
            fetched = _download(job, path, file=file, is_new=stored is None)
            stored = stored or fetched
    if stored is None:
        raise errors.ArtifactError(
            f"{hub_errors.endpoint()} sent {paths[0]} of {job.request.name} twice with another "
            f"content than it lists ({file.blob}); wanted the file of commit "
            f"{job.listing.commit}; run the command again later, or tell the Hub's owners"
        )
    return stored


def _hash_or_remove(job: _Job, file: HubFile, *, path: pathlib.Path) -> StoredFile | None:
    """Returns the hashes of a content that is here and right; one that is wrong is removed."""
    if not path.is_file():
        return None
    counted = 0

    def moved(count: int) -> None:
        nonlocal counted
        counted += count
        job.ticker.tell(count)

    stored = None
    if _size(path) == file.size_bytes:
        stored = file_hashes.hash_content(os.fspath(path), wanted=file, moved=moved)
    if stored is not None and stored.blob == file.blob:
        return stored
    job.ticker.tell(-counted)
    path.unlink(missing_ok=True)
    return None


def _download(job: _Job, path: str, *, file: HubFile, is_new: bool) -> StoredFile | None:
    """Fetches a file, once more if it is not what it should be; None if it still is not.

    Raises:
      CodeT5Error: It cannot be fetched.
    """
    if not is_new:
        # The content is here; huggingface_hub makes the name.
        _ask_for(job, path)
        return None
    return _download_once(job, path, file=file) or _download_once(job, path, file=file)


def _download_once(job: _Job, path: str, *, file: HubFile) -> StoredFile | None:
    blob = job.blob_path(file)
    half = f"{os.fspath(blob)}.incomplete"
    with job.ticker.watching(half, size_bytes=file.size_bytes) as watched:
        with stream_hashes.hashing(file, half_path=half) as stream:
            _ask_for(job, path)
            stored = stream.finish()
        if stored is not None and stored.blob == file.blob:
            watched.is_done = True
            return stored
    # It came by another way, or not from front to back: the disk alone counts.
    return _hash_or_remove(job, file, path=blob if blob.is_file() else job.pointer_path(path))


def _ask_for(job: _Job, path: str) -> None:
    """Lets huggingface_hub fetch a file.

    Raises:
      CodeT5Error: It cannot.
    """
    import huggingface_hub

    def ask() -> Any:
        stream_hashes.watch_session()
        return huggingface_hub.hf_hub_download(
            job.name,
            path,
            repo_type=job.request.repository_type,
            revision=job.listing.commit,
            cache_dir=job.root.hub_dir,
        )

    try:
        retries.call(ask, what=f"{job.request.name}/{path}", say=job.say, stop=job.stop)
    except Exception as error:
        if isinstance(error, OSError) and error.errno in hub_errors.DISK_ERRORS:
            raise
        told = hub_errors.as_hub_error(error, request=job.request)
        if told is None:
            raise errors.CodeT5Error(
                f"huggingface_hub cannot fetch {path} of {job.request.name} "
                f"({type(error).__name__}: {hub_errors.describe(error)}); wanted the file; see to "
                "what it says, and run the command again: it goes on"
            ) from error
        raise told from error

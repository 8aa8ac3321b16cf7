"""Fills a root: asks the Hub, fetches what is missing, proves that it loads without a network.

Each artefact is on its own: one that cannot be fetched keeps none of the others from it. Whatever
is on the disk already is not fetched again, so that the same command goes on where one stopped.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import pathlib
import sys
import threading
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Union

from tqdm import tqdm

from code_t5 import errors, library_errors, progress, visible_text
from code_t5.hf_artifacts import (
    artefact_job,
    cache_root,
    env_file,
    online,
    precache_report,
    proving,
    records_beside,
    told_bar,
)
from code_t5.hf_artifacts.artefact_job import Fetched
from code_t5.hf_artifacts.cache_root import CacheRoot
from code_t5.hf_artifacts.precache_config import PrecacheConfig
from code_t5.hf_artifacts.precache_report import Outcome
from code_t5.hf_artifacts.requests import ArtefactRequest

if TYPE_CHECKING:
    from code_t5.hf_artifacts.fetching.hub_listing import HubListing
    from code_t5.hf_artifacts.fetching.preparing import PreparingChild

    Listed = Union[HubListing, Outcome]

# Questions of some kilobytes: so many at once are no burden.
_MAX_QUESTIONS = 4


def precache(config: PrecacheConfig) -> list[Outcome]:
    """Fetches what is asked for, or in a dry run says what would be fetched.

    Args:
      config: What.

    Returns:
      What became of each request, in their order.

    Raises:
      InputError: The network is forbidden, the root cannot be written, or there is too little
        space.
    """
    online.check_online()
    online.check_token()
    cache_root.check_place(config.root.path)
    listings = _ask(config.requests)
    wanted = [_wanted(config.root, request, listing) for request, listing in listings]
    if config.is_dry_run:
        return wanted
    precache_report.check_room(config.root, wanted)
    _make_root(config.root)
    env_file.write_env_file(config.root)
    outcomes = {outcome.request.slug: outcome for outcome in wanted}
    good = {request.slug: found for request, found in listings if not isinstance(found, Outcome)}
    with _preparing_child(config.root, good=good, requests=config.requests) as child:
        fetched = _fetch_all(config, outcomes, listings=good, child=child)
    if config.verifies:
        unproved = [
            one.record
            for one in fetched.values()
            if not one.is_left_unprepared and (one.is_new or not one.record.is_proved)
        ]
        reasons = proving.prove_records(config, found=unproved, listings=good)
    else:
        reasons = {}
    for slug, one in fetched.items():
        left = records_beside.left_behind(config.root, one.record)
        outcomes[slug] = _judge(outcomes[slug], one, reason=reasons.get(slug), left=left)
    return list(outcomes.values())


def describe(outcomes: Sequence[Outcome], *, config: PrecacheConfig) -> list[str]:
    """Returns what a program prints of what became of the requests.

    Args:
      outcomes: As `precache` returned them.
      config: As it was given.
    """
    write = precache_report.describe_wanted if config.is_dry_run else precache_report.describe_done
    return write(outcomes, root=config.root)


def _ask(requests: Sequence[ArtefactRequest]) -> list[tuple[ArtefactRequest, Listed]]:
    """Returns what the Hub says of each request, or why it does not."""
    from code_t5.hf_artifacts.fetching import hub_listing, worker_threads

    def ask(request: ArtefactRequest) -> tuple[ArtefactRequest, Listed]:
        try:
            return request, hub_listing.ask_hub(request, say=_say)
        except (errors.CodeT5Error, OSError, ValueError) as error:
            return request, _failed(Outcome(request, is_good=True, reason=""), error)

    return worker_threads.map_in_threads(
        ask, inputs=requests, num_threads=_MAX_QUESTIONS, stop=threading.Event()
    )


def _say(text: str) -> None:
    """Tells the user what is waited for, above the bar if there is one."""
    tqdm.write(visible_text.one_line(text), file=sys.stderr)


def _wanted(root: CacheRoot, request: ArtefactRequest, listing: Listed) -> Outcome:
    """Returns what would be fetched."""
    from code_t5.hf_artifacts.fetching import download

    if isinstance(listing, Outcome):
        return listing
    missing = download.missing_bytes(root, request=request, listing=listing)
    return Outcome(
        request,
        is_good=True,
        reason="",
        commit=listing.commit,
        num_files=len(listing.files),
        size_bytes=listing.size_bytes,
        present_bytes=listing.size_bytes - missing,
    )


def _preparing_child(
    root: CacheRoot, *, good: Mapping[str, HubListing], requests: Sequence[ArtefactRequest]
) -> contextlib.AbstractContextManager[PreparingChild | None]:
    """Returns the process that prepares data sets; none where all of them seem to be there.

    It begins to import `datasets` while files are fetched.
    """
    from code_t5.hf_artifacts.fetching import preparing

    for request in requests:
        listing = good.get(request.slug)
        if listing is None or request.kind != "dataset" or not request.prepare:
            continue
        known = artefact_job.known_record(root, request)
        if known is None or known.commit != listing.commit:
            return preparing.PreparingChild(root)
    return contextlib.nullcontext()


def _fetch_all(
    config: PrecacheConfig,
    outcomes: dict[str, Outcome],
    *,
    listings: Mapping[str, HubListing],
    child: PreparingChild | None,
) -> dict[str, Fetched]:
    """Fetches one after the other, and notes what cannot be.

    Returns:
      Those that are there, by slug.
    """
    fetched = {}
    total = sum(listing.size_bytes for listing in listings.values())
    with (
        progress.progress_bar(
            description="fetching", unit="B", total=total, unit_scale=True
        ) as bar,
        told_bar.telling(bar) as doing,
    ):
        for slug, listing in listings.items():
            request = outcomes[slug].request
            try:
                fetched[slug] = artefact_job.fetch_artefact(
                    config,
                    request=request,
                    listing=listing,
                    moved=bar.update,
                    say=_say,
                    doing=doing,
                    child=child,
                )
            except (errors.CodeT5Error, OSError) as error:
                outcomes[slug] = _failed(outcomes[slug], error)
    return fetched


def _judge(
    outcome: Outcome, fetched: Fetched, *, reason: str | None, left: Sequence[ArtefactRequest]
) -> Outcome:
    """Returns what became of an artefact that is there.

    Args:
      outcome: What was wanted.
      fetched: What is there.
      reason: Why it does not load; empty if it does, None if that was not tried now.
      left: Requests whose branch has moved on with this one.
    """
    done = "fetched" if fetched.is_new else "there already"
    if fetched.is_left_unprepared:
        done += ", not prepared: its patterns leave out what `datasets` would read"
    if reason:
        return dataclasses.replace(outcome, is_good=False, reason=f"{done}, but {reason}")
    if reason is not None:
        done += ", loads without a network"
    elif fetched.is_new and not fetched.is_left_unprepared:
        done += ", not verified"
    if left:
        titles = ", ".join(request.full_title for request in left)
        done += (
            f"; {titles} was fetched at an earlier commit of the same branch, and is not found "
            "there any more: run precache.py for it again as well"
        )
    return dataclasses.replace(outcome, reason=done)


def _make_root(root: CacheRoot) -> None:
    """Makes the folders of a root.

    Raises:
      InputError: That cannot be done.
    """
    folders = [root.hub_dir, root.datasets_dir, root.transformers_dir]
    for folder in [*folders, root.artifacts_dir, root.locks_dir]:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            is_writable = os.access(folder, os.W_OK | os.X_OK)
        except OSError as error:
            raise _no_root(folder, error.strerror or type(error).__name__) from error
        if not is_writable:
            raise _no_root(folder, f"it belongs to {_owner(folder)}, and may not be written")


def _no_root(folder: pathlib.Path, found: str) -> errors.InputError:
    return errors.InputError(
        f"cannot write to {folder}: {found}; wanted a directory of your own; name another with "
        "--cache_dir, or ask its owner"
    )


def _owner(folder: pathlib.Path) -> str:
    try:
        return folder.owner()
    except (KeyError, OSError):
        return "somebody else"


def _failed(outcome: Outcome, error: Exception) -> Outcome:
    """Returns what became of a request that failed."""
    # What was asked for cannot be had; all else may be another time.
    may_pass = not isinstance(error, (errors.InputError, ValueError))
    return dataclasses.replace(outcome, is_good=False, reason=_reason_of(error), may_go_on=may_pass)


def _reason_of(error: Exception) -> str:
    """Returns why an artefact is not there: found, wanted, what to do."""
    from code_t5.hf_artifacts.fetching import hub_errors

    if isinstance(error, errors.CodeT5Error):
        return hub_errors.without_tokens(str(error))
    if isinstance(error, OSError) and error.errno in hub_errors.FULL_DISK:
        where = f" while writing {error.filename}" if error.filename else ""
        return (
            f"no space left on the device{where}; wanted room for it; free some or choose another "
            "--cache_dir"
        )
    if isinstance(error, PermissionError):
        return (
            f"no permission for {error.filename}; wanted to read and write it; change its "
            "permissions, or choose another --cache_dir"
        )
    return hub_errors.without_tokens(library_errors.one_line(error))

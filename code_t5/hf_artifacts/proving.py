"""Loads what was fetched with no network, and lets the libraries fetch what was missed.

A record is written when all its files are there, and once more when it was proved: whoever is
killed between the two proves it the next time, and fetches nothing.
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from code_t5 import errors, progress
from code_t5.hf_artifacts import artefact_job, records, told_bar
from code_t5.hf_artifacts.cache_root import CacheRoot
from code_t5.hf_artifacts.precache_config import PrecacheConfig
from code_t5.hf_artifacts.records import ArtefactRecord

if TYPE_CHECKING:
    from code_t5.hf_artifacts.checking.load_target import LoadTarget, Proof
    from code_t5.hf_artifacts.fetching.hub_listing import HubListing
_MAX_SHOWN = 60


def prove_records(
    config: PrecacheConfig, *, found: Sequence[ArtefactRecord], listings: Mapping[str, HubListing]
) -> dict[str, str]:
    """Loads artefacts without a network, and notes in their records which were proved.

    Args:
      config: The root, and how.
      found: Their records.
      listings: What the Hub has of each, by its request's slug.

    Returns:
      Why one does not load, by its request's slug; empty of those that do.
    """
    try:
        return _prove_all(config, found=found, listings=listings)
    finally:
        for record in found:
            if record.request.kind == "dataset":
                artefact_job.remove_locks(
                    config, record=record, listing=listings[record.request.slug]
                )


def _prove_all(
    config: PrecacheConfig, *, found: Sequence[ArtefactRecord], listings: Mapping[str, HubListing]
) -> dict[str, str]:
    root = config.root
    # Others may have been fetched since, and prepared their Arrow files again.
    found = [_read(root, record) for record in found]
    first = dict(_prove(root, found))
    missed = [
        record
        for record in found
        if _may_lack_files(
            record, first[record.request.slug], listing=listings[record.request.slug]
        )
    ]
    if missed:
        _warm(config, missed, listings=listings)
        first.update(_prove(root, [_read(root, record) for record in missed]))
    return {slug: "" if proof.is_good else proof.reason for slug, proof in first.items()}


def _is_all_prepared(record: ArtefactRecord) -> bool:
    asked = record.request
    return asked.prepare and not asked.patterns and not asked.ignore_patterns


def _may_lack_files(record: ArtefactRecord, proof: Proof, *, listing: HubListing) -> bool:
    kind = record.request.kind
    if proof.is_good or kind == "metric":
        # Of metrics nothing more is fetched: that would run their script with a network.
        return False
    if kind == "dataset" and not _is_all_prepared(record):
        # `datasets` would fetch what is not wanted, and prepare it.
        return False
    # A tokenizer that lacks a file says so in as many ways as there are tokenizers.
    return proof.wants_network or (kind == "model" and bool(listing.others))


def _read(root: CacheRoot, record: ArtefactRecord) -> ArtefactRecord:
    return records.find_record(root, record.request) or record


def _target(record: ArtefactRecord) -> LoadTarget:
    from code_t5.hf_artifacts.checking.load_target import LoadTarget

    splits = {config.config: config.splits for config in record.prepared}
    return LoadTarget(record.request, commit=record.commit, splits=splits, may_run=True)


def _prove(root: CacheRoot, found: Sequence[ArtefactRecord]) -> Iterator[tuple[str, Proof]]:
    """Yields the proof of each record by its slug."""
    from code_t5.hf_artifacts.checking import load_checks

    proofs = load_checks.load_targets(root, [_target(record) for record in found])
    with (
        progress.progress_bar(
            description="loading offline", unit="artefact", total=len(found)
        ) as bar,
        told_bar.telling(bar) as doing,
    ):
        titles = [record.request.title for record in found]
        doing(titles[0] if titles else "")
        # The proofs first: so their end is reached.
        for number, (proof, record) in enumerate(zip(proofs, found), 1):
            bar.update()
            doing(titles[number] if number < len(titles) else "")
            if proof.is_good:
                records.write_record(root, dataclasses.replace(record, is_proved=True))
            yield record.request.slug, proof


def _warm(
    config: PrecacheConfig, missed: Sequence[ArtefactRecord], *, listings: Mapping[str, HubListing]
) -> None:
    """Loads artefacts with the network, and takes what was fetched for that into their records."""
    from code_t5.hf_artifacts.checking import load_checks
    from code_t5.hf_artifacts.fetching import preparing

    root, requests = config.root, [record.request for record in missed]
    environment = preparing.child_environment(root, is_offline=False)
    with (
        progress.progress_bar(
            description="loading online", unit="artefact", total=len(requests)
        ) as bar,
        told_bar.telling(bar) as doing,
    ):
        doing(", ".join(request.title for request in requests)[:_MAX_SHOWN])
        load_checks.warm(root, requests=requests, environment=environment)
    for record in missed:
        # What fails here is seen when they are loaded again.
        with contextlib.suppress(errors.CodeT5Error, OSError):
            artefact_job.add_fetched_files(
                config, record=record, listing=listings[record.request.slug]
            )

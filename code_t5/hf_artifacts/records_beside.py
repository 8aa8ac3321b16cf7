"""Records of one repository beside each other: of one commit, or of a branch that has moved on."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence

from code_t5.hf_artifacts import records
from code_t5.hf_artifacts.cache_root import CacheRoot
from code_t5.hf_artifacts.records import ArtefactRecord, PreparedConfig
from code_t5.hf_artifacts.requests import ArtefactRequest


def list_beside(root: CacheRoot, record: ArtefactRecord) -> Iterator[ArtefactRecord]:
    """Yields what other requests have of the same commit.

    Args:
      root: Where.
      record: Of one request.
    """
    for _, other in records.list_records(root):
        if isinstance(other, str) or other.request == record.request:
            continue
        if (other.repository, other.commit) == (record.repository, record.commit):
            yield other


def renew_prepared(
    root: CacheRoot, *, record: ArtefactRecord, prepared: Sequence[PreparedConfig]
) -> None:
    """Writes a record anew whose Arrow files were made again, of more splits.

    Args:
      root: Where.
      record: Which.
      prepared: What was made.
    """
    made = {config.arrow_dir: config for config in prepared}
    now = tuple(made.get(config.arrow_dir, config) for config in record.prepared)
    if now != record.prepared:
        records.write_record(root, dataclasses.replace(record, prepared=now))


def left_behind(root: CacheRoot, record: ArtefactRecord) -> list[ArtefactRequest]:
    """Returns what was fetched of the same branch when it was at another commit.

    Args:
      root: Where.
      record: The present one.
    """
    asked, found = record.request, []
    for _, other in records.list_records(root):
        if isinstance(other, str) or other.commit == record.commit:
            continue
        one = (other.request.kind, other.repository, other.request.revision or "main")
        if one == (asked.kind, record.repository, asked.revision or "main"):
            found.append(other.request)
    return found

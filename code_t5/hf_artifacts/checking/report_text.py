"""What `check_hf_cache.py` prints of a report: a table for people, or JSON for programs."""

from __future__ import annotations

import json
import shlex
from collections.abc import Sequence
from typing import Any

from code_t5 import visible_text
from code_t5.hf_artifacts import precache_report
from code_t5.hf_artifacts.checking.load_target import NOTHING
from code_t5.hf_artifacts.checking.report import CheckRow, RootReport

JSON_FORMAT = "code_t5_hf_check"
JSON_VERSION = 1
_SHORT_COMMIT = 12
_JSON_FIELDS = (
    *("key", "commit", "is_recorded", "is_proved", "size_bytes", "prepared_bytes", "is_good"),
    *("whole", "loads", "parts", "reason"),
)


def describe(report: RootReport) -> list[str]:
    """Returns what a program prints of a report: a table, and what else is to be said.

    Args:
      report: What was found.
    """
    lines = _table(report.rows)
    shown = {row.key for row in report.rows}
    for finding in report.findings:
        if not shown & set(finding.owners) or not finding.is_damage:
            word = "damaged" if finding.is_damage else "note"
            lines.append(f"{word}: {finding.path} {finding.problem}")
    lines.append(_summary(report))
    return [visible_text.one_line(line) for line in lines]


def _table(rows: Sequence[CheckRow]) -> list[str]:
    head = ("kind", "name", "commit", "size", "prepared", "whole", "loads", "reason")
    cells = []
    for row in rows:
        about = (row.request.kind, row.request.full_title, row.commit[:_SHORT_COMMIT])
        prepared = precache_report.size_text(row.prepared_bytes) if row.prepared_bytes else NOTHING
        sizes = (precache_report.size_text(row.size_bytes), prepared)
        cells.append((*about, *sizes, row.whole, row.loads, row.reason))
    return precache_report.table(head, cells) if rows else []


def _summary(report: RootReport) -> str:
    if not report.rows:
        return (
            f"{report.root.path}: nothing is cached here; fetch with "
            f"python scripts/precache.py --cache_dir {shlex.quote(str(report.root.path))}"
        )
    bad = sum(not row.is_good for row in report.rows)
    said = f"{len(report.rows)} artefacts, {bad} of them not good" if bad else _praise(report)
    if not bad and not report.is_good:
        said = f"{len(report.rows)} artefacts are good, and other files are damaged"
    fence = f"; loaded behind a fence ({report.fence})" if report.fence else ""
    return f"{report.root.path}: {said}{fence}"


def _praise(report: RootReport) -> str:
    """Returns what is known of artefacts with which nothing is wrong."""
    config = report.config
    if not config.is_hashing and not config.is_loading:
        return "names and sizes are right; nothing was read or loaded"
    if not config.is_hashing:
        said = "names and sizes are right, and all loads; no content was hashed"
    else:
        said = "all is good" if config.is_loading else "all is whole; nothing was loaded"
    asked = [("whole", config.is_hashing), ("loads", config.is_loading)]
    names = [name for name, is_asked in asked if is_asked]
    unknown = sum(any(getattr(row, name) == NOTHING for name in names) for row in report.rows)
    if not unknown:
        return said
    known = said.replace("all", "what could be checked", 1)
    return f"{known} ({unknown} of {len(report.rows)} artefacts only in part)"


def _row_as_json(row: CheckRow) -> dict[str, Any]:
    request = row.request
    fields = {name: getattr(row, name) for name in _JSON_FIELDS}
    fields.update(kind=request.kind, name=request.name, revision=request.revision)
    return {**fields, "request": request.as_json()}


def as_json(report: RootReport) -> str:
    """Returns a report as JSON text; `docs/hf_artifacts.md` says what is in it.

    Args:
      report: What was found.
    """
    fields = {
        "format_name": JSON_FORMAT,
        "format_version": JSON_VERSION,
        "cache_dir": str(report.root.path),
        "is_good": report.is_good,
        "is_hashed": report.config.is_hashing,
        "is_loaded": report.config.is_loading,
        "fence": report.fence,
        "artefacts": [_row_as_json(row) for row in report.rows],
        "findings": [finding.as_json() for finding in report.findings],
    }
    return json.dumps(fields, indent=2, sort_keys=True)

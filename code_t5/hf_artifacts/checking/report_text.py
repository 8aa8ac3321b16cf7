"""What `check_hf_cache.py` prints of a report: a table for people, or JSON for programs."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from code_t5 import visible_text
from code_t5.hf_artifacts import precache_report
from code_t5.hf_artifacts.checking.report import CheckRow, RootReport
from code_t5.hf_artifacts.requests import ArtefactRequest

JSON_FORMAT = "code_t5_hf_check"
JSON_VERSION = 1
_SHORT_COMMIT = 12
_JSON_FIELDS = (
    *("key", "commit", "is_recorded", "size_bytes", "is_good"),
    *("whole", "loads", "parts", "reason"),
)


def _title(request: ArtefactRequest) -> str:
    """Returns an artefact's name, with what was chosen of it."""
    chosen = request.data_dir or request.data_files
    title = request.title + (f" [{_chosen(chosen)}]" if chosen else "")
    return f"{title} at {request.revision}" if request.revision else title


def _chosen(value: Any) -> str:
    """Returns data files, or a folder, as they are written in a table."""
    if isinstance(value, Mapping):
        return ", ".join(f"{name}={_chosen(paths)}" for name, paths in value.items())
    return value if isinstance(value, str) else ", ".join(value)


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
    head = ("kind", "name", "commit", "size", "whole", "loads", "reason")
    cells = []
    for row in rows:
        name = _title(row.request)
        size, commit = precache_report.size_text(row.size_bytes), row.commit[:_SHORT_COMMIT]
        cells.append((row.request.kind, name, commit, size, row.whole, row.loads, row.reason))
    return precache_report.table(head, cells) if rows else []


def _summary(report: RootReport) -> str:
    if not report.rows:
        return (
            f"{report.root.path}: nothing is cached here; fetch with "
            f"python scripts/precache.py --cache_dir {shlex.quote(str(report.root.path))}"
        )
    bad = sum(not row.is_good for row in report.rows)
    said = f"{len(report.rows)} artefacts, {bad} of them not good" if bad else "all is good"
    if not bad and not report.is_good:
        said = f"{len(report.rows)} artefacts are good, and other files are damaged"
    fence = f"; loaded behind a fence ({report.fence})" if report.fence else ""
    return f"{report.root.path}: {said}{fence}"


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
        "fence": report.fence,
        "artefacts": [_row_as_json(row) for row in report.rows],
        "findings": [finding.as_json() for finding in report.findings],
    }
    return json.dumps(fields, indent=2, sort_keys=True)

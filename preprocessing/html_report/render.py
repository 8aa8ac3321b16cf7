"""Makes the HTML report: one file, which loads nothing and runs only its own script.

The page forbids all else by a content security policy: no source is allowed, and of scripts only
the one whose hash stands in the policy. Names and code out of the data set are hostile; Jinja2
escapes whatever it writes (only SVG from `charts` is passed through).
"""

from __future__ import annotations

import base64
import hashlib
import os
import pathlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from code_t5 import errors
from preprocessing.html_report import (
    drawings,
    facts,
    ledger_totals,
    numbers_shown,
    palette,
    sections,
    tables,
)
from preprocessing.html_report.samples import Samples

if TYPE_CHECKING:
    import jinja2

HTML_NAME = "report.html"
_TEMPLATES = pathlib.Path(__file__).resolve().parent


def _environment() -> jinja2.Environment:
    import jinja2

    environment = jinja2.Environment(
        autoescape=True,
        loader=jinja2.FileSystemLoader(_TEMPLATES),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["count"] = numbers_shown.count_shown
    return environment


def _style() -> Markup:
    light, dark = palette.css_variables(dark=False), palette.css_variables(dark=True)
    themes = (
        f":root{{color-scheme:light;{light}}}\n"
        f"@media screen and (prefers-color-scheme:dark){{:root{{color-scheme:dark;{dark}}}}}\n"
        f"@media screen{{:root[data-theme=light]{{color-scheme:light;{light}}}\n"
        f":root[data-theme=dark]{{color-scheme:dark;{dark}}}}}\n"
    )
    return Markup(themes + (_TEMPLATES / "report.css").read_text(encoding="utf-8"))


def _cluster_table(totals: ledger_totals.LedgerTotals) -> tables.Table:
    rows = [
        (
            tables.file_name({"repository": one.repository, "path": one.path}),
            numbers_shown.count_shown(one.num_files),
        )
        for one in totals.clusters
    ]
    most = max((one.num_files for one in totals.clusters), default=0)
    bars = [numbers_shown.width_of(one.num_files, most) for one in totals.clusters]
    return tables.Table(("First file of the cluster", "Files"), rows, bars)


def _context(
    report: Mapping[str, Any], *, totals: ledger_totals.LedgerTotals, samples: Samples
) -> dict[str, Any]:
    """Returns everything that the template names."""
    clusters, kept = sections.shown_samples(samples)
    by_license, by_source = tables.licenses(report)
    searched, matches = tables.benchmarks(report)
    return {
        "report": report,
        "totals": totals,
        "name": sections.clean_text(str(report["name"])),
        "dry_run": bool(report.get("dry_run")),
        "tiles": sections.tiles(report, totals),
        "steps": sections.funnel(totals),
        "num_kept": totals.files_by_verdict.get("kept", 0),
        "kept_width": numbers_shown.width_of(
            totals.files_by_verdict.get("kept", 0), totals.num_files
        ),
        "problems": [sections.clean_text(str(line)) for line in report.get("problems") or []],
        "drawings": drawings.draw_all(report, totals),
        "languages": tables.languages(totals),
        "repositories": tables.repositories(totals),
        "splits": tables.splits(report),
        "group_facts": facts.group_facts(report),
        "leaks": tables.leaks(report),
        "num_leaks": sections.num_leaks(report),
        "near_facts": facts.near_duplicate_facts(report),
        "largest_clusters": _cluster_table(totals),
        "clusters": clusters,
        "redactions": tables.redactions(report),
        "licenses": by_license,
        "license_sources": by_source,
        "benchmarks": searched,
        "matches": matches,
        "fertility": tables.fertility(report),
        "kept_samples": kept,
    }


def render_report(
    report: Mapping[str, Any], *, ledger_path: os.PathLike[str], samples: Samples
) -> bytes:
    """Returns the HTML report of a build.

    Args:
      report: What `report.json` holds.
      ledger_path: The ledger of the same build.
      samples: Texts to show, from `samples.choose_samples`.

    Returns:
      A whole HTML document in UTF-8; the same for the same input.

    Raises:
      ArtifactError: The ledger is none, or not that of this report.
    """
    totals = ledger_totals.collect_totals(ledger_path)
    if totals.num_files != report["num_files"]:
        raise errors.ArtifactError(
            f"{ledger_path} has {totals.num_files} files and the report {report['num_files']}; "
            "wanted those of one build; build the data set again"
        )
    script = (_TEMPLATES / "report.js").read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(script.encode("utf-8")).digest()).decode("ascii")
    page = (
        _environment()
        .get_template("report.html.j2")
        .render(
            style=_style(),
            script=Markup(script),
            script_hash=digest,
            **_context(report, totals=totals, samples=samples),
        )
    )
    return page.encode("utf-8", errors="replace")

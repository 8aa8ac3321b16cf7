"""The top of the HTML report, its funnel and its samples, made ready for the template.

Every name from the data set passes through `clean_text`; the template escapes it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from preprocessing.html_report import side_by_side, verdict_words
from preprocessing.html_report.ledger_totals import LedgerTotals
from preprocessing.html_report.numbers_shown import (
    count_shown,
    share_shown,
    size_shown,
    width_of,
)
from preprocessing.html_report.samples import ClusterSample, KeptSample, Samples
from preprocessing.html_report.side_by_side import clean_text
from preprocessing.html_report.tables import Report, file_name

MAX_SAMPLE_LINES = 40


@dataclasses.dataclass(frozen=True)
class Tile:
    """One of the few numbers at the top.

    Attributes:
      label: What it counts.
      value: The number.
      note: Beside it.
      state: `good`, `bad` or ''.
    """

    label: str
    value: str
    note: str = ""
    state: str = ""


@dataclasses.dataclass(frozen=True)
class Step:
    """One row of the funnel.

    Attributes:
      verdict: Of the files that leave here.
      title: In words.
      meaning: In a sentence.
      files: How many leave.
      share: Of the files found.
      size: Their bytes.
      left: Where the bar of those that leave begins, in percent.
      width: How wide it is, in percent.
      remaining: Files left after this step.
      examples: Name and note of some of them.
    """

    verdict: str
    title: str
    meaning: str
    files: str
    share: str
    size: str
    left: str
    width: str
    remaining: str
    examples: list[tuple[str, str]]


def num_leaks(report: Report) -> int:
    """Returns how many texts of one split have an equal text or a near copy in another.

    Args:
      report: What `report.json` holds.

    Returns:
      The sum over all pairs of splits.
    """
    pairs = (report.get("leaks") or {}).get("pairs") or []
    return sum(int(pair["exact"]) + int(pair["near"]) for pair in pairs)


def _leak_tile(report: Report) -> Tile:
    if not (report.get("leaks") or {}).get("pairs"):
        return Tile("Copies across splits", "–", "nothing to measure: fewer than two splits")
    leaks = num_leaks(report)
    note = "measured on what was written, exact and near"
    return Tile("Copies across splits", count_shown(leaks), note, "bad" if leaks else "good")


def _redaction_tile(report: Report) -> Tile:
    found = report.get("redaction") or {}
    mode, count = found.get("mode", "off"), sum((found.get("counts") or {}).values())
    if mode == "off":
        return Tile("Private data", "–", "not searched for")
    label = "Private data replaced" if mode == "replace" else "Private data found, and left"
    return Tile(label, count_shown(count), "addresses, keys and other secrets")


def tiles(report: Report, totals: LedgerTotals) -> list[Tile]:
    """Returns the numbers that matter most.

    Args:
      report: What `report.json` holds.
      totals: Of the ledger.

    Returns:
      Tiles: six for a dry run, eight for a build.
    """
    kept = totals.files_by_verdict.get(verdict_words.KEPT, 0)
    kept_bytes = totals.bytes_by_verdict.get(verdict_words.KEPT, 0)
    found_bytes = sum(totals.bytes_by_verdict.values())
    written = "Records that would be written" if report.get("dry_run") else "Records written"
    vocabulary, lossless = report.get("vocabulary"), report.get("lossless")
    made = [
        Tile("Files found", count_shown(totals.num_files), size_shown(found_bytes)),
        Tile(written, count_shown(kept), f"{share_shown(kept, totals.num_files)} of the files"),
        Tile(
            "Bytes kept",
            size_shown(kept_bytes),
            f"{share_shown(kept_bytes, found_bytes)}, as found",
        ),
        Tile(
            "Repositories",
            count_shown(totals.num_kept_repositories),
            f"with a kept file, of {count_shown(totals.num_repositories)}",
        ),
    ]
    if vocabulary:
        note = f"{vocabulary['characters_per_token']:.2f} characters per token"
        made.append(Tile("Tokens", count_shown(vocabulary["num_tokens"]), note))
    made += [_leak_tile(report), _redaction_tile(report)]
    if lossless:
        differing, texts = lossless["num_differing"], count_shown(lossless["num_texts"])
        note = f"of {texts} encoded and decoded again"
        state = "bad" if differing else "good"
        made.append(Tile("Texts that tokens change", count_shown(differing), note, state))
    return made


def _example(row: Mapping[str, Any], verdict: str) -> tuple[str, str]:
    note = size_shown(row["size_bytes"])
    if row["original"]:
        note = f"copy of {file_name(row['original'])}"
    elif verdict == "license":
        note = clean_text(row["license"] or "no licence found")
    elif row["contamination"]:
        note = clean_text(row["contamination"])
    return file_name(row), note


def funnel(totals: LedgerTotals) -> list[Step]:
    """Returns the way from files found to records written.

    Args:
      totals: Of the ledger.

    Returns:
      A step per verdict that some file got, in the order of the stages.
    """
    remaining, steps = totals.num_files, []
    for verdict in verdict_words.in_order(totals.files_by_verdict):
        files = totals.files_by_verdict[verdict]
        remaining -= files
        title, meaning = verdict_words.words_of(verdict)
        width = width_of(files, totals.num_files)
        left = min(float(width_of(remaining, totals.num_files)), 100 - float(width))
        steps.append(
            Step(
                clean_text(verdict),
                clean_text(title),
                meaning,
                count_shown(files),
                share_shown(files, totals.num_files),
                size_shown(totals.bytes_by_verdict[verdict]),
                f"{left:.2f}",
                width,
                count_shown(remaining),
                [_example(row, verdict) for row in totals.examples.get(verdict, [])],
            )
        )
    return steps


def _kept_sample(sample: KeptSample) -> dict[str, Any]:
    lines = sample.text.split("\n")
    if lines[-1] == "":
        lines.pop()
    return {
        "name": clean_text(f"{sample.repository}/{sample.path}"),
        "chips": [
            clean_text(chip) for chip in (sample.language, sample.split, sample.license) if chip
        ],
        "lines": [clean_text(line) for line in lines[:MAX_SAMPLE_LINES]],
        "num_hidden": max(0, len(lines) - MAX_SAMPLE_LINES),
    }


def _cluster_sample(sample: ClusterSample) -> dict[str, Any]:
    return {
        "cluster_id": sample.cluster_id,
        "num_files": sample.num_files,
        "left_name": clean_text(sample.left_name),
        "right_name": clean_text(sample.right_name),
        "rows": side_by_side.compare_texts(sample.left_text, sample.right_text),
    }


def shown_samples(samples: Samples) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Returns the samples, cut.

    Args:
      samples: What was chosen.

    Returns:
      Clusters and kept files.
    """
    clusters = [_cluster_sample(sample) for sample in samples.clusters]
    return clusters, [_kept_sample(sample) for sample in samples.kept]

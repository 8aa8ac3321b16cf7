"""What a build prints and leaves in `report.json`: every number of the data set, none of the run.

Times are printed but not stored, so that the same input gives the same bytes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from preprocessing import filters

REPORT_NAME = "report.json"


def _row(label: str, files: int, size_bytes: int, total: int) -> str:
    share = 100 * files / total if total else 0.0
    return f"  {label:<18}{files:>11,}{size_bytes / 1e6:>12.1f} MB{share:>7.1f} %"


def _format_findings(report: Mapping[str, Any]) -> list[str]:
    """Returns a line for each kind of finding that this build looked for."""
    near, groups, leaks = report["near_duplicates"], report["repository_groups"], report["leaks"]
    lines = []
    if near["enabled"]:
        lines.append(
            f"  near-duplicates: {near['num_removed']:,} removed from {near['num_clusters']:,} "
            f"clusters (Jaccard {near['threshold']}, {near['num_compared_pairs']:,} pairs compared)"
        )
    lines.append(
        f"  repositories: {groups['num_repositories']:,} in {groups['num_groups']:,} groups that "
        f"share no file; {groups['cut']['num_clusters']:,} clusters cut"
    )
    found = [(pair["exact"], pair["near"]) for pair in leaks["pairs"]]
    lines.append(
        f"  leaks between splits: {sum(e for e, _ in found)} exact, {sum(n for _, n in found)} near"
        f" ({leaks['num_dropped']} files dropped for it)"
    )
    redaction = report["redaction"]
    if redaction["mode"] != "off":
        counts = ", ".join(f"{kind} {count:,}" for kind, count in redaction["counts"].items())
        done = "replaced" if redaction["mode"] == "replace" else "found"
        lines.append(f"  {done}: {counts}")
    if report["decontamination"]["benchmarks"]:
        num_files = report["decontamination"]["num_files"]
        lines.append(f"  files that hold part of a benchmark: {num_files:,}")
    return lines


def format_report(report: Mapping[str, Any]) -> str:
    """Returns the report as lines for people.

    Args:
      report: What `report.json` holds.
    """
    files: dict[str, int] = report["files_by_verdict"]
    sizes: dict[str, int] = report["bytes_by_verdict"]
    total = report["num_files"]
    lines: list[str] = [_row("files found", total, report["size_bytes"], total)]
    for verdict in filters.VERDICTS:
        if files.get(verdict):
            lines.append(_row(verdict, files[verdict], sizes[verdict], total))
    for split, counts in report["splits"].items():
        lines.append(
            f"  {split:<18}{counts['num_examples']:>11,}{counts['num_bytes'] / 1e6:>12.1f} MB"
            f"  in {counts['num_repositories']:,} repositories, {counts['num_shards']} shard(s)"
        )
    lines += _format_findings(report)
    if report["dry_run"]:
        return "\n".join(lines)
    vocabulary = report["vocabulary"]
    lines.append(
        f"  vocabulary {vocabulary['name']}: {vocabulary['vocab_size']:,} ids, "
        f"{vocabulary['characters_per_token']:.2f} characters per token"
    )
    lines.append(
        f"  files that differ after encoding and decoding: {report['lossless']['num_differing']} "
        f"of {report['lossless']['num_texts']:,}"
    )
    return "\n".join(lines)

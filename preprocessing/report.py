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

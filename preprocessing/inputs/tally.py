"""What went into a source tree and what did not.

A file is *skipped* for a *reason*, one short phrase; a summary counts the files of each reason.
"""

from __future__ import annotations

import collections
import dataclasses
from collections import Counter
from collections.abc import Mapping
from typing import Any

EXCLUDED_FOLDER = "excluded folder"
NOT_A_PLAIN_FILE = "not a plain file"
SYMBOLIC_LINK = "symbolic link"
TOO_LARGE = "too large"
UNREADABLE = "unreadable"
VANISHED = "vanished while read"


@dataclasses.dataclass
class Tally:
    """Counts of one source tree.

    Attributes:
      num_repositories: Repositories with at least one source file.
      num_files: Source files written.
      size_bytes: Their bytes.
      skipped: Files, links and folders left out, by reason.
      facts: What else the manifest should record of the source.
    """

    num_repositories: int = 0
    num_files: int = 0
    size_bytes: int = 0
    skipped: Counter[str] = dataclasses.field(default_factory=collections.Counter)
    facts: dict[str, Any] = dataclasses.field(default_factory=dict)

    def add_file(self, size_bytes: int) -> None:
        """Counts one source file written.

        Args:
          size_bytes: Its size.
        """
        self.num_files += 1
        self.size_bytes += size_bytes

    def skip(self, reason: str) -> None:
        """Counts one thing left out.

        Args:
          reason: Why, in a short phrase.
        """
        self.skipped[reason] += 1

    def as_json(self) -> dict[str, Any]:
        """Returns the counts as the manifest holds them."""
        return {
            "num_repositories": self.num_repositories,
            "num_files": self.num_files,
            "size_bytes": self.size_bytes,
            "skipped": dict(sorted(self.skipped.items())),
            "facts": dict(self.facts),
        }


def summary(counts: Mapping[str, Any]) -> str:
    """Says the counts of a manifest in one line.

    Args:
      counts: What `Tally.as_json` gave.

    Returns:
      For example `2 repositories, 7 files, 0.1 MB; skipped: symbolic link (1)`.
    """
    line = (
        f"{counts['num_repositories']:,} repositories, {counts['num_files']:,} files, "
        f"{counts['size_bytes'] / 1e6:,.1f} MB"
    )
    skipped = [f"{reason} ({count:,})" for reason, count in counts["skipped"].items()]
    return line + ("; skipped: " + ", ".join(skipped) if skipped else "; nothing skipped")

"""Adds up what the ledger says of licences, secrets, personal data, benchmarks and splits."""

from __future__ import annotations

import collections
import pathlib
from collections import Counter
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import parquet

from preprocessing import filters, redaction, splits

UNKNOWN = "unknown"
_MAX_MATCHES = 200
_COLUMNS = (
    "file_id", "path", "repository", "verdict", "split", "license", "license_source",
    "contamination", *redaction.KINDS,
)  # fmt: skip


class Findings:
    """Sums over the lines of a ledger."""

    def __init__(self) -> None:
        """Starts with no line."""
        self.redacted_files: Counter[str] = collections.Counter()
        self.redacted: Counter[str] = collections.Counter()
        self.licenses: Counter[str] = collections.Counter()
        self.license_sources: Counter[str] = collections.Counter()
        self.matches: list[dict[str, Any]] = []
        self.num_contaminated = 0
        self._repositories: dict[str, set[str]] = {split: set() for split in splits.SPLITS}

    def add(self, table: pa.Table) -> None:
        """Adds some lines.

        Args:
          table: With the columns that this module reads.
        """
        for kind in redaction.KINDS:
            counts = table[kind].drop_null()
            self.redacted[kind] += pc.sum(counts).as_py() or 0
            self.redacted_files[kind] += pc.sum(pc.greater(counts, 0)).as_py() or 0
        kept = table.filter(pc.equal(table["verdict"], filters.KEPT))
        for name, sums in (("license", self.licenses), ("license_source", self.license_sources)):
            for pair in pc.value_counts(pc.fill_null(kept[name], UNKNOWN)).to_pylist():
                sums[pair["values"]] += pair["counts"]
        for split, names in self._repositories.items():
            chosen = kept.filter(pc.equal(kept["split"], split))
            names.update(pc.unique(chosen["repository"]).to_pylist())
        found = table.filter(pc.is_valid(table["contamination"]))
        self.num_contaminated += len(found)
        for row in found.slice(0, _MAX_MATCHES - len(self.matches)).to_pylist():
            place = {name: row[name] for name in ("file_id", "path", "repository")}
            self.matches.append({**place, "found": row["contamination"]})

    def num_repositories(self, split: str) -> int:
        """Returns how many repositories have a kept file in a split."""
        return len(self._repositories[split])

    def license_counts(self) -> dict[str, dict[str, int]]:
        """Returns kept files by licence and by where it was found, the most frequent first."""
        return {
            "by_expression": _most_frequent_first(self.licenses),
            "by_source": _most_frequent_first(self.license_sources),
        }

    def redaction_counts(self) -> dict[str, dict[str, int]]:
        """Returns files and places by kind of personal data or secret."""
        return {
            "files": {kind: self.redacted_files[kind] for kind in redaction.KINDS},
            "counts": {kind: self.redacted[kind] for kind in redaction.KINDS},
        }


def _most_frequent_first(counts: Counter[str]) -> dict[str, int]:
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))


def read_findings(ledger_path: pathlib.Path) -> Findings:
    """Adds up a ledger, batch by batch.

    Args:
      ledger_path: The finished ledger.

    Returns:
      The sums.
    """
    found = Findings()
    with parquet.ParquetFile(ledger_path) as file:
        for batch in file.iter_batches(columns=list(_COLUMNS), use_threads=False):
            found.add(pa.Table.from_batches([batch]))
    return found

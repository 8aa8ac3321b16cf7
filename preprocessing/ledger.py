"""The ledger: one line per input file with its verdict, as a Parquet table.

Columns: `file_id` (position in the data set's order), `language`, `repository`, `branch`,
`flat_name`, `path`, `size_bytes` (as found), `content_hash` (SHA-256 of the content as it would be
trained on; null where the file was dropped before it), `verdict`, `split` (null unless kept),
`duplicate_of` (`file_id` of the kept copy; null unless the verdict says that there is one),
`cluster_id` (the smallest `file_id` among all copies; null for a file without copies), `license`
(SPDX expression; null where it is unknown or the file was dropped before), `license_source`, the
number of each kind of personal data and secrets found (null where nothing was looked for),
`contamination` (what it shares with which benchmark), `truncated` (whether it was cut off there).
"""

from __future__ import annotations

import collections
import os
import pathlib
from collections import Counter
from collections.abc import Sequence
from typing import Any, Callable

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import parquet

from preprocessing import decisions, filters, redaction

LEDGER_NAME = "ledger.parquet"

SCHEMA = pa.schema(
    [
        pa.field("file_id", pa.int64(), nullable=False),
        pa.field("language", pa.string(), nullable=False),
        pa.field("repository", pa.string(), nullable=False),
        pa.field("branch", pa.string(), nullable=False),
        pa.field("flat_name", pa.string(), nullable=False),
        pa.field("path", pa.string(), nullable=False),
        pa.field("size_bytes", pa.int64(), nullable=False),
        pa.field("content_hash", pa.string()),
        pa.field("verdict", pa.string(), nullable=False),
        pa.field("split", pa.string()),
        pa.field("duplicate_of", pa.int64()),
        pa.field("cluster_id", pa.int64()),
        pa.field("license", pa.string()),
        pa.field("license_source", pa.string()),
        *(pa.field(kind, pa.int32()) for kind in redaction.KINDS),
        pa.field("contamination", pa.string()),
        pa.field("truncated", pa.bool_()),
    ]
)

Row = dict[str, Any]


def write_rows(path: os.PathLike[str], rows: list[Row]) -> None:
    """Writes one piece of the ledger.

    Args:
      path: The Parquet file.
      rows: One mapping per file; columns that a row lacks are null.
    """
    parquet.write_table(pa.Table.from_pylist(rows, schema=SCHEMA), path, compression="zstd")


def read_rows(path: os.PathLike[str]) -> list[Row]:
    """Reads a ledger that fits into memory, or one piece of a larger one.

    Args:
      path: The Parquet file.

    Returns:
      One mapping per file, with every column.
    """
    return read_table(path).to_pylist()


def read_table(path: os.PathLike[str], columns: Sequence[str] | None = None) -> pa.Table:
    """Reads columns of a ledger, or of one piece of it.

    Args:
      path: The Parquet file.
      columns: Which; all if None.

    Returns:
      The table.
    """
    wanted = None if columns is None else list(columns)
    return parquet.read_table(path, schema=SCHEMA, columns=wanted, use_threads=False)


def apply_decisions(
    table: pa.Table, *, decided: decisions.Decisions, split_fn: Callable[[str], str]
) -> pa.Table:
    """Fills in what was decided by comparing files.

    Args:
      table: Lines of the ledger, as the scan wrote them.
      decided: Of the whole data set.
      split_fn: Split of a repository that has a kept file.

    Returns:
      The lines with the columns `verdict`, `split`, `duplicate_of` and `cluster_id` final.
    """
    table = table.combine_chunks()
    file_ids = table["file_id"].to_numpy()
    reason, copy_of = decided.reason[file_ids], decided.duplicate_of[file_ids]
    cluster = decided.cluster_id[file_ids]
    verdicts = pa.array(decisions.VERDICTS).take(pa.array(reason))
    verdict = pc.if_else(pa.array(reason == decisions.NONE), table["verdict"], verdicts)
    is_kept = pc.equal(verdict, filters.KEPT)
    split_of = {
        name: split_fn(name) for name in pc.unique(table["repository"].filter(is_kept)).to_pylist()
    }
    split = [split_of.get(name) for name in table["repository"].to_pylist()]
    columns = {
        "verdict": verdict,
        "split": pc.if_else(is_kept, pa.array(split, pa.string()), pa.scalar(None, pa.string())),
        "duplicate_of": pa.array(copy_of, mask=reason == decisions.NONE),
        "cluster_id": pa.array(cluster, mask=cluster < 0),
    }
    for name, column in columns.items():
        table = table.set_column(SCHEMA.get_field_index(name), SCHEMA.field(name), column)
    return table


class LedgerWriter:
    """Writes a ledger piece by piece and counts on the way.

    Attributes:
      files: Number of files by verdict.
      size_bytes: Their sizes as found, by verdict.
    """

    def __init__(self, path: pathlib.Path) -> None:
        """Opens the table for writing."""
        self.files: Counter[str] = collections.Counter()
        self.size_bytes: Counter[str] = collections.Counter()
        self._writer = parquet.ParquetWriter(path, SCHEMA, compression="zstd")

    def __enter__(self) -> LedgerWriter:
        """Returns itself."""
        return self

    def __exit__(self, *exception: Any) -> None:
        """Writes the table's footer."""
        self._writer.close()

    def write(self, table: pa.Table) -> None:
        """Appends rows.

        Args:
          table: Of `SCHEMA`, in the data set's order.
        """
        sums = table.group_by("verdict").aggregate([("size_bytes", "sum"), ("size_bytes", "count")])
        for row in sums.to_pylist():
            self.files[row["verdict"]] += row["size_bytes_count"]
            self.size_bytes[row["verdict"]] += row["size_bytes_sum"]
        self._writer.write_table(table)

"""The ledger: one line per input file with its verdict, as a Parquet table.

Columns: `file_id` (position in the data set's order), `language`, `repository`, `branch`,
`flat_name`, `path`, `size_bytes` (as found), `content_hash` (SHA-256 of the normalised content;
null where the file was dropped before it), `verdict`, `split` (null unless kept), `duplicate_of`
(`file_id` of the kept copy; null unless `exact_duplicate`).
"""

from __future__ import annotations

import collections
import os
import pathlib
from collections import Counter
from typing import Any, Callable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import parquet

from preprocessing import filters

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
    return parquet.read_table(path, schema=SCHEMA, use_threads=False).to_pylist()


def apply_decisions(
    path: os.PathLike[str], *, kept_copy: np.ndarray, split_fn: Callable[[str], str]
) -> pa.Table:
    """Reads one piece of the ledger and fills in what was decided by comparing files.

    Args:
      path: The piece, as the scan wrote it.
      kept_copy: int64 `[num_files]` of the whole data set: the `file_id` of the kept copy of an
        exact duplicate, -1 for every other file.
      split_fn: Split of a repository that has a kept file.

    Returns:
      The piece with the columns `verdict`, `split` and `duplicate_of` final.
    """
    table = parquet.read_table(path, schema=SCHEMA, use_threads=False).combine_chunks()
    copy_of = np.asarray(kept_copy[table["file_id"].to_numpy()])
    is_copy = copy_of >= 0
    verdict = pc.if_else(pa.array(is_copy), filters.EXACT_DUPLICATE, table["verdict"])
    is_kept = pc.equal(verdict, filters.KEPT)
    split_of = {
        name: split_fn(name) for name in pc.unique(table["repository"].filter(is_kept)).to_pylist()
    }
    split = [split_of.get(name) for name in table["repository"].to_pylist()]
    columns = {
        "verdict": verdict,
        "split": pc.if_else(is_kept, pa.array(split, pa.string()), pa.scalar(None, pa.string())),
        "duplicate_of": pa.array(copy_of, mask=~is_copy),
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

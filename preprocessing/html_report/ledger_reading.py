"""How the HTML report reads the ledger: in batches, only the columns needed, a few rows in full."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import parquet

from code_t5 import errors

_BATCH_ROWS = 1 << 16
_SHOWN_COLUMNS = (
    *("file_id", "language", "repository", "path", "size_bytes", "verdict", "split"),
    *("duplicate_of", "license", "contamination"),
)


def order_of(file_ids: np.ndarray) -> np.ndarray:
    """Returns keys that put files into an order as good as random, the same every time.

    The finaliser of SplitMix64 (Steele, Lea and Flood, OOPSLA 2014).

    Args:
      file_ids: int64 `[num_files]`.

    Returns:
      uint64 `[num_files]`, different for different files.
    """
    key = file_ids.astype(np.uint64) + np.uint64(0x9E3779B97F4A7C15)
    key = (key ^ (key >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    key = (key ^ (key >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.asarray(key ^ (key >> np.uint64(31)))


def read_batches(ledger_path: os.PathLike[str], columns: list[str]) -> Iterator[pa.RecordBatch]:
    """Yields a ledger piece by piece.

    Args:
      ledger_path: The Parquet file.
      columns: Which to read.

    Yields:
      Batches of at most 65,536 rows.

    Raises:
      ArtifactError: It is not a ledger, or lacks a column.
    """
    try:
        source = parquet.ParquetFile(ledger_path)
    except (pa.ArrowException, OSError) as error:
        raise errors.ArtifactError(
            f"{ledger_path} cannot be read as Parquet ({type(error).__name__}); wanted a ledger; "
            "build the data set again"
        ) from error
    with source:
        missing = sorted(set(columns) - set(source.schema_arrow.names))
        if missing:
            raise errors.ArtifactError(
                f"{ledger_path} lacks the column {missing[0]}; wanted a ledger of format 2; "
                "build the data set again"
            )
        yield from source.iter_batches(_BATCH_ROWS, columns=columns, use_threads=False)


def read_files(ledger_path: os.PathLike[str], file_ids: list[int]) -> dict[int, dict[str, Any]]:
    """Reads a few rows.

    Args:
      ledger_path: The Parquet file.
      file_ids: Which files; those that it lacks are passed over.

    Returns:
      Rows by `file_id`.
    """
    wanted = pa.array(sorted(set(file_ids)), pa.int64())
    if not len(wanted):
        return {}
    found = {}
    for batch in read_batches(ledger_path, list(_SHOWN_COLUMNS)):
        for row in batch.filter(pc.is_in(batch["file_id"], value_set=wanted)).to_pylist():
            found[row["file_id"]] = row
    return found


def places_by_value(column: pa.Array) -> dict[str, np.ndarray]:
    """Returns where each value of a column of strings stands.

    Args:
      column: Strings, none of them null.

    Returns:
      int64 `[num_places]` in ascending order, by value.
    """
    encoded = column.dictionary_encode()
    codes = encoded.indices.to_numpy(zero_copy_only=False)
    names = encoded.dictionary.to_pylist()
    return {name: np.flatnonzero(codes == code) for code, name in enumerate(names)}

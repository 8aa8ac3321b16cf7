"""Arrow files as `datasets` writes them, some rows per record batch."""

from __future__ import annotations

import pathlib
from typing import Any

import pyarrow


def write_arrow(path: pathlib.Path, columns: dict[str, Any], *, rows_per_batch: int = 3) -> str:
    """Writes columns to a file and returns its path."""
    table = columns if isinstance(columns, pyarrow.Table) else pyarrow.table(columns)
    with (
        pyarrow.OSFile(str(path), "wb") as file,
        pyarrow.ipc.new_stream(file, table.schema) as stream,
    ):
        stream.write_table(table, max_chunksize=rows_per_batch)
    return str(path)


def read_units(units: Any) -> tuple[list[bytes], list[tuple[str, str]]]:
    """Returns the documents of units and their names; no batch is empty."""
    texts, names = [], []
    for unit in units:
        for batch in unit.read():
            assert len(batch.texts) == len(batch.names) > 0
            texts += batch.texts
            names += batch.names
    return texts, names

"""The rows of Parquet files by number, without a copy of them as Arrow files.

A large image data set lies on the disk once, as the Hub has it. `datasets.load_dataset` would write
all of it again, as Arrow. The footers of Parquet files say how many rows each *row group* (a run of
rows that is compressed together) holds, so that the last rows are found without reading the first.
Rows that are read in order cost one row group at a time. pyarrow is imported when files are opened.
"""

from __future__ import annotations

import bisect
import itertools
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import datasets


class ParquetRows:
    """Rows of one split, decoded as `datasets` decodes them.

    Attributes:
      features: Of the columns.
      paths: Of the files, in order.
    """

    def __init__(self, paths: Sequence[str], *, features: datasets.Features | None = None) -> None:
        """Reads the footers.

        Args:
          paths: Parquet files with the same columns.
          features: As the repository describes them; None for what the first file says.

        Raises:
          OSError: A file cannot be read.
          pyarrow.ArrowInvalid: A file is no Parquet file.
        """
        import datasets
        from pyarrow import parquet

        self.paths = tuple(paths)
        # Of each row group: its file, and its number in it.
        self._groups: list[tuple[int, int]] = []
        sizes = [0]
        for file_index, path in enumerate(self.paths):
            with parquet.ParquetFile(path) as file:
                if features is None:
                    features = datasets.Features.from_arrow_schema(file.schema_arrow)
                for group_index in range(file.metadata.num_row_groups):
                    self._groups.append((file_index, group_index))
                    sizes.append(file.metadata.row_group(group_index).num_rows)
        self.features = features if features is not None else datasets.Features()
        self._starts = list(itertools.accumulate(sizes))
        self._held: tuple[int, Any] = (-1, None)

    def __len__(self) -> int:
        """Returns the number of rows."""
        return self._starts[-1]

    def __getitem__(self, index: int) -> dict[str, Any]:
        """Returns one row, its images and the like decoded.

        Args:
          index: Counted from 0.

        Raises:
          IndexError: There is no such row.
        """
        if not 0 <= index < len(self):
            raise IndexError(f"row {index} of {len(self)}")
        group = bisect.bisect_right(self._starts, index) - 1
        row = self._table(group).slice(index - self._starts[group], 1).to_pylist()[0]
        return dict(self.features.decode_example(row))

    def _table(self, group: int) -> Any:
        """Returns one row group; the one that was read last is held."""
        from datasets import table
        from pyarrow import parquet

        if self._held[0] != group:
            self._held = (-1, None)
            file_index, group_index = self._groups[group]
            with parquet.ParquetFile(self.paths[file_index]) as file:
                read = file.read_row_group(group_index, columns=list(self.features))
            self._held = (group, table.table_cast(read, self.features.arrow_schema))
        return self._held[1]

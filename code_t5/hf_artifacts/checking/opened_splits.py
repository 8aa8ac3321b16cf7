"""The splits of a data set that was opened: rows with numbers, or streams.

*Rows* can be numbered: memory-mapped Arrow files, or Parquet files where they lie. A *stream* can
only be walked.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from code_t5 import errors, progress
from code_t5.hf_artifacts.checking import parquet_rows


@dataclasses.dataclass(frozen=True)
class OpenedSplit:
    """One split.

    Attributes:
      name: Of the split.
      rows: With `len` and `[number]`, or a stream.
      features: Column -> its type; empty where that is not known before a row is read.
      num_rows: How many; None where that is not known before all are read.
      num_described: How many the repository says there are; None if it does not.
      is_stream: Whether `rows` can only be walked.
      is_remote: Whether walking asks the Hub.
    """

    name: str
    rows: Any
    features: Mapping[str, Any]
    num_rows: int | None
    num_described: int | None = None
    is_stream: bool = False
    is_remote: bool = False

    def read_ends(self) -> dict[str, Any]:
        """Reads the first row and, where it can be found, the last.

        Returns:
          The first, empty if there is none.
        """
        if self.is_stream:
            return dict(next(iter(self.rows), {}))
        if not len(self.rows):
            return {}
        first, _ = self.rows[0], self.rows[len(self.rows) - 1]
        return dict(first)

    def count_rows(self) -> int:
        """Counts the rows of a stream by walking it; images and the like are not decoded."""
        rows = self.rows.decode(False) if hasattr(self.rows, "decode") else self.rows
        with progress.progress_bar(rows, description=f"counting {self.name}", unit="row") as bar:
            return sum(1 for _ in bar)


@dataclasses.dataclass(frozen=True)
class OpenedDataset:
    """What was opened.

    Attributes:
      name: As it was asked for.
      config: Its configuration.
      commit: Of the repository; empty where that is not known.
      place: What it is read from, in words.
      directory: Where that is; empty for the Hub.
      splits: By name.
    """

    name: str
    config: str
    commit: str
    place: str
    directory: str
    splits: Mapping[str, OpenedSplit]

    def choose_splits(self, names: Sequence[str] | None) -> list[OpenedSplit]:
        """Returns the splits asked for, in that order.

        Args:
          names: Theirs; None for all.

        Raises:
          InputError: There is no such split.
        """
        unknown = [name for name in names or () if name not in self.splits]
        if unknown:
            raise errors.InputError(
                f"{self.name} has no split {unknown[0]!a}; wanted one of "
                f"{', '.join(self.splits)}; change --splits"
            )
        return [self.splits[name] for name in names or self.splits]


def number(split: OpenedSplit, paths: Sequence[str]) -> OpenedSplit:
    """Returns a stream of Parquet files as rows with numbers, and any other as it is.

    Args:
      split: With the stream.
      paths: Its files, if they are all Parquet.
    """
    try:
        rows = parquet_rows.ParquetRows(paths, features=split.rows.features) if paths else None
    except (OSError, ValueError):
        # Whoever walks the stream is told what is wrong with the file.
        rows = None
    if rows is None:
        return split
    return dataclasses.replace(
        split, rows=rows, features=dict(rows.features), num_rows=len(rows), is_stream=False
    )


def as_split(name: str, *, rows: Any, is_remote: bool = False) -> OpenedSplit:
    """Returns what `datasets` opened.

    Args:
      name: Of the split.
      rows: A `datasets.Dataset` or an `IterableDataset`.
      is_remote: Whether walking it asks the Hub.
    """
    is_stream = not hasattr(rows, "__len__")
    described = (rows.info.splits or {}).get(name) if is_stream else None
    # The rows of what was prepared may be a part of what is described.
    num_described = described.num_examples if described else None
    known = num_described if is_remote else None
    return OpenedSplit(
        name=name,
        rows=rows,
        features=dict(rows.features or {}),
        num_rows=known if is_stream else len(rows),
        num_described=num_described,
        is_stream=is_stream,
        is_remote=is_remote,
    )

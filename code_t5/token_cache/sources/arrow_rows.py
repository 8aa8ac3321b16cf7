"""Documents out of Arrow files, the form in which `datasets` keeps what it has prepared.

A document is one *row*: the text of one column, or of several joined by a line end; a null is
empty text. A *stretch* is some consecutive rows of one file. Workers map the file into memory and
read their stretch: nothing is sent to them but its name. The name of a document is its row in the
data set's own split.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from code_t5 import errors
from code_t5.token_cache.sources import documents
from code_t5.token_cache.sources.documents import UNIT_BYTES, DocumentBatch
from code_t5.token_cache.sources.row_choice import RowChoice

if TYPE_CHECKING:
    import pyarrow as pa

COLUMN_SEPARATOR = b"\n"


class ArrowFile(NamedTuple):
    """What there is to know of a file before it is read.

    Attributes:
      path: Of the file.
      ends: int64 `[num_batches + 1]`; the rows where its record batches end, 0 first.
      size_ends: int64 `[num_batches + 1]`; the same in bytes of the wanted columns.
      num_nulls: Of each of these columns.
    """

    path: str
    ends: np.ndarray
    size_ends: np.ndarray
    num_nulls: tuple[int, ...]

    @property
    def num_rows(self) -> int:
        """In the file."""
        return int(self.ends[-1])


class Stretch(NamedTuple):
    """Consecutive rows of one file.

    Attributes:
      path: Of the file.
      start: First row, counted in the file.
      stop: One after the last.
      first_row: Number of the first in the data set's split, for the documents' names.
      first_place: Number of the first among the rows that may be chosen.
    """

    path: str
    start: int
    stop: int
    first_row: int
    first_place: int

    def slice(self, start: int, stop: int) -> Stretch:
        """Returns some of its rows.

        Args:
          start: The first, counted in the file.
          stop: One after the last.
        """
        skipped = start - self.start
        return Stretch(self.path, start, stop, self.first_row + skipped, self.first_place + skipped)


def _damaged(path: str, error: BaseException) -> errors.ArtifactError:
    found = " ".join(str(error).split())[:200]
    return errors.ArtifactError(
        f"{path} cannot be read as an Arrow file ({found}); wanted one that datasets wrote, whole; "
        "prepare the data set again"
    )


def _is_text(kind: pa.DataType) -> bool:
    import pyarrow as pa

    if pa.types.is_dictionary(kind):
        return _is_text(kind.value_type)
    is_view = getattr(pa.types, "is_string_view", lambda _: False)
    return pa.types.is_string(kind) or pa.types.is_large_string(kind) or is_view(kind)


def find_columns(schema: pa.Schema, *, wanted: Sequence[str] | None, where: str) -> list[str]:
    """Returns the columns that make up a document.

    Args:
      schema: Of the file.
      wanted: What the caller named; None for the only column of text, or the one named `text`.
      where: Whose columns they are, for messages.

    Raises:
      InputError: A column is not there or holds no text, or none was named and there are several.
    """
    texts = [field.name for field in schema if _is_text(field.type)]
    if wanted is None:
        chosen = ["text"] if "text" in texts else texts
        if len(chosen) == 1:
            return chosen
        raise errors.InputError(
            f"{where} has the columns of text {', '.join(texts) or '(none)'}; wanted to know which "
            "to encode; name it with mapping_column_name"
        )
    for name in wanted:
        if name not in schema.names:
            raise errors.InputError(
                f"{where} has no column {name!r}; wanted one of {', '.join(schema.names)}; name "
                "one of these with mapping_column_name"
            )
        kind = schema.field(name).type
        if not _is_text(kind):
            raise errors.InputError(
                f"the column {name!r} of {where} is {kind}; wanted text, as in "
                f"{', '.join(texts) or 'no column of it'}; name another with mapping_column_name"
            )
    return list(wanted)


def read_schema(path: str) -> pa.Schema:
    """Returns the columns of a file.

    Args:
      path: An Arrow file as `datasets` writes them.

    Raises:
      ArtifactError: It cannot be read.
    """
    import pyarrow as pa

    try:
        with pa.memory_map(path) as file, pa.ipc.open_stream(file) as stream:
            return stream.schema
    except (pa.ArrowInvalid, OSError, EOFError) as error:
        raise _damaged(path, error) from error


def scan_file(path: str, *, columns: Sequence[str]) -> ArrowFile:
    """Finds out how many rows and bytes of text a file holds, without reading the text.

    Args:
      path: An Arrow file as `datasets` writes them.
      columns: Of text.

    Returns:
      Its record batches.

    Raises:
      ArtifactError: The file is damaged.
    """
    import pyarrow as pa

    rows, sizes, nulls = [0], [0], np.zeros(len(columns), dtype=np.int64)
    try:
        with pa.memory_map(path) as file, pa.ipc.open_stream(file) as stream:
            for batch in stream:
                found = [batch.column(name) for name in columns]
                rows.append(batch.num_rows)
                sizes.append(sum(column.get_total_buffer_size() for column in found))
                nulls += [column.null_count for column in found]
    except (pa.ArrowInvalid, OSError, EOFError, KeyError) as error:
        raise _damaged(path, error) from error
    ends = np.cumsum(rows, dtype=np.int64)
    return ArrowFile(path, ends, np.cumsum(sizes, dtype=np.int64), tuple(nulls.tolist()))


def cut_stretch(stretch: Stretch, *, file: ArrowFile) -> Iterator[Stretch]:
    """Cuts a stretch into pieces of about `UNIT_BYTES` of text.

    Args:
      stretch: Of the file.
      file: The file.

    Yields:
      The pieces in order, none of them empty.
    """
    # Offsets count as well, so that no batch is without a size.
    sizes = file.size_ends
    first, last = np.interp([stretch.start, stretch.stop], file.ends, sizes)
    num_pieces = max(1, round((last - first) / UNIT_BYTES))
    cuts = np.interp(np.linspace(first, last, num_pieces + 1), sizes, file.ends)
    inside = np.unique(np.rint(cuts).astype(np.int64)[1:-1])
    rows = [stretch.start, *inside.tolist(), stretch.stop]
    for start, stop in zip(rows, rows[1:]):
        if start < stop:
            yield stretch.slice(start, stop)


@dataclasses.dataclass(frozen=True)
class ArrowUnit:
    """The rows of a stretch as documents.

    Attributes:
      key: Says which these are.
      stretch: The rows.
      columns: Whose text is joined.
      choice: Which of the rows; None for all.
    """

    key: str
    stretch: Stretch
    columns: tuple[str, ...]
    choice: RowChoice | None = None

    def read(self) -> Iterator[DocumentBatch]:
        """Reads the documents.

        Returns:
          Batches of about `BATCH_BYTES` of text, never empty.
        """
        return documents.gather(
            DocumentBatch(
                column.to_numpy(zero_copy_only=False).tolist(),
                [("", str(row)) for row in rows.tolist()],
            )
            for rows, column in self._read_columns()
        )

    def _read_columns(self) -> Iterator[tuple[np.ndarray, pa.Array]]:
        """Yields numbers of rows and their text, at most about `BATCH_BYTES` at a time."""
        import pyarrow as pa

        for start, record_batch in _read_batches(self.stretch):
            columns = [
                _plain_text(record_batch.column(name), name=name, path=self.stretch.path)
                for name in self.columns
            ]
            for first, last in _cut_columns(columns):
                text = _join_columns([column.slice(first, last - first) for column in columns])
                skipped = start + first - self.stretch.start
                rows = np.arange(len(text)) + self.stretch.first_row + skipped
                if self.choice is not None:
                    place = self.stretch.first_place + skipped
                    mask = self.choice.mask(place, place + len(text))
                    rows, text = rows[mask], text.filter(pa.array(mask))
                yield rows, text


def _read_batches(stretch: Stretch) -> Iterator[tuple[int, Any]]:
    """Yields record batches, the first and last cut to the stretch, and each one's first row."""
    import pyarrow as pa

    row = 0
    try:
        with pa.memory_map(stretch.path) as file, pa.ipc.open_stream(file) as stream:
            for batch in stream:
                start, stop = max(row, stretch.start), min(row + batch.num_rows, stretch.stop)
                if start < stop:
                    yield start, batch.slice(start - row, stop - start)
                row += batch.num_rows
                if row >= stretch.stop:
                    return
    except (pa.ArrowInvalid, OSError, EOFError) as error:
        raise _damaged(stretch.path, error) from error
    raise _damaged(stretch.path, EOFError(f"it ends after {row} rows"))


def _plain_text(column: Any, *, name: str, path: str) -> Any:
    """Returns a column of valid text as string or large_string."""
    import pyarrow as pa

    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    try:
        column.validate(full=True)
    except pa.ArrowInvalid as error:
        raise errors.InputError(
            f"the column {name!r} of {os.path.basename(path)} holds what is not UTF-8 "
            f"({error}); wanted text; write the data set again"
        ) from error
    if not (pa.types.is_string(column.type) or pa.types.is_large_string(column.type)):
        column = column.cast(pa.large_string())
    return column


def _cut_columns(columns: Sequence[Any]) -> Iterator[tuple[int, int]]:
    """Yields rows that hold about `BATCH_BYTES` together: the first, and one after the last."""
    import pyarrow.compute as pc

    num_rows = len(columns[0])
    sizes = np.zeros(num_rows, dtype=np.int64)
    for column in columns:
        sizes += pc.binary_length(column).fill_null(0).to_numpy(zero_copy_only=False)
    groups = np.cumsum(sizes) // documents.BATCH_BYTES
    cuts = [0, *(np.flatnonzero(np.diff(groups)) + 1).tolist(), num_rows]
    return zip(cuts, cuts[1:])


def _join_columns(columns: Sequence[Any]) -> Any:
    """Returns a large_binary array: the UTF-8 of each row, nulls as empty text."""
    import pyarrow as pa
    import pyarrow.compute as pc

    found = [column.cast(pa.large_binary()).fill_null(b"") for column in columns]
    if len(found) == 1:
        return found[0]
    return pc.binary_join_element_wise(*found, pa.scalar(COLUMN_SEPARATOR, pa.large_binary()))

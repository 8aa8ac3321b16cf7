"""A data set of Arrow files as the source of a token cache; `hub_source` and `disk_source` open it.

    source = ArrowSource(open_files, options=options, fingerprint_parts={...}, config={...})

The files are found when the build first asks for a split: whether a cache is the one that is asked
for is decided by the fingerprint alone, and costs no download.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Callable, NamedTuple

from absl import logging

from code_t5 import errors, progress
from code_t5.storage import fingerprints
from code_t5.token_cache import layout
from code_t5.token_cache.sources import arrow_rows, row_choice, row_options
from code_t5.token_cache.sources.arrow_rows import ArrowFile, ArrowUnit, Stretch
from code_t5.token_cache.sources.documents import DocumentBatch
from code_t5.token_cache.sources.row_options import RowOptions

_KEY_LENGTH = 16


class _Plan(NamedTuple):
    """What is read.

    Attributes:
      files: What there is to know of each, by path.
      columns: Whose text is joined.
      stretches: By split, before a validation split is made.
      rows: By split of the cache, whose stretches it reads, and which of their rows.
    """

    files: dict[str, ArrowFile]
    columns: tuple[str, ...]
    stretches: dict[str, list[Stretch]]
    rows: dict[str, row_choice.SplitRows]


class ArrowSource:
    """Rows of Arrow files in splits; see `code_t5.token_cache.sources.documents.DocumentSource`.

    Attributes:
      fingerprint_parts: Everything that decides on the documents.
      config: What was asked for.
    """

    def __init__(
        self,
        open_files: Callable[[], Mapping[str, Sequence[str]]],
        *,
        options: RowOptions,
        where: str,
        fingerprint_parts: Mapping[str, Any],
        config: Mapping[str, Any],
    ) -> None:
        """Remembers what to read; reads nothing.

        Args:
          open_files: Returns the Arrow files of each split of the data set, in order.
          options: Which splits and columns are wanted.
          where: The data set, for messages.
          fingerprint_parts: What decides on the content of these files.
          config: What was asked for, beside the options.
        """
        self._open_files = open_files
        self._options = options
        self._where = where
        self.fingerprint_parts = {**fingerprint_parts, **options.fingerprint_parts}
        self.config = {**config, **options.config}

    @functools.cached_property
    def _plan(self) -> _Plan:
        every = {name: list(paths) for name, paths in self._open_files().items()}
        wanted = row_options.wanted_splits(
            self._options.split, known=list(every), where=self._where
        )
        check_split_names(list(wanted), where=self._where)
        origins = row_options.named_splits(wanted.values())
        by_split = {name: paths for name, paths in every.items() if name in origins}
        files, columns = self._scan(by_split)
        num_rows = {
            name: sum(files[path].num_rows for path in paths) for name, paths in by_split.items()
        }
        stretches = {}
        for name, expression in wanted.items():
            ranges = row_options.resolve_expression(expression, num_rows=num_rows)
            found = (
                _stretches(by_split[origin], files, start=a, stop=b) for origin, a, b in ranges
            )
            stretches[name] = list(_number(itertools.chain.from_iterable(found)))
        totals = {name: _num_rows(of_split) for name, of_split in stretches.items()}
        for name, total in totals.items():
            if not total:
                raise errors.InputError(
                    f"the split {name!r} of {self._where} is empty; wanted documents; name the "
                    "splits that have some with split={'train': ...}"
                )
        rows = row_choice.plan_splits(
            totals, validation_split=self._options.validation_split, seed=self._options.seed
        )
        return _Plan(files, columns, stretches, rows)

    def _scan(
        self, by_split: Mapping[str, Sequence[str]]
    ) -> tuple[dict[str, ArrowFile], tuple[str, ...]]:
        """Returns what there is to know of each file and the columns; warns of missing text."""
        columns: list[str] = []
        files: dict[str, ArrowFile] = {}
        num_files = sum(map(len, by_split.values()))
        bar = progress.progress_bar(description="looking at files", unit="file", total=num_files)
        with bar:
            for name, paths in by_split.items():
                for path in paths:
                    schema = arrow_rows.read_schema(path)
                    columns = arrow_rows.find_columns(
                        schema, wanted=columns or self._options.columns, where=self._where
                    )
                    files[path] = arrow_rows.scan_file(path, columns=columns)
                    bar.update(1)
                self._warn_of_nulls(name, [files[path] for path in paths], columns=columns)
        return files, tuple(columns)

    def _warn_of_nulls(
        self, split: str, files: Sequence[ArrowFile], *, columns: Sequence[str]
    ) -> None:
        for column, nulls in zip(columns, zip(*(file.num_nulls for file in files))):
            if sum(nulls):
                logging.warning(
                    "%d of the %d rows of %s in the split %r have no %r: it counts as empty text",
                    sum(nulls), sum(file.num_rows for file in files), self._where, split, column,
                )  # fmt: skip

    @property
    def splits(self) -> Sequence[str]:
        """Names of the splits."""
        return tuple(self._plan.rows)

    def num_documents(self, split: str) -> int:
        """Returns how many documents a split has.

        Args:
          split: One of `splits`.
        """
        origin, choice = self._plan.rows[split]
        return _num_rows(self._plan.stretches[origin]) if choice is None else choice.num_taken

    def units(self, split: str) -> Iterator[ArrowUnit]:
        """Cuts a split into pieces of work.

        Args:
          split: One of `splits`.

        Yields:
          The units in order.
        """
        origin, _ = self._plan.rows[split]
        for stretch in self._plan.stretches[origin]:
            file = self._plan.files[stretch.path]
            for piece in arrow_rows.cut_stretch(stretch, file=file):
                yield self._unit(split, piece)

    def _unit(self, split: str, stretch: Stretch) -> ArrowUnit:
        key = fingerprints.hash_json(self.fingerprint_parts)[:_KEY_LENGTH]
        rows = f"{stretch.first_place}+{stretch.stop - stretch.start}"
        _, choice = self._plan.rows[split]
        return ArrowUnit(f"{split}:{rows}:{key}", stretch, self._plan.columns, choice)

    def sample(self, split: str, *, num_bytes: int) -> Iterator[DocumentBatch]:
        """Reads some documents from places spread evenly over a split.

        Args:
          split: One of `splits`.
          num_bytes: About how much text is wanted in all.

        Yields:
          A batch from each place.
        """
        origin, _ = self._plan.rows[split]
        stretches = self._plan.stretches[origin]
        places = row_choice.spread_places(_num_rows(stretches))
        for place, end in zip(places, [*places[1:], _num_rows(stretches)]):
            stretch = next(s for s in reversed(stretches) if s.first_place <= place)
            start = stretch.start + place - stretch.first_place
            stop = min(stretch.stop, start + end - place)
            batch = self._sample_stretch(
                split, stretch.slice(start, stop), num_bytes=num_bytes // len(places)
            )
            if batch.texts:
                yield batch

    def _sample_stretch(self, split: str, stretch: Stretch, *, num_bytes: int) -> DocumentBatch:
        """Returns the first documents of a stretch, at least one if it has any."""
        for batch in self._unit(split, stretch).read():
            size = 0
            for count, text in enumerate(batch.texts, start=1):
                size += len(text)
                if size >= num_bytes:
                    return DocumentBatch(batch.texts[:count], batch.names[:count])
            return batch
        return DocumentBatch([], [])


def _num_rows(stretches: Sequence[Stretch]) -> int:
    return sum(stretch.stop - stretch.start for stretch in stretches)


def _stretches(
    paths: Sequence[str], files: Mapping[str, ArrowFile], *, start: int, stop: int
) -> Iterator[Stretch]:
    """Yields where some consecutive rows of a split lie."""
    first = 0
    for path in paths:
        num_rows = files[path].num_rows
        begin, end = max(start - first, 0), min(stop - first, num_rows)
        if begin < end:
            yield Stretch(path, begin, end, first + begin, 0)
        first += num_rows


def _number(stretches: Iterator[Stretch]) -> Iterator[Stretch]:
    place = 0
    for stretch in stretches:
        yield stretch._replace(first_place=place)
        place += stretch.stop - stretch.start


def check_split_names(names: Sequence[str], *, where: str) -> None:
    """Refuses names of splits that no file can have.

    Args:
      names: Of the splits that the cache would get.
      where: Whose they are, for the message.

    Raises:
      InputError: One has other characters than letters, digits, - and _.
    """
    for name in names:
        if not layout.is_split_name(name):
            raise errors.InputError(
                f"{where} has the split {name!r}; wanted letters, digits, - and _ in a name; give "
                f"it another with split={{'train': {name!r}}}"
            )

"""Text to ids, many texts at once; `benchmarks/encoding.py` compares it with others.

Source code repeats its units (`code_t5.encoding.text_units`), and no id crosses the border of one.
So each unit is encoded once; of a text it is only asked which units it is made of, and their ids
are copied out of a pool, all by array operations (`code_t5.encoding.unit_table`). New units are
merged many at once (`code_t5.encoding.pair_merges`), or given to the vocabulary's library. The ids
are those of `TokenModel.encode`. Texts with a NUL or with one of the model's special characters are
rare and go through `TokenModel.encode` itself.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator, Sequence

import numpy as np

from code_t5 import errors
from code_t5.encoding import pair_merges, ragged, unit_table
from code_t5.encoding.ragged import Ragged
from code_t5.encoding.token_model import TokenModel

# Ids in the pool before table and pool start afresh: 32 MB.
_MAX_POOL_IDS = 1 << 23
# Batches whose new units are merged together.
_BATCHES_AT_ONCE = 16
# Of fewer units it is quicker to ask the library.
_MIN_MERGED_UNITS = 400
# Units that are merged here and by the model's library, before merging here is trusted.
_CHECKED_UNITS = 4096
# A number of the table: where a unit's ids begin in the pool, and in the lower bits how many.
_LENGTH_BITS = 32
_LENGTH_MASK = (1 << _LENGTH_BITS) - 1


class UnitEncoder:
    """Encodes texts with one vocabulary; remembers the units that it has seen, in bounded memory.

    Threads may share one; they take turns.
    """

    def __init__(self, model: TokenModel) -> None:
        """Starts with no unit.

        Args:
          model: The vocabulary's.
        """
        self._model = model
        self._marks = unit_table.MarkFinder(model)
        self._table = unit_table.UnitTable(self._add_units)
        self._pool = np.zeros(1 << 16, dtype=np.int32)
        self._pool_size = 1
        rules = pair_merges.read_rules(model)
        self._merger = pair_merges.PairMerger(rules) if rules else None
        self._num_unchecked = _CHECKED_UNITS
        self._lock = threading.Lock()

    def __reduce__(self) -> tuple[type[UnitEncoder], tuple[TokenModel]]:
        """Leaves the units behind when it is pickled."""
        return UnitEncoder, (self._model,)

    def encode(self, contents: Sequence[bytes]) -> Ragged:
        """Returns the ids of several texts, without an end of text.

        Args:
          contents: UTF-8.

        Returns:
          int32, one row per text.

        Raises:
          InputError: A text is not UTF-8.
        """
        lengths = np.zeros(len(contents), dtype=np.int64)
        values = [np.zeros(0, dtype=np.int32)]
        with self._lock:
            for text_indexes, rows in self._encode_parts(contents):
                np.add.at(lengths, text_indexes, rows.lengths)
                values.append(rows.values)
        return Ragged(np.concatenate(values), ragged.offsets_of(lengths))

    def _encode_parts(self, contents: Sequence[bytes]) -> Iterator[tuple[np.ndarray, Ragged]]:
        """Yields the ids of texts, or of parts of them, in order, and which texts they are of."""
        first = 0
        for index, content in enumerate(contents):
            if self._marks.is_in(content):
                yield from self._encode_plain(contents[first:index], first)
                ids = self._model.encode(_decode(content))
                yield np.array([index]), Ragged.from_rows([ids])
                first = index + 1
        yield from self._encode_plain(contents[first:], first)

    def _encode_plain(
        self, contents: Sequence[bytes], first: int
    ) -> Iterator[tuple[np.ndarray, Ragged]]:
        batches = unit_table.cut_texts(contents)
        while True:
            group = list(itertools.islice(batches, _BATCHES_AT_ONCE))
            if not group:
                return
            if self._pool_size > _MAX_POOL_IDS or self._table.num_units > unit_table.MAX_UNITS:
                self._table.clear()
                self._pool_size = 1
            for batch, numbers in zip(group, self._table.look_up(group)):
                rows = ragged.gather_ranges(
                    self._pool, starts=numbers >> _LENGTH_BITS, lengths=numbers & _LENGTH_MASK
                )
                offsets = rows.offsets[batch.unit_offsets]
                yield batch.text_indexes + first, Ragged(rows.values, offsets)

    def _add_units(self, units: unit_table.NewUnits) -> np.ndarray:
        """Puts the ids of new units into the pool and returns where."""
        numbers = np.zeros(len(units.starts), dtype=np.int64)
        others = np.arange(len(numbers))
        if self._merger is not None and len(numbers) >= _MIN_MERGED_UNITS:
            data = np.frombuffer(units.data, dtype=np.uint8)
            rows, merged = self._merger.merge(data, starts=units.starts, ends=units.ends)
            if self._is_right(rows, units=units, merged=merged):
                numbers[merged] = self._add_rows(rows)
                others = np.flatnonzero(numbers == 0)
            else:
                self._merger = None
        if len(others):
            ids = self._model.encode_units(units.texts(others))
            lengths = np.fromiter(map(len, ids), dtype=np.int64, count=len(ids))
            values = itertools.chain.from_iterable(ids)
            flat = np.fromiter(values, dtype=np.int32, count=int(lengths.sum()))
            numbers[others] = self._add_rows(Ragged(flat, ragged.offsets_of(lengths)))
        return numbers

    def _is_right(self, rows: Ragged, *, units: unit_table.NewUnits, merged: np.ndarray) -> bool:
        """Compares some of the first rows with what the model's library gives for their units."""
        if self._num_unchecked <= 0:
            return True
        chosen = np.arange(0, len(merged), 1 + len(merged) // self._num_unchecked)
        self._num_unchecked -= len(chosen)
        wanted = self._model.encode_units(units.texts(merged[chosen]))
        return all(rows.row(index).tolist() == ids for index, ids in zip(chosen, wanted))

    def _add_rows(self, rows: Ragged) -> np.ndarray:
        start, stop = self._pool_size, self._pool_size + len(rows.values)
        if stop > len(self._pool):
            pool = np.zeros(2 * stop, dtype=np.int32)
            pool[:start] = self._pool[:start]
            self._pool = pool
        self._pool[start:stop] = rows.values
        self._pool_size = stop
        return ((rows.offsets[:-1] + start) << _LENGTH_BITS) | rows.lengths


def _decode(content: bytes) -> str:
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise errors.InputError(
            f"a text is not UTF-8 at byte {error.start}; wanted UTF-8; convert or leave out the "
            "file"
        ) from error

r"""Numbers of many units of text at once: texts are cut, hashed and looked up by array operations.

A *unit* is what `code_t5.encoding.text_units` cuts a text into. A *unit table* knows a number for
each unit that it has seen, by the unit's 64-bit hash; whoever owns the table says what the number
of a new unit is. Different units of at most 8 bytes never share a hash. Longer ones might, and one
would get the other's number; a table of `MAX_UNITS` holds such a pair once in 8 million tables.
Each draws a key for its hashes, so no text can be written to bring such a pair about.

    for batch in cut_texts([b"def f(x):\n", b"return x"]):
        (numbers,) = table.look_up([batch])
"""

from __future__ import annotations

import dataclasses
import re
import secrets
from collections.abc import Iterator, Sequence
from typing import Callable

import numpy as np

from code_t5 import errors
from code_t5.encoding import byte_runs, number_table, ragged, text_units
from code_t5.encoding.token_model import TokenModel

# Texts at a time: so many bytes that the arrays made of them stay in the processor's cache.
_BATCH_BYTES = 1 << 17
# Two units always meet after a letter that no letter follows. Non-ASCII bytes are letters, so no
# character is cut in two.
_LAST_LETTER = re.compile(rb"[A-Za-z_\x80-\xff](?![A-Za-z_\x80-\xff])")
# Zero bytes after the texts of new units.
PADDING_BYTES = 64
# Units in a table before it starts afresh.
MAX_UNITS = 1 << 21


@dataclasses.dataclass(frozen=True)
class UnitBatch:
    """Units of some texts, or of parts of a long one.

    Attributes:
      data: The texts' bytes, a NUL around each.
      starts: int64 `[num_units]`; where each unit begins in `data`.
      ends: int64 `[num_units]`; where it ends.
      text_indexes: int64 `[num_parts]`; which text each part is of, rising.
      unit_offsets: int64 `[num_parts + 1]`; the units of part `i` are those from
        `unit_offsets[i]` to `unit_offsets[i + 1]`.
    """

    data: bytes
    starts: np.ndarray
    ends: np.ndarray
    text_indexes: np.ndarray
    unit_offsets: np.ndarray

    def sums_by_part(self, numbers: np.ndarray) -> np.ndarray:
        """Adds up a number of each unit over each part.

        Args:
          numbers: bool or int64 `[num_units]`.

        Returns:
          int64 `[num_parts]`.
        """
        return np.diff(ragged.offsets_of(numbers)[self.unit_offsets])


class MarkFinder:
    """Finds texts that cannot be cut here: with a NUL or one of a model's special characters."""

    def __init__(self, model: TokenModel) -> None:
        """Takes the characters of a model.

        Args:
          model: Whose ids are looked up.
        """
        marks = ("\0", *model.special_characters)
        self._ascii = [mark.encode("ascii") for mark in marks if mark.isascii()]
        self._others = [mark.encode("utf-8") for mark in marks if not mark.isascii()]

    def is_in(self, content: bytes) -> bool:
        """Says whether a text holds one of the characters.

        Args:
          content: UTF-8.
        """
        if any(mark in content for mark in self._ascii):
            return True
        # Finding no byte above 0x7F is quicker than finding no character.
        return not content.isascii() and any(mark in content for mark in self._others)


def _long_parts(content: bytes) -> Iterator[bytes]:
    """Cuts a long text between units into parts of at least a batch, the last excepted."""
    start = 0
    while start < len(content):
        last = _LAST_LETTER.search(content, start + _BATCH_BYTES)
        stop = last.end() if last else len(content)
        yield content[start:stop]
        start = stop


def _make_batch(parts: Sequence[bytes], text_indexes: Sequence[int]) -> UnitBatch:
    data = b"\0".join([b"", *parts, b"\0" * byte_runs.WORD_BYTES])
    starts, ends = text_units.find_units(data)
    sizes = np.fromiter(map(len, parts), dtype=np.int64, count=len(parts))
    # Where each part begins, then the end of the last.
    bounds = np.concatenate([[1], np.cumsum(sizes + 1) + 1])
    return UnitBatch(
        data, starts, ends, np.array(text_indexes, dtype=np.int64), np.searchsorted(starts, bounds)
    )


def cut_texts(contents: Sequence[bytes]) -> Iterator[UnitBatch]:
    r"""Cuts texts into units, some texts at a time.

    Args:
      contents: UTF-8 without NUL.

    Yields:
      The units, in order.

    >>> [(b.text_indexes.tolist(), b.unit_offsets.tolist()) for b in cut_texts([b"a b", b"", b"c"])]
    [([0, 1, 2], [0, 2, 2, 3])]
    """
    parts: list[bytes] = []
    text_indexes: list[int] = []
    size = 0
    for index, content in enumerate(contents):
        for part in _long_parts(content) if len(content) > _BATCH_BYTES else (content,):
            if size + len(part) > _BATCH_BYTES and parts:
                yield _make_batch(parts, text_indexes)
                parts, text_indexes, size = [], [], 0
            parts.append(part)
            text_indexes.append(index)
            size += len(part) + 1
    if parts:
        yield _make_batch(parts, text_indexes)


@dataclasses.dataclass(frozen=True)
class NewUnits:
    """Units that a table does not know, all different.

    Attributes:
      data: Bytes of texts, and `PADDING_BYTES` more.
      starts: int64 `[num_units]`; where each unit begins in `data`.
      ends: int64 `[num_units]`; where it ends.
    """

    data: bytes
    starts: np.ndarray
    ends: np.ndarray

    def texts(self, indexes: np.ndarray | slice = slice(None)) -> list[str]:
        """Returns some of the units as text.

        Args:
          indexes: Which.

        Raises:
          InputError: They are not UTF-8.
        """
        bounds = zip(self.starts[indexes].tolist(), self.ends[indexes].tolist())
        try:
            return [self.data[start:end].decode("utf-8") for start, end in bounds]
        except UnicodeDecodeError as error:
            raise errors.InputError(
                f"a text holds the bytes {error.object[:20]!r}, which are not UTF-8; wanted UTF-8; "
                "convert or leave out the file"
            ) from error


def _draw_key() -> int:
    # 0 would be no key.
    return secrets.randbits(64) or 1


class UnitTable:
    """A number for each unit."""

    def __init__(self, make_numbers: Callable[[NewUnits], np.ndarray]) -> None:
        """Starts with no unit.

        Args:
          make_numbers: Returns the numbers of new units, int64, none of them 0.
        """
        self._make_numbers = make_numbers
        self._table = number_table.NumberTable()
        self._key = _draw_key()

    @property
    def num_units(self) -> int:
        """How many units it knows."""
        return self._table.num_keys

    def clear(self) -> None:
        """Forgets every unit."""
        self._table.clear()
        self._key = _draw_key()

    def look_up(self, batches: Sequence[UnitBatch]) -> list[np.ndarray]:
        """Returns the number of each unit, those of new ones from `make_numbers`.

        Args:
          batches: Units; new ones of all batches are handed over at once.

        Returns:
          int64 `[num_units]` for each batch.
        """
        numbers, missing, hashes = [], [], []
        for batch in batches:
            of_batch = byte_runs.hash_runs(
                batch.data, starts=batch.starts, ends=batch.ends, key=self._key
            )
            numbers.append(self._table.find(of_batch))
            missing.append(np.flatnonzero(numbers[-1] == 0))
            hashes.append(of_batch[missing[-1]])
        if not any(map(len, missing)):
            return numbers
        keys, first, places = np.unique(
            np.concatenate(hashes), return_index=True, return_inverse=True
        )
        made = self._make_numbers(_new_units(batches, missing, first=first))
        self._table.insert(keys, made)
        bounds = ragged.offsets_of(np.array(list(map(len, missing))))
        for index, chosen in enumerate(missing):
            numbers[index][chosen] = made[places[bounds[index] : bounds[index + 1]]]
        return numbers


def _new_units(
    batches: Sequence[UnitBatch], missing: Sequence[np.ndarray], *, first: np.ndarray
) -> NewUnits:
    """Returns the units of `missing`, of all batches together, at the positions `first`."""
    bases = ragged.offsets_of(np.array([len(batch.data) for batch in batches]))
    starts, ends = (
        np.concatenate(
            [bounds[chosen] + base for bounds, chosen, base in zip(of_batches, missing, bases)]
        )[first]
        for of_batches in ([b.starts for b in batches], [b.ends for b in batches])
    )
    data = b"".join([*(batch.data for batch in batches), bytes(PADDING_BYTES)])
    return NewUnits(data, starts, ends)

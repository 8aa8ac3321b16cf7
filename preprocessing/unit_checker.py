"""Checks whole files unit by unit, many files at once: do their ids decode to what they were?

A text is encoded unit by unit (`code_t5.data.text_units`) and comes back as its units do. So each
unit is encoded and decoded once, and of a file it is only asked which units it is made of: its
bytes are cut by array operations, at the same places as `text_units.split_units` cuts it, and the
hashes of the units are looked up in a table. Files with a character that is escaped before
encoding, or with a NUL, go the long way; so does one file in 128, as a whole and in one piece.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from code_t5 import vocabulary_escapes
from code_t5.data import byte_runs, piece_model, text_units

_PIECE_BYTES = 1 << 20
_WHOLE_EVERY = 128
_TABLE_BITS = 21
_LONG_WAY = tuple(
    mark.encode("utf-8")
    for mark in ("\0", vocabulary_escapes.ESCAPE_MARK, vocabulary_escapes.SPACE_MARK)
)


class UnitChecker:
    """Checks texts against one vocabulary; remembers the units that it has seen."""

    def __init__(self, model: piece_model.PieceModel) -> None:
        """Starts with no unit.

        Args:
          model: The vocabulary's.
        """
        self._model = model
        # By the upper bits of a unit's hash: the hash, and how many ids the unit becomes; the
        # number is negative for a unit that comes back changed, 0 where nothing is known.
        self._hashes = np.zeros(1 << _TABLE_BITS, dtype=np.uint64)
        self._num_ids = np.zeros(1 << _TABLE_BITS, dtype=np.int32)

    def check(self, contents: Sequence[bytes]) -> piece_model.DecodedBatch:
        """Encodes texts, decodes their ids and compares.

        Args:
          contents: The texts, UTF-8.

        Returns:
          Which differ, and how many ids each became.
        """
        num_tokens = np.zeros(len(contents), dtype=np.int64)
        differing: set[int] = set()
        plain: list[int] = []
        for index, content in enumerate(contents):
            if any(mark in content for mark in _LONG_WAY):
                outcome = self._model.check_decoded([content.decode("utf-8")])
                num_tokens[index] = outcome.num_tokens_by_text[0]
                differing.update(index for _ in outcome.differing)
            else:
                plain.append(index)
            if index % _WHOLE_EVERY == 0 and not self._model.survives_whole(
                content.decode("utf-8")
            ):
                differing.add(index)
        for indexes in _batches(plain, contents):
            counts, is_changed = self._check_plain([contents[index] for index in indexes])
            num_tokens[indexes] = counts
            differing.update(np.array(indexes)[is_changed].tolist())
        return piece_model.DecodedBatch(tuple(sorted(differing)), tuple(num_tokens.tolist()))

    def _check_plain(self, contents: Sequence[bytes]) -> tuple[np.ndarray, np.ndarray]:
        """Returns the number of ids of each text, and whether it comes back changed."""
        data = b"\0".join([b"", *contents, b"\0" * byte_runs.WORD_BYTES])
        starts, ends = text_units.find_units(data)
        num_ids = self._look_up(data, starts, ends)
        sizes = np.fromiter(map(len, contents), dtype=np.int64, count=len(contents))
        # Where each text begins, then the end of the last.
        bounds = np.searchsorted(starts, np.concatenate([[1], np.cumsum(sizes + 1) + 1]))
        sums = np.concatenate([[0], np.cumsum(np.abs(num_ids))])
        changed = np.concatenate([[0], np.cumsum(num_ids < 0)])
        return np.diff(sums[bounds]), np.diff(changed[bounds]) > 0

    def _look_up(self, data: bytes, starts: np.ndarray, ends: np.ndarray) -> np.ndarray:
        """Returns how many ids each unit becomes, negative where it comes back changed."""
        hashes = byte_runs.hash_runs(data, starts=starts, ends=ends)
        slots = hashes >> np.uint64(64 - _TABLE_BITS)
        num_ids = np.where(self._hashes[slots] == hashes, self._num_ids[slots], 0)
        (missing,) = np.nonzero(num_ids == 0)
        if len(missing):
            new, first, place = np.unique(hashes[missing], return_index=True, return_inverse=True)
            bounds = zip(starts[missing[first]].tolist(), ends[missing[first]].tolist())
            units = [data[start:end].decode("utf-8") for start, end in bounds]
            found = np.array(self._model.count_unit_ids(units), dtype=np.int32)
            slots = new >> np.uint64(64 - _TABLE_BITS)
            self._hashes[slots], self._num_ids[slots] = new, found
            num_ids[missing] = found[place]
        return num_ids


def _batches(indexes: Sequence[int], contents: Sequence[bytes]) -> list[list[int]]:
    """Groups texts so that each group's arrays stay in the processor's cache."""
    batches: list[list[int]] = []
    size = _PIECE_BYTES
    for index in indexes:
        if size >= _PIECE_BYTES:
            batches.append([])
            size = 0
        batches[-1].append(index)
        size += len(contents[index])
    return batches

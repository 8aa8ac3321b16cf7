"""Checks whole files unit by unit, many files at once: do their ids decode to what they were?

A text is encoded unit by unit (`code_t5.encoding.text_units`) and comes back as its units do. So
each unit is encoded and decoded once, and of a file it is only asked which units it is made of
(`code_t5.encoding.unit_table`). Files with a NUL or with a character that the model treats
specially go the long way; so does one file in 128, as a whole and in one piece.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from code_t5.encoding import piece_model, unit_table
from code_t5.encoding.token_model import TokenModel

_WHOLE_EVERY = 128


class UnitChecker:
    """Checks texts against one vocabulary; remembers the units that it has seen."""

    def __init__(self, model: TokenModel) -> None:
        """Starts with no unit.

        Args:
          model: The vocabulary's.
        """
        self._model = model
        self._marks = unit_table.MarkFinder(model)
        # How many ids a unit becomes, negative for one that comes back changed.
        self._table = unit_table.UnitTable(self._count_ids)

    def _count_ids(self, units: unit_table.NewUnits) -> np.ndarray:
        return np.array(self._model.count_unit_ids(units.texts()), dtype=np.int64)

    def check(self, contents: Sequence[bytes]) -> piece_model.DecodedBatch:
        """Encodes texts, decodes their ids and compares.

        Args:
          contents: The texts, UTF-8.

        Returns:
          Which differ, and how many ids each became.
        """
        num_tokens = np.zeros(len(contents), dtype=np.int64)
        is_changed = np.zeros(len(contents), dtype=bool)
        plain: list[int] = []
        for index, content in enumerate(contents):
            if self._marks.is_in(content):
                outcome = self._model.check_decoded([content.decode("utf-8")])
                num_tokens[index] = outcome.num_tokens_by_text[0]
                is_changed[index] = bool(outcome.differing)
            else:
                plain.append(index)
            if index % _WHOLE_EVERY == 0 and not self._model.survives_whole(
                content.decode("utf-8")
            ):
                is_changed[index] = True
        for batch in unit_table.cut_texts([contents[index] for index in plain]):
            if self._table.num_units > unit_table.MAX_UNITS:
                self._table.clear()
            (num_ids,) = self._table.look_up([batch])
            indexes = np.array(plain)[batch.text_indexes]
            np.add.at(num_tokens, indexes, batch.sums_by_part(np.abs(num_ids)))
            np.logical_or.at(is_changed, indexes, batch.sums_by_part(num_ids < 0) > 0)
        differing = np.flatnonzero(is_changed).tolist()
        return piece_model.DecodedBatch(tuple(differing), tuple(num_tokens.tolist()))

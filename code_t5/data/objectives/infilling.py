"""Infilling: the middle of a window is left out and must be written, given what stands around it.

From "Efficient Training of Language Models to Fill in the Middle" (Bavarian et al., 2022), for an
encoder-decoder: the middle is the target. The inputs are one of

    prefix <extra_id_0> suffix                   as the paper's PSM
    <extra_id_1> suffix <extra_id_0> prefix      as the paper's SPM

half and half; `<extra_id_0>` always stands next to where the middle belongs. The rest of the
examples are prefix language modelling: a window's start is given, without a sentinel.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import gin
import numpy as np

from code_t5 import errors
from code_t5.data.objectives import line_windows, syntax, token_tables, windows
from code_t5.data.objectives.cut_texts import CutTexts
from code_t5.data.objectives.objective import Documents, Examples, Objective, Requests
from code_t5.data.objectives.segments import Segments
from code_t5.encoding import keys
from code_t5.encoding.ragged import Ragged
from code_t5.encoding.token_model import TokenModel

CHARACTERS, LINES, AST = "characters", "lines", "ast"
UNITS = (CHARACTERS, LINES, AST)

# Cutting a word gives more tokens than the word has: so many are kept free, and borders between
# windows move back by so many for a line end, or by an eighth of the room where that is less, but
# by enough for the first byte of a character.
_MOST_SPARE, _MOST_SLACK, _LEAST_SLACK, _SHARE = 16, 64, 3, 8
# What is drawn from a key.
_IS_INFILLING, _IS_SUFFIX_FIRST, _PLACE, _OTHER_PLACE, _AGAIN, _NODE = range(6)


@gin.configurable(module="code_t5.objectives")
class Infilling(Objective):
    """Leaves out the middle of some windows, and the end of the others.

    Windows begin with a line where they can (`line_windows`). Where a cut falls inside a token, the
    line is encoded anew on both sides, so that every part has the ids of its text.

    Attributes:
      rate: Share of the examples whose middle is left out.
      suffix_first_rate: Share of those that give the suffix first.
      unit: Where is cut: at any two `characters`, at the begins of two `lines`, or around a node of
        Python's syntax tree (`ast`; a window that does not parse is cut at lines).
    """

    name: ClassVar[str] = "infilling"
    least_inputs: ClassVar[int] = 12
    least_targets: ClassVar[int] = 4
    # 2: windows that are indented by tabs, and files with a byte order mark, are parsed rightly.
    version: ClassVar[int] = 2

    def __init__(
        self,
        sequence_length: Mapping[str, int],
        *,
        model: TokenModel,
        with_path: bool = False,
        rate: float = 0.5,
        suffix_first_rate: float = 0.5,
        unit: str = CHARACTERS,
    ) -> None:
        """Works out the window.

        Args:
          sequence_length: Most tokens of `inputs` and `targets`, end of text included.
          model: The vocabulary's.
          with_path: Put a line with repository and path in front of the inputs.
          rate: Share of the examples whose middle is left out.
          suffix_first_rate: Share of those that give the suffix first.
          unit: One of `UNITS`.

        Raises:
          InputError: A length is too short, or a setting is out of range.
        """
        super().__init__(sequence_length, model=model, with_path=with_path)
        self.rate, self.suffix_first_rate = float(rate), float(suffix_first_rate)
        self.unit = unit
        if unit not in UNITS or not (0 <= self.rate <= 1 and 0 <= self.suffix_first_rate <= 1):
            raise errors.InputError(
                f"infilling has unit {unit!r}, rate {rate} and suffix_first_rate "
                f"{suffix_first_rate}; wanted one of {', '.join(UNITS)} and shares from 0 to 1; "
                "set Infilling.unit, Infilling.rate and Infilling.suffix_first_rate"
            )
        self._spare = min(_MOST_SPARE, self.targets_room // _SHARE)
        room = self.inputs_room - 2 - min(_MOST_SPARE, self.inputs_room // _SHARE)
        self._slack = max(_LEAST_SLACK, min(_MOST_SLACK, room // _SHARE))
        self.window = room - self._slack
        self._tables = token_tables.TokenTables(model)

    @property
    def settings(self) -> dict[str, Any]:
        """See `Objective.settings`."""
        own = {
            "rate": self.rate,
            "suffix_first_rate": self.suffix_first_rate,
            "unit": self.unit,
            # Another version of Python may find other nodes.
            **({"python": syntax.PYTHON} if self.unit == AST else {}),
        }
        return {**super().settings, **own}

    def num_examples(self, documents: Documents) -> np.ndarray:
        """Returns how many windows each document has, int64 `[num_documents]`."""
        return windows.count_windows(documents.lengths, window=self.window)

    def _make_examples(self, documents: Documents, requests: Requests) -> Examples:
        starts, lengths = line_windows.line_window_bounds(
            documents, requests=requests, window=self.window, slack=self._slack, tables=self._tables
        )
        rows = windows.gather_tokens(documents, starts=starts, lengths=lengths)
        firsts = np.asarray(documents.offsets)[requests.documents]
        before = documents.tokens[np.maximum(starts - 1, firsts)].astype(np.int64)
        begins_line = (starts == firsts) | self._tables.is_newline[before]
        texts = CutTexts(rows, begins_line=begins_line, tables=self._tables)
        wanted = keys.draw_chance(keys.mix_keys(requests.keys, _IS_INFILLING), self.rate)
        low, high = self._draw_middles(texts, requests.keys, is_wanted=wanted)
        is_infilling = wanted & (low < high)
        # Where nothing is left out, nothing is cut.
        low = np.where(is_infilling, low, texts.byte_bounds[:-1])
        high = np.where(is_infilling, high, texts.byte_bounds[1:])
        prefix, middle, suffix = texts.parts(np.stack([low, high], axis=1))
        is_infilling &= middle.row_lengths <= self.targets_room
        whole = self._split_windows(rows, requests.keys)
        inputs = self._arrange(prefix, suffix, row_keys=requests.keys, pool=len(texts.pool))
        sentinels = self.model.vocab_size - 1 - np.arange(2, dtype=np.int32)
        pool = np.concatenate([texts.pool, sentinels])
        return Examples(
            Segments.join([inputs.where(is_infilling), whole[0].where(~is_infilling)]).gather(pool),
            Segments.join([middle.where(is_infilling), whole[1].where(~is_infilling)]).gather(pool),
        )

    def _draw_middles(
        self, texts: CutTexts, row_keys: np.ndarray, *, is_wanted: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Returns the byte positions where the middles begin and end, alike where there is none."""
        bounds = texts.character_bounds() if self.unit == CHARACTERS else texts.line_bounds()
        low, high = self._draw_pairs(texts, bounds, row_keys=row_keys)
        if self.unit != AST:
            return low, high
        longest = self._last_end(texts, texts.byte_bounds[:-1]) - texts.byte_bounds[:-1]
        chances = keys.mix_keys(row_keys, _NODE)
        for row in np.flatnonzero(is_wanted).tolist():
            start, end = texts.byte_bounds[row : row + 2].tolist()
            node = syntax.draw_node(
                texts.text[start:end], key=chances[row : row + 1], longest=int(longest[row])
            )
            if node:
                low[row], high[row] = start + node[0], start + node[1]
        return low, high

    def _last_end(self, texts: CutTexts, low: np.ndarray) -> np.ndarray:
        """Returns the byte position up to which a middle that begins at `low` fits the targets."""
        last = texts.token_position(low) + self.targets_room - self._spare
        return texts.byte_position(np.minimum(last, texts.rows.offsets[1:]))

    def _draw_pairs(
        self, texts: CutTexts, bounds: Ragged, *, row_keys: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Draws two different bounds of each row, ascending, all pairs alike likely.

        Where the targets have no room for what lies between, the second is drawn anew.
        """
        counts = bounds.lengths
        first = keys.draw(keys.mix_keys(row_keys, _PLACE), counts)
        second = keys.draw(keys.mix_keys(row_keys, _OTHER_PLACE), counts - 1)
        second += second >= first
        low, high = np.minimum(first, second), np.maximum(first, second)
        places = bounds.values[bounds.offsets[:-1] + low]
        last_end = self._last_end(texts, places)
        # The number of the last bound that is not behind it.
        fitting = np.searchsorted(bounds.values, last_end, side="right") - 1 - bounds.offsets[:-1]
        fitting = np.minimum(fitting, counts - 1)
        again = low + 1 + keys.draw(keys.mix_keys(row_keys, _AGAIN), np.maximum(1, fitting - low))
        high = np.where(high <= fitting, high, np.where(fitting > low, again, low))
        return places, bounds.values[bounds.offsets[:-1] + high]

    def _split_windows(self, rows: Ragged, row_keys: np.ndarray) -> tuple[Segments, Segments]:
        """Cuts each window in two between tokens, as `PrefixLm` does."""
        starts, lengths = rows.offsets[:-1], rows.lengths
        cuts = windows.draw_cuts(
            lengths, row_keys=keys.mix_keys(row_keys, _PLACE), targets_room=self.targets_room
        )
        return (
            Segments.of_stretches(starts, cuts),
            Segments.of_stretches(starts + cuts, lengths - cuts),
        )

    def _arrange(
        self, prefix: Segments, suffix: Segments, *, row_keys: np.ndarray, pool: int
    ) -> Segments:
        """Puts prefix and suffix in order, and takes away what the inputs have no room for.

        Args:
          prefix: What stands before the middle; its start is what is taken away first.
          suffix: What stands behind it.
          row_keys: uint64 `[num_rows]`.
          pool: Position of `<extra_id_0>` in the pool; `<extra_id_1>` stands behind it.
        """
        is_suffix_first = keys.draw_chance(
            keys.mix_keys(row_keys, _IS_SUFFIX_FIRST), self.suffix_first_rate
        )
        room = self.inputs_room - 1 - is_suffix_first
        too_many = prefix.row_lengths + suffix.row_lengths - room
        prefix = prefix.drop_first(too_many)
        suffix = suffix.keep_first(room - prefix.row_lengths)
        ones = np.ones(len(row_keys), dtype=np.int64)
        here = Segments.of_stretches(ones * pool, ones)
        suffix_mark = Segments.of_stretches(ones * (pool + 1), ones)
        return Segments.join(
            [
                *(part.where(~is_suffix_first) for part in (prefix, here, suffix)),
                *(part.where(is_suffix_first) for part in (suffix_mark, suffix, here, prefix)),
            ]
        )

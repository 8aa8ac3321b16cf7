"""Cut texts: the text of windows, cut at any byte, as tokens of each part.

All windows lie one after the other: *byte positions* count through the bytes of all, *token
positions* through their tokens. A part of a window's text has the ids of that text: whole lines
keep theirs, what stands before its first line's begin and after its last one's is encoded anew.
"""

from __future__ import annotations

import numpy as np

from code_t5.data.objectives import segments, token_tables
from code_t5.encoding import ragged
from code_t5.encoding.ragged import Ragged


class CutTexts:
    """The texts of some windows.

    Attributes:
      rows: The windows' tokens.
      text: Their bytes, joined.
      byte_bounds: int64 `[num_rows + 1]`: byte positions where windows begin, and the end.
      pool: int32: what segments point into: the tokens, then what was encoded anew.
    """

    def __init__(
        self, rows: Ragged, *, begins_line: np.ndarray, tables: token_tables.TokenTables
    ) -> None:
        """Decodes the windows and finds their lines.

        Args:
          rows: int32: the windows' tokens; each begins and ends where a character does.
          begins_line: bool `[num_rows]`: whether the window begins with a line.
          tables: Of the vocabulary.
        """
        self.rows = rows
        self.pool = rows.values
        self._tables = tables
        decoded = tables.decode(rows.values)
        self.text = decoded.tobytes()
        byte_offsets = tables.byte_offsets(rows.values)
        self.byte_bounds = byte_offsets[rows.offsets]
        self._is_character = (decoded & 0xC0) != 0x80
        self._token_bytes = byte_offsets
        is_newline = tables.is_newline[rows.values]
        after = np.flatnonzero(is_newline) + 1
        self._begins_line = begins_line
        self._ends_line = np.zeros(rows.num_rows, dtype=bool)
        some = rows.lengths > 0
        self._ends_line[some] = is_newline[rows.offsets[1:][some] - 1]
        line_tokens = np.union1d(after, rows.offsets[:-1][begins_line])
        # One more line begins behind everything, so that there always is a next.
        self._line_tokens = np.append(line_tokens, 0)
        self._line_bytes = np.append(byte_offsets[line_tokens], np.iinfo(np.int64).max)

    def token_position(self, byte_positions: np.ndarray) -> np.ndarray:
        """Returns the first token that begins at or after each byte position."""
        return np.searchsorted(self._token_bytes, byte_positions, side="left")

    def byte_position(self, token_positions: np.ndarray) -> np.ndarray:
        """Returns the byte positions where tokens begin."""
        return self._token_bytes[token_positions]

    def character_bounds(self) -> Ragged:
        """Returns the byte positions between which each window's characters lie, ends included."""
        return self._bounds(np.flatnonzero(self._is_character))

    def line_bounds(self) -> Ragged:
        """Returns the byte positions where each window's lines begin, its two ends included."""
        return self._bounds(self._line_bytes)

    def _bounds(self, places: np.ndarray) -> Ragged:
        """Groups sorted byte positions by window, and adds each window's begin and end."""
        first, last = self.byte_bounds[:-1], self.byte_bounds[1:]
        low = np.searchsorted(places, first, side="right")
        high = np.searchsorted(places, last, side="left")
        inner = ragged.gather_ranges(places, starts=low, lengths=np.maximum(0, high - low))
        offsets = inner.offsets + 2 * np.arange(len(inner.offsets))
        values = np.empty(offsets[-1], dtype=np.int64)
        values[offsets[:-1]], values[offsets[1:] - 1] = first, last
        values[ragged.positions_in_ranges(offsets[:-1] + 1, inner.lengths)] = inner.values
        return Ragged(values, offsets)

    def parts(self, cuts: np.ndarray) -> list[segments.Segments]:
        """Returns the tokens of each window's parts; may lengthen the pool.

        Args:
          cuts: int64 `[num_rows, num_cuts]`: byte positions in each row's window, ascending, each
            where a character begins.

        Returns:
          `num_cuts + 1` parts, three segments each.
        """
        bounds = np.concatenate(
            [self.byte_bounds[:-1, None], cuts, self.byte_bounds[1:, None]], axis=1
        )
        shape = bounds.shape[0], bounds.shape[1] - 1
        begins, ends = bounds[:, :-1].reshape(-1), bounds[:, 1:].reshape(-1)
        first, last = self._whole_lines(begins, ends, num_parts=shape[1])
        # Whole lines lie between the two; where there are none, all of the part is encoded anew.
        has_lines = first <= last
        first, last = np.where(has_lines, first, 0), np.where(has_lines, last, 0)
        head_ends = np.where(has_lines, self._line_bytes[first], ends)
        tail_starts = np.where(has_lines, self._line_bytes[last], ends)
        heads = self._encode(begins, head_ends)
        tails = self._encode(tail_starts, ends)
        middle_starts = self._line_tokens[first]
        middle_lengths = self._line_tokens[last] - middle_starts
        starts = np.stack([heads.starts[:, 0], middle_starts, tails.starts[:, 0]], axis=1)
        lengths = np.stack([heads.lengths[:, 0], middle_lengths, tails.lengths[:, 0]], axis=1)
        starts, lengths = starts.reshape(*shape, 3), lengths.reshape(*shape, 3)
        return [segments.Segments(starts[:, part], lengths[:, part]) for part in range(shape[1])]

    def _whole_lines(
        self, begins: np.ndarray, ends: np.ndarray, *, num_parts: int
    ) -> tuple[np.ndarray, np.ndarray]:
        """Returns the numbers of the first and of the last line begin in each part."""
        first = np.searchsorted(self._line_bytes, begins, side="left")
        last = np.searchsorted(self._line_bytes, ends, side="right") - 1
        # Where two windows meet, a line may begin for one of them only.
        window = np.repeat(np.arange(self.rows.num_rows), num_parts)
        is_first = (begins == self.byte_bounds[:-1][window]) & ~self._begins_line[window]
        is_last = (ends == self.byte_bounds[1:][window]) & ~self._ends_line[window]
        first += is_first & (self._line_bytes[first] == begins)
        last -= is_last & (last >= 0) & (self._line_bytes[last] == ends)
        return first, last

    def _encode(self, starts: np.ndarray, ends: np.ndarray) -> segments.Segments:
        """Encodes stretches of the text into the pool."""
        (some,) = np.nonzero(ends > starts)
        bounds = zip(starts[some].tolist(), ends[some].tolist())
        found = self._tables.encode([self.text[start:end] for start, end in bounds])
        places = np.zeros(len(starts), dtype=np.int64)
        lengths = np.zeros(len(starts), dtype=np.int64)
        places[some], lengths[some] = found.offsets[:-1] + len(self.pool), found.lengths
        self.pool = np.concatenate([self.pool, found.values])
        return segments.Segments.of_stretches(places, lengths)

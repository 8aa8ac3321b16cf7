"""Line completion: given a file up to a cursor, the rest of the cursor's line must be written.

The job of full-line code completion. A *cursor* stands in a line that is not blank, behind its
indentation and before its last character that is not white space: at the *line's start*, right
behind the indentation, or *mid-line*. A document has one for each so many bytes of its text, spread
over its lines. Where they stand is drawn from a hash of the text itself (of the lengths of its
lines), so that they are the same for everyone, whatever the vocabulary, and a validation split
always asks the same questions.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Mapping
from typing import Any, ClassVar

import gin
import numpy as np

from code_t5 import errors
from code_t5.data.objectives import token_tables, windows
from code_t5.data.objectives.objective import Documents, Examples, Objective, Requests
from code_t5.data.objectives.segments import Segments
from code_t5.encoding import keys, ragged
from code_t5.encoding.ragged import Ragged
from code_t5.encoding.token_model import TokenModel

# What is drawn from a cursor's key.
_LINE, _IS_AT_START, _COLUMN = range(3)
_STEPS = 1 << 20


@dataclasses.dataclass(frozen=True)
class _Lines:
    """The lines of one document that are not blank, or its first if all are.

    Attributes:
      key: Hash of the document's text: of how many bytes each of its lines has.
      starts: int64 `[num_lines]`: in the document's tokens.
      ends: int64 `[num_lines]`: without the line end.
    """

    key: int
    starts: np.ndarray
    ends: np.ndarray


def _find_lines(token_ids: np.ndarray, tables: token_tables.TokenTables) -> _Lines:
    ends = np.append(np.flatnonzero(tables.is_newline[token_ids]), len(token_ids))
    starts = np.append(0, ends[:-1] + 1)
    lengths = np.diff(tables.byte_offsets(token_ids)[starts]).astype("<i8")
    digest = hashlib.blake2b(lengths.tobytes(), digest_size=8).digest()
    num_filled = ragged.offsets_of(~tables.is_blank[token_ids])
    (filled,) = np.nonzero(num_filled[ends] > num_filled[starts])
    filled = filled if len(filled) else np.zeros(1, dtype=np.int64)
    return _Lines(int.from_bytes(digest, "little"), starts[filled], ends[filled])


@gin.configurable(module="code_t5.objectives")
class LineCompletion(Objective):
    """Gives a file up to a cursor; the target is the rest of the line.

    The inputs are the last tokens before the cursor that there is room for. The line is encoded
    anew on both sides of the cursor, so both have the ids of their text. Of the rest of a line that
    is longer than the targets the first tokens stay.

    Attributes:
      bytes_per_cursor: A document has one cursor for each so many bytes, and one at least.
      line_start_share: Share of the cursors at a line's start; the others stand mid-line, where a
        line has a place for it.
      redraw: Draw other cursors for every key: for training over several epochs.
    """

    name: ClassVar[str] = "line_completion"
    needs_sizes: ClassVar[bool] = True

    def __init__(
        self,
        sequence_length: Mapping[str, int],
        *,
        model: TokenModel,
        with_path: bool = False,
        bytes_per_cursor: int = 1000,
        line_start_share: float = 0.5,
        redraw: bool = False,
    ) -> None:
        """Checks the settings.

        Args:
          sequence_length: Most tokens of `inputs` and `targets`, end of text included.
          model: The vocabulary's.
          with_path: Put a line with repository and path in front of the inputs.
          bytes_per_cursor: A document has one cursor for each so many bytes, and one at least.
          line_start_share: Share of the cursors at a line's start.
          redraw: Draw other cursors for every key.

        Raises:
          InputError: A length is too short, or a setting is out of range.
        """
        super().__init__(sequence_length, model=model, with_path=with_path)
        self.bytes_per_cursor = int(bytes_per_cursor)
        self.line_start_share = float(line_start_share)
        self.redraw = bool(redraw)
        if self.bytes_per_cursor < 1 or not 0 <= self.line_start_share <= 1:
            raise errors.InputError(
                f"bytes_per_cursor is {bytes_per_cursor} and line_start_share {line_start_share}; "
                "wanted 1 or more and a share from 0 to 1; set LineCompletion.bytes_per_cursor and "
                "LineCompletion.line_start_share"
            )
        self._tables = token_tables.TokenTables(model)

    @property
    def settings(self) -> dict[str, Any]:
        """See `Objective.settings`."""
        own = {
            "bytes_per_cursor": self.bytes_per_cursor,
            "line_start_share": self.line_start_share,
            "redraw": self.redraw,
        }
        return {**super().settings, **own}

    def num_examples(self, documents: Documents) -> np.ndarray:
        """Returns how many cursors each document has, int64 `[num_documents]`."""
        return self._count(documents.sizes, documents.lengths)

    def _count(self, sizes: np.ndarray, lengths: np.ndarray) -> np.ndarray:
        counts = np.maximum(1, np.asarray(sizes, dtype=np.int64) // self.bytes_per_cursor)
        return np.where(np.asarray(lengths) > 0, counts, 0)

    def _make_examples(self, documents: Documents, requests: Requests) -> Examples:
        offsets = np.asarray(documents.offsets)
        firsts = offsets[requests.documents]
        sizes = np.asarray(documents.sizes)[requests.documents]
        counts = self._count(sizes, offsets[requests.documents + 1] - firsts)
        windows.check_numbers(requests.numbers, num_examples=counts)
        different, places = np.unique(requests.documents, return_inverse=True)
        found = [
            _find_lines(
                np.asarray(documents.tokens[offsets[i] : offsets[i + 1]]).astype(np.int64),
                self._tables,
            )
            for i in different.tolist()
        ]
        text_keys = np.array([lines.key for lines in found], dtype=np.uint64)[places]
        cursor_keys = keys.mix_keys(
            text_keys, requests.numbers, *([requests.keys] if self.redraw else [])
        )
        starts, lengths = self._draw_lines(
            found, places, numbers=requests.numbers, counts=counts, cursor_keys=cursor_keys
        )
        lines = windows.gather_tokens(documents, starts=firsts + starts, lengths=lengths)
        texts = self._draw_columns(lines, cursor_keys)
        return self._assemble(documents, firsts, line_starts=firsts + starts, texts=texts)

    def _draw_lines(
        self,
        found: list[_Lines],
        places: np.ndarray,
        *,
        numbers: np.ndarray,
        counts: np.ndarray,
        cursor_keys: np.ndarray,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Returns where the cursors' lines begin in their documents, and their lengths in tokens.

        Of a document's cursors, one stands in each of equal parts of its lines.
        """
        starts = Ragged.from_rows([lines.starts for lines in found], dtype=np.int64)
        ends = np.concatenate([[], *(lines.ends for lines in found)]).astype(np.int64)
        in_part = keys.draw(keys.mix_keys(cursor_keys, _LINE), _STEPS) / _STEPS
        num_lines = starts.lengths[places]
        drawn = ((numbers + in_part) / counts * num_lines).astype(np.int64)
        drawn = np.minimum(drawn, num_lines - 1) + starts.offsets[places]
        return starts.values[drawn], ends[drawn] - starts.values[drawn]

    def _draw_columns(self, lines: Ragged, cursor_keys: np.ndarray) -> list[bytes]:
        """Returns the text before the cursor of each line, then that behind it of each."""
        data = self._tables.decode(lines.values).tobytes()
        bounds = self._tables.byte_offsets(lines.values)[lines.offsets].tolist()
        texts = [data[start:end].decode("utf-8") for start, end in zip(bounds, bounds[1:])]
        stripped = [text.lstrip(token_tables.WHITE_SPACE) for text in texts]
        indents = [len(text) - len(rest) for text, rest in zip(texts, stripped)]
        # Places between two characters that are not both at the end of the line.
        inside = np.array([len(rest.rstrip(token_tables.WHITE_SPACE)) - 1 for rest in stripped])
        is_inside = (inside > 0) & ~keys.draw_chance(
            keys.mix_keys(cursor_keys, _IS_AT_START), self.line_start_share
        )
        drawn = 1 + keys.draw(keys.mix_keys(cursor_keys, _COLUMN), np.maximum(1, inside))
        columns = (np.where(is_inside, drawn, 0) + np.array(indents)).tolist()
        cut = list(zip(texts, columns))
        before = [text[:column].encode("utf-8") for text, column in cut]
        # A document of nothing but blank lines asks for a line end.
        return before + [(text[column:] or "\n").encode("utf-8") for text, column in cut]

    def _assemble(
        self,
        documents: Documents,
        firsts: np.ndarray,
        *,
        line_starts: np.ndarray,
        texts: list[bytes],
    ) -> Examples:
        """Puts the whole lines before the cursor and its own line together."""
        encoded = self._tables.encode(texts)
        before_starts = np.maximum(firsts, line_starts - self.inputs_room)
        before = windows.gather_tokens(
            documents, starts=before_starts, lengths=line_starts - before_starts
        )
        parts = Segments.of_stretches(encoded.offsets[:-1] + len(before.values), encoded.lengths)
        half = len(firsts)
        heads = Segments(parts.starts[:half], parts.lengths[:half])
        tails = Segments(parts.starts[half:], parts.lengths[half:])
        context = Segments.join([Segments.of_stretches(before.offsets[:-1], before.lengths), heads])
        pool = np.concatenate([before.values, encoded.values])
        return Examples(
            context.drop_first(context.row_lengths - self.inputs_room).gather(pool),
            tails.keep_first(np.full(half, self.targets_room)).gather(pool),
        )

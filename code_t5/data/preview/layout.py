"""Pieces of tokens as lines of a terminal, each part with the role that gives it its colour.

A *span* is a role and a text that may be written as it stands.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator

from code_t5 import visible_text
from code_t5.data.preview import pieces

Span = tuple[str, str]


@dataclasses.dataclass(frozen=True)
class Line:
    """A line of a terminal.

    Attributes:
      spans: From left to right.
      is_continued: Whether it goes on with the line before, which was too long.
    """

    spans: tuple[Span, ...]
    is_continued: bool = False


def spans_of(read: Iterable[pieces.Piece]) -> Iterator[Span]:
    """Yields what to write for pieces of tokens.

    Args:
      read: The pieces.

    Yields:
      Spans; of text, line feeds are the only control characters.
    """
    for piece in read:
        if piece.kind == pieces.TEXT:
            for is_mark, text in visible_text.split_marks(piece.text):
                yield ("mark" if is_mark else "text"), text
        else:
            yield piece.kind, f"\u27e6{piece.text}\u27e7"


def lay_out(spans: Iterable[Span], *, width: int) -> list[Line]:
    """Breaks spans into lines at line feeds, and where a line is full.

    Args:
      spans: What to write.
      width: Cells of a line, at least 2.

    Returns:
      The lines.
    """
    lines: list[Line] = []
    current: list[Span] = []
    used, continued = 0, False

    def end(*, goes_on: bool) -> None:
        nonlocal current, used, continued
        lines.append(Line(tuple(current), continued))
        current, used, continued = [], 0, goes_on

    for role, text in spans:
        whole = sum(map(visible_text.num_cells, text))
        if role not in ("text", "mark") and used and used + whole > width >= whole:
            # A token's name stays in one piece.
            end(goes_on=True)
        for number, part in enumerate(text.split("\n")):
            if number:
                end(goes_on=False)
            start = 0
            for place, character in enumerate(part):
                cells = visible_text.num_cells(character)
                if used + cells > width:
                    current.append((role, part[start:place]))
                    end(goes_on=True)
                    start = place
                used += cells
            if part[start:]:
                current.append((role, part[start:]))
    end(goes_on=False)
    return lines


def shorten(lines: list[Line], *, max_lines: int) -> list[Line | int]:
    """Leaves lines out of the middle of what is too long.

    Args:
      lines: The lines.
      max_lines: Most that stay, two thirds of them from the beginning; 0 for all.

    Returns:
      Lines, and in the place of those left out their number.

    >>> shorten([Line((("text", word),)) for word in "abcd"], max_lines=3)[1:3]
    [Line(spans=(('text', 'b'),), is_continued=False), 1]
    """
    num_hidden = len(lines) - max_lines
    if not max_lines or num_hidden <= 0:
        return list(lines)
    first = max_lines - max_lines // 3
    return [*lines[:first], num_hidden, *lines[first + num_hidden :]]

"""Two texts side by side, line by line, with what differs marked; and text made safe to look at.

Sizes are bounded: lines that both texts begin and end with are set apart first, and of what is left
in between a limited number of lines is aligned. Control characters and those that turn the
direction of writing are shown by name, so that what is seen is what is there.
"""

from __future__ import annotations

import dataclasses
import difflib
import unicodedata

MAX_LINES = 60
MAX_LINE_CHARACTERS = 160
_CONTEXT_LINES = 3
# Of the texts' differing middle, what is aligned; alignment takes quadratic time.
_MAX_ALIGNED_LINES = 120
# Turn the direction of writing, or are seen by nobody.
_HIDDEN = {*range(0x202A, 0x202F), *range(0x2066, 0x206A), 0x200B, 0x200E, 0x200F, 0xFEFF}


def _shown(character: str) -> str:
    code = ord(character)
    if character == "\t":
        return "    "
    if code < 0x20:
        return chr(0x2400 + code)
    if code == 0x7F:
        return "\u2421"
    if code in _HIDDEN or unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp"):
        return f"\u27e8U+{code:04X}\u27e9"
    return character


def clean_text(text: str, *, max_characters: int = MAX_LINE_CHARACTERS) -> str:
    r"""Makes one line of hostile text safe to look at.

    Args:
      text: Anything.
      max_characters: Longer texts are cut and end in an ellipsis.

    Returns:
      The text without control characters, at most a few characters longer than the limit.

    >>> clean_text("a\x00b")
    'a\u2400b'
    >>> clean_text("abcdef", max_characters=4)
    'abcd\u2026'
    """
    cut = text[:max_characters]
    if not cut.isascii() or not cut.isprintable():
        cut = "".join(map(_shown, cut))
    return cut + "\u2026" if len(text) > max_characters else cut


@dataclasses.dataclass(frozen=True)
class Side:
    """One line of one text, cut into what is shared with its partner and what differs.

    Attributes:
      number: Of the line, counted from 1; 0 where this text has none.
      before: Shared beginning; of a line that both have, the whole line.
      changed: What differs.
      after: Shared end.
    """

    number: int = 0
    before: str = ""
    changed: str = ""
    after: str = ""


@dataclasses.dataclass(frozen=True)
class Row:
    """A line of the table.

    Attributes:
      kind: `equal`, `changed`, `left`, `right` (only that side has it), `gap` (lines left out that
        are equal) or `cut` (lines left out of which some differ).
      left: Line of the left text.
      right: Line of the right text.
      num_hidden: Lines left out.
    """

    kind: str
    left: Side = Side()
    right: Side = Side()
    num_hidden: int = 0


def _shared(left: list[str], right: list[str]) -> tuple[int, int]:
    """Returns how many lines both begin with, and how many of the rest both end with."""
    most = min(len(left), len(right))
    start = next((i for i in range(most) if left[i] != right[i]), most)
    most -= start
    end = next((i for i in range(most) if left[-1 - i] != right[-1 - i]), most)
    return start, end


def _whole(line: str, number: int) -> Side:
    return Side(number, before=clean_text(line))


def _pair(left: str, right: str, *, numbers: tuple[int, int]) -> Row:
    """Marks what differs between two lines that stand opposite each other."""
    start, end = _shared(list(left[:2000]), list(right[:2000]))
    if len(left) > 2000 or len(right) > 2000:
        end = 0
    sides = []
    for line, number in zip((left, right), numbers):
        stop = len(line) - end
        # A long shared beginning would push the difference over the edge.
        before = line[max(0, start - 60) : start]
        sides.append(
            Side(
                number,
                ("\u2026" if start > 60 else "") + clean_text(before),
                clean_text(line[start:stop], max_characters=100),
                clean_text(line[stop:], max_characters=60),
            )
        )
    return Row("changed", sides[0], sides[1])


def _aligned(left: list[str], right: list[str], *, start: int) -> list[Row]:
    """Aligns the middle of both texts, whose lines count from `start`."""
    rows: list[Row] = []
    matcher = difflib.SequenceMatcher(None, left, right, autojunk=False)
    for kind, i, i_stop, j, j_stop in matcher.get_opcodes():
        while i < i_stop or j < j_stop:
            first, second = start + i + 1, start + j + 1
            if kind == "equal":
                rows.append(Row("equal", _whole(left[i], first), _whole(right[j], second)))
            elif i < i_stop and j < j_stop:
                rows.append(_pair(left[i], right[j], numbers=(first, second)))
            elif i < i_stop:
                rows.append(Row("left", Side(first, changed=clean_text(left[i]))))
            else:
                rows.append(Row("right", Side(), Side(second, changed=clean_text(right[j]))))
            i, j = i + (i < i_stop), j + (j < j_stop)
    return rows


def _fold(rows: list[Row]) -> list[Row]:
    """Puts a gap in the place of long runs of equal lines, and cuts what is too long."""
    near = [False] * len(rows)
    for place, row in enumerate(rows):
        if row.kind != "equal":
            stop = place + _CONTEXT_LINES + 1
            for neighbour in range(max(0, place - _CONTEXT_LINES), min(len(rows), stop)):
                near[neighbour] = True
    folded: list[Row] = []
    for place, row in enumerate(rows):
        # A gap in the place of a single line would hide it and save nothing.
        alone = near[max(place - 1, 0)] and near[min(place + 1, len(rows) - 1)]
        if near[place] or alone:
            folded.append(row)
        elif folded and folded[-1].kind == "gap":
            folded[-1] = Row("gap", num_hidden=folded[-1].num_hidden + 1)
        else:
            folded.append(Row("gap", num_hidden=1))
    return folded


def compare_texts(left: str, right: str) -> list[Row]:
    """Lays two texts side by side.

    Args:
      left: A text.
      right: Another.

    Returns:
      At most `MAX_LINES` rows and gaps; the rows begin near the first difference. Two equal texts
      give their first lines.
    """
    first, second = left.split("\n"), right.split("\n")
    start, end = _shared(first, second)
    if start == len(first) == len(second):
        start = 0
        first, second = first[:8], second[:8]
        rows = [Row("equal", _whole(a, i), _whole(a, i)) for i, a in enumerate(first, 1)]
        rest = len(left.split("\n")) - len(first)
        return rows + ([Row("gap", num_hidden=rest)] if rest else [])
    context = min(start, _CONTEXT_LINES)
    begin, after = start - context, min(end, _CONTEXT_LINES)
    stops = len(first) - end + after, len(second) - end + after
    limit = begin + _MAX_ALIGNED_LINES
    rows = _aligned(
        first[begin : min(stops[0], limit)], second[begin : min(stops[1], limit)], start=begin
    )
    rows = _fold(rows)
    shown, rest = rows[:MAX_LINES], max(stops) - limit
    hidden = sum(row.num_hidden or 1 for row in rows[MAX_LINES:]) + max(rest, 0) + end - after
    if begin:
        shown.insert(0, Row("gap", num_hidden=begin))
    if hidden > 0:
        is_cut = rest > 0 or len(rows) > MAX_LINES
        shown.append(Row("cut" if is_cut else "gap", num_hidden=hidden))
    return shown

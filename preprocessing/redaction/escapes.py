r"""Escape sequences: `\n`, `\x41` and their like in source text, whose letters belong to them.

In `"\njoe@here.org"` the letter before the name is half of a line end. What is replaced must not
begin inside of an escape sequence, or the backslash left behind would escape the token's letter.
In raw strings and comments there are no escapes, but nothing is lost by respecting them there.
"""

from __future__ import annotations

import re

_ESCAPE = re.compile(
    rb"\\(?:x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|[0-7]{1,3}|.)", re.DOTALL
)
_LONGEST_ESCAPE = 10


def after_escape(line: bytes, position: int) -> int:
    r"""Returns the end of the escape sequence that `position` lies inside of, or `position`.

    Args:
      line: Source text.
      position: Offset in it.

    Returns:
      The first offset from `position` on that is not inside of an escape sequence.

    >>> after_escape(rb"\njoe", 1), after_escape(rb"\\njoe", 2), after_escape(rb"\x41joe", 2)
    (2, 2, 4)
    """
    backslash = line.rfind(b"\\", max(0, position - _LONGEST_ESCAPE), position)
    if backslash < 0:
        return position
    row = backslash
    while row and line[row - 1 : row] == b"\\":
        row -= 1
    # Of a row of backslashes every second one is escaped by the one before it.
    if (backslash - row) % 2:
        return position
    match = _ESCAPE.match(line, backslash)
    return max(position, match.end()) if match else position + 1


def is_boundary(line: bytes, position: int) -> bool:
    r"""Returns whether a word may begin at `position`: no word or only an escape ends there.

    >>> [is_boundary(line, 2) for line in (rb"\n7", rb"a 7", rb"av7")]
    [True, True, False]
    """
    if position == 0:
        return True
    before = line[position - 1 : position]
    if not (before.isalnum() or before == b"_"):
        return True
    return after_escape(line, position - 1) == position

"""Text from outside made safe to look at: what is seen is what is there.

Source code may hold characters that move the cursor, change colours, rename the window or turn the
direction of writing. None of them is written as it stands. A *mark* is what stands in its place:
`␛` for escape, `⟨U+202E⟩` for a character without a picture, `→` for a tab.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

# Seen by nobody, or turn the direction of writing; brackets that only marks and tokens have.
_HIDDEN = {*range(0x202A, 0x202F), *range(0x2066, 0x206A), 0x061C, 0x200E, 0x200F, 0x27E6, 0x27E7}
_UNSEEN_CATEGORIES = ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")
_TAB = "\u2192   "
# Whatever may need a mark; the rest is passed over quickly.
_SUSPECT = re.compile(r"[^\x20-\x7e\n]")


def _mark(character: str) -> str | None:
    """Returns what stands for a character; None if it may stand for itself."""
    code = ord(character)
    if character == "\t":
        return _TAB
    if code < 0x20:
        return chr(0x2400 + code)
    if code == 0x7F:
        return "\u2421"
    if code in _HIDDEN or unicodedata.category(character) in _UNSEEN_CATEGORIES:
        return f"\u27e8U+{code:04X}\u27e9"
    return None


def split_marks(text: str) -> Iterator[tuple[bool, str]]:
    r"""Cuts a text into what may be written as it stands and the marks of what may not.

    Args:
      text: Anything.

    Yields:
      Whether it is a mark, and what to write; nothing written is a control character but for line
      feeds.

    >>> list(split_marks("a\x1b[31mb\n"))
    [(False, 'a'), (True, '␛'), (False, '[31mb\n')]
    """
    start = 0
    for match in _SUSPECT.finditer(text):
        mark = _mark(match.group())
        if mark is None:
            continue
        if match.start() > start:
            yield False, text[start : match.start()]
        yield True, mark
        start = match.end()
    if start < len(text):
        yield False, text[start:]


def one_line(text: str) -> str:
    r"""Returns a name or a message in one line without anything that a terminal would obey.

    >>> one_line("a\nb\x07")
    'a␊b␇'
    """
    return "".join(piece for _, piece in split_marks(text)).replace("\n", "\u240a")


def num_cells(character: str) -> int:
    """Returns how many cells of a terminal a character takes.

    >>> [num_cells(character) for character in "a語\u0301"]
    [1, 2, 0]
    """
    if character.isascii():
        return 1
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1

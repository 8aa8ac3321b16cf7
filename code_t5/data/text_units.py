"""Units: the stretches of text that no piece of a vocabulary crosses.

A *unit* is a run of spaces or of tabs, a line end, a number, or at most one space, then
punctuation, then a word. A vocabulary learns its pieces from units, and byte-pair encoding merges
neighbours and nothing else; so encoding a text unit by unit gives the ids of encoding it whole, and
whoever cuts a text after a word, a number, a line end or an indentation cuts between two tokens.
"""

from __future__ import annotations

import re

# Longest runs that are one piece. SentencePiece takes them from the left, the longest first, and so
# does the pattern below.
MAX_SPACES = 24
MAX_TABS = 4

# Classes are spelt in ASCII, so that no release of Unicode moves a boundary: whatever is not ASCII
# counts as a letter, control characters as punctuation.
_LETTER = r"[A-Za-z_\x80-\U0010FFFF]"
_PUNCTUATION = r"[^A-Za-z_\x80-\U0010FFFF0-9 \n\t]"
_UNIT = re.compile(
    rf" {{2,{MAX_SPACES}}}|\t{{1,{MAX_TABS}}}|[ ]?(?:{_PUNCTUATION}+{_LETTER}*|{_LETTER}+|[0-9]+)"
    r"|[ \n]"
)


def split_units(text: str) -> list[str]:
    r"""Splits an escaped text into its units, which joined give it back.

    >>> split_units("def f(x):\n    return x_1")
    ['def', ' f', '(x', '):', '\n', '    ', 'return', ' x_', '1']
    """
    return _UNIT.findall(text)

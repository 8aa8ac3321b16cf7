"""Units: the stretches of text that no piece of a vocabulary crosses.

A *unit* is a run of spaces or of tabs, a line end, a number, or at most one space, then
punctuation, then a word. A vocabulary learns its pieces from units, and byte-pair encoding merges
neighbours and nothing else; so encoding a text unit by unit gives the ids of encoding it whole, and
whoever cuts a text after a word, a number, a line end or an indentation cuts between two tokens.
"""

from __future__ import annotations

import re

import numpy as np

# Longest runs that are one piece. SentencePiece takes them from the left, the longest first, and so
# does the pattern below.
MAX_SPACES = 24
MAX_TABS = 4

# Classes are spelt in ASCII, so that no release of Unicode moves a boundary: whatever is not ASCII
# counts as a letter, control characters as punctuation.
_LETTER_CLASS = r"[A-Za-z_\x80-\U0010FFFF]"
_PUNCTUATION_CLASS = r"[^A-Za-z_\x80-\U0010FFFF0-9 \n\t]"
# In the syntax of Python's `re`.
UNIT_PATTERN = "|".join(
    [
        rf" {{2,{MAX_SPACES}}}",
        rf"\t{{1,{MAX_TABS}}}",
        rf"[ ]?(?:{_PUNCTUATION_CLASS}+{_LETTER_CLASS}*|{_LETTER_CLASS}+|[0-9]+)",
        r"[ \n]",
    ]
)
_UNIT = re.compile(UNIT_PATTERN)


def split_units(text: str) -> list[str]:
    r"""Splits an escaped text into its units, which joined give it back.

    >>> split_units("def f(x):\n    return x_1")
    ['def', ' f', '(x', '):', '\n', '    ', 'return', ' x_', '1']
    """
    return _UNIT.findall(text)


# Kinds of bytes; the separator stands around each text and is no unit.
_SEPARATOR, _SPACE, _TAB, _NEWLINE, _PUNCTUATION, _LETTER, _DIGIT = range(7)
_LONGEST = {_SPACE: MAX_SPACES, _TAB: MAX_TABS}


def _kind(byte: int) -> int:
    if byte >= 0x80 or chr(byte).isalpha() or byte == ord("_"):
        return _LETTER
    if chr(byte).isdigit():
        return _DIGIT
    single = {0: _SEPARATOR, ord(" "): _SPACE, ord("\t"): _TAB, ord("\n"): _NEWLINE}
    return single.get(byte, _PUNCTUATION)


_KINDS = bytes(map(_kind, range(256)))
# By 8 * kind before + kind after: whether a unit may begin between them. Line ends stand alone, and
# letters that follow punctuation belong to it.
_IS_CUT = np.array(
    [
        (before != after or after in (_NEWLINE, _SEPARATOR))
        and (before, after) != (_PUNCTUATION, _LETTER)
        for before in range(8)
        for after in range(8)
    ]
)
# A single space belongs to what follows it, if that is one of these.
_TAKES_SPACE = np.isin(np.arange(8), (_PUNCTUATION, _LETTER, _DIGIT))


def find_units(data: bytes) -> tuple[np.ndarray, np.ndarray]:
    r"""Finds the units of texts that are joined by NUL bytes.

    Args:
      data: UTF-8; begins and ends with a NUL.

    Returns:
      Where each unit begins and ends in `data`, int64 `[num_units]` both.

    >>> starts, ends = find_units(b"\0def f(x):\0")
    >>> [b"\0def f(x):\0"[start:end] for start, end in zip(starts, ends)]
    [b'def', b' f', b'(x', b'):']
    """
    kinds = np.frombuffer(data.translate(_KINDS), dtype=np.uint8)
    starts = np.flatnonzero(_IS_CUT[8 * kinds[:-1] + kinds[1:]]) + 1
    kind = kinds[starts]
    sizes = np.diff(starts, append=len(data))
    more = [
        np.arange(start + longest, start + size, longest)
        for of_kind, longest in _LONGEST.items()
        for start, size in zip(*(a[(kind == of_kind) & (sizes > longest)] for a in (starts, sizes)))
    ]
    is_single = (kind == _SPACE) & (sizes % MAX_SPACES == 1)
    taken = np.zeros(len(starts), dtype=bool)
    taken[1:] = is_single[:-1] & _TAKES_SPACE[kind[1:]]
    starts = starts[~taken]
    if more:
        starts = np.sort(np.concatenate([starts, *more]))
    ends = np.append(starts[1:], len(data))
    is_unit = kinds[starts] != _SEPARATOR
    return starts[is_unit], ends[is_unit]

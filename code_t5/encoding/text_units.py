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
# Set in a code below where the byte before the last two is a space.
_IS_AFTER_SPACE = 64


def _is_cut(code: int) -> bool:
    """Says whether a unit may begin, by 8 * kind before + kind after + `_IS_AFTER_SPACE`.

    Line ends stand alone, letters that follow punctuation belong to it, and a single space to the
    word, number or punctuation that follows.
    """
    before, after = code >> 3 & 7, code & 7
    if before == _SPACE and after in _TAKE_SPACE:
        return bool(code & _IS_AFTER_SPACE)
    if (before, after) == (_PUNCTUATION, _LETTER):
        return False
    return before != after or after in (_NEWLINE, _SEPARATOR)


_TAKE_SPACE = (_PUNCTUATION, _LETTER, _DIGIT)
_CUTS = bytes(map(_is_cut, range(256)))


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
    codes = kinds[:-1] << 3
    codes |= kinds[1:]
    codes[1:] |= (kinds[:-2] == _SPACE).view(np.uint8) << 6
    starts = np.flatnonzero(np.frombuffer(codes.tobytes().translate(_CUTS), dtype=bool))
    starts += 1
    # Only a run can be longer than the longest run that is one piece, and have two bytes of a kind.
    lengths = np.diff(starts)
    long = np.flatnonzero(lengths > (MAX_TABS if b"\t" in data else MAX_SPACES))
    kind = kinds[starts[long]]
    is_run = (kind == _TAB) | (kind == _SPACE) & (lengths[long] > MAX_SPACES)
    runs = long[is_run & (kind == kinds[starts[long] + 1])]
    if len(runs):
        starts = _cut_runs(starts, runs=runs, lengths=lengths[runs], kinds=kinds)
    is_unit = kinds[starts[:-1]] != _SEPARATOR
    return starts[:-1][is_unit], starts[1:][is_unit]


def _cut_runs(
    starts: np.ndarray, *, runs: np.ndarray, lengths: np.ndarray, kinds: np.ndarray
) -> np.ndarray:
    """Cuts runs of spaces or tabs from the left; returns `starts` with the new ones.

    A single space that is left over goes to what follows, as ever.
    """
    firsts, is_space = starts[runs], kinds[starts[runs]] == _SPACE
    is_left_over = is_space & (lengths % MAX_SPACES == 1)
    is_left_over &= np.isin(kinds[firsts + lengths], _TAKE_SPACE)
    found = [np.delete(starts, runs[is_left_over] + 1)]
    stops, steps = firsts + lengths, np.where(is_space, MAX_SPACES, MAX_TABS)
    while len(firsts):
        firsts = firsts + steps
        is_inside = firsts < stops
        firsts, stops, steps = firsts[is_inside], stops[is_inside], steps[is_inside]
        found.append(firsts)
    # Stable sorting is the quick one where most is in order.
    return np.sort(np.concatenate(found), kind="stable")

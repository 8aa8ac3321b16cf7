"""Where the strings and comments of a Python file are.

Outside of them `a@b.co` is a matrix product and `rows[2001::4]` a slice. A full tokenizer is not
needed to see that, and would refuse the Python 2 that old repositories hold: quotes, hashes and
backslashes say it all. Prefixes do not matter, since a backslash keeps a quote from ending a raw
string too. A string that nothing ends is taken to end with its line, or with the file.
"""

from __future__ import annotations

import bisect
import re

# Each alternative either consumes what it has looked at or ends at once, so that the whole is
# linear: the inner pieces of a string begin with a byte that the run before them excludes.
_TOKENS = re.compile(
    rb"#[^\n]*"
    rb'|"""[^"\\]*(?:(?:\\.|"(?!""))[^"\\]*)*(?:"""|\\?\Z)'
    rb"|'''[^'\\]*(?:(?:\\.|'(?!''))[^'\\]*)*(?:'''|\\?\Z)"
    rb'|"[^"\\\n]*(?:\\.[^"\\\n]*)*(?:"|\n|\\?\Z)'
    rb"|'[^'\\\n]*(?:\\.[^'\\\n]*)*(?:'|\n|\\?\Z)",
    re.DOTALL,
)


class QuotedRanges:
    """The ranges of a Python file that are strings or comments."""

    def __init__(self, content: bytes) -> None:
        """Reads the file once.

        Args:
          content: Any bytes; nonsense gives some ranges, never an error.
        """
        self._starts: list[int] = []
        self._ends: list[int] = []
        for match in _TOKENS.finditer(content):
            self._starts.append(match.start())
            self._ends.append(match.end())

    def contains(self, start: int, end: int) -> bool:
        """Returns whether all of `start` to `end` lies in one string or comment.

        >>> ranges = QuotedRanges(b"a = 'b' # c")
        >>> [ranges.contains(at, at + 1) for at in (0, 5, 10)]
        [False, True, True]
        """
        index = bisect.bisect_right(self._starts, start) - 1
        return index >= 0 and end <= self._ends[index]

"""A baseline: the line that most often followed the same line in training.

A *line* here is one that is not blank, without the white space on either side; *what stands before*
is the line above it, blank ones passed over. At a cursor, the line is taken that most often stood
below the same line and begins as the cursor's line does; where training has none, the most frequent
line at all that begins so; where there is none either, nothing. Of lines as frequent the first in
the order of their bytes is taken.
"""

from __future__ import annotations

import bisect
import collections
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from code_t5.encoding.token_model import TokenModel

# What stands before a file's first line.
_NOTHING = -1


class LineCounts(NamedTuple):
    """How often lines were seen.

    Attributes:
      lines: UTF-8 of each different line, sorted.
      counts: int64 `[num_lines]`.
      pairs: int64 `[num_pairs, 3]`, sorted: a line's number or -1 for a file's beginning, the
        number of one that stood below it, and how often.
    """

    lines: list[bytes]
    counts: np.ndarray
    pairs: np.ndarray


def _filled_lines(text: str) -> list[bytes]:
    stripped = (line.strip() for line in text.split("\n"))
    return [line.encode("utf-8") for line in stripped if line]


def count_lines(texts: Iterable[str]) -> LineCounts:
    """Counts lines and what stood below them.

    Args:
      texts: Files.

    Returns:
      The counts.
    """
    numbers: dict[bytes, int] = {}
    pairs = collections.Counter[tuple[int, int]]()
    for text in texts:
        found = [numbers.setdefault(line, len(numbers)) for line in _filled_lines(text)]
        pairs.update(zip([_NOTHING, *found], found))
    lines = sorted(numbers)
    # From the order in which they were first seen to that of their bytes; -1 stays what it is.
    places = np.full(len(lines) + 1, _NOTHING)
    places[[numbers[line] for line in lines]] = np.arange(len(lines))
    table = np.array([(*pair, count) for pair, count in pairs.items()], np.int64).reshape(-1, 3)
    table[:, :2] = places[table[:, :2]]
    counts = np.bincount(table[:, 1], weights=table[:, 2], minlength=len(lines)).astype(np.int64)
    return LineCounts(lines, counts, table[np.lexsort((table[:, 1], table[:, 0]))])


class NextLines:
    """Answers with lines that were seen."""

    def __init__(
        self, seen: LineCounts, *, model: TokenModel | None = None, max_new_tokens: int = 64
    ) -> None:
        """Takes up counts.

        Args:
          seen: From `count_lines`.
          model: A vocabulary's, to measure by what is written; None writes whole lines.
          max_new_tokens: Most tokens that are written; what a line has beyond them is cut off.
        """
        self._seen = seen
        self._model, self._max_new_tokens = model, max_new_tokens

    def complete(self, prompt: str) -> str:
        """Returns the rest of the cursor's line.

        Args:
          prompt: A file up to a cursor.
        """
        above, _, head = prompt.rpartition("\n")
        beginning = head.lstrip().encode("utf-8")
        before = (_filled_lines(above) or [b""])[-1]
        line = self._below(before, beginning) or self._most_frequent(beginning)
        return self._cut(line[len(beginning) :].decode("utf-8", errors="replace"))

    def _cut(self, text: str) -> str:
        # A token is one byte at least.
        if self._model is None or len(text.encode("utf-8")) <= self._max_new_tokens:
            return text
        tokens = self._model.encode(text)
        if len(tokens) <= self._max_new_tokens:
            return text
        return self._model.decode(tokens[: self._max_new_tokens])

    def _range(self, beginning: bytes) -> tuple[int, int]:
        """Returns the numbers of the lines that begin so and go on."""
        lines = self._seen.lines
        start = bisect.bisect_right(lines, beginning)
        # No byte of UTF-8 is 255.
        return start, bisect.bisect_left(lines, beginning + b"\xff", lo=start)

    def _below(self, before: bytes, beginning: bytes) -> bytes:
        """Returns the line that stood below another most often and begins so; nothing if none."""
        lines, pairs = self._seen.lines, self._seen.pairs
        number = bisect.bisect_left(lines, before) if before else _NOTHING
        if before and (number == len(lines) or lines[number] != before):
            return b""
        first, last = np.searchsorted(pairs[:, 0], [number, number + 1])
        below = pairs[first:last]
        start, stop = np.searchsorted(below[:, 1], self._range(beginning))
        if start == stop:
            return b""
        return lines[below[start + int(np.argmax(below[start:stop, 2])), 1]]

    def _most_frequent(self, beginning: bytes) -> bytes:
        start, stop = self._range(beginning)
        if start == stop:
            return b""
        return self._seen.lines[start + int(np.argmax(self._seen.counts[start:stop]))]

"""Finding: from a file's content to the spans that tokens replace.

Private keys are found over lines, everything else line by line. A line is searched again with its
finds replaced until nothing more turns up, so that redacting a redacted text changes nothing. In
Python files only strings and comments are touched (`python_strings`).
"""

from __future__ import annotations

import bisect

from preprocessing.redaction import (
    addresses,
    anchors,
    credentials,
    detectors,
    private_keys,
    python_strings,
)
from preprocessing.redaction.spans import TOKENS, Span, replace_spans, shift_span

PYTHON_EXTENSIONS = frozenset((".py", ".pyi", ".pyw", ".pyx", ".pxd", ".bzl"))
# The library's patterns take quadratic time; the lines of kept files are shorter than this.
MAX_CREDENTIAL_LINE = 2000


class _Text:
    """A line, or a file, with what was found in it so far replaced."""

    def __init__(self, text: bytes, found: list[Span]) -> None:
        """Takes a text.

        Args:
          text: The text as it is.
          found: Spans in it, sorted.
        """
        self._original = text
        self.found = found
        self._replace()

    def _replace(self) -> None:
        """Writes the text with tokens, and notes where these begin and end in it."""
        self.text = replace_spans(self._original, self.found)
        self._starts, self._ends = [], []
        longer = 0
        for span in self.found:
            self._starts.append(span.start + longer)
            longer += len(TOKENS[span.kind]) - (span.end - span.start)
            self._ends.append(span.end + longer)

    def original(self, span: Span) -> Span | None:
        """Returns a span of the replaced text in the text as it was, or None if it has a token."""
        index = bisect.bisect_right(self._ends, span.start)
        if index < len(self._starts) and self._starts[index] < span.end:
            return None
        by = self.found[index - 1].end - self._ends[index - 1] if index else 0
        return shift_span(span, by)

    def add(self, spans: list[Span]) -> bool:
        """Adds new spans of the text as it was; of those that overlap, the first.

        Args:
          spans: In the order of their precedence.

        Returns:
          Whether there was a new one.
        """
        added: list[Span] = []
        for span in spans:
            index = bisect.bisect_left(added, span)
            after_last = index == 0 or added[index - 1].end <= span.start
            if after_last and (index == len(added) or span.end <= added[index].start):
                added.insert(index, span)
        self.found = sorted(self.found + added)
        self._replace()
        return bool(added)


class _File:
    """One file that is searched."""

    def __init__(self, content: bytes, extension: str) -> None:
        """Prepares the detectors.

        Args:
          content: UTF-8 text.
          extension: With its dot.
        """
        self.content = content
        self.detectors = detectors.load(extension)
        self.anchors = anchors.load(self.detectors.quotes_required)
        self._is_python = extension in PYTHON_EXTENSIONS
        self._quoted: python_strings.QuotedRanges | None = None
        self.may_hold_key = False

    def may_replace(self, start: int, end: int) -> bool:
        """Returns whether a range of the content is not code, not even in part."""
        if not self._is_python:
            return True
        if self._quoted is None:
            self._quoted = python_strings.QuotedRanges(self.content)
        return self._quoted.contains(start, end)

    def _is_comment(self, start: int, text: bytes) -> bool:
        """Returns whether a line is nothing but a comment, or part of a string, by a short look."""
        return (
            text.lstrip()[:1] == b"#"
            and b"'''" not in text
            and b'"""' not in text
            and self.content[max(0, start - 2) : start] != b"\\\n"
        )

    def search(self) -> list[Span]:
        """Finds everything in the file; sorted, disjoint spans."""
        lines = dict(anchors.candidate_lines(self.content, self.anchors))
        for start, end in lines.items():
            line = self.content[start:end]
            self.may_hold_key |= any(anchor in line for anchor in anchors.KEY_ANCHORS)
        keys = self._search_keys() if self.may_hold_key else {}
        for start in keys:
            if start not in lines:
                end = self.content.find(b"\n", start)
                lines[start] = len(self.content) if end < 0 else end
        found: list[Span] = []
        for start in sorted(lines):
            spans = self.search_line(start, lines[start], keys=keys.get(start, []))
            found += (shift_span(span, start) for span in spans)
        return found

    def _search_keys(self) -> dict[int, list[Span]]:
        """Returns the spans of private keys by the begin of their line, counted from there."""
        keys: dict[int, list[Span]] = {}
        for span in private_keys.find_private_keys(self.content):
            if self.may_replace(span.start, span.end):
                line_start = self.content.rfind(b"\n", 0, span.start) + 1
                keys.setdefault(line_start, []).append(shift_span(span, -line_start))
        return keys

    def search_line(self, start: int, end: int, *, keys: list[Span]) -> list[Span]:
        """Finds everything on one line.

        Args:
          start: Where the line begins.
          end: Where it ends.
          keys: Spans of private keys on it, counted from its begin.

        Returns:
          Sorted, disjoint spans, counted from the begin of the line.
        """
        line = _Text(self.content[start:end], keys)
        is_comment = self._is_comment(start, line.text)
        while True:
            found = []
            for span in self._search_once(line.text):
                original = line.original(span)
                if original is None:
                    continue
                if is_comment or self.may_replace(start + original.start, start + original.end):
                    found.append(original)
            if not line.add(found):
                return line.found

    def _search_once(self, text: bytes) -> list[Span]:
        found: list[Span] = []
        if len(text) <= MAX_CREDENTIAL_LINE:
            names = anchors.detectors_for(text, self.anchors)
            if names:
                # The longest of those that overlap, so that no piece of a credential stays.
                found += sorted(
                    credentials.find_credentials(text, names=names, detectors=self.detectors),
                    key=lambda span: (span.start - span.end, span.start),
                )
        return found + addresses.find_addresses(text)


def find_spans(content: bytes, *, extension: str) -> list[Span]:
    r"""Finds secrets and personal data in a source file.

    Args:
      content: UTF-8 text of any size, with `\n` for its line ends.
      extension: Of the file's name, with its dot; Python files are read as Python.

    Returns:
      Sorted, disjoint spans, none of which reaches over a line end. The same bytes give the same
      spans in every process and on every machine.

    >>> [span.kind for span in find_spans(b"AUTHOR = 'joe@here.org'", extension=".py")]
    ['email']
    """
    file = _File(content, extension)
    found = file.search()
    if not found or not file.may_hold_key:
        return found
    # A find inside of a key, replaced, can leave more of the key to find; nothing else is found
    # over lines, and within a line `search_line` has left nothing.
    text = _Text(content, found)
    while True:
        found = _File(text.text, extension).search()
        is_new = text.add([span for span in map(text.original, found) if span])
        if not is_new:
            return text.found

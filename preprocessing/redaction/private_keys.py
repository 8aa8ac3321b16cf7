r"""Private keys: the key material between the first and the last line of a PEM block.

Source code writes a key over many lines in many ways: as one string of three quotes, as strings
that stand one below the other, with `\n` for its line ends. What is replaced are the runs of base64
*material*, each by its own token, so that quotes, commas and lines stay. A *piece* is what stands
between two line ends, written out or as `\n`.
"""

from __future__ import annotations

import bisect
import re
from collections.abc import Iterator

from preprocessing.redaction.spans import TOKENS, Span

_BEGIN = re.compile(
    rb"-{4,5} ?BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)? ?-{4,5}|Private-Lines: [0-9]{1,4}"
)
_END = re.compile(rb"-{4,5} ?END [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)? ?-{4,5}|Private-MAC:")
_LINE_END = re.compile(rb"\n|\\{1,8}[nr]")
_RUN = re.compile(rb"[0-9A-Za-z+/=]+")
# Such as `Proc-Type: 4,ENCRYPTED` between the first line and the material.
_HEADER = re.compile(rb"[\s\"'`,;+()#*|>]{0,80}[bBrRuU]{0,2}[\"'`]?[A-Za-z][A-Za-z-]{1,30}: ")
# What may stand around material in a piece: quotes and their prefixes, operators, comment signs.
_DECORATION = re.compile(rb"[bBrRuU]{0,2}[\"'`]|[\s\"'`,;+()\\#*|>-]")
_MAX_KEY_BYTES = 1 << 16
# A run as long as this is material by itself; a shorter one only right after a line of material.
_LONG_RUN = 16
# Without a last line, only what begins like a full line of base64 is taken for a key.
_FULL_LINE = 40
_MAX_HEADER_PIECES = 8


def _pieces(content: bytes, start: int, end: int) -> Iterator[tuple[int, int]]:
    for match in _LINE_END.finditer(content, start, end):
        yield start, match.start()
        start = match.end()
    yield start, end


def _material(content: bytes, piece: tuple[int, int], *, shortest: int) -> list[tuple[int, int]]:
    """Returns the runs of key material in one piece."""
    start, end = piece
    if _HEADER.match(content, start, end):
        return []
    runs = []
    for match in _RUN.finditer(content, start, end):
        text = match[0]
        prefixes = text in (b"b", b"r", b"u", b"br", b"rb", b"B", b"R", b"U", b"+", b"/", b"=")
        # With an underscore beside it, it is a name, or a token of an earlier redaction.
        beside = (
            content[max(start, match.start() - 1) : match.start()]
            + content[match.end() : match.end() + 1]
        )
        if len(text) < shortest or (prefixes and match.end() != end) or b"_" in beside:
            continue
        runs.append(match.span())
    if shortest < _LONG_RUN and not _is_only(content, piece, runs):
        return [run for run in runs if run[1] - run[0] >= _LONG_RUN]
    return runs


def _is_only(content: bytes, piece: tuple[int, int], runs: list[tuple[int, int]]) -> bool:
    """Returns whether nothing but decoration stands around the runs of a piece."""
    starts = [piece[0], *(end for _, end in runs)]
    ends = [*(start for start, _ in runs), piece[1]]
    gaps = b" ".join(content[start:end] for start, end in zip(starts, ends))
    return not _DECORATION.sub(b"", gaps)


def _key_runs(content: bytes, start: int, end: int, *, has_end: bool) -> Iterator[tuple[int, int]]:
    follows = False
    for number, piece in enumerate(_pieces(content, start, end)):
        first = _LONG_RUN if has_end else _FULL_LINE
        if TOKENS["private_key"] in content[slice(*piece)]:
            follows = True
            continue
        runs = _material(content, piece, shortest=1 if follows else first)
        if follows and not has_end and not _is_only(content, piece, runs):
            return
        is_blank = _is_only(content, piece, [])
        if not (runs or has_end or is_blank) and number > _MAX_HEADER_PIECES:
            return
        yield from runs
        follows = bool(runs) or (follows and is_blank)


def find_private_keys(content: bytes) -> list[Span]:
    r"""Finds the key material of all private keys of a file.

    Args:
      content: UTF-8 text of any length; the time is linear in it.

    Returns:
      Sorted, disjoint spans on one line each; the first of each key is the one that counts.

    >>> lines = b"-----BEGIN PRIVATE KEY-----\n" + b"M" * 64 + b"\n-----END PRIVATE KEY-----\n"
    >>> find_private_keys(lines)
    [Span(start=28, end=92, kind='private_key', continues=False)]
    """
    ends = [match.start() for match in _END.finditer(content)]
    begins = [match.span() for match in _BEGIN.finditer(content)]
    spans: list[Span] = []
    for number, (_, start) in enumerate(begins):
        limit = begins[number + 1][0] if number + 1 < len(begins) else len(content)
        if limit > start + _MAX_KEY_BYTES:
            # No run is cut through: a further look finds the rest.
            limit = start + _MAX_KEY_BYTES
            line_end = content.rfind(b"\n", start, limit)
            limit = line_end if line_end >= 0 else limit
        index = bisect.bisect_left(ends, start)
        has_end = index < len(ends) and ends[index] <= limit
        stop = ends[index] if has_end else limit
        runs = _key_runs(content, start, stop, has_end=has_end)
        spans += (Span(*run, "private_key", position > 0) for position, run in enumerate(runs))
    return spans

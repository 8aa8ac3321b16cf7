"""Spans: what redaction found in a source file, and the text without it.

A *span* is a half-open range of bytes of the file's UTF-8 content with the kind of thing that
stands there. Each kind has one *token*, which takes the place of all its spans. Tokens are spelled
like an identifier, because that is inert wherever it may land: in a string, in a comment, in code.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from code_t5 import errors

KINDS = ("email", "ipv4", "ipv6", "private_key", "secret")

TOKENS = {
    "email": b"REDACTED_EMAIL",
    "ipv4": b"REDACTED_IPV4",
    "ipv6": b"REDACTED_IPV6",
    "private_key": b"REDACTED_PRIVATE_KEY",
    "secret": b"REDACTED_SECRET",
}
# What all tokens begin with: a find that holds it was redacted before.
TOKEN_PREFIX = b"REDACTED_"


class Span(NamedTuple):
    """Where something stands.

    Attributes:
      start: Offset of the first byte.
      end: Offset after the last byte.
      kind: One of `KINDS`.
      continues: This is a further piece (such as the next line of a private key) of what the span
        before it began, and is not counted again.
    """

    start: int
    end: int
    kind: str
    continues: bool = False


def shift_span(span: Span, by: int) -> Span:
    """Returns a span that begins and ends `by` bytes later.

    >>> shift_span(Span(1, 3, "ipv4"), 4)[:2]
    (5, 7)
    """
    return span._replace(start=span.start + by, end=span.end + by)


def replace_spans(content: bytes, spans: Sequence[Span]) -> bytes:
    """Puts the tokens of their kinds in place of the spans.

    Args:
      content: The text that the spans were found in.
      spans: Sorted and disjoint.

    Returns:
      The text with tokens.

    Raises:
      InputError: The spans are not sorted, overlap, or reach beyond the text.

    >>> replace_spans(b"a = 1 # of me@here.org", [Span(11, 22, "email")])
    b'a = 1 # of REDACTED_EMAIL'
    """
    pieces: list[bytes] = []
    done = 0
    for span in spans:
        if not done <= span.start < span.end <= len(content):
            raise errors.InputError(
                f"found the span {span.start} to {span.end} after byte {done} of {len(content)}; "
                "wanted sorted, disjoint spans of this text; pass what find_spans returned for it"
            )
        pieces += (content[done : span.start], TOKENS[span.kind])
        done = span.end
    pieces.append(content[done:])
    return b"".join(pieces)


def count_kinds(spans: Iterable[Span]) -> dict[str, int]:
    """Counts what was found, by kind; a private key counts once, however many lines it has.

    >>> count_kinds([Span(0, 9, "email"), Span(11, 20, "email")])["email"]
    2
    """
    counts = dict.fromkeys(KINDS, 0)
    for span in spans:
        counts[span.kind] += not span.continues
    return counts

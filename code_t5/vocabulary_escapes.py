r"""Escapes: what makes a SentencePiece vocabulary lossless.

SentencePiece writes a space as U+2581 and reads U+2581 back as a space. So U+2581 in a text is
replaced before encoding and put back after decoding. The *escape mark* is the control character
U+0010 (data link escape), which source code hardly ever holds:

    U+0010 -> U+0010 '0'        U+2581 -> U+0010 '1'

Escaped text holds no U+2581, and every U+0010 in it is followed by `0` or `1`, so that the way back
is unambiguous whatever the text held.
"""

from __future__ import annotations

SPACE_MARK = "\u2581"
ESCAPE_MARK = "\x10"
ESCAPED_ESCAPE_MARK = ESCAPE_MARK + "0"
ESCAPED_SPACE_MARK = ESCAPE_MARK + "1"

# Part of every vocabulary's fingerprint: another scheme gives other ids.
ESCAPE_VERSION = 1


def escape(text: str) -> str:
    r"""Returns `text` with U+0010 and U+2581 escaped.

    >>> escape("a\u2581b\x10")
    'a\x101b\x100'
    """
    # Finding nothing is much cheaper than replacing nothing.
    if ESCAPE_MARK in text:
        text = text.replace(ESCAPE_MARK, ESCAPED_ESCAPE_MARK)
    if SPACE_MARK in text:
        text = text.replace(SPACE_MARK, ESCAPED_SPACE_MARK)
    return text


def unescape(text: str) -> str:
    r"""Returns the text that `escape` was given; half an escape at an end is left as it is.

    >>> unescape("a\x101b\x1001")
    'a\u2581b\x101'
    """
    if ESCAPE_MARK in text:
        # In this order: no `0` that belongs to an escape can come to stand before a `1`.
        text = text.replace(ESCAPED_SPACE_MARK, SPACE_MARK)
        text = text.replace(ESCAPED_ESCAPE_MARK, ESCAPE_MARK)
    return text

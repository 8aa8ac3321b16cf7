r"""Escapes: what makes a SentencePiece vocabulary lossless.

SentencePiece writes a space as U+2581 and reads U+2581 back as a space. So U+2581 in a text is
replaced before encoding and put back after decoding. The *escape mark* is the control character
U+0010 (data link escape), which source code hardly ever holds:

    U+0010 -> U+0010 'e'        U+2581 -> U+0010 's'

Escaped text holds no U+2581, and every U+0010 in it is followed by `e` or `s`, so that the way back
is unambiguous whatever the text held. A third sequence, U+0010 'x', can therefore not come from a
text: it begins the pieces of the sentinels, and is dropped on the way back.
"""

from __future__ import annotations

SPACE_MARK = "\u2581"
ESCAPE_MARK = "\x10"
ESCAPED_ESCAPE_MARK = ESCAPE_MARK + "e"
ESCAPED_SPACE_MARK = ESCAPE_MARK + "s"
SENTINEL_MARK = ESCAPE_MARK + "x"

# Part of every vocabulary's fingerprint: another scheme gives other ids.
ESCAPE_VERSION = 2

# What to replace by what, in this order: the escape mark first on the way in and last on the way
# back, so that no replacement meets what an earlier one wrote.
ESCAPE_STEPS = ((ESCAPE_MARK, ESCAPED_ESCAPE_MARK), (SPACE_MARK, ESCAPED_SPACE_MARK))
UNESCAPE_STEPS = (
    (ESCAPED_SPACE_MARK, SPACE_MARK),
    (SENTINEL_MARK, ""),
    (ESCAPED_ESCAPE_MARK, ESCAPE_MARK),
)


def escape(text: str) -> str:
    r"""Returns `text` with U+0010 and U+2581 escaped.

    >>> escape("a\u2581b\x10")
    'a\x10sb\x10e'
    """
    for plain, escaped in ESCAPE_STEPS:
        # Finding nothing is much cheaper than replacing nothing.
        if plain in text:
            text = text.replace(plain, escaped)
    return text


def unescape(text: str) -> str:
    r"""Returns the text that `escape` was given; half an escape at an end is left as it is.

    >>> unescape("a\x10sb\x10es")
    'a\u2581b\x10s'
    >>> unescape("\x10x<extra_id_0> cut\x10")
    '<extra_id_0> cut\x10'
    """
    if ESCAPE_MARK in text:
        for escaped, plain in UNESCAPE_STEPS:
            text = text.replace(escaped, plain)
    return text

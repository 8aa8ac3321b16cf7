from __future__ import annotations

import random

import pytest

from code_t5 import vocabulary_escapes

_MARK, _SPACE = "\x10", "\u2581"


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        ("", ""),
        ("plain text\n", "plain text\n"),
        (_SPACE, "\x10s"),
        (_MARK, "\x10e"),
        ("\x10s", "\x10es"),
        ("\x10e", "\x10ee"),
        ("\x10x<extra_id_0>", "\x10ex<extra_id_0>"),
        ("a\u2581\x10\u2581b", "a\x10s\x10e\x10sb"),
    ],
)
def test_escaping_writes_the_form_that_vocabularies_were_trained_with(text, escaped):
    assert vocabulary_escapes.escape(text) == escaped
    assert vocabulary_escapes.unescape(escaped) == text


def test_escaping_is_undone_whatever_stands_beside_whatever():
    rng = random.Random(7)
    for _ in range(20_000):
        text = "".join(rng.choices("\x10esx \u2581a<", k=rng.randrange(10)))
        escaped = vocabulary_escapes.escape(text)
        assert vocabulary_escapes.unescape(escaped) == text
        assert _SPACE not in escaped
        assert vocabulary_escapes.SENTINEL_MARK not in escaped


def test_text_without_the_two_characters_is_the_same_object():
    text = "é\u2582 \x0f\x11" * 3
    assert vocabulary_escapes.escape(text) is text
    assert vocabulary_escapes.unescape(text) is text


def test_unescaping_leaves_half_a_sequence_and_drops_the_mark_of_sentinels():
    assert vocabulary_escapes.unescape("end\x10") == "end\x10"
    assert vocabulary_escapes.unescape("\x10?") == "\x10?"
    assert vocabulary_escapes.unescape("a\x10x<extra_id_7>b") == "a<extra_id_7>b"

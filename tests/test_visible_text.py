from __future__ import annotations

import unicodedata

import pytest

from code_t5 import visible_text


def _written(text):
    return "".join(piece for _, piece in visible_text.split_marks(text))


def test_no_control_character_gets_through():
    for code in range(0x110000):
        character = chr(code)
        if unicodedata.category(character) in ("Cc", "Cf", "Cs", "Zl", "Zp") and character != "\n":
            written = _written(f"a{character}b")
            assert character not in written, hex(code)
            assert written.isprintable(), hex(code)


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("\x1b]0;title\x07", "␛]0;title␇"),
        ("a\r\nb", "a␍\nb"),
        ("\x9b31m", "⟨U+009B⟩31m"),
        ("\u202eevil\u2066", "⟨U+202E⟩evil⟨U+2066⟩"),
        ("\ufeffx\u200b\x7f\ue000", "⟨U+FEFF⟩x⟨U+200B⟩␡⟨U+E000⟩"),
        ("\tif x:", "→   if x:"),
        ("naïve 語 🙂 e\u0301", "naïve 語 🙂 e\u0301"),
    ],
)
def test_what_is_written_for_odd_text(text, written):
    assert _written(text) == written


def test_text_cannot_look_like_a_token():
    assert _written("⟦extra_id_0⟧") == "⟨U+27E6⟩extra_id_0⟨U+27E7⟩"


def test_marks_are_told_from_the_same_characters_in_the_text():
    assert list(visible_text.split_marks("→   \t")) == [(False, "→   "), (True, "→   ")]


def test_one_line_has_no_line_feed():
    assert visible_text.one_line("a\nb\x1b") == "a␊b␛"


def test_cells_of_a_terminal_are_counted():
    assert [visible_text.num_cells(one) for one in "a語é\u0301"] == [1, 2, 1, 0]

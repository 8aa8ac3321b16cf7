from __future__ import annotations

from code_t5.data.preview import layout, pieces


def _texts(lines):
    return ["".join(text for _, text in line.spans) for line in lines]


def test_long_lines_go_on_below():
    lines = layout.lay_out([("text", "abcdefg\nhi")], width=3)
    assert _texts(lines) == ["abc", "def", "g", "hi"]
    assert [line.is_continued for line in lines] == [False, True, True, False]


def test_wide_characters_take_two_cells():
    assert _texts(layout.lay_out([("text", "語語語")], width=4)) == ["語語", "語"]


def test_the_name_of_a_token_stays_in_one_piece():
    spans = [("text", "abcd"), ("sentinel", "⟦x_0⟧"), ("text", "e")]
    assert _texts(layout.lay_out(spans, width=6)) == ["abcd", "⟦x_0⟧e"]


def test_nothing_is_an_empty_line():
    assert _texts(layout.lay_out([], width=5)) == [""]


def test_spans_say_what_is_no_text():
    read = [pieces.Piece("text", "a\x1bb", 2), pieces.Piece("sentinel", "extra_id_0", 1)]
    assert list(layout.spans_of(read)) == [
        ("text", "a"), ("mark", "␛"), ("text", "b"), ("sentinel", "⟦extra_id_0⟧"),
    ]  # fmt: skip


def test_the_middle_of_a_long_text_is_left_out():
    lines = layout.lay_out([("text", "\n".join("abcdefgh"))], width=9)
    shown = layout.shorten(lines, max_lines=3)
    assert [one if isinstance(one, int) else one.spans[0][1] for one in shown] == ["a", "b", 5, "h"]
    assert layout.shorten(lines, max_lines=0) == lines
    assert layout.shorten(lines, max_lines=8) == lines

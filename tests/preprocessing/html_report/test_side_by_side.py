from __future__ import annotations

import time

import pytest

from preprocessing.html_report import side_by_side


def _lines(*numbers):
    return [f"line {number}" for number in numbers]


def _kinds(rows):
    return [(row.kind, row.num_hidden) if row.num_hidden else row.kind for row in rows]


def test_a_changed_line_stands_opposite_its_partner():
    left = "\n".join(["a", "total = first + 1", "c"])
    right = "\n".join(["a", "total = second + 1", "c"])
    rows = side_by_side.compare_texts(left, right)
    assert _kinds(rows) == ["equal", "changed", "equal"]
    changed = rows[1]
    assert changed.left == side_by_side.Side(2, "total = ", "first", " + 1")
    assert changed.right == side_by_side.Side(2, "total = ", "second", " + 1")


def test_a_line_that_only_one_has_stands_alone():
    rows = side_by_side.compare_texts("a\nb", "a\nnew\nb")
    assert _kinds(rows) == ["equal", "right", "equal"]
    assert rows[1].left == side_by_side.Side()
    assert (rows[1].right.number, rows[1].right.changed) == (2, "new")
    assert (rows[2].left.number, rows[2].right.number) == (2, 3)


def test_equal_lines_far_from_a_difference_are_left_out_and_counted():
    lines = _lines(*range(1, 101))
    other = [*lines[:49], "other", *lines[50:69], "another", *lines[70:]]
    rows = side_by_side.compare_texts("\n".join(lines), "\n".join(other))
    assert _kinds(rows) == [
        *[("gap", 46), "equal", "equal", "equal", "changed", "equal", "equal", "equal"],
        *[("gap", 13), "equal", "equal", "equal", "changed", "equal", "equal", "equal"],
        ("gap", 27),
    ]
    assert rows[4].left.number == 50


def test_one_line_between_two_differences_is_not_left_out():
    lines = _lines(*range(20))
    rows = side_by_side.compare_texts(
        "\n".join(lines), "\n".join(["a", *lines[1:8], "b", *lines[9:]])
    )
    assert _kinds(rows)[:9] == ["changed", *["equal"] * 7, "changed"]


def test_equal_texts_show_their_head():
    text = "\n".join(_lines(*range(20)))
    rows = side_by_side.compare_texts(text, text)
    assert _kinds(rows) == ["equal"] * 8 + [("gap", 12)]


def test_what_is_long_is_cut_and_says_so():
    left = "\n".join(f"left {number}" for number in range(5000))
    right = "\n".join(f"right {number}" for number in range(4000))
    rows = side_by_side.compare_texts(left, right)
    assert len(rows) == side_by_side.MAX_LINES + 1
    assert rows[-1].kind == "cut"
    assert rows[-1].num_hidden == 5000 - side_by_side.MAX_LINES


def test_long_lines_are_cut_on_both_sides_of_what_differs():
    rows = side_by_side.compare_texts("x" * 3000 + "1" + "y" * 500, "x" * 3000 + "2" + "y" * 500)
    assert len(rows) == 1
    assert len(rows[0].left.before + rows[0].left.changed + rows[0].left.after) < 300
    near = side_by_side.compare_texts("x" * 500 + "1" + "y" * 500, "x" * 500 + "2" + "y" * 500)
    assert (near[0].left.changed, near[0].right.changed) == ("1", "2")
    assert near[0].left.before == "\u2026" + "x" * 60
    assert near[0].left.after == "y" * 60 + "\u2026"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\tb", "a    b"),
        ("\x00\x1b\x7f", "\u2400\u241b\u2421"),
        ("a\u202eb", "a\u27e8U+202E\u27e9b"),
        ("\u2066\u200b\ufeff", "\u27e8U+2066\u27e9\u27e8U+200B\u27e9\u27e8U+FEFF\u27e9"),
        ("\ud800\x85\u2028", "\u27e8U+D800\u27e9\u27e8U+0085\u27e9\u27e8U+2028\u27e9"),
        ("naïve 文字 🙂 <b>&", "naïve 文字 🙂 <b>&"),
    ],
)
def test_characters_that_hide_something_are_shown(text, shown):
    assert side_by_side.clean_text(text) == shown


def test_texts_made_to_be_slow_are_quick():
    left = "\n".join(str(number % 7) for number in range(50_000))
    right = "\n".join(str(number % 11) for number in range(50_000))
    start = time.perf_counter()
    side_by_side.compare_texts(left, right)
    side_by_side.compare_texts("a" * 900_000, "a" * 450_000 + "b" * 450_000)
    assert time.perf_counter() - start < 5

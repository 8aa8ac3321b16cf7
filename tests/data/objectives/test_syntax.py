from __future__ import annotations

import collections
import sys
import warnings

import numpy as np
import pytest

from code_t5.data.objectives import syntax
from code_t5.encoding import keys


def _found(text):
    return {text[start:end] for start, end in syntax.find_nodes(text).tolist()}


def test_statements_and_expressions_of_whole_code_are_found():
    found = _found(b"def f(x):\n    return g(x) + 1\n")
    assert found == {
        *(b"def f(x):\n    return g(x) + 1", b"return g(x) + 1"),
        *(b"g(x) + 1", b"g(x)", b"g", b"x", b"1"),
    }


def test_positions_are_bytes():
    text = "s = 'd\u00e9j\u00e0'; t = '\U0001f642' + u\n".encode()
    assert {"'\U0001f642' + u".encode(), b"u", b"t"} <= _found(text)


def test_a_window_that_begins_inside_of_blocks_is_parsed():
    text = b"            y = 1\n        else:\n            y = 2\n    return y\n\nz = y\n"
    assert {b"y = 2", b"return y", b"z = y"} <= _found(text)


def test_lines_cut_at_both_ends_are_left_out():
    text = b"rgument, other)\n    value = 3\n    call(value,\n         'unfin"
    assert b"value = 3" in _found(text)


def test_a_window_that_begins_in_a_string_is_parsed_behind_it():
    text = b'some words.\n    """\n' + b"    value = f(1)\n" * 6
    # Python 3.9 says that the fault is at the window's end, so that what is left is the string.
    assert (b"value = f(1)" in _found(text)) == (sys.version_info >= (3, 10))


@pytest.mark.parametrize("indentation", [b"\t", b"  ", b"    \t"])
def test_a_window_that_returns_through_several_blocks_loses_no_line(indentation):
    text = b"%sx = 1\n%sy = 2\n%sz = 3\nlast = 4\n" % (
        indentation * 3,
        indentation * 2,
        indentation,
    )
    assert {b"x = 1", b"y = 2", b"z = 3", b"last = 4"} <= _found(text)


def test_what_a_file_says_of_its_encoding_moves_nothing():
    text = "# -*- coding: latin-1 -*-\ns = '\u00e9\u00e9'; t = 1\n".encode()
    assert _found(text) == {
        b"s",
        "s = '\u00e9\u00e9'".encode(),
        "'\u00e9\u00e9'".encode(),
        b"t",
        b"t = 1",
        b"1",
    }
    assert _found("\ufeffs = 1\nlast = 2\n".encode()) == {b"last", b"last = 2", b"2"}


def test_a_line_with_half_a_character_is_left_out():
    assert _found(b"a = 1\nb = 2\nc = '\xe8\xaa") == {b"a", b"a = 1", b"1", b"b", b"b = 2", b"2"}


@pytest.mark.parametrize("text", [b"sum = " + b"1 + " * 250, b"sum = " + b"1 + " * 400, b"f" * 9])
def test_what_is_found_does_not_depend_on_the_stack_of_the_caller(text):
    text += b"2\nlast = 3\n"

    def deeper(levels):
        return deeper(levels - 1) if levels else _found(text)

    assert deeper(750) == _found(text)
    assert (text.splitlines()[0] in _found(text)) == (len(text) < 1100)


def test_what_is_found_does_not_depend_on_filters_of_warnings_and_leaves_them():
    text = b"s = '\\d'\nt = 0x1for x in y\n"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        before = list(warnings.filters)
        found = _found(text)
        assert [one for one in warnings.filters if one in before] == before
        _found(text)
        assert len(warnings.filters) == len(before) + 1
    assert b"s = '\\d'" in found
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        assert _found(text) == found
    assert warned == []


def test_what_stands_inside_an_f_string_is_left_alone():
    assert _found(b"x = f'{a + b}'\n") == {b"x", b"x = f'{a + b}'", b"f'{a + b}'"}


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"\n\n",
        b"\x00",
        b"not python at all {{{",
        b"(" * 5000,
        b"x" + b"+1" * 20_000,
        b"\xff\xfe",
        b"\t \tx\n \ty\n" * 3,
    ],
)
def test_odd_texts_give_no_error(text):
    nodes = syntax.find_nodes(text)
    assert nodes.shape[1] == 2
    assert ((nodes >= 0) & (nodes <= len(text))).all()


def test_nodes_are_drawn_in_proportion_to_their_bytes():
    text = b"aaaaaaaa\nbb\n"
    drawn = collections.Counter(
        text[slice(*syntax.draw_node(text, key=key, longest=100))]
        for key in keys.mix_keys(0, np.arange(2000)).reshape(-1, 1)
    )
    assert set(drawn) == {b"aaaaaaaa", b"bb"}
    assert drawn[b"aaaaaaaa"] / 2000 == pytest.approx(0.8, abs=0.05)


def test_no_node_is_longer_than_asked():
    text = b"aaaaaaaa\nbb\n"
    key = keys.mix_keys(0)
    assert syntax.draw_node(text, key=key, longest=5) == (9, 11)
    assert syntax.draw_node(text, key=key, longest=1) is None

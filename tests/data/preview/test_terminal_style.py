from __future__ import annotations

import io

import pytest

from code_t5.data.preview import terminal_style


class _Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.mark.parametrize(
    ("choice", "stream", "environment", "wanted"),
    [
        ("auto", _Terminal(), {"TERM": "xterm"}, True),
        ("auto", _Terminal(), {"TERM": "dumb"}, False),
        ("auto", _Terminal(), {"NO_COLOR": "1"}, False),
        ("auto", io.StringIO(), {}, False),
        ("always", io.StringIO(), {"NO_COLOR": "1"}, True),
        ("never", _Terminal(), {}, False),
    ],
)
def test_colours_are_written_where_they_are_wanted(choice, stream, environment, wanted):
    found = terminal_style.wants_colour(choice, stream=stream, environment=environment)
    assert found is wanted


def test_paint_ends_what_it_begins():
    assert terminal_style.Style(is_coloured=True).paint("mark", "x") == "\x1b[33mx\x1b[0m"
    assert terminal_style.Style(is_coloured=False).paint("mark", "x") == "x"
    assert terminal_style.Style(is_coloured=True).paint("text", "x") == "x"

from __future__ import annotations

import pytest

from preprocessing import normalize


@pytest.mark.parametrize(
    ("raw", "wanted"),
    [
        (b"a\r\nb\r\n", b"a\nb\n"),
        (b"a\rb", b"a\nb"),
        (b"a\r\r\nb", b"a\n\nb"),
        (b"\xef\xbb\xbfa\n", b"a\n"),
        (b"a\xef\xbb\xbfb", b"a\xef\xbb\xbfb"),
        (b"\xef\xbb\xbf\xef\xbb\xbfa", b"\xef\xbb\xbfa"),
        (b"a\tb  \n\x00\x0c", b"a\tb  \n\x00\x0c"),
        (b"", b""),
    ],
)
def test_only_line_ends_and_the_first_mark_change(raw, wanted):
    assert normalize.normalize(raw) == wanted

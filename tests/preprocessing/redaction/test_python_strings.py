"""Strings and comments of Python files, as Python's own tokenizer sees them."""

from __future__ import annotations

import io
import pathlib
import random
import sysconfig
import tokenize

import pytest

from preprocessing.redaction import python_strings


def _inside(text: bytes) -> str:
    """Returns a letter for each byte: `s` in a string or comment, `.` outside."""
    ranges = python_strings.QuotedRanges(text)
    return "".join("s" if ranges.contains(at, at + 1) else "." for at in range(len(text)))


@pytest.mark.parametrize(
    ("text", "inside"),
    [
        (b"a'b'c", ".sss."),
        (b"a'#'#'", ".sssss"),
        (b"'a\\'b'c", "ssssss."),
        (b"r'\\\\'c'", ".ssss.s"),
        (b"'a\nb'c", "sss.ss"),
        (b"'a\\\nb'c", "ssssss."),
        (b'"""a"b""c""""d', "ssssssssssssss"),
        (b"'''a\\'''b''''", "sssssssssssss"),
        (b"'''a\nb#'''c#d\ne", "ssssssssss.ss.."),
        (b"''''", "ssss"),
        (b"''a''''b", "ss.sssss"),
        (b"'a", "ss"),
        (b"'a\\", "sss"),
        (b"'''a\\", "sssss"),
    ],
)
def test_bytes_are_inside_or_outside(text, inside):
    assert _inside(text) == inside


def test_range_over_the_end_of_a_string_is_not_inside():
    ranges = python_strings.QuotedRanges(b"'ab' 'cd'")
    assert ranges.contains(0, 4)
    assert not ranges.contains(2, 5)
    assert not ranges.contains(2, 7)


def test_standard_library_reads_as_the_tokenizer_reads_it():
    root = pathlib.Path(sysconfig.get_paths()["stdlib"])
    paths = sorted(path for path in root.glob("*.py") if path.stat().st_size < 100_000)
    num_tokens = 0
    for path in random.Random(3).sample(paths, 25):
        content = path.read_bytes()
        if not content.isascii():
            continue
        ranges = python_strings.QuotedRanges(content)
        starts = [0]
        for line in content.splitlines(keepends=True):
            starts.append(starts[-1] + len(line))
        for token in tokenize.tokenize(io.BytesIO(content).readline):
            if token.type in (tokenize.STRING, tokenize.COMMENT, tokenize.NAME, tokenize.OP):
                end = starts[token.end[0] - 1] + token.end[1]
                is_quoted = token.type in (tokenize.STRING, tokenize.COMMENT)
                # A prefix such as the `b` of `b'…'` is outside here; the last byte tells.
                assert ranges.contains(end - 1, end) == is_quoted, (path.name, token)
                num_tokens += 1
    assert num_tokens > 10_000

"""Cursors in files: where they stand, and what is no place."""

from __future__ import annotations

import os

import pytest

from code_t5 import errors
from code_t5.training.completing import cursors
from code_t5.training.prompts import Gap


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "a:1.py"
    path.write_bytes("\ufeffx = 1\r\n\té = 語\rlast".encode())
    return path


@pytest.mark.parametrize(
    ("place", "prefix"),
    [
        ("1:1", ""),
        ("1:2", "x"),
        ("1:6", "x = 1"),
        ("2:1", "x = 1\n"),
        ("2:2", "x = 1\n\t"),
        ("2:7", "x = 1\n\té = 語"),
        ("3:5", "x = 1\n\té = 語\nlast"),
        ("2", "x = 1\n\té = 語"),
    ],
)
def test_columns_count_characters_and_lines_end_as_models_read_them(path, place, prefix):
    whole = "x = 1\n\té = 語\nlast"
    assert cursors.split_at_cursor(f"{path}:{place}") == Gap(prefix, whole[len(prefix) :])


@pytest.mark.parametrize(
    ("place", "message"),
    [
        ("0:1", "has 3 lines; wanted a line from 1 to 3, not 0"),
        ("4:1", "has 3 lines; .* not 4"),
        ("-1:1", "wanted a line from 1 to 3, not -1"),
        ("1:-2", "wanted a column from 1 to 6, not -2"),
        ("99999999999:1", "has 3 lines; .* not 99999999999"),
        ("1:7", "line 1 of .* has 5 characters; wanted a column from 1 to 6, not 7"),
        ("2:0", "wanted a column from 1 to 7, not 0"),
        ("x", "wanted FILE:LINE:COLUMN"),
    ],
)
def test_places_past_the_end_are_refused(path, place, message):
    with pytest.raises(errors.InputError, match=message) as caught:
        cursors.split_at_cursor(f"{path}:{place}".replace("a:1.py:x", "x"))
    assert "\n" not in str(caught.value)


def test_one_line_of_one_character_is_told_in_the_singular(tmp_path):
    (tmp_path / "a.py").write_text("x")
    for place, message in (("2:1", "has 1 line; "), ("1:3", "has 1 character; ")):
        with pytest.raises(errors.InputError, match=message):
            cursors.split_at_cursor(f"{tmp_path}/a.py:{place}")


def test_files_that_cannot_be_read_are_refused(tmp_path, monkeypatch):
    with pytest.raises(errors.InputError, match="No such file"):
        cursors.split_at_cursor(f"{tmp_path}/none:1:1")
    with pytest.raises(errors.InputError, match="Is a directory"):
        cursors.split_at_cursor(f"{tmp_path}:1:1")
    path = tmp_path / "latin.py"
    path.write_bytes(b"ab\xe9")
    with pytest.raises(errors.InputError, match="not UTF-8 at byte 2.*iconv -f latin1 -t utf-8"):
        cursors.split_at_cursor(f"{path}:1:1")
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(errors.InputError, match="a pipe or a device"):
        cursors.split_at_cursor(f"{tmp_path}/pipe:1:1")
    monkeypatch.setattr(cursors, "_MAX_FILE_BYTES", 2)
    with pytest.raises(errors.InputError, match="larger than"):
        cursors.split_at_cursor(f"{path}:1:1")

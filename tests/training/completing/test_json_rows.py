"""Files of JSON values: all of them are read, and what is wrong is said where it stands."""

from __future__ import annotations

import gzip
import os

import pytest

from code_t5 import errors
from code_t5.training.completing import json_rows


def _rows(path):
    return [row for _, row in json_rows.read_rows(path)]


def test_compressed_files_in_a_row_are_all_read(tmp_path):
    path = tmp_path / "rows.jsonl.gz"
    path.write_bytes(gzip.compress(b'"a"\n') + gzip.compress(b'"b"\n'))
    assert _rows(path) == ["a", "b"]


@pytest.mark.parametrize("change", [lambda data: data[:-4], lambda data: b"x" + data])
def test_damaged_compressed_file_is_refused(tmp_path, change):
    path = tmp_path / "rows.jsonl.gz"
    path.write_bytes(change(gzip.compress(b'"a"\n' * 100)))
    with pytest.raises(errors.InputError, match="cannot read .*rows.jsonl.gz"):
        _rows(path)


def test_what_unpacks_to_too_much_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(json_rows, "_MAX_FILE_BYTES", 1 << 20)
    path = tmp_path / "rows.jsonl.gz"
    path.write_bytes(gzip.compress(b" " * (2 << 20)))
    with pytest.raises(errors.InputError, match="holds more than 1 MiB"):
        _rows(path)


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("1" * 5000, r"\(a number of too many digits\)"),
        ("{" * 100000 + "]", r"\(Expecting .* at character 2\)"),
        ('{"a":' * 100000, r"\(too deep\)"),
        ('{"a": NaN}', r"\(NaN is no number of it\)"),
        ('{"a": -Infinity}', r"\(-Infinity is no number of it\)"),
    ],
    ids=["digits", "brackets", "deep", "NaN", "Infinity"],
)
def test_what_is_no_json_is_said_in_plain_words(tmp_path, line, complaint):
    path = tmp_path / "rows.jsonl"
    path.write_text(f'"a"\n{line}\n')
    with pytest.raises(errors.InputError, match=f"line 2 is not JSON that can be read {complaint}"):
        _rows(path)


def test_pipe_is_refused_without_waiting_for_its_writer(tmp_path):
    os.mkfifo(tmp_path / "rows.jsonl")
    with pytest.raises(errors.InputError, match="a pipe or a device"):
        _rows(tmp_path / "rows.jsonl")

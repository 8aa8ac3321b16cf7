"""Files of records: whole ones stay, whatever happens while one is written."""

from __future__ import annotations

import errno
import os

import pytest

from code_t5 import errors
from code_t5.training.completing import records
from code_t5.training.completing.records import RecordFile


def test_records_are_there_again_without_the_torn_one(tmp_path):
    path = tmp_path / "kept"
    kept = RecordFile(path)
    kept.append({"a": 1})
    kept.append({"b": "é\n"})
    path.write_bytes(path.read_bytes() + b'{"c":')
    again = RecordFile(path)
    assert again.records == [{"a": 1}, {"b": "é\n"}]
    again.append({"d": 2})
    assert RecordFile(path).records == [{"a": 1}, {"b": "é\n"}, {"d": 2}]


def test_record_that_a_full_disk_cuts_off_leaves_the_file_as_it_was(tmp_path, monkeypatch):
    kept = RecordFile(tmp_path / "kept")
    kept.append({"a": 1})
    before = kept.path.read_bytes()

    def fail(descriptor, data):
        os.pwrite(descriptor, data[:3], len(before))
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(records.os, "write", fail)
        with pytest.raises(OSError, match="No space left"):
            kept.append({"b": 2})
    assert kept.path.read_bytes() == before
    # As another thread does, once there is room.
    kept.append({"c": 3})
    assert RecordFile(kept.path).records == kept.records == [{"a": 1}, {"c": 3}]


def test_file_of_something_else_is_refused(tmp_path):
    (tmp_path / "kept").write_bytes(b'{"a": 1}\n[2]\n')
    with pytest.raises(errors.ArtifactError, match="line 2 is not a record"):
        RecordFile(tmp_path / "kept")

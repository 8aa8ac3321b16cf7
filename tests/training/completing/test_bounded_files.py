"""Files from outside: what is no file does not keep a program waiting."""

from __future__ import annotations

import os

import pytest

from code_t5.training.completing.bounded_files import read_file


def test_beginning_of_a_file_is_read_through_links(tmp_path):
    (tmp_path / "file").write_bytes(b"abcdef")
    (tmp_path / "link").symlink_to(tmp_path / "file")
    assert read_file(tmp_path / "link", max_bytes=4) == b"abcd"
    assert read_file(tmp_path / "file", max_bytes=10) == b"abcdef"


def test_pipes_devices_and_folders_are_refused_at_once(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", "/dev/zero"):
        with pytest.raises(OSError, match="a pipe or a device, not a file"):
            read_file(path, max_bytes=4)
    with pytest.raises(IsADirectoryError):
        read_file(tmp_path, max_bytes=4)

"""Documents on the disk while their cache is built."""

from __future__ import annotations

import errno
import logging
import os
import tempfile

import pytest

from code_t5 import errors
from code_t5.storage import atomic
from code_t5.token_cache.sources import document_source, spool

TEXTS = [f"document {number}" for number in range(20)]


@pytest.fixture(name="temporary")
def _temporary(tmp_path, monkeypatch):
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    monkeypatch.setattr(spool, "_BUFFER_BYTES", 40)
    return folder


@pytest.fixture(name="cache_dir")
def _cache_dir(tmp_path):
    folder = tmp_path / "place"
    folder.mkdir()
    return folder / "cache"


class _FullFile:
    """A file on a disk that has room for so many bytes."""

    def __init__(self, file, room):
        self._file = file
        self._room = room

    def write(self, data):
        if not self._room:
            raise OSError(errno.ENOSPC, "No space left on device")
        part = bytes(data)[: self._room]
        self._room -= len(part)
        return self._file.write(part)

    def __getattr__(self, name):
        return getattr(self._file, name)


def _fill_up(monkeypatch, *folders, room):
    """Lets the disk of some folders be full after so many bytes of each file."""
    made = spool.SpoolFile.__init__

    def make(self, path):
        made(self, path)
        if any(os.fspath(path).startswith(os.fspath(folder)) for folder in folders):
            self._file = _FullFile(self._file, room)

    monkeypatch.setattr(spool.SpoolFile, "__init__", make)


def _read(source):
    return [
        text.decode() for unit in source.units("train") for batch in unit.read()
        for text in batch.texts
    ]  # fmt: skip


def _check(cache_dir, temporary, caplog, reason):
    with (
        caplog.at_level(logging.WARNING),
        document_source.open_documents(iter(TEXTS), cache_dir=cache_dir) as source,
    ):
        assert _read(source) == TEXTS
        assert len(list(temporary.iterdir())) == 1
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert reason in caplog.text
    assert not list(temporary.iterdir())
    assert not list(cache_dir.parent.iterdir())


@pytest.mark.parametrize("code", [errno.EROFS, errno.EACCES, errno.ENOSPC, errno.ENAMETOOLONG])
def test_a_place_that_cannot_be_written_is_left(cache_dir, temporary, monkeypatch, caplog, code):
    def refuse(path, *, purpose):
        raise OSError(code, os.strerror(code), os.fspath(path))

    monkeypatch.setattr(atomic, "lock", refuse)
    _check(cache_dir, temporary, caplog, os.strerror(code))


@pytest.mark.parametrize("room", [0, 1, 40, 55, 130])
def test_a_disk_that_gets_full_is_left_and_nothing_is_lost(
    cache_dir, temporary, monkeypatch, caplog, room
):
    _fill_up(monkeypatch, cache_dir.parent, room=room)
    _check(cache_dir, temporary, caplog, "No space left")


def test_no_room_anywhere_is_one_line_with_a_number(cache_dir, temporary, monkeypatch):
    _fill_up(monkeypatch, cache_dir.parent, room=55)
    monkeypatch.setattr(
        spool.shutil, "copyfileobj", _raise(OSError(errno.ENOSPC, "No space left on device"))
    )
    with (
        pytest.raises(errors.InputError, match="wanted more than 55 bytes; .*TMPDIR") as caught,
        document_source.open_documents(iter(TEXTS), cache_dir=cache_dir),
    ):
        pass
    assert "\n" not in str(caught.value)
    assert not list(temporary.iterdir())
    assert not list(cache_dir.parent.iterdir())


def _raise(error):
    def fail(*arguments):
        raise error

    return fail

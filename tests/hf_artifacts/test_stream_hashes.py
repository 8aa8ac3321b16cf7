from __future__ import annotations

import hashlib
import io
import threading

import pytest

from code_t5.hf_artifacts.fetching import (
    file_hashes,
    progress_ticker,
    stream_hashes,
    worker_threads,
)
from code_t5.hf_artifacts.fetching.hub_listing import HubFile

_DATA = bytes(range(256)) * 5000
_GIT = hashlib.sha1(b"blob %d\0" % len(_DATA) + _DATA).hexdigest()
_SHA256 = hashlib.sha256(_DATA).hexdigest()
_LFS = HubFile(len(_DATA), _SHA256, True)
_PLAIN = HubFile(len(_DATA), _GIT, False)


class _Answer:
    """A response of `requests`, as far as it is looked at."""

    def __init__(self, data, *, status=200, start=0):
        self.status_code = status
        self.headers = {"Content-Range": f"bytes {start}-9/9"} if status == 206 else {}
        self.raw = _Raw(data[start:])


class _Raw:
    def __init__(self, data):
        self._file = io.BytesIO(data)
        self.closed = False

    def read(self, amt, decode_content=None):
        return self._file.read(amt)

    def stream(self, amt, decode_content=None):
        yield self._file.read()

    def close(self):
        self.closed = True


class _Inner:
    """An adapter that gives fixed answers."""

    def __init__(self, *answers):
        self.answers = list(answers)

    def send(self, request, **options):
        return self.answers.pop(0)


class _Request:
    method = "GET"


def _fetch(tmp_path, *answers, wanted=_LFS, half=b""):
    """Reads answers as huggingface_hub does; returns what was read and the hashes."""
    path = tmp_path / "half"
    path.write_bytes(half)
    adapter, read = stream_hashes._Adapter(_Inner(*answers)), b""
    with stream_hashes.hashing(wanted, half_path=str(path)) as stream:
        for _ in answers:
            answer = adapter.send(_Request, stream=True)
            read += b"".join(answer.raw.stream(10 << 20, decode_content=True))
        return read, stream.finish()


@pytest.mark.parametrize("wanted", [_LFS, _PLAIN])
def test_a_body_is_hashed_as_it_is_read(tmp_path, wanted):
    read, stored = _fetch(tmp_path, _Answer(_DATA), wanted=wanted)
    assert read == _DATA
    assert (stored.size_bytes, stored.sha256, stored.blob) == (len(_DATA), _SHA256, wanted.blob)


def test_it_goes_on_where_another_run_has_stopped(tmp_path):
    half = _DATA[:300_000]
    _, stored = _fetch(tmp_path, _Answer(_DATA, status=206, start=300_000), half=half)
    assert stored.sha256 == _SHA256


def test_two_bodies_one_after_the_other_are_one_file(tmp_path):
    first, second = _Answer(_DATA[:1000]), _Answer(_DATA, status=206, start=1000)
    assert _fetch(tmp_path, first, second)[1].sha256 == _SHA256


@pytest.mark.parametrize(
    "answers",
    [
        # Begun anew, and from another place than where the first ended.
        (_Answer(_DATA[:1000]), _Answer(_DATA)),
        (_Answer(_DATA[:1000]), _Answer(_DATA, status=206, start=2000)),
        # Not all of it.
        (_Answer(_DATA[:-1]),),
        (_Answer(_DATA, status=206, start=5),),
        # Nothing was seen: it came by another way.
        (),
    ],
)
def test_what_was_not_seen_whole_has_no_hash(tmp_path, answers):
    assert _fetch(tmp_path, *answers)[1] is None


def test_answers_that_are_no_file_are_left_alone(tmp_path):
    with stream_hashes.hashing(_LFS, half_path=str(tmp_path / "half")):
        for answer in (_Answer(b"", status=404), _Answer(b"", status=302)):
            assert isinstance(
                stream_hashes._Adapter(_Inner(answer)).send(_Request, stream=True).raw, _Raw
            )
    outside = stream_hashes._Adapter(_Inner(_Answer(_DATA))).send(_Request, stream=True)
    assert isinstance(outside.raw, _Raw)


def test_a_wrapped_body_can_be_closed(tmp_path):
    answer = _Answer(_DATA)
    raw = answer.raw
    with stream_hashes.hashing(_LFS, half_path=str(tmp_path / "half")):
        sent = stream_hashes._Adapter(_Inner(answer)).send(_Request, stream=True)
        assert sent.raw is not raw
        sent.raw.close()
    assert raw.closed


@pytest.mark.parametrize("wanted", [_LFS, _PLAIN])
def test_a_file_on_the_disk_is_hashed(tmp_path, wanted):
    (tmp_path / "file").write_bytes(_DATA)
    moved = []
    stored = file_hashes.hash_content(str(tmp_path / "file"), wanted=wanted, moved=moved.append)
    assert (stored.size_bytes, stored.sha256, stored.blob) == (len(_DATA), _SHA256, wanted.blob)
    assert sum(moved) == len(_DATA)
    assert len(moved) > 1


def test_progress_tells_of_files_that_grow_and_takes_back_what_is_lost(tmp_path, monkeypatch):
    monkeypatch.setattr(progress_ticker, "_TICK_SECONDS", 0.01)
    half, told, is_seen = tmp_path / "half", [], threading.Event()

    def moved(count):
        told.append(count)
        is_seen.set()

    ticker = progress_ticker.ProgressTicker(moved)
    with ticker.watching(str(half), size_bytes=8 << 20) as lost:
        half.write_bytes(b"x" * (1 << 20))
        assert is_seen.wait(20)
    assert sum(told) == 0
    assert not lost.is_done
    with ticker.watching(str(half), size_bytes=8 << 20) as file:
        file.is_done = True
    ticker.close()
    assert sum(told) == 8 << 20


def test_threads_give_results_in_order_and_stop_at_the_first_failure():
    stop = threading.Event()
    found = worker_threads.map_in_threads(
        lambda number: number * 2, inputs=range(50), num_threads=4, stop=stop
    )
    assert found == [number * 2 for number in range(50)]
    begun = []

    def fail(number):
        begun.append(number)
        if number == 3:
            raise ValueError("three")
        stop.wait(5)

    with pytest.raises(ValueError, match="three"):
        worker_threads.map_in_threads(fail, inputs=range(50), num_threads=4, stop=stop)
    assert stop.is_set()
    assert len(begun) < 50

"""Tests of preprocessing.inputs.download, against a server on this machine."""

from __future__ import annotations

import random
import socket

import fake_archives as archives
import pytest
from urllib3.util import retry as urllib3_retry

from code_t5 import errors
from code_t5.storage import atomic
from preprocessing.inputs import download

CONTENT = random.Random(1).randbytes(900_000)
AT_ONCE = urllib3_retry.Retry(total=2, backoff_factor=0)


@pytest.fixture
def server():
    with archives.serve(CONTENT) as served:
        yield served


def _fetch(served, folder):
    return download.fetch(served.address, downloads_dir=folder, retry=AT_ONCE)


def _files(folder):
    return sorted(p.name for p in folder.rglob("*") if p.is_file() and p.name != ".lock")


def test_file_is_fetched_once(server, tmp_path):
    path = _fetch(server, tmp_path)
    assert path.read_bytes() == CONTENT
    assert path == download.target_path(server.address, tmp_path)
    assert path.name == "set.tar.gz"
    assert _fetch(server, tmp_path) == path
    assert len(server.requests) == 1
    assert _files(tmp_path) == ["set.tar.gz"]


def test_dropped_connection_is_gone_on_with_where_it_broke(server, tmp_path):
    server.drop_after = [300_000, 200_000]
    assert _fetch(server, tmp_path).read_bytes() == CONTENT
    assert [r.get("Range") for r in server.requests] == [None, "bytes=300000-", "bytes=500000-"]
    assert server.requests[1]["If-Range"] == '"one"'


def test_next_run_goes_on_where_the_last_one_stopped(server, tmp_path):
    server.drop_after = [300_000, 0, 0]
    with pytest.raises(errors.InputError, match=r"broke off, 2 times over \(0\.3 MB are here\)"):
        _fetch(server, tmp_path)
    assert _files(tmp_path) == ["set.tar.gz.part", "set.tar.gz.part.json"]
    server.requests.clear()
    assert _fetch(server, tmp_path).read_bytes() == CONTENT
    assert [r.get("Range") for r in server.requests] == ["bytes=300000-"]
    assert _files(tmp_path) == ["set.tar.gz"]


@pytest.mark.parametrize("etag", ['"two"', ""])
def test_file_that_changed_meanwhile_is_fetched_anew(server, tmp_path, etag):
    server.drop_after = [300_000, 0, 0]
    with pytest.raises(errors.InputError):
        _fetch(server, tmp_path)
    server.content, server.etag = CONTENT[::-1] + b"more", etag
    assert _fetch(server, tmp_path).read_bytes() == server.content


def test_without_validator_the_size_decides(server, tmp_path):
    server.etag, server.drop_after = "", [300_000, 0, 0]
    with pytest.raises(errors.InputError):
        _fetch(server, tmp_path)
    server.requests.clear()
    assert _fetch(server, tmp_path).read_bytes() == CONTENT
    assert [r.get("Range") for r in server.requests] == ["bytes=300000-"]


def test_part_that_nothing_is_known_of_is_not_trusted(server, tmp_path):
    part = download.target_path(server.address, tmp_path)
    part = part.with_name(part.name + ".part")
    part.parent.mkdir(parents=True)
    part.write_bytes(b"x" * 1000)
    assert _fetch(server, tmp_path).read_bytes() == CONTENT
    assert "Range" not in server.requests[0]


def test_server_without_ranges_is_asked_for_the_whole(server, tmp_path):
    server.ranges, server.drop_after = False, [300_000]
    assert _fetch(server, tmp_path).read_bytes() == CONTENT
    assert len(server.requests) == 2


def test_server_that_never_gets_further_is_given_up(server, tmp_path):
    server.ranges, server.drop_after = False, [300_000] * 50
    with pytest.raises(errors.InputError, match="broke off"):
        _fetch(server, tmp_path)
    assert len(server.requests) == 3


def test_part_longer_than_the_file_is_thrown_away(server, tmp_path):
    server.drop_after = [300_000, 0, 0]
    with pytest.raises(errors.InputError):
        _fetch(server, tmp_path)
    part = download.target_path(server.address, tmp_path).with_name("set.tar.gz.part")
    part.write_bytes(b"x" * 2_000_000)
    assert _fetch(server, tmp_path).read_bytes() == CONTENT


def test_part_that_is_whole_already_is_not_fetched_again(server, tmp_path):
    server.drop_after = [300_000, 0, 0]
    with pytest.raises(errors.InputError):
        _fetch(server, tmp_path)
    part = download.target_path(server.address, tmp_path).with_name("set.tar.gz.part")
    part.write_bytes(CONTENT)
    server.requests.clear()
    assert _fetch(server, tmp_path).read_bytes() == CONTENT
    assert server.requests == []


def test_answer_of_unknown_length_is_taken_to_its_end(server, tmp_path):
    server.lengths = False
    assert _fetch(server, tmp_path).read_bytes() == CONTENT


def test_passing_trouble_is_tried_again(server, tmp_path):
    server.statuses = [503, 429]
    assert _fetch(server, tmp_path).read_bytes() == CONTENT


@pytest.mark.parametrize("status, says", [(404, "no such file"), (403, "does not let you")])
def test_lasting_trouble_is_told_at_once(server, tmp_path, status, says):
    server.statuses = [status] * 9
    with pytest.raises(errors.InputError, match=f"answers {status}.*{says}"):
        _fetch(server, tmp_path)
    assert len(server.requests) == 1


def test_offline_says_which_file_goes_where_and_keeps_secrets(tmp_path):
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
    address = f"http://me:pw@127.0.0.1:{port}/sets/set.tar.gz?token=s3cret"
    with pytest.raises(errors.InputError) as info:
        download.fetch(address, downloads_dir=tmp_path, retry=AT_ONCE)
    message, target = str(info.value), download.target_path(address, tmp_path)
    assert f"cannot fetch http://127.0.0.1:{port}/sets/set.tar.gz: no connection" in message
    assert f"put it at {target} and run the same command again" in message
    assert "pw" not in message and "s3cret" not in message and "\n" not in message

    # What the message says works: the folder is there, and a file in it is taken.
    target.write_bytes(b"fetched elsewhere")
    assert download.fetch(address, downloads_dir=tmp_path, retry=AT_ONCE) == target


def test_user_and_password_are_sent(server, tmp_path):
    address = server.address.replace("http://", "http://me:pw@")
    download.fetch(address, downloads_dir=tmp_path, retry=AT_ONCE)
    assert server.requests[0]["Authorization"].startswith("Basic ")


def test_archive_without_room_is_not_begun(server, tmp_path, monkeypatch):
    usage = type("usage", (), {"free": 1000})
    monkeypatch.setattr(download.shutil, "disk_usage", lambda path: usage)
    with pytest.raises(errors.InputError, match="0 MB free and the archive takes 1 MB more"):
        _fetch(server, tmp_path)


def test_second_fetch_of_one_file_at_once_is_told_so(server, tmp_path):
    lock = download.target_path(server.address, tmp_path).with_name(".lock")
    with atomic.lock(lock, purpose="test"), pytest.raises(errors.BusyError):
        _fetch(server, tmp_path)

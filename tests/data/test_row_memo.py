"""The file that remembers where blocks begin."""

from __future__ import annotations

import json
import logging
import pathlib

import pytest

from code_t5 import errors
from code_t5.data import row_memo
from code_t5.data.row_memo import FILE_NAME, RowMemo

PARTS = {"seed": 0, "members": {"dev": {"rate": 1.0}}}
FINGERPRINT = "d7d4e788e1e3279f497d11f27f8a3f3dce432558d5daaa2d8d496af1c30f295c"
GOLDEN = (
    b'{"fingerprint": "%b", "format_name": "code_t5_data_rows", "format_version": 1, "parts": '
    b'{"members": {"dev": {"rate": 1.0}}, "seed": 0}}\n'
    b'{"block": 1, "row": 500, "crc32": 3385862891}\n'
    b'{"block": 2, "row": 998, "crc32": 1483971108}\n'
) % FINGERPRINT.encode()


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "model" / FILE_NAME
    memo = RowMemo(path, parts=PARTS)
    memo.record(0, 500)
    memo.record(1, 498)
    return path


def first_rows(memo):
    return [memo.first_row(block) for block in range(memo.num_known)]


def test_what_was_recorded_is_there_for_the_next_run(path):
    assert first_rows(RowMemo(path, parts=PARTS)) == [0, 500, 998]


def test_the_format_is_the_one_of_this_version(path):
    assert path.read_bytes() == GOLDEN


def test_the_block_of_a_row_is_found(path):
    memo = RowMemo(path, parts=PARTS)
    assert [memo.last_block_before(row) for row in (0, 499, 500, 997, 998, 10**9)] == [
        *(0, 0, 1, 1, 2, 2)
    ]


def test_a_block_is_recorded_once_and_in_its_turn():
    memo = RowMemo()
    for block, num_rows in ((0, 5), (0, 5), (2, 7), (1, 6)):
        memo.record(block, num_rows)
    assert first_rows(memo) == [0, 5, 11]


def test_a_line_that_a_killed_run_cut_short_is_written_again(path):
    path.write_bytes(path.read_bytes()[:-9])
    memo = RowMemo(path, parts=PARTS)
    assert first_rows(memo) == [0, 500]
    memo.record(1, 498)
    assert path.read_bytes() == GOLDEN


@pytest.mark.parametrize(
    "old, new", [(b"500", b"501"), (b'"block": 1', b'"block": 2'), (b"{", b"[")]
)
def test_a_damaged_line_and_what_follows_is_not_believed(path, old, new):
    head, tail = path.read_bytes().split(b"\n", 1)
    path.write_bytes(head + b"\n" + tail.replace(old, new, 1))
    assert first_rows(RowMemo(path, parts=PARTS)) == [0]


def test_a_disk_that_takes_no_more_is_logged_once_and_the_run_goes_on(tmp_path, caplog):
    memo = RowMemo(tmp_path / FILE_NAME, parts=PARTS)
    (tmp_path / FILE_NAME).unlink()
    (tmp_path / FILE_NAME).symlink_to("/dev/full")
    caplog.set_level(logging.WARNING, logger="absl")
    memo.record(0, 500)
    memo.record(1, 498)
    assert first_rows(memo) == [0, 500, 998]
    (record,) = caplog.records
    assert "cannot be written (No space left on device)" in record.getMessage()


def test_a_folder_that_cannot_be_made_is_logged_once_and_the_run_goes_on(caplog):
    caplog.set_level(logging.WARNING, logger="absl")
    memo = RowMemo(pathlib.Path("/proc/nowhere", FILE_NAME), parts=PARTS)
    memo.record(0, 500)
    assert first_rows(memo) == [0, 500]
    (record,) = caplog.records
    assert record.getMessage().startswith(f"/proc/nowhere/{FILE_NAME} cannot be written (")


def test_no_more_is_read_than_a_file_of_ours_may_hold(path, monkeypatch):
    monkeypatch.setattr(row_memo, "_MAX_BYTES", len(GOLDEN) - 1)
    assert first_rows(RowMemo(path, parts=PARTS)) == [0, 500]
    # A file of another that never ends.
    path.unlink()
    path.symlink_to("/dev/zero")
    with pytest.raises(errors.ArtifactError, match="remove it"):
        RowMemo(path, parts=PARTS)


def test_lines_of_two_runs_at_once_do_not_disturb(path):
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([*lines[:2], *lines[1:2], *lines[2:], *lines[1:]]))
    assert first_rows(RowMemo(path, parts=PARTS)) == [0, 500, 998]


def test_other_settings_are_refused_with_what_differs(path):
    other = {"seed": 1, "members": {"dev": {"rate": 1.0}, "more": {"rate": 2.0}}}
    with pytest.raises(errors.InputError) as caught:
        RowMemo(path, parts=other)
    message = str(caught.value)
    assert "members.more.rate was not there and is 2.0, seed was 0 and is 1;" in message
    assert f"remove {path}" in message
    assert "\n" not in message
    assert path.read_bytes() == GOLDEN


@pytest.mark.parametrize("content", [b"", b"not JSON\n", b"[]\n", b'{"format_name": "other"}\n'])
def test_a_file_that_is_none_of_ours_is_refused(path, content):
    path.write_bytes(content)
    with pytest.raises(errors.ArtifactError, match="remove it"):
        RowMemo(path, parts=PARTS)


def test_another_version_is_refused(path):
    head = json.loads(path.read_bytes().splitlines()[0])
    path.write_text(json.dumps({**head, "format_version": 2}) + "\n")
    with pytest.raises(errors.ArtifactError, match="version 2; wanted .* version 1"):
        RowMemo(path, parts=PARTS)

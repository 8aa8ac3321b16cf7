from __future__ import annotations

import dataclasses
import json
import pathlib
import shutil

import pytest
from refusals import assert_refused

from code_t5.hf_artifacts import records
from code_t5.hf_artifacts.cache_root import CacheRoot
from code_t5.hf_artifacts.records import ArtefactRecord, PreparedConfig, StoredFile
from code_t5.hf_artifacts.requests import ArtefactRequest
from code_t5.storage import manifest

_COMMIT = "0123456789abcdef0123456789abcdef01234567"
_REQUEST = ArtefactRequest("dataset", "org/set", configs=("en",), data_files={"train": ("a", "b")})
_RECORD = ArtefactRecord(
    request=_REQUEST,
    repository="new-org/set",
    commit=_COMMIT,
    files={"data/a.parquet": StoredFile(5, "ab" * 32, "cd" * 32)},
    prepared=(
        PreparedConfig(
            "en", "datasets/org___set/en", {"train": 7}, {"set-train.arrow": StoredFile(9, "e")}
        ),
    ),
    versions={"datasets": "4.0"},
    is_proved=True,
)


def _write(root: CacheRoot, **changed) -> pathlib.Path:
    """Writes a record whose manifest is as a hostile hand may have it."""
    records.write_record(root, _RECORD)
    folder = root.artifacts_dir / _REQUEST.slug
    fields = json.loads((folder / manifest.MANIFEST_NAME).read_bytes())
    manifest.write_manifest(folder, {**fields, **changed})
    return folder


def test_a_record_is_read_as_it_was_written(tmp_path):
    root = CacheRoot(tmp_path)
    records.write_record(root, _RECORD)
    assert records.find_record(root, _REQUEST) == _RECORD
    assert records.find_record(root, ArtefactRequest("dataset", "org/set")) is None
    assert _RECORD.size_bytes == 14
    folder = tmp_path / "hub/datasets--org--set/snapshots" / _COMMIT
    assert _RECORD.snapshot_dir(root) == folder


@pytest.mark.parametrize("content", ['{"commit": ', "[" * 100_000, "", "[]", "20 GB"])
def test_a_record_that_is_cut_off_or_a_bomb_is_said_to_be_so(tmp_path, content):
    folder = _write(CacheRoot(tmp_path))
    path = folder / manifest.MANIFEST_NAME
    path.write_text(content)
    if content == "20 GB":
        # A hole: it takes no room.
        with open(path, "ab") as file:
            file.truncate(20 << 30)
    assert_refused(
        lambda: records.read_record(folder),
        match="is not whole: its manifest.json is no JSON object of at most 16 MiB; wanted the "
        "record that precache.py wrote; remove it and run precache.py again",
    )


def test_nothing_in_a_record_names_the_place_of_its_root(tmp_path):
    first, second = CacheRoot(tmp_path / "first"), CacheRoot(tmp_path / "second")
    records.write_record(first, _RECORD)
    content = (first.artifacts_dir / _REQUEST.slug / manifest.MANIFEST_NAME).read_text()
    assert str(tmp_path) not in content
    shutil.move(first.path, second.path)
    assert records.find_record(second, _REQUEST) == _RECORD


def test_a_record_is_replaced_by_the_next_of_the_same_request(tmp_path):
    root = CacheRoot(tmp_path)
    records.write_record(root, _RECORD)
    newer = ArtefactRecord(_REQUEST, "new-org/set", "f" * 40, {})
    records.write_record(root, newer)
    assert [record for _, record in records.list_records(root)] == [newer]


def test_records_of_an_older_writer_are_not_proved(tmp_path):
    root = CacheRoot(tmp_path)
    folder = _write(root)
    fields = json.loads((folder / manifest.MANIFEST_NAME).read_bytes())
    del fields["is_proved"]
    manifest.write_manifest(folder, fields)
    found = records.find_record(root, _REQUEST)
    assert found is not None
    assert not found.is_proved


_FILE = {"size_bytes": 1, "sha256": "0" * 64, "blob": "0" * 40}
_CONFIG = {"config": "en", "arrow_dir": "datasets/x", "splits": {"train": 1}, "files": {}}


@pytest.mark.parametrize(
    "changed",
    [
        {"files": {"../../etc/passwd": _FILE}},
        {"files": {"/etc/passwd": _FILE}},
        {"files": {"a\0b": _FILE}},
        {"files": {"a": {**_FILE, "blob": "../../../etc/passwd"}}},
        {"files": {"a": {**_FILE, "size_bytes": -1}}},
        {"files": {"a": {**_FILE, "size_bytes": "x"}}},
        {"files": {"a": {}}},
        {"files": ["a"]},
        {"commit": "../../.."},
        {"commit": 3},
        {"repository": "../x"},
        {"prepared": [{**_CONFIG, "arrow_dir": "../x"}]},
        {"prepared": [{**_CONFIG, "arrow_dir": "/x"}]},
        {"prepared": [{**_CONFIG, "arrow_dir": "hub"}]},
        {"prepared": [{**_CONFIG, "files": {"../x": _FILE}}]},
        {"prepared": [{}]},
        {"prepared": None},
        {"versions": 3},
        {"request": {**_REQUEST.as_json(), "name": "../../x"}},
        {"request": {**_REQUEST.as_json(), "kind": "file"}},
        {"request": {**_REQUEST.as_json(), "revision": "../x"}},
        {"request": {**_REQUEST.as_json(), "data_dir": "/etc"}},
        {"request": {**_REQUEST.as_json(), "more": 1}},
        {"request": None},
    ],
)
def test_a_record_that_leads_out_or_is_none_is_refused(tmp_path, changed):
    root = CacheRoot(tmp_path)
    folder = _write(root, **changed)
    assert_refused(
        lambda: records.read_record(folder), match="precache.py again", unchanged=tmp_path
    )
    ((_, found),) = records.list_records(root)
    assert "precache.py again" in found


def test_a_flipped_bit_in_a_record_is_found(tmp_path):
    root = CacheRoot(tmp_path)
    folder = _write(root)
    path = folder / manifest.MANIFEST_NAME
    path.write_text(path.read_text().replace("abab", "abac", 1))
    assert_refused(lambda: records.find_record(root, _REQUEST), match="has SHA-256")


def test_half_a_record_is_none_and_a_root_without_any_has_none(tmp_path):
    root = CacheRoot(tmp_path)
    assert list(records.list_records(root)) == []
    (_write(root) / manifest.COMPLETED_NAME).unlink()
    assert records.find_record(root, _REQUEST) is None


def test_more_files_than_can_be_read_again_are_refused_and_the_older_record_stays(tmp_path):
    root = CacheRoot(tmp_path)
    records.write_record(root, _RECORD)
    files = {f"images/{number:08d}.png": StoredFile(1, "a" * 64) for number in range(120_000)}
    huge = dataclasses.replace(_RECORD, files=files)
    assert_refused(
        lambda: records.write_record(root, huge),
        match="has 120000 files, more than its record can list in 16 MiB",
        unchanged=tmp_path,
    )
    assert records.find_record(root, _REQUEST) == _RECORD

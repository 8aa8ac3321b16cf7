"""Files of an export are what their list says."""

from __future__ import annotations

import hashlib

import pytest

from code_t5.training import listed_files


@pytest.fixture
def folder(tmp_path):
    """An export with a file in a folder, and its own manifest and marker."""
    (tmp_path / "export" / "in").mkdir(parents=True)
    for name in ("a", "in/manifest.json", "manifest.json", "COMPLETED"):
        (tmp_path / "export" / name).write_bytes(b"1234")
    return tmp_path / "export"


def test_all_but_the_own_manifest_is_listed(folder):
    entry = {"size_bytes": 4, "sha256": hashlib.sha256(b"1234").hexdigest()}
    found = listed_files.list_files(folder)
    assert found == {"a": entry, "in/manifest.json": entry}
    assert listed_files.find_damage(folder, found) is None


def test_changed_cut_and_missing_files_are_told(folder):
    files = listed_files.list_files(folder)
    (folder / "a").write_bytes(b"1235")
    assert listed_files.find_damage(folder, files) == "has a a that was changed"
    (folder / "a").write_bytes(b"123")
    assert listed_files.find_damage(folder, files) == "has a a of 3 bytes (4 were written)"
    (folder / "a").unlink()
    assert listed_files.find_damage(folder, files) == "lacks 'a' as a file in it"


def test_links_and_paths_out_are_no_files_of_it(folder):
    entry = listed_files.list_files(folder)["a"]
    (folder / "link").symlink_to(folder / "a")
    (folder.parent / "beside").write_bytes(b"1234")
    for name in ("link", "../beside", str(folder.parent / "beside"), "in"):
        assert listed_files.find_damage(folder, {name: entry}).startswith("lacks ")


@pytest.mark.parametrize("entry", [None, 4, [], {}, {"size_bytes": "4"}, {"size_bytes": 4}])
def test_entry_of_another_form_fits_no_file(folder, entry):
    assert listed_files.find_damage(folder, {"a": entry}).startswith("has a a ")


def test_of_a_large_file_the_size_alone_is_compared(folder, monkeypatch):
    monkeypatch.setattr(listed_files, "MAX_HASHED_BYTES", 3)
    files = listed_files.list_files(folder)
    (folder / "a").write_bytes(b"1235")
    assert listed_files.find_damage(folder, files) is None

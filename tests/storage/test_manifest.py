from __future__ import annotations

import json

import pytest

from code_t5 import errors
from code_t5.storage import fingerprints, manifest

_FIELDS = {"format_name": "thing", "format_version": 2, "counts": [1, 2]}


def _read(folder):
    return manifest.read_manifest(folder, format_name="thing", format_version=2)


def test_round_trip(tmp_path):
    manifest.write_manifest(tmp_path, _FIELDS)
    assert _read(tmp_path) == _FIELDS
    assert manifest.is_complete(tmp_path)


def test_golden_bytes(tmp_path):
    manifest.write_manifest(tmp_path, {"format_version": 1, "format_name": "a"})
    assert (tmp_path / "manifest.json").read_text() == (
        '{\n  "format_name": "a",\n  "format_version": 1\n}\n'
    )
    assert (tmp_path / "COMPLETED").read_text() == (
        "85ac327a222594a8cb28bf879e079e23c17df8c40a74bddae3e348cc7715ea47\n"
    )


def test_manifest_that_was_changed_is_noticed(tmp_path):
    manifest.write_manifest(tmp_path, _FIELDS)
    manifest.check_manifest(tmp_path)
    path = tmp_path / "manifest.json"
    path.write_text(path.read_text().replace("thing", "thong"))
    with pytest.raises(
        errors.ArtifactError, match="manifest.json has SHA-256 .*which COMPLETED gives"
    ):
        manifest.check_manifest(tmp_path)
    # As older artefacts have it.
    (tmp_path / "COMPLETED").write_bytes(b"")
    manifest.check_manifest(tmp_path)
    (tmp_path / "COMPLETED").write_bytes(b"\xff\n\xff" * 1000)
    with pytest.raises(errors.ArtifactError, match="manifest.json has SHA-256") as caught:
        manifest.check_manifest(tmp_path)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 1000
    (tmp_path / "COMPLETED").unlink()
    with pytest.raises(errors.ArtifactError, match="COMPLETED: No such file.*run the command"):
        manifest.check_manifest(tmp_path)


@pytest.mark.parametrize("missing", ["COMPLETED", "manifest.json"])
def test_reader_refuses_a_half_written_artefact(tmp_path, missing):
    manifest.write_manifest(tmp_path, _FIELDS)
    (tmp_path / missing).unlink()
    assert not manifest.is_complete(tmp_path)
    with pytest.raises(errors.ArtifactError, match="wanted a finished thing"):
        _read(tmp_path)


@pytest.mark.parametrize("text", ["", "{", "[]", '"x"', "[" * 100_000, '{"format_name": "thi'])
def test_reader_refuses_a_damaged_manifest(tmp_path, text):
    manifest.write_manifest(tmp_path, _FIELDS)
    (tmp_path / "manifest.json").write_text(text)
    with pytest.raises(errors.ArtifactError, match="wanted 'thing' version 2"):
        _read(tmp_path)


@pytest.mark.parametrize("change", [{"format_version": 3}, {"format_name": "other"}])
def test_reader_refuses_another_format(tmp_path, change):
    manifest.write_manifest(tmp_path, {**_FIELDS, **change})
    with pytest.raises(errors.ArtifactError, match="build it again"):
        _read(tmp_path)


def test_writer_wants_a_format():
    with pytest.raises(ValueError, match="format_name"):
        manifest.write_manifest(".", {"counts": 1})


def test_fingerprints_do_not_depend_on_the_order_of_keys(tmp_path):
    first = {"a": 1, "b": [1, 2]}
    assert fingerprints.hash_json(first) == fingerprints.hash_json({"b": [1, 2], "a": 1})
    assert fingerprints.hash_json(first) != fingerprints.hash_json({"a": 1, "b": [2, 1]})
    text = json.dumps(first, sort_keys=True, separators=(",", ":")).encode()
    (tmp_path / "f").write_bytes(text)
    assert fingerprints.hash_file(tmp_path / "f") == fingerprints.hash_json(first)

"""Arrow files that `load_dataset` made of a snapshot are checked like all others."""

from __future__ import annotations

import json
import os

import hub_cache_files
import pytest
from plain_caches import json_lines, put_files

from code_t5 import errors
from code_t5.hf_artifacts import load_dataset
from code_t5.hf_artifacts.cache_root import CacheRoot
from code_t5.hf_artifacts.checking import hashes
from code_t5.hf_artifacts.loading import prepared_snapshots
from code_t5.hf_artifacts.requests import ArtefactRequest

NAME = "acme/rows"


@pytest.fixture
def root(tmp_path):
    """A root with a snapshot, and what was prepared of it."""
    put_files(tmp_path, {"train.jsonl": json_lines("kept", "rows")})
    assert list(load_dataset(NAME, cache_dir=tmp_path, split="train")["text"]) == ["kept", "rows"]
    return CacheRoot(tmp_path)


def _arrow(root):
    (found,) = root.datasets_dir.glob("code_t5--snapshots/*/*/arrow/*.arrow")
    return found


def _change(path, old, new):
    content = path.read_bytes()
    assert content.count(old) == 1
    path.write_bytes(content.replace(old, new))


def test_what_is_as_it_was_written_has_no_findings(root):
    assert hashes.verify_root(root) == []


def test_rows_that_were_changed_are_found_for_whoever_uses_them(root):
    _change(_arrow(root), b"kept", b"lost")
    (found,) = hashes.verify_root(root)
    assert found.path == _arrow(root).relative_to(root.path).as_posix()
    assert found.problem.startswith("SHA-256 ")
    assert found.problem.endswith("remove its folder: load_dataset prepares it again")
    (snapshot,) = root.hub_dir.glob("*/snapshots/*")
    assert found.owners == (f"datasets--acme--rows@{snapshot.name}",)
    assert hashes.verify_root(root, names=["acme/other"]) == []
    assert hashes.verify_root(root, names=[NAME]) == [found]


def test_whoever_uses_them_is_their_record_where_there_is_one(root):
    (snapshot,) = root.hub_dir.glob("*/snapshots/*")
    content = {"train.jsonl": (snapshot / "train.jsonl").read_bytes()}
    request = ArtefactRequest("dataset", NAME)
    key = hub_cache_files.put_record(root, request, content, commit=snapshot.name)
    _change(_arrow(root), b"rows", b"cows")
    owners = {f.path.rpartition("/")[2]: f.owners for f in hashes.verify_root(root)}
    assert owners[_arrow(root).name] == (key,)


def test_files_that_are_missing_or_lead_out_are_found(root, tmp_path_factory):
    arrow = _arrow(root)
    elsewhere = tmp_path_factory.mktemp("elsewhere") / "rows.arrow"
    os.rename(arrow, elsewhere)
    (found,) = hashes.verify_root(root)
    assert found.problem.startswith("is not there; the record lists it; remove its folder")
    arrow.symlink_to(elsewhere)
    (found,) = hashes.verify_root(root)
    assert found.problem.startswith(f"leads to {elsewhere}, elsewhere; remove its folder")


@pytest.mark.parametrize(
    "files",
    [
        [],
        {"../../evil": {"size_bytes": 1, "sha256": 64 * "a"}},
        {"a": {"size_bytes": 1, "sha256": "a"}},
        {"a": 1},
        {"a": {"size_bytes": "x", "sha256": 64 * "a"}},
    ],
)
def test_a_manifest_of_somebody_else_is_damage_and_names_nothing_outside(root, files):
    folder = _arrow(root).parents[1]
    manifest = json.loads((folder / "manifest.json").read_text())
    (folder / "manifest.json").write_text(json.dumps({**manifest, "files": files}))
    (folder / "COMPLETED").write_text("")
    with pytest.raises(errors.ArtifactError, match="remove the folder: it is prepared again"):
        prepared_snapshots.read_manifest(folder)
    (found,) = hashes.verify_root(root)
    assert (found.path, found.is_damage) == (folder.relative_to(root.path).as_posix(), True)
    # Whoever loads it makes it anew.
    assert list(load_dataset(NAME, cache_dir=root.path, split="train")["text"]) == ["kept", "rows"]
    assert hashes.verify_root(root) == []


def test_what_is_half_written_is_no_damage(root):
    (_arrow(root).parents[1] / "COMPLETED").unlink()
    assert [f for f in hashes.verify_root(root) if f.is_damage] == []

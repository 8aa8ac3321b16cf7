"""What an export says of itself, and directories that are none."""

from __future__ import annotations

import dataclasses
import json

import pytest

from code_t5 import errors
from code_t5.storage import manifest
from code_t5.training.saved_model import exported

INFO = exported.ModelInfo(
    name="small",
    step=20,
    task="small_prefix_lm",
    objective="prefix_lm",
    batch_size=3,
    max_prompt_tokens=64,
    max_new_tokens=12,
    num_candidates=1,
    temperature=0.0,
    top_k=0,
    stop_at_newline=False,
    add_eos=True,
    eos_id=1,
    vocab_size=500,
    vocabulary_kind="sentencepiece",
    vocabulary_fingerprint="0" * 64,
    checkpoint="model.ckpt-20",
)
_SHA256_OF_1234 = "03ac674216f3e15c761ee1a5e255f067953623c8b388b4459e13f978d7c846f4"


@pytest.fixture
def version_dir(tmp_path):
    """Files of the right names; nothing here opens them."""
    folder = tmp_path / "small" / "20"
    (folder / "variables").mkdir(parents=True)
    for name in ("saved_model.pb", "variables/variables.index"):
        (folder / name).write_bytes(b"1234")
    (folder / "variables/variables.data-00000-of-00001").write_bytes(b"weights")
    exported.write_info(folder, INFO)
    return folder


def rewrite(folder, **model):
    """Changes what the manifest says, with a marker that fits."""
    fields = json.loads((folder / "manifest.json").read_bytes())
    fields["model"].update(model)
    manifest.write_manifest(folder, fields)


def test_what_is_written_is_read(version_dir):
    assert exported.read_info(version_dir) == INFO


def test_manifest_has_its_golden_bytes(version_dir):
    fields = json.loads((version_dir / "manifest.json").read_bytes())
    assert fields == {
        "format_name": "code_t5_saved_model",
        "format_version": 1,
        "model": dataclasses.asdict(INFO),
        "files": {
            "saved_model.pb": {"size_bytes": 4, "sha256": _SHA256_OF_1234},
            "variables/variables.data-00000-of-00001": {
                "size_bytes": 7,
                "sha256": "9a129038d9a00aed0cf6a7ea059ca50a813449061ab87848cf1a13eafdf33b2c",
            },
            "variables/variables.index": {"size_bytes": 4, "sha256": _SHA256_OF_1234},
        },
    }


def test_no_directory_is_an_input_error(tmp_path):
    with pytest.raises(errors.InputError, match=r"export one: python scripts/export\.py"):
        exported.read_info(tmp_path / "none")


@pytest.mark.parametrize("name", ["COMPLETED", "manifest.json"])
def test_half_written_export_is_refused(version_dir, name):
    (version_dir / name).unlink()
    with pytest.raises(errors.ArtifactError, match="COMPLETED marker"):
        exported.read_info(version_dir)


def test_changed_manifest_is_refused(version_dir):
    path = version_dir / "manifest.json"
    path.write_bytes(path.read_bytes().replace(b'"eos_id": 1', b'"eos_id": 2'))
    with pytest.raises(errors.ArtifactError, match="SHA-256"):
        exported.read_info(version_dir)


def test_truncated_weights_are_refused(version_dir):
    (version_dir / "variables/variables.data-00000-of-00001").write_bytes(b"weight")
    with pytest.raises(errors.ArtifactError, match=r"of 6 bytes \(7 were written\)"):
        exported.read_info(version_dir)


@pytest.mark.parametrize(
    "name", ["saved_model.pb", "variables/variables.index", "assets.extra/vocabulary/x"]
)
def test_changed_file_of_the_same_size_is_refused(version_dir, name):
    (version_dir / "assets.extra/vocabulary").mkdir(parents=True)
    (version_dir / "assets.extra/vocabulary/x").write_bytes(b"1234")
    exported.write_info(version_dir, INFO)
    assert exported.read_info(version_dir) == INFO
    (version_dir / name).write_bytes(b"1235")
    with pytest.raises(errors.ArtifactError, match=f"has a {name} that was changed"):
        exported.read_info(version_dir)


def test_list_without_the_graph_is_refused(version_dir):
    fields = json.loads((version_dir / "manifest.json").read_bytes())
    del fields["files"]["saved_model.pb"]
    manifest.write_manifest(version_dir, fields)
    with pytest.raises(errors.ArtifactError, match=r"lists no saved_model\.pb"):
        exported.read_info(version_dir)


def test_missing_graph_is_refused(version_dir):
    (version_dir / "saved_model.pb").unlink()
    with pytest.raises(errors.ArtifactError, match="lacks 'saved_model.pb'"):
        exported.read_info(version_dir)


@pytest.mark.parametrize(
    "model",
    [
        {"batch_size": 0},
        {"batch_size": True},
        {"batch_size": 1 << 40},
        {"max_new_tokens": "12"},
        {"max_new_tokens": 1 << 20, "batch_size": 1 << 20},
        {"max_prompt_tokens": 1 << 20, "batch_size": 1 << 20},
        {"temperature": -1.0},
        {"temperature": float("nan")},
        {"name": "../../etc"},
        {"more": 1},
    ],
)
def test_manifest_of_another_making_is_refused(version_dir, model):
    rewrite(version_dir, **model)
    with pytest.raises(errors.ArtifactError, match="does not say what it is"):
        exported.read_info(version_dir)


@pytest.mark.parametrize("name", ["", "..", ".hidden", "a/b", "a b", "x" * 129, "a\n"])
def test_name_that_is_no_folder_is_refused(name):
    with pytest.raises(errors.InputError, match="model name"):
        exported.check_name(name)


def test_versions_are_whole_numbers_in_order(version_dir):
    for name in ("100", "9", "007", "1e3", "9" * 200, "half"):
        (version_dir.parent / name).mkdir()
    for name in ("100", "9"):
        exported.write_info(version_dir.parent / name, INFO)
    assert exported.list_versions(version_dir.parent) == [9, 20, 100]
    assert exported.list_versions(version_dir.parent / "none") == []


def test_only_an_export_is_replaced(version_dir, tmp_path):
    exported.check_replaceable(version_dir)
    exported.check_replaceable(tmp_path / "new")
    (tmp_path / "empty").mkdir()
    exported.check_replaceable(tmp_path / "empty")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years")
    with pytest.raises(errors.InputError, match="no export of ours"):
        exported.check_replaceable(tmp_path / "mine")

"""Finding, making and opening exports, damaged and hostile ones too."""

from __future__ import annotations

import json
import pathlib
import shutil
import subprocess
import sys

import pytest

from code_t5 import errors
from code_t5.storage import manifest
from code_t5.training.hugging_face import latest_export, open_export, opening


@pytest.fixture
def export_dir(small_hugging_face, tmp_path):
    """A copy of the export of one's own."""
    return pathlib.Path(
        shutil.copytree(opening.default_dir(small_hugging_face.model_dir, 20), tmp_path / "export")
    )


def _rewrite_manifest(folder, **changes):
    fields = json.loads((folder / "manifest.json").read_bytes())
    manifest.write_manifest(folder, {**fields, **changes})


def test_current_export_is_opened_without_its_data(small_hugging_face, tmp_path, monkeypatch):
    monkeypatch.setattr(opening, "export_in_child", lambda *_, **__: pytest.fail("made again"))
    export = latest_export(small_hugging_face.model_dir, data_dir=tmp_path / "gone")
    assert (export.step, export.task) == (20, "small_prefix_lm")


@pytest.mark.slow
def test_export_is_made_in_a_child_process_once(small_model, tmp_path):
    program = (
        "import sys; from code_t5.training.hugging_face import latest_export\n"
        "export = latest_export(sys.argv[1], data_dir=sys.argv[2])\n"
        "assert not {'tensorflow', 'torch'} & set(sys.modules)\n"
        "print(export.fingerprint, export.directory.stat().st_ino)"
    )
    command = [sys.executable, "-c", program, str(small_model.model_dir), str(small_model.data_dir)]
    pair = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    answers = [child.communicate(timeout=200)[0] for child in pair]
    assert answers[0] == answers[1] != ""
    assert [child.returncode for child in pair] == [0, 0]


def _export(model):
    # What `make_export` does, without a further process.
    return opening.make_export(str(model.model_dir), step=20, data_dir=str(model.data_dir))


def test_changed_checkpoint_makes_the_export_stale(small_hugging_face, tmp_path):
    model_dir = pathlib.Path(shutil.copytree(small_hugging_face.model_dir, tmp_path / "model"))
    identity = opening.source_identity(model_dir, 20)
    assert opening.is_current(opening.default_dir(model_dir, 20), identity)
    index = model_dir / "model.ckpt-20.index"
    index.write_bytes((model_dir / "model.ckpt-10.index").read_bytes())
    identity = opening.source_identity(model_dir, 20)
    assert not opening.is_current(opening.default_dir(model_dir, 20), identity)


def test_changed_configuration_makes_the_export_stale(small_hugging_face, tmp_path):
    model_dir = pathlib.Path(shutil.copytree(small_hugging_face.model_dir, tmp_path / "model"))
    with open(model_dir / "operative_config.gin", "a", encoding="utf-8") as file:
        file.write("\nMIXTURE_NAME = 'small_infilling'\n")
    identity = opening.source_identity(model_dir, 20)
    assert not opening.is_current(opening.default_dir(model_dir, 20), identity)


def test_stale_export_is_replaced(small_hugging_face, tmp_path):
    model_dir = pathlib.Path(shutil.copytree(small_hugging_face.model_dir, tmp_path / "model"))
    with open(model_dir / "operative_config.gin", "a", encoding="utf-8") as file:
        file.write("\nMIXTURE_NAME = 'small_infilling'\n")
    _export(small_hugging_face._replace(model_dir=model_dir))
    assert open_export(opening.default_dir(model_dir, 20)).objective == "infilling"


def test_untrained_directory_is_refused(tmp_path):
    with pytest.raises(errors.InputError, match="newest checkpoint"):
        latest_export(tmp_path)


def test_error_of_the_child_process_is_ours(small_model, tmp_path):
    with pytest.raises(errors.NotBuiltError, match="found no data set under"):
        latest_export(small_model.model_dir, data_dir=tmp_path / "gone")


def test_directory_without_marker_is_refused(export_dir):
    (export_dir / "COMPLETED").unlink()
    with pytest.raises(errors.ArtifactError, match="no manifest.json with a COMPLETED marker"):
        open_export(export_dir)


def test_other_format_and_version_are_refused(export_dir):
    _rewrite_manifest(export_dir, format_version=99)
    with pytest.raises(errors.ArtifactError, match="version 99; wanted"):
        open_export(export_dir)


def test_flipped_byte_is_found(export_dir):
    path = export_dir / "model.safetensors"
    data = bytearray(path.read_bytes())
    data[-5] ^= 1
    path.write_bytes(data)
    with pytest.raises(errors.ArtifactError, match="model.safetensors that was changed"):
        open_export(export_dir)


def test_cut_and_missing_files_are_found(export_dir):
    path = export_dir / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(errors.ArtifactError, match=r"model.safetensors of \d+ bytes"):
        open_export(export_dir)
    path.unlink()
    with pytest.raises(errors.ArtifactError, match="lacks 'model.safetensors'"):
        open_export(export_dir)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"step": "20"}, "usable step"),
        ({"sequence_length": {"inputs": 3}}, "usable sequence_length"),
        ({"objective": 3}, "usable objective"),
        ({"add_eos": None}, "usable add_eos"),
        ({"files": {}}, "lists no model.safetensors"),
        ({"files": {"model.safetensors": None}}, r"of \d+ bytes \(None were written\)"),
    ],
)
def test_manifest_of_somebody_else_is_refused(export_dir, changes, message):
    _rewrite_manifest(export_dir, **changes)
    with pytest.raises(errors.ArtifactError, match=message):
        open_export(export_dir)


@pytest.mark.parametrize("name", ["../outside.json", "link.json"])
def test_no_file_outside_of_the_export_is_taken_for_one_of_its(export_dir, name):
    outside = export_dir.parent / "outside.json"
    outside.write_text("{}")
    (export_dir / "link.json").symlink_to(outside)
    files = json.loads((export_dir / "manifest.json").read_bytes())["files"]
    files[name] = {"size_bytes": 2, "sha256": "0"}
    _rewrite_manifest(export_dir, files=files)
    with pytest.raises(errors.ArtifactError, match="lacks .* as a file in it"):
        open_export(export_dir)


def test_missing_directory_is_refused(tmp_path):
    with pytest.raises(errors.InputError, match="found no directory"):
        open_export(tmp_path / "gone")

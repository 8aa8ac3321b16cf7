"""The small model as a SavedModel, written once per session by the real trainer."""

from __future__ import annotations

import os
import pathlib
import shutil

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[3]


@pytest.fixture(scope="session")
def trainer_at_root():
    """Has child processes find the checkout, and the checkout's gin files be found."""
    patch = pytest.MonkeyPatch()
    patch.chdir(ROOT)
    patch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]))
    yield
    patch.undo()


@pytest.fixture(scope="session")
def small_export(trained_small, trainer_at_root, tmp_path_factory):
    """Batches of 3, the likeliest 12 tokens; `small_export_copy` may be changed."""
    from code_t5.training.saved_model import export

    folder = tmp_path_factory.mktemp("export")
    model_dir = pathlib.Path(shutil.copytree(trained_small.model_dir, folder / "model"))
    return export.export_saved_model(
        model_dir,
        config=export.ExportConfig(name="small", max_new_tokens=12, batch_size=3),
        output_dir=folder / "exports",
        data_dir=trained_small.data_dir,
    )


@pytest.fixture
def small_export_copy(small_export, tmp_path):
    """A copy of the export of one's own."""
    return pathlib.Path(shutil.copytree(small_export, tmp_path / "small" / small_export.name))

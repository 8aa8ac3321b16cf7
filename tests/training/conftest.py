"""A model trained once per session by the real trainer, for the tests of what is done with one."""

from __future__ import annotations

import os
import pathlib
import shutil
from typing import NamedTuple

import pytest
from made_once import made_once, session_folder

ROOT = pathlib.Path(__file__).resolve().parents[2]
SMALLEST = (
    *("d_model = 32", "num_layers = 2", "d_ff = 64", "num_heads = 2", "d_kv = 16"),
    "utils.run.sequence_length = {'inputs': 64, 'targets': 32}",
    "utils.run.batch_size = 8",
    "utils.run.save_checkpoints_steps = 10",
)


class SmallModel(NamedTuple):
    """A trained model directory, the data directory and the Task that it was trained on."""

    model_dir: pathlib.Path
    data_dir: pathlib.Path
    task: str


@pytest.fixture(scope="session")
def trained_small(small_data_dir, tmp_path_factory):
    """Checkpoints at 10 and 20 steps on `small_prefix_lm`; to write, take `small_model`."""
    folder = made_once(
        session_folder(tmp_path_factory),
        "trained_small",
        lambda folder: _train(folder / "model", data_dir=small_data_dir),
    )
    return SmallModel(folder / "model", small_data_dir, "small_prefix_lm")


def _train(model_dir, *, data_dir):
    from code_t5.training import launch

    config = launch.TrainerConfig(
        model_dir=model_dir,
        mixture_or_task_name="small_prefix_lm",
        data_dir=data_dir,
        gin_files=("runs/dev_prefix_lm.gin",),
        gin_params=(*SMALLEST, "run.train_steps = 20"),
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)
        patch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]))
        launch.run_trainer(config, name="train", description="training", num_steps=20)


@pytest.fixture
def small_model(trained_small, tmp_path):
    """A copy of the trained model of one's own."""
    folder = shutil.copytree(trained_small.model_dir, tmp_path / "model")
    return trained_small._replace(model_dir=pathlib.Path(folder))


@pytest.fixture
def trainer_at_root(monkeypatch):
    """Has child processes find the checkout, and the checkout's gin files be found."""
    monkeypatch.chdir(ROOT)
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    monkeypatch.setenv("PYTHONPATH", path)


@pytest.fixture(scope="session")
def small_export(trained_small, tmp_path_factory):
    """A SavedModel of it: batches of 3, the likeliest 12 tokens; to write, `small_export_copy`."""
    folder = made_once(
        session_folder(tmp_path_factory),
        "small_export",
        lambda folder: _export(folder, model=trained_small),
    )
    return folder / "exports" / "small" / "20"


def _export(folder, *, model):
    from code_t5.training.saved_model import export

    model_dir = pathlib.Path(shutil.copytree(model.model_dir, folder / "model"))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)
        patch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]))
        export.export_saved_model(
            model_dir,
            config=export.ExportConfig(name="small", max_new_tokens=12, batch_size=3),
            output_dir=folder / "exports",
            data_dir=model.data_dir,
        )


@pytest.fixture
def small_export_copy(small_export, tmp_path):
    """A copy of the export of one's own."""
    return pathlib.Path(shutil.copytree(small_export, tmp_path / "small" / small_export.name))


@pytest.fixture(scope="session")
def small_hugging_face(trained_small, tmp_path_factory):
    """The trained model with its export to Hugging Face beside it; only to be read."""
    folder = made_once(
        session_folder(tmp_path_factory),
        "small_hugging_face",
        lambda folder: _export_hugging_face(folder, model=trained_small),
    )
    return trained_small._replace(model_dir=folder / "model")


def _export_hugging_face(folder, *, model):
    from code_t5.training.hugging_face import opening

    shutil.copytree(model.model_dir, folder / "model")
    opening.export_in_child(folder / "model", data_dir=model.data_dir)

"""A model trained once per session by the real trainer, for the tests of what is done with one."""

from __future__ import annotations

import os
import pathlib
import shutil
from typing import NamedTuple

import pytest

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
    from code_t5.training import launch

    folder = tmp_path_factory.mktemp("trained") / "model"
    patch = pytest.MonkeyPatch()
    patch.chdir(ROOT)
    patch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]))
    config = launch.TrainerConfig(
        model_dir=folder,
        mixture_or_task_name="small_prefix_lm",
        data_dir=small_data_dir,
        gin_files=("runs/dev_prefix_lm.gin",),
        gin_params=(*SMALLEST, "run.train_steps = 20"),
    )
    launch.run_trainer(config, name="train", description="training", num_steps=20)
    patch.undo()
    return SmallModel(folder, small_data_dir, "small_prefix_lm")


@pytest.fixture
def small_model(trained_small, tmp_path):
    """A copy of the trained model of one's own."""
    folder = shutil.copytree(trained_small.model_dir, tmp_path / "model")
    return trained_small._replace(model_dir=pathlib.Path(folder))

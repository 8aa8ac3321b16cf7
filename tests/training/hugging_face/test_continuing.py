"""The unmodified trainer goes on from a model that came from Hugging Face."""

from __future__ import annotations

import os

import numpy as np
import pytest
from training.conftest import ROOT

from code_t5.training import launch, logs
from code_t5.training.checkpoints import reading
from code_t5.training.hugging_face import export_hugging_face, importing


@pytest.mark.slow
def test_training_goes_on_from_an_imported_model(trained_small, tmp_path, monkeypatch):
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]))
    source = export_hugging_face(
        trained_small.model_dir, output_dir=tmp_path / "export", data_dir=trained_small.data_dir
    )
    path = importing.import_hugging_face(source, model_dir=tmp_path / "model")
    before = reading.read_variables(reading.checkpoint_path(path.parent))
    config = launch.TrainerConfig(
        model_dir=path.parent,
        mixture_or_task_name=trained_small.task,
        data_dir=trained_small.data_dir,
        gin_files=("runs/dev_prefix_lm.gin", str(path)),
        gin_params=("utils.run.batch_size = 8", "run.train_steps = 3"),
    )
    launch.run_trainer(config, name="train", description="training", num_steps=3)
    first = logs.read_step_losses(trained_small.model_dir, name="train")
    went_on = logs.read_step_losses(path.parent, name="train")
    # Untrained models begin far above what this one had reached.
    begin, end = first[0].loss, np.mean([entry.loss for entry in first[-5:]])
    assert abs(went_on[0].loss - end) < 0.5 * (begin - end)
    assert reading.newest_step(path.parent) == 3
    after = reading.read_variables(reading.checkpoint_path(path.parent))
    assert set(after) == set(before)
    moved = np.abs(after["shared/embedding"] - before["shared/embedding"]).max()
    assert 0 < moved < 0.1
    again = export_hugging_face(path.parent, data_dir=trained_small.data_dir)
    assert again.name == "step_3"

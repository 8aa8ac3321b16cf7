"""A model directory and a data directory of one's own."""

from __future__ import annotations

import shutil

import pytest


@pytest.fixture
def model(trained_small, tmp_path):
    """A model directory and a data directory of one's own."""
    model_dir, data_dir = tmp_path / "model", tmp_path / "data"
    shutil.copytree(trained_small.model_dir, model_dir)
    shutil.copytree(trained_small.data_dir, data_dir)
    return trained_small._replace(model_dir=model_dir, data_dir=data_dir)

"""The export of the model that the session trains."""

from __future__ import annotations

import shutil

import pytest

from code_t5.training.hugging_face import opening


@pytest.fixture(scope="session")
def exported_small(trained_small, tmp_path_factory):
    """The newest checkpoint of `trained_small`, exported; with the copy that it was made from."""
    folder = tmp_path_factory.mktemp("exported") / "model"
    shutil.copytree(trained_small.model_dir, folder)
    return opening.latest_export(folder, data_dir=trained_small.data_dir)


@pytest.fixture(scope="session")
def completer(exported_small):
    """The model, loaded."""
    from code_t5.training.completing.completer import Completer

    return Completer.from_export(exported_small.directory)

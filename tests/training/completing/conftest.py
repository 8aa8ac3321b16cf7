"""The export of the model that the session trains."""

from __future__ import annotations

import pytest

from code_t5.training.hugging_face import opening


@pytest.fixture(scope="session")
def exported_small(small_hugging_face):
    """The newest checkpoint of `trained_small`, exported; only to be read."""
    return opening.open_export(opening.default_dir(small_hugging_face.model_dir, 20))


@pytest.fixture(scope="session")
def completer(exported_small):
    """The model, loaded."""
    from code_t5.training.completing.completer import Completer

    return Completer.from_export(exported_small.directory)

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
    import torch

    from code_t5.training.completing.completer import Completer

    # So small a model waits for a second thread longer than it computes.
    num_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield Completer.from_export(exported_small.directory)
    torch.set_num_threads(num_threads)

from __future__ import annotations

import pytest


@pytest.fixture
def own_registries():
    """Gives a test registries of Tasks and Mixtures, and a gin configuration, of its own."""
    import gin
    import seqio

    saved = seqio.TaskRegistry._REGISTRY, seqio.MixtureRegistry._REGISTRY
    seqio.TaskRegistry._REGISTRY, seqio.MixtureRegistry._REGISTRY = {}, {}
    with gin.unlock_config():
        gin.clear_config()
        yield
        gin.clear_config()
    seqio.TaskRegistry._REGISTRY, seqio.MixtureRegistry._REGISTRY = saved

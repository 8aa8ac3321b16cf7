"""The loss over tokens takes over only what it computes as mesh-tensorflow does."""

from __future__ import annotations

import types

import pytest
import tensorflow.compat.v1 as tf

from code_t5.training.stepping import token_loss
from code_t5.training.stepping.embedding import PROJECTION


class Total:
    """Stands in for the operation: what is divided in the end."""

    outputs = (10.0,)

    def __init__(self, hidden, **options):
        pass


@pytest.fixture
def compute(monkeypatch):
    """Computes the loss of a model with some settings; says whose it is."""
    monkeypatch.setattr(token_loss, "TokenLossOperation", Total)
    monkeypatch.setattr(token_loss, "_standard_loss", lambda *_: "mesh-tensorflow's")

    def compute(*, dtype=tf.float32, has_projection=True, **settings):
        plain = {"label_smoothing": 0.0, "loss_on_targets_only": False, "layout": None}
        model = types.SimpleNamespace(
            **{**plain, **settings},
            mesh_shape=None,
            model_dim=None,
            z_loss=0.0,
            loss_denominator=lambda targets, num_microbatches: 4.0,
        )
        projection = (types.SimpleNamespace(dtype=dtype), None)
        context = types.SimpleNamespace(
            train=True, num_microbatches=1, cache={PROJECTION: projection} if has_projection else {}
        )
        return token_loss._token_loss(model, context, None, None, None)

    return compute


def test_plain_loss_is_ours(compute):
    assert compute() == 2.5


@pytest.mark.parametrize(
    "settings",
    [
        {"label_smoothing": 0.1},
        {"loss_on_targets_only": True},
        {"dtype": tf.bfloat16},
        {"has_projection": False},
    ],
)
def test_each_setting_that_it_does_not_compute_is_left_to_mesh_tensorflow(compute, settings):
    assert compute(**settings) == "mesh-tensorflow's"

"""Our faster parts train as mesh-tensorflow's own do: same losses, same weights."""

from __future__ import annotations

import numpy as np
import pytest
from training.stepping import tiny_training as tiny

from code_t5.training.stepping import session

MESHES = ("model:1,batch:1", "model:1,batch:2", "model:2,batch:1", "model:2,batch:2")
RECOMPUTED = ("transformer.LayerStack.recompute_grads = True",)
MICROBATCHES = ("utils.serialize_num_microbatches.tokens_per_microbatch_per_replica = 32",)


@pytest.fixture(scope="module")
def standard(tmp_path_factory):
    """mesh-tensorflow's own parts on one device."""
    return tiny.train(tmp_path_factory.mktemp("standard"))


def check_equal(found, wanted):
    assert sorted(found.weights) == sorted(wanted.weights)
    np.testing.assert_allclose(found.losses, wanted.losses, rtol=2e-6)
    changed = 0
    for name, value in wanted.weights.items():
        if name != "global_step":
            moved = value - wanted.initial[name]
            changed += bool(np.abs(moved).max() > 2e-5)
            np.testing.assert_allclose(
                found.weights[name] - found.initial[name],
                moved,
                rtol=0,
                # Weights are around 1, where float32 resolves 1e-7; three steps multiply that.
                atol=5e-6,
                err_msg=name,
            )
    # Every weight has a gradient, so every gradient was compared.
    assert changed == len(wanted.weights) - 1


@pytest.mark.parametrize("parts", [tiny.EMBEDDING, tiny.LOSS, tiny.ATTENTION])
def test_each_part_alone_gives_the_same_losses_and_weights(parts, standard, tmp_path):
    check_equal(tiny.train(tmp_path, *parts, weights=standard.initial), standard)


@pytest.mark.parametrize("mesh", MESHES)
def test_all_parts_do_on_every_mesh(mesh, standard, tmp_path):
    parts = (*tiny.LOSS, *tiny.ATTENTION)
    check_equal(tiny.train(tmp_path, *parts, mesh=mesh, weights=standard.initial), standard)


def test_they_do_where_batches_are_divided(standard, tmp_path):
    parts = (*tiny.LOSS, *tiny.ATTENTION, *MICROBATCHES)
    check_equal(tiny.train(tmp_path, *parts, weights=standard.initial), standard)


@pytest.mark.slow
def test_they_do_when_xla_compiles_what_it_can(standard, tmp_path):
    parts = (*tiny.LOSS, *tiny.ATTENTION)
    config = session.session_config("float32", xla=True)
    check_equal(tiny.train(tmp_path, *parts, weights=standard.initial, config=config), standard)


def test_the_loss_of_an_evaluation_is_the_same(standard, tmp_path):
    wanted = tiny.train(tmp_path, mode="eval", weights=standard.initial)
    parts = (*tiny.LOSS, *tiny.ATTENTION)
    found = tiny.train(tmp_path, *parts, mode="eval", weights=standard.initial)
    np.testing.assert_allclose(found.losses, wanted.losses, rtol=2e-6)
    # Without the z-loss of a training.
    assert found.losses[0] < standard.losses[0]


def slow(*settings):
    return pytest.param(settings, marks=pytest.mark.slow)


_SELF = "transformer_layers.SelfAttention"


@pytest.mark.parametrize(
    "settings",
    [
        # The second layer takes the first one's distances.
        ("num_layers = 2", *RECOMPUTED),
        slow("num_layers = 2", *MICROBATCHES),
        slow("transformer.Unitransformer.positional_embedding = True"),
        slow("transformer.Unitransformer.sinusoid_positional_embedding = True"),
        slow("transformer.Unitransformer.label_smoothing = 0.1"),
        slow("transformer.Unitransformer.shared_embedding_and_softmax_weights = False"),
        slow("transformer.Unitransformer.ensemble = 2"),
        slow(f"{_SELF}.relative_attention_type = 'bias'"),
        slow(f"{_SELF}.relative_attention_type = None"),
        slow(f"{_SELF}.attention_kwargs = {{'extra_logit': 0.0}}"),
        slow(f"{_SELF}.z_loss_coeff = 0.01"),
    ],
)
def test_settings_of_other_models_are_heeded(settings, tmp_path):
    wanted = tiny.train(tmp_path, *settings)
    parts = (*tiny.LOSS, *tiny.ATTENTION, *settings)
    check_equal(tiny.train(tmp_path, *parts, weights=wanted.initial), wanted)

"""The quick attention takes over only what it computes as mesh-tensorflow does."""

from __future__ import annotations

import types

import mesh_tensorflow as mtf
import pytest
from mesh_tensorflow.transformer import transformer_layers

from code_t5.training.stepping import attention


def make_context(mode="train", *, ensemble_dims=()):
    model = types.SimpleNamespace(ensemble_dims=list(ensemble_dims))
    return types.SimpleNamespace(train=mode == "train", mode=mode, model=model)


def make_layer(cls=attention.SelfAttention, **settings):
    layer = cls()
    layer.hyperprompt_length_encoder = layer.hyperprompt_length_decoder = None
    for name, value in settings.items():
        assert hasattr(layer, name)
        setattr(layer, name, value)
    return layer


@pytest.mark.parametrize("mode", ["train", "eval"])
@pytest.mark.parametrize("relative", [None, "bias", "bias_shared"])
def test_plain_attention_over_whole_sequences_is_quick(mode, relative):
    layer = make_layer(relative_attention_type=relative)
    assert attention._is_known(layer, make_context(mode))


@pytest.mark.parametrize(
    "settings",
    [
        {"dropout_rate": 0.1},
        {"attention_kwargs": {"extra_logit": 0.0}},
        {"z_loss_coeff": 0.01},
        {"attention_func": "hybrid"},
        {"relative_attention_type": "contextual"},
        {"hyperprompt_length_encoder": 4},
        {"hyperprompt_length_decoder": 4},
    ],
)
def test_each_setting_that_it_does_not_compute_is_left_to_mesh_tensorflow(settings):
    assert not attention._is_known(make_layer(**settings), make_context())


def test_dropout_is_of_trainings_alone():
    assert attention._is_known(make_layer(dropout_rate=0.1), make_context("eval"))


def test_ensembles_and_decoding_are_left_to_mesh_tensorflow():
    layer = make_layer()
    assert not attention._is_known(layer, make_context(ensemble_dims=["ensemble"]))
    assert not attention._is_known(layer, make_context("infer"))


def test_attention_to_the_encoder_is_quick_only_without_distances():
    assert attention._is_known(make_layer(attention.EncDecAttention), make_context())
    layer = make_layer(attention.EncDecAttention, relative_attention_type="bias")
    assert not attention._is_known(layer, make_context())


@pytest.mark.parametrize("name", ["SelfAttention", "EncDecAttention"])
def test_another_function_computes_it_only_while_it_is_quick(name):
    layer = make_layer(getattr(attention, name))
    assert isinstance(layer, getattr(transformer_layers, name))
    assert layer.attention_fn is not attention._quick_attention
    layer._is_quick = True
    assert layer.attention_fn is attention._quick_attention


@pytest.mark.parametrize("of_examples", [False, True])
def test_distances_of_each_example_are_left_to_mesh_tensorflow(monkeypatch, of_examples):
    """Where positions have an embedding, each example has distances of its own."""
    given = []
    monkeypatch.setattr(attention.attention, "attention", lambda *a, **_: given.append(a[6]))
    mesh = mtf.Mesh(mtf.Graph(), "mesh")
    batch, length, memory, heads, kv = (
        mtf.Dimension(name, 2) for name in ("batch", "length", "memory_length", "heads", "d_kv")
    )
    q = mtf.zeros(mesh, mtf.Shape([batch, length, heads, kv]))
    k = mtf.zeros(mesh, mtf.Shape([batch, memory, heads, kv]))
    mask = mtf.zeros(mesh, mtf.Shape([batch, length, memory]))
    own = [batch] if of_examples else []
    positions = mtf.zeros(mesh, mtf.Shape([*own, memory, length, heads]))
    model = types.SimpleNamespace(layout=None, mesh_shape=None)
    found = attention._quick_attention(
        *(q, k, k, memory, kv, kv, attention.SplitBias(mask, positions)),
        context=types.SimpleNamespace(model=model),
    )
    if of_examples:
        (whole,) = given
        assert set(whole.shape.dims) == {batch, length, memory, heads}
    else:
        assert given == [] and found.shape == q.shape

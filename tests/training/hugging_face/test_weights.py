"""Weights of Hugging Face and variables of mesh-tensorflow, linked one to one."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from code_t5 import errors
from code_t5.training.hugging_face import architecture, weights

_LAYERS = {
    name: tuple(architecture.Layer(kind, f"layer_{i:03d}") for i, kind in enumerate(kinds))
    for name, kinds in architecture.LAYERS.items()
}
_MODEL = architecture.Architecture(
    encoder=architecture.Stack("encoder", 2, _LAYERS["encoder"]),
    decoder=architecture.Stack("decoder", 1, _LAYERS["decoder"]),
    d_model=6,
    d_kv=2,
    d_ff=10,
    num_heads=2,
    num_buckets=8,
    feed_forward="gated-gelu",
    is_tied=False,
    dropout_rate=0.0,
    norm_epsilon=1e-6,
    query_scale=0.5,
)


def _variables():
    random = np.random.default_rng(0)
    found = {}
    for link in weights.links(_MODEL, num_embeddings=12):
        shape = link.shape[::-1] if link.is_turned else link.shape
        found[link.variable] = random.normal(size=shape).astype(np.float32)
    return found


def _shapes(**changes):
    shapes = {name: array.shape for name, array in _variables().items()}
    return {**shapes, "global_step": (), "shared/embedding_slot_m": (12, 6), **changes}


def test_every_weight_of_transformers_is_linked_once():
    import transformers

    config = transformers.T5Config(
        vocab_size=12,
        d_model=6,
        d_kv=2,
        d_ff=10,
        num_layers=2,
        num_decoder_layers=1,
        num_heads=2,
        relative_attention_num_buckets=8,
        feed_forward_proj="gated-gelu",
        tie_word_embeddings=False,
    )
    peer = transformers.T5ForConditionalGeneration(config).state_dict()
    aliases = {"encoder.embed_tokens.weight", "decoder.embed_tokens.weight"}
    links = weights.links(_MODEL, num_embeddings=12)
    assert len(links) == len({link.weight for link in links})
    assert {link.weight: link.shape for link in links} == {
        name: tuple(tensor.shape) for name, tensor in peer.items() if name not in aliases
    }


def test_numbers_come_back_after_both_ways():
    plain = dataclasses.replace(_MODEL, query_scale=1.0)
    links = weights.links(plain, num_embeddings=12)
    variables = _variables()
    back = weights.to_variables(weights.to_weights(variables, links=links), links=links)
    assert set(back) == set(variables)
    for name, array in variables.items():
        np.testing.assert_array_equal(back[name], array)


def test_scale_of_queries_is_put_into_their_weights():
    links = weights.check_variables(_shapes(), architecture=_MODEL, place="x")
    variables = _variables()
    found = weights.to_weights(variables, links=links)
    name = "decoder/block_000/layer_001/EncDecAttention/q"
    wanted = variables[name].T * 0.5
    weight = "decoder.block.0.layer.1.EncDecAttention.q.weight"
    np.testing.assert_array_equal(found[weight], wanted)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"encoder/rms_norm/scale": (7,)}, r"holds encoder/rms_norm/scale \[7\]"),
        ({"decoder/adapter/kernel": (6, 6)}, "holds decoder/adapter/kernel, 1 variables in all"),
        ({"shared/embedding": (0, 6)}, r"shared/embedding \[0, 6\]"),
    ],
)
def test_checkpoint_of_another_model_is_refused(changes, message):
    with pytest.raises(errors.InputError, match=message):
        weights.check_variables(_shapes(**changes), architecture=_MODEL, place="model.ckpt-1")


def test_missing_variable_is_named():
    shapes = _shapes()
    del shapes["decoder/logits/kernel"]
    with pytest.raises(errors.InputError, match="holds decoder/logits/kernel not at all"):
        weights.check_variables(shapes, architecture=_MODEL, place="model.ckpt-1")

"""Which models of mesh-tensorflow can be expressed in Hugging Face's T5, and which are refused."""

from __future__ import annotations

import pytest

from code_t5 import errors
from code_t5.training.hugging_face import architecture, gin_settings, reading_settings

_T5 = """
d_model = 64
num_layers = 3
encoder/make_layer_stack.layers = [@layers.SelfAttention, @layers.DenseReluDense]
decoder/make_layer_stack.layers = [
    ('self_attention', @layers.SelfAttention),
    ('enc_dec_attention', @layers.EncDecAttention),
    ('dense_relu_dense', @layers.DenseReluDense)]
make_layer_stack.num_layers = %num_layers
make_bitransformer.encoder_name = 'decoder'
SelfAttention.relative_attention_type = 'bias_shared'
SelfAttention.key_value_size = 16
Unitransformer.positional_embedding = False
Unitransformer.d_model = %d_model
Unitransformer.shared_embedding_and_softmax_weights = True
"""


def _read(tmp_path, *lines):
    path = tmp_path / "operative_config.gin"
    path.write_text("\n".join([_T5, *lines]), encoding="utf-8")
    return reading_settings.read_architecture(gin_settings.read_settings(path))


def test_shared_model_is_read(tmp_path):
    found = _read(tmp_path, "dropout_rate = 0.1")
    assert found.encoder == architecture.Stack(
        scope="decoder",
        num_blocks=3,
        layers=(
            architecture.Layer("SelfAttention", "layer_000"),
            architecture.Layer("DenseReluDense", "layer_001"),
        ),
    )
    assert found.decoder.scope == "decoder"
    assert [layer.name for layer in found.decoder.layers] == [
        *("self_attention", "enc_dec_attention", "dense_relu_dense")
    ]
    assert (found.d_model, found.d_kv, found.d_ff, found.num_heads) == (64, 16, 4096, 8)
    assert (found.feed_forward, found.is_tied, found.dropout_rate) == ("relu", True, 0.1)
    assert (found.query_scale, found.embedding_scale, found.norm_epsilon) == (1.0, 1.0, 1e-6)


def test_scales_that_are_not_in_the_weights_are_told(tmp_path):
    found = _read(
        tmp_path,
        "SelfAttention.fold_scaling_into_initializer = False",
        "VocabEmbedding.scale_variable_like_classifier_weights = True",
    )
    assert (found.query_scale, found.embedding_scale) == (0.25, 8.0)


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("utils.run.model_type = 'lm'", "model_type = 'lm'"),
        ("Unitransformer.ensemble = 2", "ensemble = 2"),
        ("Unitransformer.positional_embedding = True", "positional_embedding = True"),
        ("decoder/Unitransformer.input_full_attention = True", "input_full_attention"),
        ("Bitransformer.shared_embedding = False", "shared_embedding = False"),
        ("SelfAttention.relative_attention_type = 'contextual'", "'contextual'"),
        ("SelfAttention.relative_attention_type = 'bias'", "'bias'"),
        ("EncDecAttention.relative_attention_type = 'bias'", "EncDecAttention"),
        ("EncDecAttention.num_heads = 2", "EncDecAttention.num_heads = 2"),
        ("QuickEncDecAttention.key_value_size = 4", "QuickEncDecAttention.key_value_size = 4"),
        ("SelfAttention.num_memory_heads = 1", "num_memory_heads = 1"),
        ("SelfAttention.shared_kv = True", "shared_kv = True"),
        ("SelfAttention.attention_func = 'hybrid'", "attention_func = 'hybrid'"),
        ("encoder/SelfAttention.num_heads = 2", "2 in the encoder, 8 in the decoder"),
        ("SelfAttention.num_heads = 1.5", "num_heads = 1.5"),
        ("SelfAttention.num_heads = 'many'", "num_heads = 'many'"),
        ("DenseReluDense.activation = 'tanh'", "activation = 'tanh'"),
        ("DenseReluDense.activation = ['linear', 'gelu']", "'linear', 'gelu'"),
        ("encoder/DenseReluDense.activation = 'gelu'", "'gelu' and 'relu'"),
        ("DenseReluDense.use_bias = True", "use_bias = True"),
        ("unit_scaling_convention.value = True", "unit_scaling_convention.value = True"),
        ("make_layer_stack.num_layers = 0", "num_layers = 0"),
        ("make_layer_stack.block_scope = False", "block_scope = False"),
        ("encoder/make_layer_stack.layers = [@LocalSelfAttention]", "LocalSelfAttention"),
        (
            "LayerStack.sublayers_final = [@transformer.sublayer_true_layer_norm]",
            "sublayer_true_layer_norm",
        ),
        (
            "LayerStack.sublayers_per_layer = [@sublayer_call_layer, @sublayer_residual]",
            "sublayers_",
        ),
    ],
)
def test_what_hugging_face_cannot_express_is_refused_by_its_name(tmp_path, line, found):
    with pytest.raises(errors.InputError, match="Hugging Face's T5 has nothing else") as caught:
        _read(tmp_path, line)
    assert found in str(caught.value)
    assert "\n" not in str(caught.value)


def test_quicker_forms_of_the_layers_are_the_same_layers(tmp_path):
    found = _read(
        tmp_path,
        "encoder/make_layer_stack.layers = [@code_t5.QuickSelfAttention, @DenseReluDense]",
        "decoder/make_layer_stack.layers = [('a', @code_t5.QuickSelfAttention), "
        "('b', @code_t5.QuickEncDecAttention), ('c', @DenseReluDense)]",
        "get_vocab_embedding_cls.cls = @code_t5.LookupEmbedding",
        "LookupEmbedding.scale_variable_like_classifier_weights = True",
    )
    assert [layer.kind for layer in found.decoder.layers] == [
        *("SelfAttention", "EncDecAttention", "DenseReluDense")
    ]
    assert found.encoder.layers[0] == architecture.Layer("SelfAttention", "layer_000")
    assert found.embedding_scale == 8.0


def test_sublayers_of_training_alone_change_nothing(tmp_path):
    found = _read(
        tmp_path,
        "LayerStack.sublayers_initial = [@transformer.sublayer_dropout]",
        "LayerStack.sublayers_per_layer = [@transformer.sublayer_legacy_rms_norm, "
        "@sublayer_call_layer, @sublayer_clip_activation_gradient, @sublayer_dropout, "
        "@sublayer_residual]",
        "LayerStack.sublayers_final = [@sublayer_rms_norm, @sublayer_dropout]",
    )
    assert (found.encoder.norm_name, found.encoder.final_norm_name) == ("layer_norm", "rms_norm")


def test_directory_without_configuration_is_refused(tmp_path):
    with pytest.raises(errors.InputError, match="train first"):
        architecture.find_settings(tmp_path)

"""Models of exports: those of a well-kept library, and what does not fit together."""

from __future__ import annotations

import json
import pathlib
import types

import pytest

from code_t5 import errors
from code_t5.training.completing import loading
from code_t5.training.hugging_face.opening import HuggingFaceExport

_IDS = [[5, 6, 7, 1], [9, 8, 1, 0]]
_LENGTHS = {"inputs": 16, "targets": 16}


def _save(folder, **changes):
    """Writes a T5 of random weights as `save_pretrained` does."""
    import torch
    import transformers

    torch.manual_seed(0)
    sizes = {"vocab_size": 40, "d_model": 16, "d_kv": 4, "d_ff": 32, "num_heads": 4}
    config = transformers.T5Config(
        **{**sizes, "num_layers": 2, "decoder_start_token_id": 0, **changes}
    )
    model = transformers.T5ForConditionalGeneration(config).eval()
    model.save_pretrained(folder)
    return model


def _load(folder, *, vocab_size=40, lengths=_LENGTHS):
    export = HuggingFaceExport(
        directory=pathlib.Path(folder),
        step=1,
        task="small",
        objective="prefix_lm",
        sequence_length=lengths,
        add_eos=True,
        vocabulary_dir=pathlib.Path(folder) / "vocabulary",
        checkpoint_sha256="",
        fingerprint="",
    )
    return loading.load_model(export, vocabulary=types.SimpleNamespace(vocab_size=vocab_size))


def _change(path, **changes):
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"tie_word_embeddings": False},
        {"feed_forward_proj": "gated-gelu", "num_decoder_layers": 3},
    ],
    ids=["tied", "untied", "gated"],
)
def test_logits_are_those_of_the_library(tmp_path, changes):
    import torch

    wanted = _save(tmp_path, **changes)
    found = _load(tmp_path)
    ids = torch.tensor(_IDS)
    with torch.inference_mode():
        arguments = {"input_ids": ids, "attention_mask": (ids > 0).long()}
        logits = [
            model(**arguments, decoder_input_ids=torch.tensor([[0, 3], [0, 4]])).logits
            for model in (wanted, found)
        ]
    torch.testing.assert_close(logits[1], logits[0], rtol=0, atol=1e-6)


def test_settings_of_generating_that_lie_there_change_nothing(tmp_path):
    _save(tmp_path)
    _change(tmp_path / "generation_config.json", suppress_tokens=[3], min_length=20, num_beams=4)
    found = _load(tmp_path).generation_config
    assert (found.suppress_tokens, found.min_length, found.num_beams) == (None, 0, 1)
    assert (found.decoder_start_token_id, found.pad_token_id, found.eos_token_id) == (0, 0, 1)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"d_model": 7}, r"holds shared.weight \[40, 16\]; wanted \[40, 7\]"),
        ({"d_model": "x"}, "d_model 'x'"),
        ({"num_layers": 10**8}, "num_layers 100000000"),
        ({"num_layers": 3}, "encoder.block.2.* not at all"),
        ({"num_layers": 1, "num_decoder_layers": 2}, "encoder.block.1"),
        ({"model_type": "evil", "auto_map": {"AutoModel": "evil.Evil"}}, "model_type 'evil'"),
    ],
    ids=lambda value: None if isinstance(value, str) else "-".join(value),
)
def test_settings_that_do_not_fit_the_weights_are_refused(tmp_path, changes, message):
    _save(tmp_path)
    _change(tmp_path / "config.json", **changes)
    with pytest.raises(errors.ArtifactError, match=message) as caught:
        _load(tmp_path)
    assert "\n" not in str(caught.value)


def test_weights_are_neither_guessed_nor_taken_where_they_are_no_numbers(tmp_path):
    import safetensors.torch

    _save(tmp_path)
    path = tmp_path / "model.safetensors"
    whole = safetensors.torch.load_file(path)
    name = "decoder.block.0.layer.0.SelfAttention.relative_attention_bias.weight"
    missing = {key: value for key, value in whole.items() if key != name}
    safetensors.torch.save_file(missing, path)
    with pytest.raises(errors.ArtifactError, match=f"{name} not at all"):
        _load(tmp_path)
    safetensors.torch.save_file({**whole, name: whole[name] * float("nan")}, path)
    with pytest.raises(errors.ArtifactError, match=f"{name} of the export .* is not finite"):
        _load(tmp_path)
    path.write_bytes(b"garbage" * 10)
    with pytest.raises(errors.ArtifactError, match="cannot read .*model.safetensors"):
        _load(tmp_path)


def test_vocabulary_and_lengths_must_fit(tmp_path):
    _save(tmp_path)
    with pytest.raises(errors.ArtifactError, match="has 40 embeddings; wanted one for each .* 41"):
        _load(tmp_path, vocab_size=41)
    for length in (-5, 0, 10**9):
        with pytest.raises(errors.ArtifactError, match=f"{length}.*wanted 1 to 65536"):
            _load(tmp_path, lengths={**_LENGTHS, "targets": length})

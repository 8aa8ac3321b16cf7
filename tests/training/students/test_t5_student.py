from __future__ import annotations

import json

import numpy as np
import pytest
import small_t5_outputs
import torch

from code_t5 import errors
from code_t5.encoding import piece_model
from code_t5.teacher_outputs.codec import TopKCodec
from code_t5.training.students import registry, t5_batches, t5_saving, t5_student

CODEC = TopKCodec(vocab_size=512, k=4)


def _open(codec=CODEC, *, vocabulary=None, **settings):
    schema = small_t5_outputs.token_schema(codec)
    parts = small_t5_outputs.parts(schema, options=codec.options, vocabulary=vocabulary)
    torch.manual_seed(0)
    return registry.open_student("t5_dev_top32", parts=parts, settings=settings)


def _batch(numbers=range(5), codec=CODEC):
    samples = [small_t5_outputs.token_sample(number, codec=codec) for number in numbers]
    columns = small_t5_outputs.columns(samples, small_t5_outputs.token_schema(codec))
    arrays = t5_batches.TokenBatches(codec)(columns)
    return {name: torch.from_numpy(array) for name, array in arrays.items()}


@pytest.fixture(autouse=True)
def families_are_registered(monkeypatch):
    names = {4: "t5_dev_top32"}
    family = type("Family", (), {"names": names})()
    if "t5_dev_top32" not in registry.teacher_registry.teacher_names():
        monkeypatch.setattr(registry.teacher_registry, "FAMILIES", (family,))


def test_logits_are_those_of_the_whole_model_where_nothing_is_padding():
    student, batch = _open(), _batch()
    with torch.no_grad():
        found = student.states(batch) @ student.network.lm_head.weight.t()
        start = torch.zeros_like(batch["targets"][:, :1])
        mask = torch.arange(batch["inputs"].shape[1]) < batch["input_lengths"][:, None]
        wanted = student.network(
            input_ids=batch["inputs"],
            attention_mask=mask.long(),
            decoder_input_ids=torch.cat([start, batch["targets"][:, :-1]], dim=1),
        ).logits
    rows = [wanted[row, : batch["target_lengths"][row]] for row in range(5)]
    torch.testing.assert_close(found, torch.cat(rows), rtol=1e-5, atol=1e-5)
    assert found.shape == (int(batch["target_lengths"].sum()), 512)


def test_losses_of_a_sample_do_not_hang_on_the_batch():
    student = _open()
    with torch.no_grad():
        alone = [student.losses(_batch([number])) for number in range(3)]
        together = student.losses(_batch(range(3)))
    weights = [student.weight(_batch([number])) for number in range(3)]
    for name in ("loss", "cross_entropy", "kl_divergence"):
        mean = sum(float(one[name]) * w for one, w in zip(alone, weights)) / sum(weights)
        assert float(together[name]) == pytest.approx(mean, rel=1e-4)


def test_the_loss_weighs_cross_entropy_and_divergence():
    batch = _batch()
    with torch.no_grad():
        found = _open(alpha=0.25, kl_temperature=2.0).losses(batch)
    wanted = 0.25 * found["cross_entropy"] + 0.75 * 4.0 * found["kl_divergence"]
    assert float(found["loss"]) == pytest.approx(float(wanted), rel=1e-6)


@pytest.mark.parametrize("missing_mass", ["spread", "one_bucket", "left_out"])
@pytest.mark.parametrize("mass", [None, 0.9])
def test_losses_can_be_differentiated(missing_mass, mass):
    codec = TopKCodec(vocab_size=512, k=16, mass=mass)
    student = _open(codec, missing_mass=missing_mass, kl_temperature=1.5)
    student.losses(_batch(codec=codec))["loss"].backward()
    gradients = [p.grad for p in student.network.parameters() if p.grad is not None]
    assert all(torch.isfinite(gradient).all() for gradient in gradients)
    assert float(student.network.shared.weight.grad.abs().sum()) > 0


def test_a_student_learns_what_its_teacher_says():
    student, batch = _open(alpha=0.0), _batch()
    parameters = list(student.network.parameters())
    first = float(student.losses(batch)["kl_divergence"])
    for _ in range(40):
        loss = student.losses(batch)["loss"]
        for parameter, gradient in zip(parameters, torch.autograd.grad(loss, parameters)):
            parameter.data -= 5e-3 * gradient.sign()
    assert float(student.losses(batch)["kl_divergence"]) < first / 4


def test_the_same_seed_draws_the_same_weights():
    one, other = (_open().network.shared.weight for _ in range(2))
    assert torch.equal(one, other)


def test_of_hypotheses_the_best_is_learned():
    schema = small_t5_outputs.NBEST_SCHEMA
    parts = small_t5_outputs.parts(schema, options={"vocab_size": 400, "num_beams": 2})
    student = registry.open_student("t5_dev_top32", parts=parts, settings={})
    samples = [small_t5_outputs.nbest_sample(number) for number in range(3)]
    assert student.fields == ("inputs", "sequences", "sequence_lengths")
    columns = small_t5_outputs.columns(samples, schema)
    batch = student.collate_fn({name: columns[name] for name in student.fields})
    assert batch["targets"].tolist() == [[10, 7, 1], [11, 7, 1], [12, 7, 1]]
    losses = student.losses({name: torch.from_numpy(array) for name, array in batch.items()})
    assert set(losses) == {"loss", "cross_entropy"}
    assert float(losses["loss"]) == float(losses["cross_entropy"])


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"alpha": 1.5}, "--alpha is 1.5; wanted a number from 0 to 1"),
        ({"alpha": float("nan")}, "--alpha is nan"),
        ({"kl_temperature": 0.0}, "--kl_temperature is 0"),
        ({"missing_mass": "lost"}, "wanted spread or one_bucket or left_out"),
        ({"student_size": "huge"}, "wanted nano or tiny or dev or small"),
    ],
)
def test_settings_that_do_not_do_are_refused(settings, message):
    with pytest.raises(errors.InputError, match=message):
        _open(**settings)


def test_it_is_saved_as_an_export_that_completes(small_data_dir, tmp_path):
    from code_t5.training.completing.completer import Completer
    from code_t5.training.decoding_options import DecodingOptions

    place = small_data_dir / "vocabularies"
    place = next(path.parent for path in place.rglob("manifest.json"))
    fields = piece_model.read_vocabulary_manifest(place)
    vocabulary = {name: fields[name] for name in ("fingerprint", "vocab_size")}
    student = _open(vocabulary=vocabulary, vocabulary_dir=str(place))
    student.save(tmp_path)
    completer = Completer.from_export(tmp_path)
    assert completer.export.task == "small_prefix_lm"
    assert completer.export.objective == "prefix_lm"
    assert completer.export.sequence_length == {"inputs": 8, "targets": 6}
    for name, tensor in student.network.state_dict().items():
        assert torch.equal(completer._model.state_dict()[name], tensor), name
    found = completer.complete(["def f(x):\n"], options=DecodingOptions(max_new_tokens=3))
    assert found[0][0].num_tokens <= 3


def test_without_the_vocabulary_weights_are_saved_alone(tmp_path, monkeypatch):
    import transformers

    monkeypatch.setenv("CODE_T5_DATA_DIR", str(tmp_path / "none"))
    student = _open(vocabulary={"fingerprint": "0" * 64})
    folder = tmp_path / "saved"
    folder.mkdir()
    student.save(folder)
    assert sorted(path.name for path in folder.iterdir()) == ["config.json", "model.safetensors"]
    model = transformers.T5ForConditionalGeneration.from_pretrained(folder)
    assert torch.equal(model.shared.weight, student.network.shared.weight)
    assert json.loads((folder / "config.json").read_text())["d_model"] == 64


def test_another_vocabulary_is_refused(small_data_dir):
    parts = {"vocabulary": {"fingerprint": "0" * 64}}
    with pytest.raises(errors.InputError, match="wanted the teacher's vocabulary 0000"):
        t5_saving.find_vocabulary(parts, settings={"vocabulary_dir": str(small_data_dir)})
    settings = {"data_dir": str(small_data_dir)}
    assert t5_saving.find_vocabulary(parts, settings=settings) is None


def test_the_vocabulary_is_found_by_its_fingerprint(small_data_dir):
    place = next((small_data_dir / "vocabularies").rglob("manifest.json")).parent
    fields = piece_model.read_vocabulary_manifest(place)
    parts = {"vocabulary": {"fingerprint": fields["fingerprint"]}}
    found = t5_saving.find_vocabulary(parts, settings={"data_dir": str(small_data_dir)})
    assert found is not None
    assert piece_model.read_vocabulary_manifest(found)["fingerprint"] == fields["fingerprint"]


def test_sizes_are_those_of_the_gin_files():
    config = t5_student.exporting.model_config(
        t5_student._architecture("dev"), num_embeddings=512, num_inputs={"inputs": 8}
    )
    sizes = {name: config[name] for name in ("d_model", "num_layers", "d_ff", "num_heads", "d_kv")}
    assert sizes == {"d_model": 128, "num_layers": 2, "d_ff": 256, "num_heads": 4, "d_kv": 32}


def test_batches_can_be_pickled_and_hold_what_torch_takes():
    import pickle

    batches = pickle.loads(pickle.dumps(t5_batches.TokenBatches(CODEC)))  # noqa: S301 - our own
    samples = [small_t5_outputs.token_sample(number, codec=CODEC) for number in (0, 3)]
    found = batches(small_t5_outputs.columns(samples, small_t5_outputs.token_schema(CODEC)))
    assert {name: (array.dtype.name, array.shape) for name, array in found.items()} == {
        "inputs": ("int64", (2, 5)),
        "input_lengths": ("int64", (2,)),
        "targets": ("int64", (2, 5)),
        "target_lengths": ("int64", (2,)),
        "kept_ids": ("int64", (7, 4)),
        "kept_logs": ("float32", (7, 4)),
        "tail_mass": ("float32", (7,)),
    }
    assert found["target_lengths"].tolist() == [2, 5]
    assert np.array_equal(found["kept_ids"][2:], samples[1]["ids"])


def test_distributions_of_other_tokens_are_refused():
    samples = [small_t5_outputs.token_sample(number, codec=CODEC) for number in (0, 4)]
    found = small_t5_outputs.columns(samples, small_t5_outputs.token_schema(CODEC))
    found["targets"] = found["inputs"]
    with pytest.raises(errors.ArtifactError, match="wanted as many"):
        t5_batches.TokenBatches(CODEC)(found)

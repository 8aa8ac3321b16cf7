"""Which T5 a teacher is, by which settings it is found, and what is refused."""

from __future__ import annotations

import json
import pathlib

import numpy as np
import pytest
import safetensors.torch
from refusals import assert_refused

from code_t5.training.checkpoints import reading
from code_t5.training.hugging_face import opening
from code_t5.training.teachers import registry, t5_opening, t5_source
from code_t5.training.teachers.teacher import expected_parts

_ROOT = pathlib.Path(__file__).resolve().parents[3]


def _open(settings, name="t5_dev_top32"):
    return registry.open_teacher(name, settings=settings)


@pytest.fixture(name="trained_settings")
def _trained_settings(t5_settings, small_hugging_face, monkeypatch):
    """Settings for the model that the trainer has trained, which is narrower than the dev size."""
    monkeypatch.setitem(t5_source.SIZES, "dev", (32, 2))
    lengths = dict.fromkeys(("inputs_length", "targets_length", "hf_dir", "task"))
    return {**t5_settings, **lengths, "model_dir": str(small_hugging_face.model_dir)}


def test_a_checkpoint_and_its_export_are_the_same_teacher(trained_settings, small_hugging_face):
    teacher = _open(trained_settings)
    assert teacher.description["step"] == 20
    assert teacher.options["task"] == "small_prefix_lm"
    # As it was trained.
    assert (teacher.options["inputs_length"], teacher.options["targets_length"]) == (64, 32)
    export = opening.default_dir(small_hugging_face.model_dir, 20)
    other = _open({**trained_settings, "model_dir": None, "hf_dir": str(export)})
    assert expected_parts(teacher, split="train") == expected_parts(other, split="train")


def test_a_checkpoint_keeps_its_step_while_training_goes_on(trained_settings, monkeypatch):
    spec = registry.teacher_spec("t5_dev_top32", trained_settings)
    assert dict(spec.arguments[2])["step"] == 20
    monkeypatch.setattr(reading, "newest_step", lambda model_dir: 30)
    assert spec.make("cpu").description["step"] == 20


def test_the_default_directory_is_that_of_the_trainers_command(tmp_path, t5_settings):
    settings = {**t5_settings, "hf_dir": None, "data_dir": str(tmp_path), "task": "small_prefix_lm"}
    assert_refused(
        lambda: _open(settings),
        match="models/small_prefix_lm-dev; wanted .* scripts/train.sh small_prefix_lm dev cpu_1",
    )


def test_hashes_tell_weights_apart_and_not_files(own_t5, t5_settings):
    before = _open(t5_settings).description
    weights = safetensors.torch.load_file(own_t5 / "model.safetensors")
    (own_t5 / "model.safetensors").unlink()
    import torch

    torch.save(weights, own_t5 / "pytorch_model.bin")
    settings = {**t5_settings, "hf_dir": str(own_t5)}
    assert _open(settings).description == before
    weights["shared.weight"][3, 5] += 1
    torch.save(weights, own_t5 / "pytorch_model.bin")
    after = _open(settings).description
    assert after["weights_sha256"] != before["weights_sha256"]
    assert {**after, "weights_sha256": ""} == {**before, "weights_sha256": ""}
    assert before["step"] is None and before["architecture"]["num_embeddings"] == 512


def test_sizes_are_those_of_the_trainers_configurations():
    for size, (width, num_blocks) in t5_source.SIZES.items():
        text = (_ROOT / "gin_configs" / "models" / f"shared_{size}.gin").read_text()
        assert f"\nd_model = {width}\n" in text and f"\nnum_layers = {num_blocks}\n" in text


def test_another_size_is_refused(t5_settings):
    assert_refused(
        lambda: _open(t5_settings, "t5_small_top32"),
        match=r"d_model 128 and 2 \+ 2 layers; t5_small_top32 wanted d_model 512 and 6 \+ 6",
    )


@pytest.mark.parametrize(("name", "value"), [("step", 3), ("model_dir", "model")])
def test_settings_that_exclude_each_other_are_refused(name, value, t5_settings):
    settings = {**t5_settings, name: value}
    assert_refused(lambda: _open(settings), match=f"--{name} was given with --hf_dir")


def test_mass_is_refused_where_a_number_is_kept():
    assert_refused(
        lambda: registry.teacher_spec("t5_dev_top32", {"mass": 0.9}), match="does not take --mass"
    )


@pytest.mark.parametrize(
    ("settings", "match"),
    [
        ({"hf_dir": "nowhere"}, "no directory nowhere"),
        ({"inputs_length": 0}, "--inputs_length is 0"),
        ({"targets_length": 1}, "length of targets is 1, too short .*--targets_length"),
        ({"k": 0}, "k is 0"),
        ({"temperature": 0.0}, "temperature is 0"),
    ],
)
def test_numbers_that_do_not_do_are_refused(settings, match, t5_settings):
    assert_refused(lambda: _open({**t5_settings, **settings}), match=match)


def test_too_many_beams_are_refused(t5_settings):
    settings = {**t5_settings, "num_beams": 65}
    assert_refused(lambda: _open(settings, "t5_dev_nbest4"), match="--num_beams is 65")


def test_another_vocabulary_is_refused(own_t5, t5_settings):
    settings = {**t5_settings, "hf_dir": str(own_t5)}
    for name in ("tokenizer_config.json", "special_tokens_map.json", "tokenizer.json"):
        text = (own_t5 / name).read_text()
        (own_t5 / name).write_text(text.replace("<extra_id_0>", "<extra_id_none>"))
    assert_refused(lambda: _open(settings), match="<extra_id_0> as .* --task and --data_dir that")
    for name in ("tokenizer_config.json", "tokenizer.json"):
        (own_t5 / name).unlink()
    (own_t5 / "spiece.model").unlink(missing_ok=True)
    assert_refused(lambda: _open(settings), match="found no tokenizer .* --task and --data_dir")


def test_a_model_with_fewer_embeddings_is_refused(own_t5, t5_settings):
    config = json.loads((own_t5 / "config.json").read_text())
    (own_t5 / "config.json").write_text(json.dumps({**config, "vocab_size": 384}))
    settings = {**t5_settings, "hf_dir": str(own_t5)}
    assert_refused(lambda: _open(settings), match="has 500 ids and the model .* 384 embeddings")


def test_a_model_that_is_cut_off_is_refused(own_t5, t5_settings):
    data = (own_t5 / "model.safetensors").read_bytes()
    (own_t5 / "model.safetensors").write_bytes(data[:-100])
    teacher = _open({**t5_settings, "hf_dir": str(own_t5)})
    assert_refused(lambda: teacher.description, match="cannot read .*model.safetensors")


def test_a_model_that_is_not_finite_is_refused(own_t5, t5_settings):
    weights = safetensors.torch.load_file(own_t5 / "model.safetensors")
    weights["shared.weight"][0, 0] = np.nan
    safetensors.torch.save_file(weights, own_t5 / "model.safetensors")
    teacher = _open({**t5_settings, "hf_dir": str(own_t5)})
    assert_refused(lambda: teacher.network, match="shared.weight .* not finite")


def test_every_name_of_the_registry_has_a_kind_and_a_size():
    names = [name for name in registry.teacher_names() if name.startswith("t5_")]
    assert names == ["t5_dev_top32", "t5_dev_mass99", "t5_dev_nbest4", "t5_small_top32"]
    for name in names:
        _, size, kind = name.split("_")
        assert size in t5_source.SIZES and kind in t5_opening.KINDS

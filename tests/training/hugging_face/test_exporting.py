"""Exports of the trainer's models, compared number by number with mesh-tensorflow."""

from __future__ import annotations

import json
import os
import pathlib
import shutil

import numpy as np
import pytest
import safetensors.numpy

from code_t5 import errors
from code_t5.storage import atomic
from code_t5.training.hugging_face import export_hugging_face, exporting, open_export, opening

_NAMES = ("trained", "bi_v1", "t5_1_1", "scales", "legacy")


@pytest.fixture(scope="module")
def exports(mesh_models, trained_small, tmp_path_factory):
    """One export per model."""
    folder = tmp_path_factory.mktemp("exports")
    return {
        name: export_hugging_face(
            model.model_dir,
            output_dir=folder / name,
            step=model.step,
            data_dir=trained_small.data_dir,
        )
        for name, model in mesh_models.items()
    }


def _load(directory):
    os.environ.setdefault("USE_TF", "0")
    import transformers

    model, report = transformers.T5ForConditionalGeneration.from_pretrained(
        directory, output_loading_info=True
    )
    assert not report["missing_keys"] and not report["unexpected_keys"]
    return model.eval()


@pytest.mark.parametrize("name", _NAMES)
def test_logits_are_those_of_mesh_tensorflow_on_real_rows(name, mesh_models, exports):
    import torch

    model, peer = mesh_models[name], _load(exports[name])
    for rows, wanted in model.logits.items():
        inputs = torch.from_numpy(model.rows[f"{rows}/inputs"]).long()
        targets = torch.from_numpy(model.rows[f"{rows}/targets"]).long()
        with torch.no_grad():
            found = peer(
                input_ids=inputs, attention_mask=(inputs > 0).long(), labels=targets
            ).logits.numpy()
        # What follows the targets in a row is padding, which nobody reads.
        counts = model.rows[f"{rows}/targets"] > 0
        assert counts.sum() < counts.size or rows == "short"
        np.testing.assert_allclose(found[counts], wanted[counts], rtol=0, atol=1e-4)
        assert wanted[counts].std() > 0.3


def test_settings_say_what_the_model_is(exports):
    trained = json.loads((exports["trained"] / "config.json").read_bytes())
    # 500 ids, filled up to a multiple of 128.
    assert (trained["vocab_size"], trained["d_model"], trained["num_heads"]) == (512, 32, 2)
    assert (trained["decoder_start_token_id"], trained["pad_token_id"]) == (0, 0)
    assert trained["tie_word_embeddings"] is True
    gated = json.loads((exports["t5_1_1"] / "config.json").read_bytes())
    assert (gated["num_layers"], gated["num_decoder_layers"]) == (1, 2)
    assert (gated["feed_forward_proj"], gated["layer_norm_epsilon"]) == ("gated-gelu", 1e-5)
    assert gated["tie_word_embeddings"] is False
    assert json.loads((exports["bi_v1"] / "config.json").read_bytes())["dropout_rate"] == 0.25


def test_shared_layers_are_written_for_encoder_and_decoder(exports):
    arrays = safetensors.numpy.load_file(exports["trained"] / "model.safetensors")
    name = "block.1.layer.0.SelfAttention.q.weight"
    np.testing.assert_array_equal(arrays[f"encoder.{name}"], arrays[f"decoder.{name}"])
    assert "lm_head.weight" not in arrays


def test_export_says_what_it_was_trained_on(exports, trained_small):
    export = open_export(exports["trained"])
    assert (export.step, export.task, export.objective) == (20, "small_prefix_lm", "prefix_lm")
    assert export.sequence_length == {"inputs": 64, "targets": 32}
    assert export.add_eos is True
    original = trained_small.data_dir / "vocabularies" / "default" / "sentencepiece.model"
    copy = export.vocabulary_dir / "sentencepiece.model"
    assert copy.read_bytes() == original.read_bytes()


def test_same_checkpoint_gives_the_same_bytes(exports, mesh_models, trained_small, tmp_path):
    again = export_hugging_face(
        mesh_models["trained"].model_dir,
        output_dir=tmp_path / "again",
        data_dir=trained_small.data_dir,
    )
    first = exports["trained"]
    names = sorted(path.relative_to(first) for path in first.rglob("*") if path.is_file())
    assert len(names) == 12
    for name in names:
        assert (again / name).read_bytes() == (first / name).read_bytes(), name


def test_everyone_may_read_the_weights(exports):
    modes = {path.stat().st_mode & 0o777 for path in exports["trained"].glob("*.*")}
    assert len(modes) == 1


def test_directory_that_is_no_export_is_not_written_over(mesh_models, trained_small, tmp_path):
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "thesis.txt").write_text("years of work")
    with pytest.raises(errors.InputError, match="is no export to Hugging Face"):
        export_hugging_face(
            mesh_models["trained"].model_dir, output_dir=mine, data_dir=trained_small.data_dir
        )
    assert [path.name for path in mine.iterdir()] == ["thesis.txt"]


def test_failed_export_leaves_nothing(mesh_models, trained_small, tmp_path, monkeypatch):
    def fill_disk(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(safetensors.numpy, "save_file", fill_disk)
    with pytest.raises(OSError, match="No space"):
        export_hugging_face(
            mesh_models["trained"].model_dir,
            output_dir=tmp_path / "full",
            data_dir=trained_small.data_dir,
        )
    assert [path.name for path in tmp_path.iterdir()] == [".full.lock"]


def test_two_writers_do_not_meet(mesh_models, trained_small, tmp_path):
    target = tmp_path / "one"
    with atomic.lock(opening.lock_path(target), purpose="tests"):
        with pytest.raises(errors.BusyError):
            export_hugging_face(
                mesh_models["trained"].model_dir,
                output_dir=target,
                data_dir=trained_small.data_dir,
            )


def test_missing_vocabulary_is_named_with_what_to_do(mesh_models, tmp_path):
    with pytest.raises(errors.NotBuiltError, match="small_prefix_lm.*--data_dir"):
        export_hugging_face(
            mesh_models["trained"].model_dir, output_dir=tmp_path / "x", data_dir=tmp_path
        )


def test_smaller_model_than_vocabulary_is_refused(mesh_models, trained_small, tmp_path):
    from code_t5.training.hugging_face import architecture, reading_settings, trained_task

    settings = architecture.find_settings(mesh_models["trained"].model_dir)
    with pytest.raises(errors.VocabularyMismatchError, match="500 ids and the model 400"):
        exporting.write_export(
            tmp_path,
            arrays={"shared.weight": np.zeros((400, 32), np.float32)},
            model=reading_settings.read_architecture(settings),
            task=trained_task.read_task(settings),
            vocabulary_dir=trained_small.data_dir / "vocabularies" / "default",
            fields={},
        )


def test_numbers_that_are_none_are_refused(mesh_models, trained_small, tmp_path, monkeypatch):
    from code_t5.training.checkpoints import reading

    def broken(prefix):
        variables = whole(prefix)
        variables["decoder/rms_norm/scale"][3] = np.nan
        return variables

    whole = reading.read_variables
    monkeypatch.setattr(reading, "read_variables", broken)
    with pytest.raises(errors.InputError, match=r"NaN.*encoder\.final_layer_norm"):
        export_hugging_face(
            mesh_models["trained"].model_dir,
            output_dir=tmp_path / "x",
            data_dir=trained_small.data_dir,
        )


def test_leftovers_of_a_killed_export_are_removed(mesh_models, trained_small, tmp_path):
    leftover = tmp_path / ".new.0123456789ab.tmp"
    leftover.mkdir()
    export_hugging_face(
        mesh_models["trained"].model_dir,
        output_dir=tmp_path / "new",
        data_dir=trained_small.data_dir,
    )
    assert not leftover.exists()


def test_default_place_is_below_the_model(mesh_models, trained_small, tmp_path):
    model_dir = shutil.copytree(mesh_models["trained"].model_dir, tmp_path / "model")
    found = export_hugging_face(model_dir, step=10, data_dir=trained_small.data_dir)
    assert found == pathlib.Path(model_dir, "hugging_face", "step_10")
    assert open_export(found).step == 10

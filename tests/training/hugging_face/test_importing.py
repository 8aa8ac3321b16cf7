"""Hugging Face's T5 as a model directory of the trainer, there and back."""

from __future__ import annotations

import json
import os
import pathlib
import shlex
import shutil
import zipfile

import numpy as np
import pytest
import safetensors.numpy

from code_t5 import errors
from code_t5.training.checkpoints import reading
from code_t5.training.hugging_face import export_hugging_face, importing

_CONFIG = {
    **{"model_type": "t5", "vocab_size": 640, "d_model": 24, "d_kv": 6, "d_ff": 40},
    **{"num_layers": 2, "num_heads": 4, "feed_forward_proj": "gated-gelu"},
    **{"tie_word_embeddings": False, "relative_attention_num_buckets": 16, "dropout_rate": 0.1},
}


def make_t5(folder, *, seed=0, safe=True, **changes):
    """Writes a T5 with weights by chance as `transformers` does, without a tokenizer."""
    os.environ.setdefault("USE_TF", "0")
    import torch
    import transformers

    torch.manual_seed(seed)
    model = transformers.T5ForConditionalGeneration(
        transformers.T5Config(**{**_CONFIG, **changes}, decoder_start_token_id=0)
    )
    for parameter in model.parameters():
        parameter.data.add_(0.1 * torch.randn_like(parameter))
    model.save_pretrained(folder, safe_serialization=safe)
    return pathlib.Path(folder)


@pytest.fixture(scope="module")
def plain_t5(tmp_path_factory):
    """A gated T5 with output weights of its own, in no way shared."""
    return make_t5(tmp_path_factory.mktemp("t5") / "plain", num_decoder_layers=3)


@pytest.fixture
def own_t5(plain_t5, tmp_path):
    """A copy of it of one's own."""
    return pathlib.Path(shutil.copytree(plain_t5, tmp_path / "t5"))


def _edit(path, **changes):
    path.write_text(json.dumps({**json.loads(path.read_bytes()), **changes}))


@pytest.mark.parametrize(
    "name",
    ["trained", *(pytest.param(name, marks=pytest.mark.slow) for name in ("t5_1_1", "bi_v1"))],
)
def test_export_of_an_import_is_the_same(name, mesh_models, trained_small, tmp_path):
    first = export_hugging_face(
        mesh_models[name].model_dir,
        output_dir=tmp_path / name,
        data_dir=trained_small.data_dir,
        step=mesh_models[name].step,
    )
    path = importing.import_hugging_face(
        first,
        model_dir=tmp_path / f"{name}_model",
        task="small_prefix_lm",
        data_dir=trained_small.data_dir,
    )
    again = export_hugging_face(path.parent, data_dir=trained_small.data_dir)
    names = sorted(p.relative_to(first) for p in first.rglob("*") if p.is_file())
    for file in names:
        if file.name not in ("manifest.json", "COMPLETED"):
            assert (again / file).read_bytes() == (first / file).read_bytes(), file


def test_foreign_model_comes_back_unchanged(plain_t5, trained_small, tmp_path):
    path = importing.import_hugging_face(
        plain_t5,
        model_dir=tmp_path / "model",
        task="small_prefix_lm",
        data_dir=trained_small.data_dir,
        check_vocabulary=False,
    )
    with open(path, "a", encoding="utf-8") as file:
        file.write("utils.run.sequence_length = {'inputs': 64, 'targets': 32}\n")
    back = export_hugging_face(path.parent, data_dir=trained_small.data_dir)
    wanted = safetensors.numpy.load_file(plain_t5 / "model.safetensors")
    found = safetensors.numpy.load_file(back / "model.safetensors")
    assert set(found) == set(wanted)
    for name, array in wanted.items():
        np.testing.assert_array_equal(found[name], array, err_msg=name)
    given = json.loads((plain_t5 / "config.json").read_bytes())
    config = json.loads((back / "config.json").read_bytes())
    assert {key: config[key] for key in _CONFIG} == {key: given[key] for key in _CONFIG}
    assert config["num_decoder_layers"] == 3


def test_checkpoint_holds_the_weights_and_an_optimizer_at_its_beginning(plain_t5, tmp_path):
    path = importing.import_hugging_face(plain_t5, model_dir=tmp_path / "model")
    assert reading.newest_step(path.parent) == 0
    variables = reading.read_variables(reading.checkpoint_path(path.parent))
    weights = safetensors.numpy.load_file(plain_t5 / "model.safetensors")
    name = "encoder/block_001/layer_000/SelfAttention/q"
    wanted = weights["encoder.block.1.layer.0.SelfAttention.q.weight"].T
    np.testing.assert_array_equal(variables[name], wanted)
    np.testing.assert_array_equal(variables["decoder/logits/kernel"], weights["lm_head.weight"].T)
    assert variables["global_step"] == 0 and variables["global_step"].dtype == np.int64
    assert not variables[f"{name}_slot_m"].any()
    assert variables[f"{name}_slot_v"].shape == (24, 24)


def test_training_command_names_all_that_the_model_needs(plain_t5, tmp_path):
    path = importing.import_hugging_face(plain_t5, model_dir=tmp_path / "my model")
    command = importing.training_command(path, data_dir=tmp_path / "data")
    words = shlex.split(command.replace("\\\n", " "))
    assert words[1:3] == ["-m", "t5.models.mesh_transformer_main"]
    assert words[3:] == [
        f"--model_dir={tmp_path / 'my model'}",
        f"--t5_tfds_data_dir={tmp_path / 'data'}",
        "--module_import=code_t5",
        "--gin_location_prefix=gin_configs/",
        "--gin_file=models/shared-prefix_lm.gin",
        f"--gin_file={tmp_path / 'my model' / 'hugging_face.gin'}",
        "--gin_param=MIXTURE_NAME = 'TASK'",
        "--gin_param=run.train_steps = 10000",
    ]


def test_optimizer_is_factored_as_adafactor_does():
    found = importing.optimizer_variables(
        {"wide": np.ones((128, 300)), "thin": np.ones((127, 300)), "norm": np.ones(500)}
    )
    assert {name: array.shape for name, array in found.items()} == {
        **{"wide_slot_m": (128, 300), "wide_slot_vr": (128,), "wide_slot_vc": (300,)},
        **{"thin_slot_m": (127, 300), "thin_slot_v": (127, 300)},
        **{"norm_slot_m": (500,), "norm_slot_v": (500,)},
    }


def test_shared_layers_are_shared_again_and_others_are_not(tmp_path, plain_t5):
    folder = make_t5(tmp_path / "shared", seed=1)
    path = folder / "model.safetensors"
    arrays = safetensors.numpy.load_file(path)
    for block in (0, 1):
        for decoder_layer, layer in ((0, 0), (2, 1)):
            start = f"encoder.block.{block}.layer.{layer}."
            for name in [name for name in arrays if name.startswith(start)]:
                other = f"decoder.block.{block}.layer.{decoder_layer}.{name[len(start) :]}"
                arrays[other] = arrays[name].copy()
    arrays["decoder.final_layer_norm.weight"] = arrays["encoder.final_layer_norm.weight"].copy()
    safetensors.numpy.save_file(arrays, path, metadata={"format": "pt"})
    shared = importing.import_hugging_face(folder, model_dir=tmp_path / "a").parent
    names = reading.variable_shapes(reading.checkpoint_path(shared))
    assert {name.split("/")[0] for name in names} == {"decoder", "shared", "global_step"}
    arrays["decoder.final_layer_norm.weight"][0] += 1e-6
    safetensors.numpy.save_file(arrays, path, metadata={"format": "pt"})
    apart = importing.import_hugging_face(folder, model_dir=tmp_path / "b").parent
    names = reading.variable_shapes(reading.checkpoint_path(apart))
    assert "encoder/rms_norm/scale" in names


def test_files_of_torch_are_read_and_nothing_in_them_is_run(plain_t5, tmp_path):
    import torch

    folder = pathlib.Path(shutil.copytree(plain_t5, tmp_path / "torch"))
    arrays = safetensors.numpy.load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    tensors = {name: torch.from_numpy(array) for name, array in arrays.items()}
    torch.save(tensors, folder / "pytorch_model.bin")
    path = importing.import_hugging_face(folder, model_dir=tmp_path / "model")
    variables = reading.read_variables(reading.checkpoint_path(path.parent))
    np.testing.assert_array_equal(variables["shared/embedding"], arrays["shared.weight"])

    class Trap:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "sprung"),)

    torch.save({**tensors, "x": Trap()}, folder / "pytorch_model.bin")
    with pytest.raises(errors.InputError, match="cannot read .*pytorch_model.bin"):
        importing.import_hugging_face(folder, model_dir=tmp_path / "other")
    assert not (tmp_path / "sprung").exists()
    assert not (tmp_path / "other").exists()


def _packed(path, tensors):
    import torch

    source = path.with_suffix(".plain")
    torch.save(tensors, source)
    with zipfile.ZipFile(source) as plain, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as zip_:
        for entry in plain.infolist():
            zip_.writestr(entry.filename, plain.read(entry))


def _saved(path, tensors):
    import torch

    torch.save(tensors, path)


def _hollow(path, tensors):
    _saved(path, {**tensors, "x": tensors["shared.weight"][:1, :1].expand(1 << 20, 1 << 20)})


def _many_names(path, tensors):
    # In half the numbers: each name would become a copy.
    wide = tensors["shared.weight"].half()
    _saved(path, {f"x{index}": wide for index in range(40)})


def _numbered(path, tensors):
    _saved(path, {**tensors, 3: tensors["shared.weight"]})


@pytest.mark.parametrize(
    ("write", "message"),
    [
        pytest.param(_packed, r"unpacks to \d+ bytes", id="packed"),
        pytest.param(_hollow, r"stands for \d+ bytes of numbers", id="hollow"),
        pytest.param(_many_names, r"stands for \d+ bytes of numbers", id="many names"),
        pytest.param(_numbered, "3 is no tensor", id="numbered"),
    ],
)
def test_file_of_torch_that_becomes_larger_than_it_is_is_refused(own_t5, tmp_path, write, message):
    import torch

    arrays = safetensors.numpy.load_file(own_t5 / "model.safetensors")
    (own_t5 / "model.safetensors").unlink()
    zeros = {name: torch.zeros(array.shape) for name, array in arrays.items()}
    write(own_t5 / "pytorch_model.bin", zeros)
    with pytest.raises(errors.InputError, match=message) as caught:
        importing.import_hugging_face(own_t5, model_dir=tmp_path / "model")
    assert "\n" not in str(caught.value)


def test_weights_with_four_names_and_torchs_first_format_are_read(own_t5, tmp_path):
    import torch

    _edit(own_t5 / "config.json", tie_word_embeddings=True)
    arrays = safetensors.numpy.load_file(own_t5 / "model.safetensors")
    (own_t5 / "model.safetensors").unlink()
    tensors = {name: torch.from_numpy(array) for name, array in arrays.items()}
    for name in ("encoder.embed_tokens", "decoder.embed_tokens", "lm_head"):
        tensors[f"{name}.weight"] = tensors["shared.weight"]
    for is_zip in (True, False):
        file = own_t5 / "pytorch_model.bin"
        torch.save(tensors, file, _use_new_zipfile_serialization=is_zip)
        path = importing.import_hugging_face(own_t5, model_dir=tmp_path / f"model_{is_zip}")
        variables = reading.read_variables(reading.checkpoint_path(path.parent))
        np.testing.assert_array_equal(variables["shared/embedding"], arrays["shared.weight"])


def test_name_of_a_weight_reaches_no_terminal_as_it_is(own_t5, tmp_path):
    path = own_t5 / "model.safetensors"
    arrays = safetensors.numpy.load_file(path)
    safetensors.numpy.save_file({**arrays, "\x1b[2J\n": np.ones(1, np.float32)}, path)
    with pytest.raises(errors.InputError, match=r"holds '\\x1b\[2J\\n', 1 weights") as caught:
        importing.import_hugging_face(own_t5, model_dir=tmp_path / "model")
    assert str(caught.value).isprintable()


def test_sharded_and_half_precision_weights_are_read(own_t5, tmp_path):
    import safetensors.torch

    tensors = safetensors.torch.load_file(own_t5 / "model.safetensors")
    (own_t5 / "model.safetensors").unlink()
    names = sorted(tensors)
    table = {name: f"part-{index % 2}.safetensors" for index, name in enumerate(names)}
    for file in ("part-0.safetensors", "part-1.safetensors"):
        part = {name: tensors[name].bfloat16() for name in names if table[name] == file}
        safetensors.torch.save_file(part, own_t5 / file)
    index = own_t5 / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": table}))
    path = importing.import_hugging_face(own_t5, model_dir=tmp_path / "model")
    variables = reading.read_variables(reading.checkpoint_path(path.parent))
    wanted = tensors["shared.weight"].bfloat16().float().numpy()
    np.testing.assert_array_equal(variables["shared/embedding"], wanted)
    index.write_text(json.dumps({"weight_map": {**table, "x": "../part.safetensors"}}))
    with pytest.raises(errors.InputError, match="wanted names of files beside it"):
        importing.import_hugging_face(own_t5, model_dir=tmp_path / "other")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model_type": "bart"}, "model_type 'bart'"),
        ({"d_model": -1}, "d_model -1"),
        ({"num_layers": 10**9}, "num_layers 1000000000"),
        ({"num_heads": True}, "num_heads True"),
        ({"feed_forward_proj": "gelu"}, "feed_forward_proj 'gelu'"),
        ({"relative_attention_max_distance": 64}, "max_distance 64"),
        ({"dropout_rate": float("nan")}, "dropout_rate nan"),
        ({"d_ff": 41}, r"wi_0.weight \[40, 24\]; wanted \[41, 24\]"),
        ({"num_layers": 3}, r"encoder.block.2.* not at all"),
        ({"num_layers": 1}, r"weights in all that mesh-tensorflow's T5 has not"),
    ],
)
def test_what_mesh_tensorflow_cannot_express_is_refused(own_t5, tmp_path, changes, message):
    _edit(own_t5 / "config.json", **changes)
    with pytest.raises(errors.InputError, match=message) as caught:
        importing.import_hugging_face(own_t5, model_dir=tmp_path / "model")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "model").exists()


@pytest.mark.parametrize("content", [b"", b"[1]", b"{" * 10_000, b'{"a": ' + b"9" * 5_000])
def test_settings_that_are_none_are_refused(own_t5, tmp_path, content):
    (own_t5 / "config.json").write_bytes(content)
    with pytest.raises(errors.InputError, match="config.json"):
        importing.import_hugging_face(own_t5, model_dir=tmp_path / "model")


def test_cut_weights_are_refused_in_one_line(own_t5, tmp_path):
    path = own_t5 / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-8])
    with pytest.raises(errors.InputError, match="cannot read .*model.safetensors"):
        importing.import_hugging_face(own_t5, model_dir=tmp_path / "model")
    path.unlink()
    with pytest.raises(errors.InputError, match="found neither model.safetensors nor"):
        importing.import_hugging_face(own_t5, model_dir=tmp_path / "model")


def test_model_directory_that_holds_something_is_left_alone(plain_t5, tmp_path):
    (tmp_path / "checkpoint").write_text("mine")
    with pytest.raises(errors.InputError, match="is not empty"):
        importing.import_hugging_face(plain_t5, model_dir=tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint"]


def test_missing_directory_is_named(tmp_path):
    with pytest.raises(errors.InputError, match="found no directory"):
        importing.import_hugging_face(tmp_path / "gone", model_dir=tmp_path / "model")

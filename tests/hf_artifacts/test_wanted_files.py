from __future__ import annotations

import pytest

from code_t5 import errors
from code_t5.hf_artifacts.fetching import dataset_files, wanted_files
from code_t5.hf_artifacts.fetching.hub_listing import HubFile
from code_t5.hf_artifacts.fetching.model_files import choose_model_files
from code_t5.hf_artifacts.requests import ArtefactRequest

_CARD = b"""---
configs:
- config_name: en
  data_files:
  - {split: train, path: en/train-*}
  - split: test
    path: [en/test.csv]
- config_name: de
  data_dir: de
- config_name: all
  data_files: "**/*.csv"
---
Text
"""
_PATHS = (
    "README.md", "en/train-0.csv", "en/train-1.csv", "en/test.csv", "en/notes.md", "de/a/b.csv",
    "de/c.csv", "script.py", ".gitattributes", "pictures/metadata.csv", "pictures/train/0.png",
)  # fmt: skip


def _files(*paths):
    return {path: HubFile(1, "0" * 40, False) for path in paths}


def _dataset(**fields):
    return ArtefactRequest("dataset", "org/name", **fields)


def _choose(request, *, card=_CARD, paths=_PATHS):
    return wanted_files.choose(request, files=_files(*paths), card=card)


def test_safetensors_are_taken_alone_where_there_are_any():
    chosen = choose_model_files(
        [
            "config.json", "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors",
            "model.safetensors.index.json", "pytorch_model.bin", "pytorch_model.bin.index.json",
            "model.fp16.safetensors", "tf_model.h5", "flax_model.msgpack", "rust_model.ot",
            "onnx/model.onnx", "onnx/config.json", "model.Q4.gguf", "consolidated.safetensors",
        ]
    )  # fmt: skip
    assert chosen == {
        "config.json", "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors",
        "model.safetensors.index.json",
    }  # fmt: skip


def test_pytorch_weights_are_taken_where_there_is_nothing_else():
    chosen = choose_model_files(
        ["config.json", "pytorch_model-00001-of-00001.bin", "pytorch_model.bin.index.json",
         "training_args.bin", "optimizer.bin", "tf_model.h5", "trainer_state.json"]
    )  # fmt: skip
    assert chosen == {
        "config.json", "pytorch_model-00001-of-00001.bin", "pytorch_model.bin.index.json",
    }  # fmt: skip


def test_tokenizers_templates_and_modules_of_sentence_transformers_are_taken():
    wanted = {
        "modules.json", "1_Pooling/config.json", "2_Dense/model.safetensors", "spiece.model",
        "vocab.txt", "merges.txt", "chat_template.jinja", "tokenizer.json", "README.md",
        "preprocessor_config.json", "generation_config.json", "2_Dense/config.json",
        "additional_chat_templates/rag.jinja", "model.safetensors",
    }  # fmt: skip
    others = {"train.py", "runs/a.json", "checkpoint-5/config.json", "2_Dense/pytorch_model.bin"}
    assert choose_model_files(wanted | others) == wanted


def test_folders_of_a_pipeline_are_taken():
    paths = {"model_index.json", "unet/config.json", "unet/diffusion_pytorch_model.safetensors"}
    assert choose_model_files({*paths, "onnx/config.json"}) == paths
    assert choose_model_files({*paths, "onnx/config.json"} - {"model_index.json"}) == set()


def test_configurations_are_found_by_the_card():
    read = {"README.md"}
    english = {"en/train-0.csv", "en/train-1.csv", "en/test.csv"}
    german = {"de/a/b.csv", "de/c.csv"}
    assert _choose(_dataset(configs=("en",))) == read | english
    assert _choose(_dataset(configs=("de",))) == read | german
    everything = read | english | german | {"pictures/metadata.csv"}
    assert _choose(_dataset(configs=("en", "all"))) == everything
    assert _choose(_dataset()) == everything


def test_without_a_card_all_data_are_taken_and_no_scripts():
    assert _choose(_dataset(), card=b"") == set(_PATHS) - {"script.py", ".gitattributes"}
    assert dataset_files.read_configs(b"---\nconfigs: 5\n---\n") == {}
    assert dataset_files.read_configs(b"---\n[unclosed\n---\n") == {}


def test_named_files_and_folders_are_taken():
    assert _choose(_dataset(data_dir="de")) == {"README.md", "de/a/b.csv", "de/c.csv"}
    named = _dataset(data_dir="en", data_files={"train": ("train-*",), "test": "test.csv"})
    assert _choose(named) == {"README.md", "en/train-0.csv", "en/train-1.csv", "en/test.csv"}
    pictures = _choose(_dataset(data_files="pictures/**"))
    assert pictures == {"README.md", "pictures/metadata.csv", "pictures/train/0.png"}
    with_table = _choose(_dataset(data_files="pictures/train/*"))
    assert "pictures/metadata.csv" in with_table


@pytest.mark.parametrize(
    ("request_", "said"),
    [
        (_dataset(configs=("eng",)), "no configuration 'eng'; wanted one of all, de, en; did you"),
        (_dataset(data_files="fr/*.csv"), "data_files 'fr/*.csv' matches no file of the dataset"),
        (_dataset(data_dir="../.."), "data_dir '../..' matches no file"),
        (_dataset(patterns=("*.arrow",)), "none for the pattern '*.arrow'"),
        (_dataset(ignore_patterns=("*",)), "none for what loading it takes"),
    ],
)
def test_what_is_not_there_is_said(request_, said):
    with pytest.raises(errors.InputError) as caught:
        _choose(request_)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_patterns_override_the_choice():
    request = ArtefactRequest(
        "model", "m", patterns=("*.bin", "onnx/"), ignore_patterns=("training*",)
    )
    paths = _files("a.bin", "training_args.bin", "onnx/model.onnx", "model.safetensors")
    assert wanted_files.choose(request, files=paths) == {"a.bin", "onnx/model.onnx"}


def test_of_a_metric_its_scripts_are_taken():
    paths = _files("accuracy.py", "app.py", "helper.py", "README.md", "tests.py", "x/y.py")
    request = ArtefactRequest("metric", "evaluate-metric/accuracy")
    assert wanted_files.choose(request, files=paths) == {"accuracy.py", "helper.py"}


def test_a_pattern_of_many_stars_takes_no_time():
    hostile = "---\nconfigs:\n- config_name: a\n  data_files: '" + "*a" * 60 + "'\n---\n"
    paths = ["a" * 200 + "b", "README.md"]
    assert _choose(_dataset(), card=hostile.encode(), paths=paths) == set(paths)


@pytest.mark.parametrize("pattern", ["[z-a].csv", "[", "a[!]b", "(", "\\"])
def test_a_pattern_that_is_none_matches_nothing(pattern):
    with pytest.raises(errors.InputError):
        _choose(_dataset(data_files=pattern))

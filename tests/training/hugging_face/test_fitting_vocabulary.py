"""A Task's vocabulary and a model's tokenizer are compared before a model is imported."""

from __future__ import annotations

import io
import json
import pathlib
import shutil

import pytest

from code_t5 import errors
from code_t5.training.hugging_face import fitting_vocabulary, tokenizer_files

_TASK = "small_prefix_lm"


@pytest.fixture(scope="module")
def tokenizer_dir(small_data_dir, tmp_path_factory):
    """A directory with the tokenizer of the Task's vocabulary, as `save_pretrained` leaves it."""
    folder = tmp_path_factory.mktemp("tokenizer")
    tokenizer_files.copy_vocabulary(small_data_dir / "vocabularies" / "default", folder)
    tokenizer_files.write_tokenizer(folder, kind="sentencepiece", add_eos=True, max_tokens=64)
    shutil.rmtree(folder / "vocabulary")
    return folder


@pytest.fixture
def model_dir(tokenizer_dir, tmp_path):
    """A copy of it of one's own."""
    return pathlib.Path(shutil.copytree(tokenizer_dir, tmp_path / "model"))


def _check(folder, data_dir, **changes):
    arguments = {"task": _TASK, "num_embeddings": 512, "data_dir": data_dir, **changes}
    fitting_vocabulary.check_vocabulary(pathlib.Path(folder), **arguments)


@pytest.mark.parametrize("missing", ["spiece.model", "tokenizer.json"])
def test_same_tokenizer_fits_fast_or_slow(model_dir, small_data_dir, missing):
    (model_dir / missing).unlink()
    _check(model_dir, small_data_dir)


def test_too_few_embeddings_are_refused(model_dir, small_data_dir):
    with pytest.raises(errors.VocabularyMismatchError, match=r"500 ids and the model .* 499"):
        _check(model_dir, small_data_dir, num_embeddings=499, only_size=True)


def test_first_id_that_differs_is_told(model_dir, small_data_dir):
    path = model_dir / "tokenizer.json"
    fields = json.loads(path.read_bytes())
    vocab = fields["model"]["vocab"]
    vocab["("], vocab[")"] = vocab[")"], vocab["("]
    path.write_text(json.dumps(fields))
    with pytest.raises(errors.VocabularyMismatchError, match="first that differs is number") as e:
        _check(model_dir, small_data_dir)
    assert "--nocheck_vocabulary" in str(e.value)
    _check(model_dir, small_data_dir, only_size=True)


def test_other_sentinels_are_told(model_dir, small_data_dir):
    path = model_dir / "tokenizer.json"
    fields = json.loads(path.read_bytes())
    for token in fields["added_tokens"]:
        if token["content"] == "<extra_id_0>":
            token["content"] = "<extra_id_100>"
    path.write_text(json.dumps(fields))
    config = model_dir / "tokenizer_config.json"
    config.write_text(json.dumps({"tokenizer_class": "PreTrainedTokenizerFast"}))
    (model_dir / "special_tokens_map.json").unlink()
    with pytest.raises(errors.VocabularyMismatchError, match="has <extra_id_0> as"):
        _check(model_dir, small_data_dir)


def test_model_without_tokenizer_is_refused(tmp_path, small_data_dir):
    with pytest.raises(errors.InputError, match="found no tokenizer"):
        _check(tmp_path, small_data_dir)


def test_damaged_tokenizer_is_refused_in_one_line(model_dir, small_data_dir):
    (model_dir / "tokenizer.json").write_text("{")
    (model_dir / "spiece.model").unlink()
    with pytest.raises(errors.InputError, match="cannot be read") as caught:
        _check(model_dir, small_data_dir)
    assert "\n" not in str(caught.value)


def test_code_of_a_tokenizer_is_not_run(model_dir, small_data_dir, tmp_path, monkeypatch):
    # transformers would ask, and somebody would have piped `yes` into the program.
    monkeypatch.setattr("sys.stdin", io.StringIO("y\n" * 9))
    monkeypatch.setenv("HF_HOME", str(tmp_path / "home"))
    config = json.loads((model_dir / "tokenizer_config.json").read_bytes())
    config["auto_map"] = {"AutoTokenizer": ["trap.Trap", "trap.Trap"]}
    config["tokenizer_class"] = "Trap"
    (model_dir / "tokenizer_config.json").write_text(json.dumps(config))
    (model_dir / "trap.py").write_text(f"import os\nos.mkdir({str(tmp_path / 'sprung')!r})\n")
    with pytest.raises(errors.InputError, match="no code of a model is run"):
        _check(model_dir, small_data_dir)
    assert not (tmp_path / "sprung").exists()


def test_unknown_task_is_told(model_dir, tmp_path):
    with pytest.raises(errors.NotBuiltError, match=_TASK):
        _check(model_dir, tmp_path)

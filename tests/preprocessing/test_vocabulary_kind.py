from __future__ import annotations

import dataclasses
import subprocess
import sys

import pytest
import small_build

from code_t5 import errors
from code_t5.encoding import byte_bpe_model, piece_model, token_model
from fakes import write_code_repositories
from preprocessing import build_config, lossless

_BYTES = dataclasses.replace(small_build.VOCABULARY, kind="byte_bpe")


def _folder(config):
    return build_config.vocabulary_dir(config.data_dir, config.vocabulary.name)


def test_build_trains_and_proves_the_kind_that_was_asked_for(tmp_path):
    write_code_repositories(tmp_path / "in")
    config = small_build.config_for(tmp_path, vocabulary=_BYTES)
    report = small_build.run_build(config)
    fields = piece_model.read_vocabulary_manifest(_folder(config))
    assert (fields["kind"], fields["requested_vocab_size"]) == ("byte_bpe", 400)
    assert report["vocabulary"]["fingerprint"] == fields["fingerprint"]
    texts = [e["text"] for _, e in small_build.examples_of(config)]
    assert report["lossless"] == {"num_texts": len(texts), "num_differing": 0}
    model = token_model.load_token_model(_folder(config))
    num_tokens = sum(len(model.encode(text.decode())) for text in texts)
    assert report["vocabulary"]["num_tokens"] == num_tokens


def test_another_kind_is_refused_before_and_after_the_data_set_is_finished(tmp_path):
    write_code_repositories(tmp_path / "in")
    config = small_build.config_for(tmp_path)
    small_build.run_build(config)
    for name in ("small", "second"):
        other = dataclasses.replace(config, name=name, vocabulary=_BYTES)
        with pytest.raises(
            errors.VocabularyMismatchError, match="kind sentencepiece; wanted --vocabulary_kind=by"
        ):
            small_build.run_build(other)
    assert not (small_build.dataset_folder(config).parent.parent / "second").exists()


def test_existing_vocabulary_is_taken_where_no_kind_is_asked_for(tmp_path):
    write_code_repositories(tmp_path / "in")
    config = small_build.config_for(tmp_path, vocabulary=_BYTES)
    first = small_build.run_build(config)
    second = dataclasses.replace(config, name="second", vocabulary=small_build.VOCABULARY)
    found = small_build.run_build(second)["vocabulary"]["fingerprint"]
    assert found == first["vocabulary"]["fingerprint"]


def test_two_kinds_may_lie_side_by_side(tmp_path):
    write_code_repositories(tmp_path / "in")
    for name, kind in (("pieces", None), ("bytes", "byte_bpe")):
        vocabulary = dataclasses.replace(small_build.VOCABULARY, name=name, kind=kind)
        small_build.run_build(small_build.config_for(tmp_path, name=name, vocabulary=vocabulary))
        found = piece_model.read_vocabulary_manifest(tmp_path / "data/vocabularies" / name)
        assert found["kind"] == (kind or "sentencepiece")


def test_check_of_a_data_set_finds_what_a_byte_vocabulary_loses(tmp_path, monkeypatch):
    write_code_repositories(tmp_path / "in")
    config = small_build.config_for(tmp_path, vocabulary=_BYTES)
    small_build.run_build(config)
    model = byte_bpe_model.load_byte_bpe_model(_folder(config))
    texts = ["plain=1\n", "with \0 and \x10\n", "\u2581 é"]
    contents = [text.encode() for text in texts]
    outcome = lossless.check_lossless_batch(_folder(config), contents)
    assert outcome == ((), tuple(len(model.encode(text)) for text in texts))
    lossless._checker.cache_clear()
    (token_id,) = model.encode("=")
    changed = [*model._bytes[:token_id], b"-", *model._bytes[token_id + 1 :]]
    monkeypatch.setattr(model, "_bytes", changed)
    assert lossless.check_lossless_batch(_folder(config), contents).differing == (0,)
    lossless._checker.cache_clear()


def _run_program(tmp_path, *arguments):
    return subprocess.run(
        [
            sys.executable, "-m", "preprocessing.build", f"--input_dir={tmp_path / 'in'}",
            f"--data_dir={tmp_path / 'data'}", "--num_workers=1", "--name=small", *arguments,
        ],
        capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_flag_of_the_program_arrives(tmp_path):
    write_code_repositories(tmp_path / "in")
    done = _run_program(tmp_path, "--vocabulary_kind=byte_bpe", "--vocab_size=300")
    assert done.returncode == 0, done.stderr
    folder = tmp_path / "data" / "vocabularies" / "default"
    assert piece_model.read_vocabulary_manifest(folder)["kind"] == "byte_bpe"
    assert (folder / "tokenizer.json").exists()


def test_unknown_kind_is_refused(tmp_path):
    done = _run_program(tmp_path, "--vocabulary_kind=unigram")
    assert done.returncode == 1
    assert "should be one of <sentencepiece|byte_bpe>" in done.stderr + done.stdout

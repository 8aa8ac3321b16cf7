from __future__ import annotations

import json
import sys

import gpt2_like
import pytest
import refusals

from code_t5.token_cache.tokenizing import hugging_face_files


@pytest.fixture
def saved(tmp_path):
    """The folder of a fast tokenizer that was saved."""
    folder = tmp_path / "saved"
    folder.mkdir()
    hugging_face_files.save(gpt2_like.hugging_face_tokenizer(), folder)
    return folder


def test_files_are_listed_by_their_paths_within_the_folder(tmp_path):
    for name in ("b.txt", "a/c.txt", "a/b/d.txt"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("")
    assert hugging_face_files.list_files(tmp_path) == ["a/b/d.txt", "a/c.txt", "b.txt"]


def test_versions_are_those_of_distributions():
    import tokenizers

    assert hugging_face_files.version_of("tokenizers") == tokenizers.__version__
    assert hugging_face_files.version_of("no-such-distribution") == "absent"


def test_only_the_head_of_a_tokenizer_is_parsed():
    text = '{ "version" : "1.0", "added_tokens":[{"content":"model\\""}],\n "model": {"vocab": ...'
    fields, position = hugging_face_files.read_head(text)
    assert fields == {"version": "1.0", "added_tokens": [{"content": 'model"'}]}
    assert text[position:] == '"model": {"vocab": ...'


@pytest.mark.parametrize("text", ["", "[]", '{"version"', '{"version": ', '{"version": "1.0"}'])
def test_what_is_no_tokenizer_has_no_head(text):
    with pytest.raises(ValueError, match=r"."):
        hugging_face_files.read_head(text)


@pytest.mark.parametrize(
    ("change", "is_same"),
    [
        ({"padding": {"length": 9}}, True),
        ({"truncation": {"max_length": 3}}, True),
        ({"normalizer": {"type": "NFC"}}, False),
        ({"model": {"vocab": {"b": 0}}}, False),
    ],
)
def test_the_hash_is_of_what_decides_on_ids(change, is_same):
    fields = {"padding": None, "truncation": None, "normalizer": None, "model": {"vocab": {"a": 0}}}
    first, second = (
        hugging_face_files.backend_hash(json.dumps(made)) for made in (fields, {**fields, **change})
    )
    assert (first == second) is is_same


def test_a_fast_tokenizer_is_known_by_its_backend_and_not_by_its_files():
    tokenizer = gpt2_like.hugging_face_tokenizer()
    identity = hugging_face_files.identity(tokenizer, {"vocab.json": "0"})
    assert identity == {
        "kind": "hugging_face",
        "class": type(tokenizer).__name__,
        "eos_id": tokenizer.eos_token_id,
        "split_special_tokens": False,
        "tokenizer": hugging_face_files.backend_hash(tokenizer.backend_tokenizer.to_str()),
    }


def test_a_saved_tokenizer_is_loaded_as_it_was(saved):
    tokenizer = gpt2_like.hugging_face_tokenizer()
    for is_fast in (True, False):
        loaded = hugging_face_files.load_folder(str(saved), is_fast=is_fast)
        assert loaded.is_fast is is_fast
        assert loaded.encode("def f(x)") == tokenizer.encode("def f(x)")


def test_a_folder_that_cannot_be_loaded_is_one_line(saved):
    (saved / "tokenizer.json").write_text("{}")
    refusals.assert_refused(
        lambda: hugging_face_files.load_folder(str(saved), is_fast=True),
        match="cannot load the tokenizer .*wanted what save_pretrained wrote",
        unchanged=saved,
    )


def test_the_name_of_a_folder_asks_nobody(saved, monkeypatch):
    def ask(name):
        raise RuntimeError(f"asked for {name}")

    monkeypatch.setattr(hugging_face_files.hub_files, "fetch_tokenizer", ask)
    loaded = hugging_face_files.load_by_name(str(saved), local_files_only=False)
    assert loaded.is_fast


def test_damage_to_what_was_fetched_is_told_as_it_is(monkeypatch):
    import transformers

    def from_pretrained(name, **options):
        del name, options
        raise ValueError("not a tokenizer\nat all")

    monkeypatch.setattr(transformers.AutoTokenizer, "from_pretrained", from_pretrained)
    # Offline, as all tests are.
    refusals.assert_refused(
        lambda: hugging_face_files.load_by_name("gpt2", local_files_only=False),
        match="cannot load the tokenizer 'gpt2': not a tokenizer at all; wanted",
    )


def test_tokenizers_of_both_libraries_are_taken():
    tokenizer = gpt2_like.hugging_face_tokenizer()
    assert hugging_face_files.as_hugging_face(tokenizer) is tokenizer
    wrapped = hugging_face_files.as_hugging_face(gpt2_like.backend())
    assert wrapped.encode("def f(x)") == tokenizer.encode("def f(x)")
    refusals.assert_refused(
        lambda: hugging_face_files.as_hugging_face("gpt2"), match="the tokenizer is a str"
    )


def test_without_transformers_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "transformers", None)
    refusals.assert_refused(
        lambda: hugging_face_files.load_by_name("gpt2", local_files_only=True),
        match=r"install it with: pip install 'code_t5\[hf\]'",
    )


def test_a_tokenizer_that_cannot_be_saved_is_one_line(tmp_path):
    class Broken:
        def save_pretrained(self, folder):
            raise NotImplementedError(f"no\nfiles for {folder}")

    refusals.assert_refused(
        lambda: hugging_face_files.save(Broken(), tmp_path),
        match="the tokenizer Broken cannot be saved: no files for",
        unchanged=tmp_path,
    )


def test_a_folder_that_holds_something_is_not_written_to(saved):
    refusals.assert_refused(
        lambda: hugging_face_files.save(gpt2_like.hugging_face_tokenizer(), saved),
        match="wanted an empty one",
        unchanged=saved,
    )

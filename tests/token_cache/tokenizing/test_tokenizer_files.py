from __future__ import annotations

import os
import pathlib
import pickle
import subprocess
import sys

import gpt2_like
import pytest
import refusals

from code_t5 import errors
from code_t5.encoding import token_model
from code_t5.token_cache.tokenizing import tokenizer_files

TEXT = "def f(x):\n\treturn  'it\u2019s' + \u4e2d\U0001f600<|endoftext|> 12"


@pytest.fixture(scope="module")
def hugging_face():
    return gpt2_like.hugging_face_tokenizer()


@pytest.fixture
def stored(hugging_face, tmp_path):
    return tokenizer_files.store_tokenizer(hugging_face, folder=tmp_path / "tokenizer")


def identity_of(tokenizer, folder: pathlib.Path) -> dict:
    return tokenizer_files.store_tokenizer(tokenizer, folder=folder).identity


def test_a_stored_tokenizer_gives_the_ids_of_the_one_it_was_made_of(hugging_face, stored):
    ids = hugging_face.encode(TEXT, add_special_tokens=False)
    assert stored.load().encode(TEXT, add_special_tokens=False) == ids
    assert stored.decode(ids) == TEXT
    assert stored.kind == "hugging_face"
    assert stored.is_fast
    assert (stored.vocab_size, stored.eos_id) == (330, 0)
    assert stored.require_eos_id() == 0


def test_a_stored_tokenizer_comes_back_from_its_manifest_and_from_a_pickle(stored):
    fields = stored.manifest_fields
    assert "folder" not in fields
    assert tokenizer_files.open_stored(stored.folder, fields) == stored
    assert pickle.loads(pickle.dumps(stored)) == stored  # noqa: S301


def test_the_files_are_text_and_the_same_each_time(hugging_face, stored, tmp_path):
    again = tokenizer_files.store_tokenizer(hugging_face, folder=tmp_path / "again")
    assert again.files == stored.files
    assert again.identity == stored.identity
    for name in stored.files:
        assert name.endswith((".json", ".txt"))
        assert str(tmp_path) not in (stored.path / name).read_text("utf-8")


def test_a_copy_of_the_files_is_the_same_tokenizer(stored, tmp_path):
    copy = stored.copy_to(tmp_path / "copy")
    assert refusals.content(copy.path) == refusals.content(stored.path)
    assert copy == stored.moved_to(tmp_path / "copy")
    copy.check_files()


def test_a_name_is_as_good_as_the_tokenizer(stored, tmp_path):
    named = tokenizer_files.store_tokenizer(
        None, tokenizer_name=stored.folder, local_files_only=True, folder=tmp_path / "named"
    )
    assert named.identity == stored.identity


def test_a_tokenizer_of_the_library_tokenizers_is_taken_too(hugging_face, tmp_path):
    stored = tokenizer_files.store_tokenizer(gpt2_like.backend(), folder=tmp_path / "tokenizer")
    assert stored.eos_id is None
    ids = hugging_face.encode(TEXT, add_special_tokens=False)
    assert stored.load().encode(TEXT, add_special_tokens=False) == ids
    refusals.assert_refused(stored.require_eos_id, match="no end-of-text token.*use_eos_token")


def test_padding_and_truncation_are_no_part_of_the_identity(stored, tmp_path):
    cutting = gpt2_like.backend()
    cutting.enable_padding(length=9, pad_token=gpt2_like.END_OF_TEXT)
    cutting.enable_truncation(3)
    tokenizer = gpt2_like.hugging_face_tokenizer(tokenizer_object=cutting)
    same = tokenizer_files.store_tokenizer(tokenizer, folder=tmp_path / "cutting")
    assert same.identity == stored.identity
    assert (
        len(tokenizer_files.load_backend(same.folder, same.files["tokenizer.json"]).encode("a").ids)
        == 1
    )


def test_whatever_changes_ids_changes_the_identity(stored, tmp_path):
    added = gpt2_like.hugging_face_tokenizer()
    added.add_tokens(["foo bar"])
    fewer = gpt2_like.backend().to_str().replace('"ignore_merges":false', '"ignore_merges":true')
    import tokenizers

    found = [
        identity_of(tokenizer, tmp_path / str(number))
        for number, tokenizer in enumerate(
            (
                added,
                gpt2_like.hugging_face_tokenizer(
                    tokenizer_object=tokenizers.Tokenizer.from_str(fewer)
                ),
                gpt2_like.hugging_face_tokenizer(eos_token="<end>"),
                gpt2_like.hugging_face_tokenizer(split_special_tokens=True),
                gpt2_like.hugging_face_tokenizer(add_prefix_space=True),
            )
        )
    ]
    for number, identity in enumerate(found):
        assert identity not in [stored.identity, *found[:number]], number


def test_the_vocabulary_counts_added_tokens(tmp_path):
    tokenizer = gpt2_like.hugging_face_tokenizer()
    tokenizer.add_tokens(["foo bar", "baz"])
    stored = tokenizer_files.store_tokenizer(tokenizer, folder=tmp_path / "tokenizer")
    assert stored.vocab_size == 332
    assert max(stored.load().encode("baz foo bar")) == 331


def test_a_slow_tokenizer_is_known_by_its_files_and_libraries(stored, tmp_path):
    import transformers

    slow = transformers.GPT2Tokenizer.from_pretrained(stored.folder)
    kept = tokenizer_files.store_tokenizer(slow, folder=tmp_path / "slow")
    assert not kept.is_fast
    assert kept.identity["libraries"]["transformers"] == transformers.__version__
    assert kept.identity["files"] == kept.files
    loaded = kept.load()
    assert type(loaded) is transformers.GPT2Tokenizer
    ids = slow.encode(TEXT)
    assert kept.decode(ids) == TEXT == loaded.decode(ids)


def test_what_a_tokenizer_does_in_python_and_its_files_do_not_is_refused(tmp_path):
    import transformers

    class Shouting(transformers.GPT2TokenizerFast):
        def encode(self, text, *args, **kwargs):
            return super().encode(text.upper(), *args, **kwargs)

    tokenizer = Shouting(tokenizer_object=gpt2_like.backend(), eos_token="<|endoftext|>")
    refusals.assert_refused(
        lambda: tokenizer_files.store_tokenizer(tokenizer, folder=tmp_path / "tokenizer"),
        match="Shouting",
    )


@pytest.mark.parametrize("arguments", [{}, {"tokenizer_name": "gpt2", "tokenizer": object()}])
def test_one_tokenizer_must_be_named(arguments, tmp_path):
    refusals.assert_refused(
        lambda: tokenizer_files.store_tokenizer(
            **{"tokenizer": None, **arguments}, folder=tmp_path / "tokenizer"
        ),
        match="pass tokenizer or tokenizer_name",
    )


def test_what_is_no_tokenizer_is_refused(tmp_path):
    refusals.assert_refused(
        lambda: tokenizer_files.store_tokenizer("gpt2", folder=tmp_path / "tokenizer"),
        match="the tokenizer is a str",
    )


def test_a_name_that_cannot_be_found_is_one_line(tmp_path):
    refusals.assert_refused(
        lambda: tokenizer_files.store_tokenizer(
            None, tokenizer_name="nobody/nothing", folder=tmp_path / "tokenizer"
        ),
        match="cannot load the tokenizer 'nobody/nothing'",
    )


def test_without_transformers_the_extra_is_named(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "transformers", None)
    for name in (None, "gpt2"):
        tokenizer = None if name else gpt2_like.backend()
        refusals.assert_refused(
            lambda tokenizer=tokenizer, name=name: tokenizer_files.store_tokenizer(
                tokenizer, tokenizer_name=name, folder=tmp_path / "tokenizer"
            ),
            match=r"transformers is not installed.*code_t5\[hf\]",
        )


def test_a_folder_that_holds_something_is_refused(hugging_face, tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    refusals.assert_refused(
        lambda: tokenizer_files.store_tokenizer(hugging_face, folder=tmp_path),
        match="holds mine.txt",
        unchanged=tmp_path,
    )


@pytest.mark.parametrize("name", ["tokenizer.json", "tokenizer_config.json"])
def test_a_changed_file_is_refused(stored, name):
    with open(stored.path / name, "r+b") as file:
        file.seek(-2, os.SEEK_END)
        file.write(b" ")
    for function in (
        stored.load,
        lambda: tokenizer_files.open_stored(stored.folder, stored.manifest_fields),
    ):
        refusals.assert_refused(function, match=f"{name} has SHA-256")


def test_a_missing_file_is_refused(stored):
    (stored.path / "merges.txt").unlink()
    refusals.assert_refused(stored.load, match="has no merges.txt")


def test_a_foreign_file_is_refused(stored):
    (stored.path / "tokenization_mine.py").write_text("raise SystemExit")
    refusals.assert_refused(stored.load, match="has a foreign file tokenization_mine.py")


@pytest.mark.parametrize(
    "change",
    [
        {"kind": "pickle"},
        {"vocab_size": "330"},
        {"eos_id": "0"},
        {"identity": None},
        {"files": {"../../secret": "0"}},
        {"files": {"/etc/passwd": "0"}},
        {"files": ["tokenizer.json"]},
    ],
)
def test_fields_that_no_writer_wrote_are_refused(stored, change):
    refusals.assert_refused(
        lambda: tokenizer_files.open_stored(stored.folder, {**stored.manifest_fields, **change}),
        match=f"no usable {next(iter(change))}",
    )


def test_a_file_that_the_library_cannot_read_is_one_line(stored):
    (stored.path / "tokenizer.json").write_text("{}")
    sha256 = tokenizer_files.fingerprints.hash_bytes(b"{}")
    refusals.assert_refused(
        lambda: tokenizer_files.load_backend(stored.folder, sha256),
        match="cannot read .*tokenizer.json",
    )


def test_decoding_with_a_fast_tokenizer_loads_no_framework(stored):
    program = (
        "import json, sys\n"
        "from code_t5.token_cache.tokenizing import tokenizer_files\n"
        "stored = tokenizer_files.open_stored(sys.argv[1], json.loads(sys.argv[2]))\n"
        "print(repr(stored.decode([0])))\n"
        "print([name for name in ('transformers', 'torch', 'tensorflow') if name in sys.modules])\n"
    )
    import json

    arguments = [sys.executable, "-c", program, stored.folder, json.dumps(stored.manifest_fields)]
    output = subprocess.run(arguments, check=True, capture_output=True, text=True).stdout
    assert output == "'<|endoftext|>'\n[]\n"


def test_a_vocabulary_of_code_t5_is_stored_with_its_library(small_data_dir, tmp_path):
    vocabulary_dir = pathlib.Path(small_data_dir, "vocabularies", "default")
    stored = tokenizer_files.store_vocabulary(vocabulary_dir, tmp_path / "tokenizer")
    model = token_model.load_token_model(vocabulary_dir)
    assert stored.kind == "code_t5"
    assert (stored.vocab_size, stored.eos_id) == (model.vocab_size, 1)
    assert stored.identity["library"].startswith("sentencepiece 0.")
    text = "def f(x):\n    return x\n"
    ids = model.encode(text)
    assert stored.load().encode(text) == ids
    assert stored.decode([*ids, 1, *ids]) == f"{text}</s>{text}"
    assert tokenizer_files.open_stored(stored.folder, stored.manifest_fields) == stored


def test_a_vocabulary_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(errors.NotBuiltError):
        tokenizer_files.store_vocabulary(tmp_path / "none", tmp_path / "tokenizer")

"""Which tokenizer encodes a cache."""

from __future__ import annotations

import pathlib

import pytest
import small_tokenizer

from code_t5 import errors
from code_t5.storage import prepared
from code_t5.token_cache import tokenizer_choice
from code_t5.token_cache.tokenizer_choice import TokenizerChoice


@pytest.fixture(name="tokenizer", scope="module")
def _tokenizer():
    return small_tokenizer.hugging_face_tokenizer()


@pytest.fixture(name="dataset")
def _dataset(tmp_path):
    dataset = prepared.PreparedDataset("small", tmp_path)
    dataset.vocabulary_dir.mkdir(parents=True)
    dataset.vocabulary_dir.with_name("other").mkdir()
    return dataset


@pytest.mark.parametrize(
    ("fields", "found"),
    [
        ({}, "no tokenizer"),
        ({"tokenizer": 1, "tokenizer_name": "b"}, "tokenizer and tokenizer_name"),
        ({"tokenizer_name": "b", "vocabulary_dir": "c"}, "tokenizer_name and vocabulary_dir"),
    ],
)
def test_exactly_one_is_wanted(fields, found):
    choice = TokenizerChoice(**fields)
    with pytest.raises(errors.InputError, match=f"got {found}; wanted one of"):
        choice.check()
    with (
        pytest.raises(errors.InputError, match=f"got {found}; wanted one of"),
        tokenizer_choice.stored_tokenizer(choice),
    ):
        pass
    TokenizerChoice(tokenizer_name="gpt2").check()


def test_what_was_asked_for_is_recorded_by_name(tokenizer, tmp_path):
    named = small_tokenizer.hugging_face_tokenizer()
    named.name_or_path = "org/name"
    found = [
        TokenizerChoice(tokenizer_name="gpt2").config,
        TokenizerChoice(tokenizer_name=tmp_path).config,
        TokenizerChoice(named).config,
        TokenizerChoice(tokenizer).config,
        TokenizerChoice(vocabulary_dir=tmp_path / "words").config,
    ]
    assert found == [
        {"tokenizer_name": "gpt2"},
        {"tokenizer_name": str(tmp_path)},
        {"tokenizer_name": "org/name"},
        {"tokenizer_name": None},
        {"vocabulary": "words"},
    ]


def test_files_live_as_long_as_the_block(tokenizer):
    with tokenizer_choice.stored_tokenizer(TokenizerChoice(tokenizer)) as stored:
        folder = pathlib.Path(stored.folder)
        assert (folder / "tokenizer.json").is_file()
        assert stored.eos_id == 0
    assert not folder.exists()


def test_a_data_set_is_encoded_by_its_own_vocabulary_unless_another_is_named(dataset, tokenizer):
    def choose(choice, vocabulary=None):
        return tokenizer_choice.choose_flcc_tokenizer(dataset, choice=choice, vocabulary=vocabulary)

    own, other = dataset.vocabulary_dir, dataset.vocabulary_dir.with_name("other")
    assert choose(TokenizerChoice()) == TokenizerChoice(vocabulary_dir=own)
    assert choose(TokenizerChoice(tokenizer)) == TokenizerChoice(tokenizer)
    assert choose(TokenizerChoice(), "other") == TokenizerChoice(vocabulary_dir=other)
    assert choose(TokenizerChoice(), str(other)) == TokenizerChoice(vocabulary_dir=other)
    with pytest.raises(errors.InputError, match="got tokenizer_name and vocabulary_dir"):
        choose(TokenizerChoice(tokenizer_name="gpt2"), "other").check()
    with pytest.raises(
        errors.InputError, match="no vocabulary .*; wanted one of .*other"
    ) as caught:
        choose(TokenizerChoice(), "third")
    assert "\n" not in str(caught.value)

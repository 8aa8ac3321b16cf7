"""A model directory remembers its vocabulary: two of one size would fit without a word."""

from __future__ import annotations

import json

import pytest
from training.checkpoints import tiny_checkpoints

from code_t5 import errors
from code_t5.data import vocabularies
from code_t5.storage import prepared
from code_t5.training.checkpoints import going_on, vocabulary_record


class Vocabulary:
    """Stands in for a vocabulary: only its fingerprint is looked at."""

    def __init__(self, fingerprint):
        self.fingerprint = fingerprint


FIRST, SECOND = Vocabulary("a" * 64), Vocabulary("b" * 64)


def test_model_goes_on_with_its_vocabulary_only(tmp_path):
    going_on.prepare(str(tmp_path), (FIRST, FIRST))
    tiny_checkpoints.save(tmp_path, [10])
    going_on.prepare(str(tmp_path), FIRST)
    before = tiny_checkpoints.contents(tmp_path)
    with pytest.raises(errors.VocabularyMismatchError) as caught:
        going_on.prepare(str(tmp_path), SECOND)
    assert f"trained with the vocabulary {'a' * 16}; wanted {'b' * 16}, " in str(caught.value)
    assert "name another --model_dir" in str(caught.value)
    assert tiny_checkpoints.contents(tmp_path) == before


def test_inputs_and_targets_may_have_one_each(tmp_path):
    tiny_checkpoints.save(tmp_path, [10])
    going_on.prepare(str(tmp_path), (FIRST, SECOND))
    record = json.loads((tmp_path / "vocabulary.json").read_text())
    assert record["fingerprints"] == ["a" * 64, "b" * 64]
    with pytest.raises(errors.VocabularyMismatchError, match="a+ and b+; wanted b+, "):
        going_on.prepare(str(tmp_path), (SECOND, SECOND))


def test_before_the_first_checkpoint_another_one_may_be_tried(tmp_path):
    going_on.prepare(str(tmp_path), FIRST)
    going_on.prepare(str(tmp_path), SECOND)
    tiny_checkpoints.save(tmp_path, [10])
    going_on.prepare(str(tmp_path), SECOND)


def test_vocabularies_without_a_fingerprint_leave_no_record(tmp_path):
    for vocabulary in (None, object(), (FIRST, object())):
        going_on.prepare(str(tmp_path), vocabulary)
    assert not (tmp_path / "vocabulary.json").exists()


@pytest.mark.parametrize("text", ["", "{}", "[1]", '{"format": "x", "version": 1}', "[" * 60_000])
def test_record_of_something_else_is_refused_with_its_name(tmp_path, text):
    tiny_checkpoints.save(tmp_path, [10])
    (tmp_path / "vocabulary.json").write_text(text)
    with pytest.raises(errors.ArtifactError, match="vocabulary.json is not the record .* remove"):
        going_on.prepare(str(tmp_path), FIRST)


@pytest.mark.parametrize(
    ("version", "fingerprints"),
    [
        (1, ["\x1b[31mred\nfoo"]),
        (1, [1, {"a": 2}]),
        (1, []),
        (1, "a" * 64),
        (1, ["a" * 64] * 3),
        (True, ["a" * 64]),
    ],
)
def test_record_that_holds_other_words_is_refused_without_repeating_them(
    tmp_path, version, fingerprints
):
    tiny_checkpoints.save(tmp_path, [10])
    record = {
        "format": "code_t5_model_vocabulary",
        "version": version,
        "fingerprints": fingerprints,
    }
    (tmp_path / "vocabulary.json").write_text(json.dumps(record))
    with pytest.raises(errors.ArtifactError, match="vocabulary.json is not the record") as caught:
        going_on.prepare(str(tmp_path), FIRST)
    assert "red" not in str(caught.value)


def test_fingerprint_of_a_data_sets_vocabulary_is_taken(small_data_dir):
    dataset = prepared.list_datasets(str(small_data_dir))[0]
    vocabulary = vocabularies.open_vocabulary(str(dataset.vocabulary_dir))
    assert vocabulary_record.fingerprints((vocabulary, vocabulary)) == [vocabulary.fingerprint]

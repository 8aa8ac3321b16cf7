"""Texts in and out of an export."""

from __future__ import annotations

import dataclasses
import json
import shutil

import numpy as np
import pytest

from code_t5 import errors
from code_t5.encoding import token_model
from code_t5.storage import manifest
from code_t5.training.saved_model import exported
from code_t5.training.saved_model.runner import Candidates
from code_t5.training.saved_model.text_runner import TextRunner

PROMPTS = ["def read(path):\n    ", "", "import os\r\n\té", "x", "class A"]


@pytest.fixture(scope="module")
def texts(small_export):
    return TextRunner(small_export)


def answers(texts, rows, **info):
    """What a runner says whose model wrote some ids."""
    other = object.__new__(TextRunner)
    other.__dict__.update(texts.__dict__)
    model_info = dataclasses.replace(texts.runner.model_info, **info)
    other.runner = type("ToldRunner", (), {"model_info": model_info})()
    ids = np.zeros((1, len(rows), 12), np.int32)
    for row, values in zip(ids[0], rows):
        row[: len(values)] = values
    (found,) = other.decode(Candidates(ids, -np.arange(1.0, len(rows) + 1)[None]))
    return found


def test_prompts_are_encoded_as_the_task_does(texts, trained_small):
    model = token_model.load_token_model(trained_small.data_dir / "vocabularies" / "default")
    assert texts.encode("def f") == [*model.encode("def f"), 1]


def test_of_a_long_prompt_the_end_counts(texts):
    long = "".join(f"name{number} = {number}\n" for number in range(200))
    whole = texts.vocabulary.encode(long)
    assert texts.encode(long) == [*whole[-63:], 1]


def test_more_prompts_than_a_batch_are_worked_off(texts):
    together = texts.complete(PROMPTS)
    assert len(together) == 5
    for prompt, (candidate,) in zip(PROMPTS, together):
        ((alone,),) = texts.complete([prompt])
        assert alone.text == candidate.text
        assert alone.score == pytest.approx(candidate.score, rel=1e-5)
        assert candidate.is_finished or candidate.num_tokens == 12
    assert texts.complete([]) == []


def test_text_is_what_the_ids_say(texts):
    ids = texts.vocabulary.encode("return 1\n")
    finished, cut = answers(texts, [[*ids, 1], ids])
    assert (finished.text, finished.score, finished.is_finished) == ("return 1\n", -1.0, True)
    assert (cut.text, cut.score, cut.is_finished) == ("return 1\n", -2.0, False)
    assert (finished.num_tokens, cut.num_tokens) == (len(ids) + 1, len(ids))


def test_line_ends_with_its_line(texts):
    ids = texts.vocabulary.encode("a = 1\n    ")
    (line,) = answers(texts, [ids], stop_at_newline=True)
    assert (line.text, line.is_finished) == ("a = 1", True)
    (open_line,) = answers(texts, [texts.vocabulary.encode("a =")], stop_at_newline=True)
    assert (open_line.text, open_line.is_finished) == ("a =", False)


def test_filled_span_stands_between_its_sentinels(texts):
    size = texts.runner.model_info.vocab_size
    ids = texts.vocabulary.encode("a = 1")
    found = answers(
        texts,
        [[size - 1, *ids, size - 2], [size - 1, *ids, 1], [size - 1, *ids]],
        objective="span_corruption",
    )
    assert [(one.text, one.is_finished) for one in found] == [
        ("a = 1", True),
        ("a = 1", True),
        ("a = 1", False),
    ]


def test_export_without_its_vocabulary_is_refused(small_export_copy):
    shutil.rmtree(small_export_copy / "assets.extra" / "vocabulary")
    with pytest.raises(errors.CodeT5Error, match="vocabulary"):
        TextRunner(small_export_copy)


def test_vocabulary_of_another_export_is_refused(small_export_copy):
    folder = small_export_copy / "assets.extra" / "vocabulary"
    info = exported.read_info(small_export_copy)
    fields = json.loads((folder / "manifest.json").read_bytes())
    manifest.write_manifest(folder, {**fields, "fingerprint": "f" * 64})
    exported.write_info(small_export_copy, info)
    with pytest.raises(errors.VocabularyMismatchError, match="ffffffffffff"):
        TextRunner(small_export_copy)


def test_tokenizer_of_hugging_face_is_refused(small_export_copy):
    info = dataclasses.replace(
        exported.read_info(small_export_copy), vocabulary_kind="TokenizerVocabulary"
    )
    exported.write_info(small_export_copy, info)
    with pytest.raises(errors.InputError, match="give token ids instead"):
        TextRunner(small_export_copy)

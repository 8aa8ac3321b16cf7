from __future__ import annotations

import gin
import numpy as np
import preprocessor_checks
import pytest
import seqio
import tensorflow as tf
import vocabulary_texts

from code_t5 import errors
from code_t5.data import objectives, preprocessors
from code_t5.data.vocabularies import CodeVocabulary
from preprocessing import vocabulary_training

LENGTHS = {"inputs": 32, "targets": 32}
TEXT = "def first(value):\n    return value + 1\n"


@pytest.fixture(scope="module")
def vocabulary(tmp_path_factory):
    folder = tmp_path_factory.mktemp("vocabularies") / "default"
    vocabulary_training.train_vocabulary(
        vocabulary_texts.TRAINING_TEXTS, output_dir=folder, vocab_size=430
    )
    return CodeVocabulary(str(folder))


@pytest.fixture(autouse=True)
def _clean_gin():
    yield
    with gin.unlock_config():
        gin.clear_config()


def bind(*lines):
    with gin.unlock_config():
        gin.clear_config()
        gin.parse_config("\n".join(lines))


def choose(*names):
    import t5.data.preprocessors  # noqa: F401 - names for gin

    bind(f"preprocessors.unsupervised.preprocessors = [{', '.join(f'@{n}' for n in names)}]")


@pytest.mark.parametrize("name", list(preprocessors.PREPROCESSORS))
def test_preprocessor_keeps_what_all_promise(vocabulary, name):
    preprocessor_checks.check_preprocessor(
        preprocessors.PREPROCESSORS[name],
        vocabulary=vocabulary,
        is_random=name not in ("causal_lm", "line_completion"),
    )


def test_there_is_a_preprocessor_for_every_objective():
    assert list(preprocessors.PREPROCESSORS) == list(objectives.OBJECTIVES)
    assert [p.__name__ for p in preprocessors.PREPROCESSORS.values()] == list(objectives.OBJECTIVES)


def _run(preprocessor, vocabulary, texts, *, lengths=LENGTHS, seed=0):
    documents = [np.array(vocabulary.encode(text), dtype=np.int32) for text in texts]
    return preprocessor_checks.run(
        preprocessor,
        preprocessor_checks.documents_dataset(documents),
        vocabulary=vocabulary,
        lengths=lengths,
        seed=seed,
    )


def test_all_windows_of_a_document_come_out_in_order(vocabulary):
    rows = _run(preprocessors.PREPROCESSORS["causal_lm"], vocabulary, [TEXT * 100, "x", TEXT])
    texts = vocabulary.decode([token for _, targets in rows for token in targets])
    assert texts == TEXT * 100 + "x" + TEXT


def test_cursors_are_counted_by_bytes_as_in_a_token_cache(vocabulary):
    texts = [TEXT * 100, TEXT, "\u65e5" * 1000]
    rows = _run(preprocessors.PREPROCESSORS["line_completion"], vocabulary, texts)
    assert len(rows) == len(TEXT) * 100 // 1000 + 1 + 3


def test_a_document_is_made_the_same_whatever_stands_beside_it(vocabulary):
    preprocessor = preprocessors.PREPROCESSORS["prefix_lm"]
    first = _run(preprocessor, vocabulary, [TEXT * 5, TEXT])
    second = _run(preprocessor, vocabulary, [TEXT * 5, TEXT * 9])
    num_alike = -(-len(vocabulary.encode(TEXT * 5)) // 31)
    assert first[:num_alike] == second[:num_alike]


def test_gin_sets_an_objective_up(vocabulary):
    bind("PrefixLm.with_path = True")
    rows = _run(
        preprocessors.PREPROCESSORS["prefix_lm"],
        vocabulary,
        [TEXT],
        lengths={**LENGTHS, "inputs": 96},
    )
    header = vocabulary.encode("# org/repository: 0.py\n")
    assert all(inputs[: len(header)] == header for inputs, _ in rows)


def test_lengths_too_short_are_refused_before_anything_is_read(vocabulary):
    with pytest.raises(errors.InputError, match="length of inputs is 2, too short for the obj"):
        _run(
            preprocessors.PREPROCESSORS["prefix_lm"],
            vocabulary,
            [TEXT],
            lengths={"inputs": 2, "targets": 32},
        )


def test_a_vocabulary_of_another_library_will_do_for_what_reads_no_text():
    vocabulary = seqio.ByteVocabulary(extra_ids=100)
    rows = _run(preprocessors.PREPROCESSORS["span_corruption"], vocabulary, ["x" * 60])
    assert {token for inputs, _ in rows for token in inputs if token >= 259} == {358, 357}


def test_text_becomes_targets_and_names_are_kept():
    example = {"text": "x", "repository": "r", "path": "p.py", "license": "MIT"}
    dataset = tf.data.Dataset.from_tensors(example)
    (found,) = preprocessors.text_to_targets(dataset).as_numpy_iterator()
    assert found == {"targets": b"x", "repository": b"r", "path": b"p.py"}
    dataset = tf.data.Dataset.from_tensors({"text": "x"})
    (found,) = preprocessors.text_to_targets(dataset).as_numpy_iterator()
    assert found == {"targets": b"x", "repository": b"", "path": b""}


@pytest.mark.parametrize("name", list(preprocessors.PREPROCESSORS))
def test_what_gin_chooses_is_named_and_run(vocabulary, name):
    choose(f"code_t5.preprocessors.{name}")
    assert preprocessors.chosen_objective() == name
    chosen = _run(preprocessors.unsupervised, vocabulary, [TEXT * 3], seed=4)
    assert chosen == _run(preprocessors.PREPROCESSORS[name], vocabulary, [TEXT * 3], seed=4)


def test_no_choice_is_an_error_that_says_how_to_choose(vocabulary):
    bind()
    for attempt in (
        preprocessors.chosen_objective,
        lambda: _run(preprocessors.unsupervised, vocabulary, [TEXT]),
    ):
        with pytest.raises(errors.InputError, match="--gin_file=objectives/code_prefix_lm.gin"):
            attempt()


def test_preprocessors_of_t5_run_and_have_no_name_here(vocabulary):
    choose("preprocessors.split_tokens_to_inputs_length", "preprocessors.denoise")
    with gin.unlock_config():
        gin.parse_config(
            """
            preprocessors.denoise.noise_density = 0.5
            preprocessors.denoise.noise_mask_fn = @preprocessors.random_prefix_noise_mask
            preprocessors.denoise.inputs_fn = @preprocessors.drop_nonnoise_tokens
            preprocessors.denoise.targets_fn = @preprocessors.drop_noise_tokens
            """
        )
    rows = _run(preprocessors.unsupervised, vocabulary, [TEXT])
    assert vocabulary.decode(sum((i + t for i, t in rows), [])) == TEXT
    with pytest.raises(errors.InputError, match="t5.data.preprocessors.split_tokens_to_inputs_le"):
        preprocessors.chosen_objective()

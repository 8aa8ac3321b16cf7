from __future__ import annotations

import copy
import pickle
import shutil

import numpy as np
import pytest
import seqio
import tensorflow as tf
import vocabulary_texts
from t5.data import preprocessors

from code_t5 import errors
from code_t5.data.vocabularies import CodeVocabulary
from preprocessing import vocabulary_training


@pytest.fixture(scope="module")
def vocabulary_dir(tmp_path_factory):
    folder = tmp_path_factory.mktemp("vocabularies") / "default"
    vocabulary_training.train_vocabulary(
        vocabulary_texts.TRAINING_TEXTS, output_dir=folder, vocab_size=430
    )
    return folder


@pytest.fixture
def vocabulary(vocabulary_dir):
    return CodeVocabulary(str(vocabulary_dir))


@pytest.fixture(scope="module")
def encode_tf(vocabulary_dir):
    vocabulary = CodeVocabulary(str(vocabulary_dir))
    return tf.function(vocabulary.encode_tf, input_signature=[tf.TensorSpec([], tf.string)])


_TEXTS = (*vocabulary_texts.NASTY_TEXTS, *vocabulary_texts.random_texts(500, seed=2))


def test_sizes_and_special_ids_are_those_that_t5_expects(vocabulary):
    assert (vocabulary.pad_id, vocabulary.eos_id, vocabulary.unk_id) == (0, 1, 2)
    assert vocabulary.bos_id is None
    assert (vocabulary.vocab_size, vocabulary.extra_ids) == (530, 100)
    assert preprocessors.sentinel_id(vocabulary) == 529


def test_graph_and_python_encode_every_text_alike(vocabulary, encode_tf):
    for text in _TEXTS:
        assert encode_tf(text.encode()).numpy().tolist() == vocabulary.encode(text), repr(text)


def test_encoding_in_a_graph_gives_int32_and_takes_batches(vocabulary, encode_tf):
    assert encode_tf("x = 1").dtype == tf.int32
    batch = vocabulary.encode_tf(tf.constant(["x = 1", "", "\u2581"]))
    assert batch.to_list() == [vocabulary.encode(text) for text in ("x = 1", "", "\u2581")]


def test_text_that_looks_like_a_sentinel_or_a_control_piece_stays_text(vocabulary, encode_tf):
    lookalikes = ("<extra_id_0>", "<extra_id_99>", "\u2581<extra_id_0>", " <extra_id_0>", "</s>")
    for text in (*lookalikes, "<pad>", "<unk>", "<0x0A>", "\x10x<extra_id_0>"):
        for ids in (vocabulary.encode(text), encode_tf(text).numpy().tolist()):
            assert all(2 < i < 430 for i in ids)
            assert vocabulary.decode(ids) == text


def test_graph_and_python_decode_every_text_alike(vocabulary):
    ids = [vocabulary.encode(text) for text in _TEXTS]
    padded = tf.ragged.constant(ids, dtype=tf.int32).to_tensor()
    decoded = [text.decode() for text in vocabulary.decode_tf(padded).numpy()]
    assert decoded == list(_TEXTS)
    assert [vocabulary.decode(row) for row in padded.numpy()] == list(_TEXTS)


def test_graph_decodes_ragged_rows_single_rows_and_nothing(vocabulary):
    ids = vocabulary.encode("a\u2581b")
    ragged = tf.ragged.constant([ids, [], ids[:1]], dtype=tf.int32)
    assert vocabulary.decode_tf(ragged).numpy().tolist() == ["a\u2581b".encode(), b"", b"a"]
    assert vocabulary.decode_tf(tf.constant(ids)).numpy() == "a\u2581b".encode()
    assert vocabulary.decode_tf(tf.constant([], tf.int32)).numpy() == b""
    assert vocabulary.decode_tf(tf.constant(ids, tf.int64)).numpy() == "a\u2581b".encode()


def test_both_decoders_show_sentinels_stop_at_the_end_and_mark_unknown_ids(vocabulary):
    text = vocabulary.encode("x")
    ids = [0, *text, 529, 528, 430, 530, 600, -5, *text, 0, 1, *text, 529]
    wanted = "x<extra_id_0><extra_id_1><extra_id_99> \u2047  \u2047  \u2047 x"
    assert vocabulary.decode(ids) == wanted
    assert vocabulary.decode(np.array(ids)) == wanted
    assert vocabulary.decode(tf.constant(ids)) == wanted
    assert vocabulary.decode_tf(tf.constant([ids])).numpy()[0].decode() == wanted


def test_span_corruption_of_t5_writes_sentinels_that_can_be_read(vocabulary):
    tokens = tf.constant(vocabulary.encode("def first(value):\n    return value"))
    noise = tf.range(tf.size(tokens)) % 4 == 1
    kept = preprocessors.noise_span_to_unique_sentinel(tokens, noise, vocabulary, seeds=None)
    text = vocabulary.decode(kept)
    assert "<extra_id_0>" in text
    assert text.index("<extra_id_0>") < text.index("<extra_id_1>")


def test_seqio_tokenizes_and_ends_examples_with_it(vocabulary):
    features = {"targets": seqio.Feature(vocabulary, add_eos=True)}
    dataset = tf.data.Dataset.from_tensors({"targets": "a </s> \u2581"})
    dataset = seqio.preprocessors.tokenize(dataset, features, copy_pretokenized=False)
    dataset = seqio.preprocessors.append_eos(dataset, features)
    (example,) = dataset.as_numpy_iterator()
    assert example["targets"].tolist() == [*vocabulary.encode("a </s> \u2581"), 1]
    assert vocabulary.decode(example["targets"]) == "a </s> \u2581"


def test_works_in_a_graph_of_tensorflow_1_as_the_trainer_builds_it(vocabulary):
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        ids = vocabulary.encode_tf(tf.constant("a\u2581b"))
        text = vocabulary.decode_tf(tf.expand_dims(ids, 0))
        session.run(tf.compat.v1.tables_initializer())
        assert session.run(text).tolist() == ["a\u2581b".encode()]


def _pickled(vocabulary):
    return pickle.loads(pickle.dumps(vocabulary))  # noqa: S301 - as Beam does it


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, _pickled])
def test_copies_are_equal_and_work_whether_or_not_the_model_is_loaded(vocabulary, copied):
    assert copied(vocabulary) == vocabulary
    ids = vocabulary.encode("x = \u2581")
    again = copied(vocabulary)
    assert again == vocabulary
    assert again.encode("x = \u2581") == ids


def test_a_copy_does_not_carry_the_model(vocabulary):
    vocabulary.encode("x")
    assert len(pickle.dumps(vocabulary)) < 1000


def test_equality_is_that_of_the_fingerprints(vocabulary, vocabulary_dir, tmp_path):
    same = CodeVocabulary(shutil.copytree(vocabulary_dir, tmp_path / "same"))
    vocabulary_training.train_vocabulary(
        vocabulary_texts.TRAINING_TEXTS, output_dir=tmp_path / "other", vocab_size=440
    )
    assert vocabulary == same
    assert hash(vocabulary) == hash(same)
    assert vocabulary != CodeVocabulary(str(tmp_path / "other"))
    assert vocabulary != CodeVocabulary(str(tmp_path / "none"))
    assert CodeVocabulary(str(tmp_path / "none")) == CodeVocabulary(str(tmp_path / "none"))
    assert vocabulary != seqio.ByteVocabulary()


def test_nothing_is_opened_until_something_is_asked_for(tmp_path):
    missing = CodeVocabulary(str(tmp_path / "none"))
    assert str(tmp_path / "none") in repr(missing)
    for ask in (
        lambda: missing.vocab_size,
        lambda: missing.fingerprint,
        lambda: missing.encode(""),
    ):
        with pytest.raises(errors.NotBuiltError, match="there is no vocabulary"):
            ask()


def test_vocabulary_that_is_built_later_is_found(tmp_path, vocabulary_dir):
    late = CodeVocabulary(str(tmp_path / "late"))
    with pytest.raises(errors.NotBuiltError):
        late.encode("x")
    shutil.copytree(vocabulary_dir, tmp_path / "late")
    assert late.decode(late.encode("x")) == "x"

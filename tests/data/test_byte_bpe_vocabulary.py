from __future__ import annotations

import copy
import pickle
import random
import shutil

import numpy as np
import pytest
import seqio
import tensorflow as tf
import vocabulary_texts
from t5.data import preprocessors

from code_t5 import errors
from code_t5.data.vocabularies import ByteBpeVocabulary, CodeVocabulary, open_vocabulary
from code_t5.encoding import token_model
from preprocessing import vocabulary_training


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    folder = tmp_path_factory.mktemp("vocabularies")
    for name, kind, size in (("bytes", "byte_bpe", 400), ("pieces", "sentencepiece", 430)):
        vocabulary_training.train_vocabulary(
            vocabulary_texts.TRAINING_TEXTS, output_dir=folder / name, vocab_size=size, kind=kind
        )
    return folder


@pytest.fixture
def vocabulary(folders):
    return ByteBpeVocabulary(str(folders / "bytes"))


_TEXTS = (*vocabulary_texts.NASTY_TEXTS, *vocabulary_texts.random_texts(300, seed=4))


def test_sizes_and_special_ids_are_those_that_t5_expects(vocabulary):
    assert (vocabulary.pad_id, vocabulary.eos_id, vocabulary.unk_id) == (0, 1, 2)
    assert vocabulary.bos_id is None
    assert (vocabulary.vocab_size, vocabulary.extra_ids) == (500, 100)
    assert preprocessors.sentinel_id(vocabulary) == 499


def test_directory_is_opened_as_what_it_holds(folders, tmp_path):
    assert type(open_vocabulary(folders / "bytes")) is ByteBpeVocabulary
    assert type(open_vocabulary(str(folders / "pieces"))) is CodeVocabulary
    # Those of before there were two kinds do not say.
    shutil.copytree(folders / "pieces", tmp_path / "old")
    manifest = tmp_path / "old" / "manifest.json"
    text = manifest.read_text()
    assert '"kind": "sentencepiece"' in text
    manifest.write_text(text.replace('"kind": "sentencepiece"', '"other": ""'))
    assert type(open_vocabulary(tmp_path / "old")) is CodeVocabulary


def test_directory_that_is_not_there_yet_is_opened_and_says_so_when_used(tmp_path):
    missing = open_vocabulary(tmp_path / "none")
    with pytest.raises(errors.NotBuiltError, match="there is no vocabulary"):
        missing.encode("x")


def test_class_of_the_other_kind_is_refused(folders):
    for class_, name in ((ByteBpeVocabulary, "pieces"), (CodeVocabulary, "bytes")):
        wrong = class_(str(folders / name))
        for ask in (lambda v: v.vocab_size, lambda v: v.encode("x"), lambda v: v.encode_tf("x")):
            with pytest.raises(errors.VocabularyMismatchError, match="open_vocabulary"):
                ask(wrong)


def test_graph_and_python_encode_every_text_alike(vocabulary):
    signature = [tf.TensorSpec([], tf.string)]
    encode_tf = tf.function(vocabulary.encode_tf, input_signature=signature)
    model = token_model.load_token_model(vocabulary.vocabulary_dir)
    for text in _TEXTS:
        ids = encode_tf(text.encode())
        assert ids.dtype == tf.int32
        assert ids.numpy().tolist() == vocabulary.encode(text) == model.encode(text), repr(text)


def test_batches_are_encoded_to_ragged_rows_in_and_out_of_a_graph(vocabulary):
    texts = tf.constant(["x = 1", "", "\u2581"])
    wanted = [vocabulary.encode(text) for text in ("x = 1", "", "\u2581")]
    assert vocabulary.encode_tf(texts).to_list() == wanted
    assert tf.function(vocabulary.encode_tf)(texts).to_list() == wanted
    assert vocabulary.encode_tf(tf.constant([], tf.string)).to_list() == []
    with pytest.raises(errors.InputError, match=r"\(1, 3\); wanted \[\] or \[batch\]"):
        vocabulary.encode_tf(texts[tf.newaxis])


def test_text_that_is_not_utf8_is_refused(vocabulary):
    with pytest.raises(Exception, match="not UTF-8 at byte 1"):
        vocabulary.encode_tf(tf.constant(b"a\xff"))


def test_graph_and_python_decode_every_text_alike(vocabulary):
    ids = [vocabulary.encode(text) for text in _TEXTS]
    padded = tf.ragged.constant(ids, dtype=tf.int32).to_tensor()
    decoded = [text.decode() for text in vocabulary.decode_tf(padded).numpy()]
    assert decoded == list(_TEXTS)
    assert [vocabulary.decode(row) for row in padded.numpy()] == list(_TEXTS)


def test_graph_and_python_decode_any_ids_alike(vocabulary):
    rng = random.Random(0)
    # Mostly bytes, and so mostly pieces of characters.
    likely = [3 + byte for byte in b"a\x80\xbf\xc3\xa9\xe2\x96\xed\xa0\xf0\x9f\x98\xf4\x90\xff"]
    rows = [
        [rng.choice([*likely, rng.randrange(-3, 510)]) for _ in range(rng.randrange(9))]
        for _ in range(2000)
    ]
    rows = [[*row, *[0] * (9 - len(row))] for row in rows]
    decoded = vocabulary.decode_tf(tf.constant(rows)).numpy().tolist()
    assert [text.decode() for text in decoded] == [vocabulary.decode(row) for row in rows]


def test_graph_decodes_ragged_rows_single_rows_wide_integers_and_nothing(vocabulary):
    ids = vocabulary.encode("a\u2581b")
    wanted = "a\u2581b".encode()
    ragged = tf.ragged.constant([ids, [], ids[:1]], dtype=tf.int32)
    assert vocabulary.decode_tf(ragged).numpy().tolist() == [wanted, b"", b"a"]
    assert vocabulary.decode_tf(tf.constant(ids)).numpy() == wanted
    assert vocabulary.decode_tf(tf.constant([], tf.int32)).numpy() == b""
    wide = tf.constant([*ids, 1 << 33], tf.int64)
    assert vocabulary.decode_tf(wide).numpy() == wanted + " \u2047 ".encode()


def test_both_decoders_show_sentinels_stop_at_the_end_and_mark_unknown_ids(vocabulary):
    text = vocabulary.encode("x")
    ids = [0, *text, 499, 498, 400, 500, 600, -5, *text, 0, 1, *text, 499]
    wanted = "x<extra_id_0><extra_id_1><extra_id_99> \u2047  \u2047  \u2047 x"
    assert vocabulary.decode(ids) == wanted
    assert vocabulary.decode(np.array(ids)) == vocabulary.decode(tf.constant(ids)) == wanted
    assert vocabulary.decode_tf(tf.constant([ids])).numpy()[0].decode() == wanted


def test_seqio_tokenizes_and_ends_examples_with_it(vocabulary):
    features = {"targets": seqio.Feature(vocabulary, add_eos=True)}
    dataset = tf.data.Dataset.from_tensor_slices({"targets": ["a </s> \u2581", "<extra_id_0>"]})
    dataset = seqio.preprocessors.tokenize(dataset, features, copy_pretokenized=False)
    dataset = seqio.preprocessors.append_eos(dataset, features)
    found = [example["targets"].tolist() for example in dataset.as_numpy_iterator()]
    assert found == [[*vocabulary.encode(text), 1] for text in ("a </s> \u2581", "<extra_id_0>")]


def test_works_in_a_graph_of_tensorflow_1_as_the_trainer_builds_it(vocabulary):
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        ids = vocabulary.encode_tf(tf.constant("a\u2581b"))
        text = vocabulary.decode_tf(tf.expand_dims(ids, 0))
        assert session.run(text).tolist() == ["a\u2581b".encode()]


def test_graph_that_decodes_can_be_saved_and_loaded(vocabulary, tmp_path):
    module = tf.Module()
    signature = [tf.TensorSpec([None, None], tf.int32)]
    module.decode = tf.function(vocabulary.decode_tf, input_signature=signature)
    tf.saved_model.save(module, str(tmp_path / "saved"))
    loaded = tf.saved_model.load(str(tmp_path / "saved"))
    ids = tf.constant([[*vocabulary.encode("x = é"), 1, 7]])
    assert loaded.decode(ids).numpy().tolist() == ["x = é".encode()]


def _pickled(vocabulary):
    return pickle.loads(pickle.dumps(vocabulary))  # noqa: S301 - as Beam does it


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, _pickled])
def test_copies_are_equal_and_work_and_carry_no_model(vocabulary, copied):
    ids = vocabulary.encode("x = \u2581")
    again = copied(vocabulary)
    assert again == vocabulary
    assert again._model is None
    assert again.encode("x = \u2581") == ids


def test_equality_is_that_of_kind_and_fingerprints(vocabulary, folders, tmp_path):
    same = ByteBpeVocabulary(shutil.copytree(folders / "bytes", tmp_path / "same"))
    vocabulary_training.train_vocabulary(
        vocabulary_texts.TRAINING_TEXTS,
        output_dir=tmp_path / "other",
        vocab_size=390,
        kind="byte_bpe",
    )
    assert vocabulary == same
    assert hash(vocabulary) == hash(same)
    assert vocabulary != ByteBpeVocabulary(str(tmp_path / "other"))
    assert vocabulary != ByteBpeVocabulary(str(tmp_path / "none"))
    assert vocabulary != CodeVocabulary(str(folders / "bytes"))
    assert vocabulary != CodeVocabulary(str(folders / "pieces"))
    assert repr(vocabulary) == f"ByteBpeVocabulary({str(folders / 'bytes')!r})"

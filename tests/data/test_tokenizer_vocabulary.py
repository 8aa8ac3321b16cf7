from __future__ import annotations

import copy
import json
import pickle

import listed_token_cache
import numpy as np
import pytest
import seqio
import small_tokenizer
import tensorflow as tf
import tokenizers
import transformers
from tokenizers import decoders, models, pre_tokenizers

from code_t5 import errors
from code_t5.data import tokenizer_vocabulary, vocabularies
from code_t5.data.tokenizer_vocabulary import TokenizerVocabulary
from code_t5.token_cache.provider import FastHfDatasetProvider

_TEXT = "def f(x):\n\treturn '\u00e9 \u4e2d \U0001f600'\r\n"


def _build(folder, tokenizer):
    FastHfDatasetProvider.from_documents(
        ["a b"], tokenizer=tokenizer, cache_dir=folder, num_workers=1
    )
    return folder


@pytest.fixture(scope="module")
def cache_dir(tmp_path_factory):
    folder = tmp_path_factory.mktemp("made") / "cache"
    return _build(folder, small_tokenizer.hugging_face_tokenizer())


def _like_t5(*, num_sentinels):
    """A tokenizer with padding and end of text where T5 has them."""
    words = ["<pad>", "</s>", "<unk>", *sorted(pre_tokenizers.ByteLevel.alphabet())]
    words += [f"<extra_id_{number}>" for number in reversed(range(num_sentinels))]
    backend = tokenizers.Tokenizer(
        models.BPE(vocab={word: place for place, word in enumerate(words)}, merges=[])
    )
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=backend, eos_token="</s>", pad_token="<pad>", unk_token="<unk>"
    )


def test_ids_are_the_tokenizers_and_three_above(cache_dir):
    vocabulary = TokenizerVocabulary(cache_dir)
    tokenizer = small_tokenizer.hugging_face_tokenizer()
    wanted = [token_id + 3 for token_id in tokenizer.encode(_TEXT, add_special_tokens=False)]
    assert vocabulary.shift == 3
    assert vocabulary.encode(_TEXT) == wanted
    assert vocabulary.decode(wanted) == _TEXT
    # 256 bytes and an end of text, 3 of T5's own, 100 sentinels.
    assert vocabulary.vocab_size == 257 + 3 + 100
    assert (vocabulary.pad_id, vocabulary.eos_id, vocabulary.unk_id) == (0, 1, 2)
    assert vocabulary.bos_id is None


def test_the_ids_of_a_cache_are_those_of_its_vocabulary(cache_dir):
    provider = FastHfDatasetProvider.from_cache(cache_dir)
    tokens = provider.cache.split("train").tokens
    assert tokens.tolist()[-1] == 0
    assert [token_id + 3 for token_id in tokens.tolist()[:-1]] == TokenizerVocabulary(
        cache_dir
    ).encode("a b")


def test_sentinels_unknown_and_padding_are_told_apart(cache_dir):
    vocabulary = TokenizerVocabulary(cache_dir)
    (letter,) = vocabulary.encode("a")
    top = vocabulary.vocab_size - 1
    ids = [top, letter, top - 99, 0, letter, 2, vocabulary.vocab_size, letter, 1, letter]
    assert vocabulary.decode(ids) == "<extra_id_0>a<extra_id_99>a\ufffd\ufffda"
    # The tokenizer's own end of text is a word like any other.
    assert vocabulary.decode([3, letter]) == "<end>a"
    assert vocabulary.decode(np.array([letter])) == "a"


def test_a_graph_encodes_and_decodes_as_python_does(cache_dir):
    vocabulary = TokenizerVocabulary(cache_dir)
    ids = vocabulary.encode(_TEXT)
    encode, decode = tf.function(vocabulary.encode_tf), tf.function(vocabulary.decode_tf)
    assert encode(tf.constant(_TEXT)).numpy().tolist() == ids
    assert encode(tf.constant([_TEXT, "", "a"])).to_list() == [ids, [], vocabulary.encode("a")]
    assert decode(tf.constant(ids)).numpy().decode() == _TEXT
    rows = tf.ragged.constant([ids, [], [*vocabulary.encode("a"), 1, 9]])
    assert [text.decode() for text in decode(rows).numpy()] == [_TEXT, "", "a"]


def test_text_that_is_not_utf_8_is_refused(cache_dir):
    with pytest.raises(Exception, match="not UTF-8 at byte 1"):
        TokenizerVocabulary(cache_dir).encode_tf(tf.constant(b"a\xff"))


@pytest.mark.parametrize(("num_sentinels", "vocab_size"), [(100, 359), (0, 359), (99, 458)])
def test_a_tokenizer_that_has_room_for_t5_is_taken_as_it_is(tmp_path, num_sentinels, vocab_size):
    vocabulary = TokenizerVocabulary(_build(tmp_path / "c", _like_t5(num_sentinels=num_sentinels)))
    assert vocabulary.shift == 0
    assert vocabulary.vocab_size == vocab_size
    (letter,) = vocabulary.encode("a")
    assert letter == 3 + sorted(pre_tokenizers.ByteLevel.alphabet()).index("a")
    assert vocabulary.decode([vocab_size - 1, letter, 0, 1]) == "<extra_id_0>a"


def test_text_that_spells_a_special_token_does_not_end(tmp_path):
    vocabulary = TokenizerVocabulary(_build(tmp_path / "cache", _like_t5(num_sentinels=100)))
    letter = vocabulary.encode("a")
    assert vocabulary.encode("a</s>a<pad>a") == [*letter, 2, *letter, 2, *letter]


def test_a_tokenizer_written_in_python_does_the_same(tmp_path):
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    words = [small_tokenizer.END_OF_TEXT, *letters, "ab"]
    (tmp_path / "vocab.json").write_text(json.dumps({w: place for place, w in enumerate(words)}))
    (tmp_path / "merges.txt").write_text("#version: 0.2\na b\n")
    tokenizer = transformers.GPT2Tokenizer(
        tmp_path / "vocab.json",
        tmp_path / "merges.txt",
        **dict.fromkeys(("eos_token", "bos_token", "unk_token"), small_tokenizer.END_OF_TEXT),
    )
    vocabulary = TokenizerVocabulary(_build(tmp_path / "cache", tokenizer))
    assert vocabulary.vocab_size == 258 + 3 + 100
    assert vocabulary.encode("abc") == [257 + 3, letters.index("c") + 1 + 3]
    assert vocabulary.decode(vocabulary.encode(_TEXT)) == _TEXT


def test_vocabularies_of_one_tokenizer_are_equal(cache_dir, tmp_path):
    mine = TokenizerVocabulary(cache_dir)
    same = TokenizerVocabulary(_build(tmp_path / "a", small_tokenizer.hugging_face_tokenizer()))
    other = TokenizerVocabulary(
        _build(tmp_path / "b", small_tokenizer.hugging_face_tokenizer(num_unused=1))
    )
    missing = TokenizerVocabulary(tmp_path / "none")
    assert mine == same and mine.fingerprint == same.fingerprint
    assert mine != other and mine.fingerprint != other.fingerprint
    assert mine != missing and missing == TokenizerVocabulary(tmp_path / "none")
    assert mine != seqio.ByteVocabulary()
    assert hash(mine) == hash(other)


def test_copies_load_the_tokenizer_themselves(cache_dir):
    vocabulary = TokenizerVocabulary(cache_dir)
    vocabulary.encode("a")
    content = pickle.dumps(vocabulary)
    assert len(content) < 500
    for one in (pickle.loads(content), copy.deepcopy(vocabulary)):  # noqa: S301
        assert one == vocabulary
        assert one.encode("a") == vocabulary.encode("a")


def test_objectives_that_look_into_the_text_are_refused(cache_dir):
    with pytest.raises(errors.InputError, match="wanted prefix_lm, span_corruption or causal_lm"):
        _ = TokenizerVocabulary(cache_dir).token_model.token_bytes


def test_a_vocabulary_of_code_t5_is_opened_as_itself(small_data_dir, tmp_path):
    folder = tmp_path / "cache"
    FastHfDatasetProvider.from_flcc(small_data_dir, "small", cache_dir=folder, num_workers=1)
    vocabulary = tokenizer_vocabulary.open_cache_vocabulary(folder)
    assert isinstance(vocabulary, vocabularies.CodeVocabulary)
    assert vocabulary == vocabularies.open_vocabulary(small_data_dir / "vocabularies/default")
    with pytest.raises(errors.ArtifactError, match="of the kind 'code_t5'; wanted 'hugging_face'"):
        TokenizerVocabulary(folder).encode("a")


def test_a_cache_that_is_not_there_is_an_error_when_it_is_used(tmp_path):
    vocabulary = tokenizer_vocabulary.open_cache_vocabulary(tmp_path / "none")
    with pytest.raises(errors.NotBuiltError, match="there is no token cache"):
        _ = vocabulary.vocab_size


def test_a_cache_without_a_tokenizer_is_refused(tmp_path):
    made = listed_token_cache.write_cache(tmp_path / "made")
    with pytest.raises(errors.ArtifactError, match="does not say what its ids mean"):
        TokenizerVocabulary(made).encode("a")

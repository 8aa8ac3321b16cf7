from __future__ import annotations

import json
import os
import pickle

import listed_token_cache
import numpy as np
import pytest
import seqio
import small_tokenizer
import sparse_token_cache

from code_t5 import errors
from code_t5.data import token_cache_source
from code_t5.data.token_cache_source import TokenCacheDataSource, read_documents
from code_t5.token_cache import memory_maps, token_split
from code_t5.token_cache.provider import FastHfDatasetProvider
from code_t5.token_cache.reader import TokenCacheReader

_TEXTS = [f"def f{number}():\n" * (number % 3) for number in range(150)]


@pytest.fixture(scope="module")
def cache_dir(tmp_path_factory):
    folder = tmp_path_factory.mktemp("made") / "cache"
    FastHfDatasetProvider.from_documents(
        {"train": _TEXTS, "validation": ["ab"]},
        tokenizer=small_tokenizer.hugging_face_tokenizer(),
        cache_dir=folder,
        num_workers=1,
    )
    return folder


def _examples(source, **options):
    return list(source.get_dataset("train", **options).as_numpy_iterator())


def _numbers(examples):
    return [int(example["path"]) for example in examples]


def test_an_example_is_a_document_without_its_end_of_text(cache_dir):
    tokenizer = small_tokenizer.hugging_face_tokenizer()
    examples = _examples(TokenCacheDataSource(cache_dir), shuffle=False)
    found = [tokenizer.decode(example["targets"]) for example in examples]
    assert found == _TEXTS
    assert examples[0]["targets"].dtype == np.int32
    assert _numbers(examples) == list(range(150))
    assert examples[4]["repository"] == b""


def test_names_are_those_of_the_cache_and_ids_are_shifted(tmp_path):
    made = listed_token_cache.write_cache(tmp_path / "made", [[5, 6], [], [7]])
    examples = _examples(TokenCacheDataSource(made, find_shift=lambda: 3), shuffle=False)
    assert [example["targets"].tolist() for example in examples] == [[8, 9], [], [10]]
    assert examples[2]["repository"] == b"someone/something"
    assert examples[2]["path"] == b"2.py"


def test_each_pass_has_an_order_of_its_own_that_the_seed_decides(cache_dir):
    source = TokenCacheDataSource(cache_dir)
    dataset = source.get_dataset("train", shuffle=True, seed=3)
    passes = [_numbers(dataset.as_numpy_iterator()) for _ in range(3)]
    assert [sorted(one) for one in passes] == [list(range(150))] * 3
    assert len({tuple(one) for one in passes}) == 3
    again = source.get_dataset("train", shuffle=True, seed=3)
    assert [_numbers(again.as_numpy_iterator()) for _ in range(3)] == passes
    assert _numbers(_examples(source, shuffle=True, seed=4)) != passes[0]
    repeated = source.get_dataset("train", shuffle=True, seed=3).repeat(2)
    assert _numbers(repeated.as_numpy_iterator()) == passes[0] + passes[1]


@pytest.mark.parametrize("shuffle", [False, True])
def test_shards_hold_each_document_once(cache_dir, shuffle):
    source = TokenCacheDataSource(cache_dir)
    assert source.supports_arbitrary_sharding
    shards = [
        _numbers(_examples(source, shuffle=shuffle, seed=1, shard_info=seqio.ShardInfo(index, 4)))
        for index in range(4)
    ]
    assert [len(shard) for shard in shards] == [38, 38, 37, 37]
    assert sorted(sum(shards, [])) == list(range(150))


def test_the_source_says_what_is_in_it(cache_dir):
    source = TokenCacheDataSource(cache_dir)
    assert list(source.splits) == ["train", "validation"]
    assert source.num_input_examples("train") == 150
    assert source.num_tokens("train") == sum(map(len, _TEXTS))
    assert source.num_tokens("validation") == 2
    assert len(source.list_shards("train")) == 1
    dataset = source.get_dataset("train")
    assert int(dataset.cardinality()) == 150
    assert dataset.element_spec["targets"].shape.as_list() == [None]


def test_a_source_is_copied_without_its_arrays(cache_dir):
    source = TokenCacheDataSource(cache_dir)
    source.check()
    content = pickle.dumps(source)
    assert len(content) < 1000
    assert pickle.loads(content).num_input_examples("train") == 150  # noqa: S301


def test_making_a_source_of_nothing_is_no_error_but_looking_at_it_is(tmp_path):
    source = TokenCacheDataSource(tmp_path / "none")
    with pytest.raises(errors.NotBuiltError, match="there is no token cache"):
        source.check()
    with pytest.raises(errors.NotBuiltError, match="there is no token cache"):
        source.get_dataset("train")


def test_a_split_that_is_not_there_is_refused(cache_dir):
    with pytest.raises(errors.InputError, match="no split 'test'; wanted one of train, validation"):
        TokenCacheDataSource(cache_dir).get_dataset("test")


def test_a_document_without_its_end_of_text_is_refused(tmp_path):
    made = listed_token_cache.write_cache(tmp_path / "made", [[5, 1], [6, 7], [8, 1]])
    split = TokenCacheReader(made).split("train")
    rows = read_documents(split, documents=np.array([2, 0]), end_of_text_id=1)
    assert [rows.row(row).tolist() for row in range(2)] == [[8], [5]]
    with pytest.raises(errors.ArtifactError, match="document 1 of a token cache has no .* end of"):
        read_documents(split, documents=np.array([0, 1]), end_of_text_id=1)


def test_a_document_that_lies_nowhere_is_refused(tmp_path):
    made = listed_token_cache.write_cache(tmp_path / "made", [[5, 1], [6, 7], [8, 1]])
    offsets = np.load(made / "train.offsets.npy")
    offsets[1] = 5
    np.save(made / "train.offsets.npy", offsets)
    split = TokenCacheReader(made).split("train")
    with pytest.raises(errors.ArtifactError, match="document 1 of a token cache has no place"):
        read_documents(split, documents=np.array([0, 1]))


def test_a_cache_without_end_of_text_gives_documents_whole(tmp_path):
    FastHfDatasetProvider.from_documents(
        ["ab", "c"],
        tokenizer=small_tokenizer.hugging_face_tokenizer(),
        use_eos_token=False,
        cache_dir=tmp_path / "cache",
        num_workers=1,
    )
    source = TokenCacheDataSource(tmp_path / "cache")
    assert source.cache.end_of_text_id is None
    assert json.loads((tmp_path / "cache/manifest.json").read_text())["end_of_text_id"] is None
    assert [len(example["targets"]) for example in _examples(source, shuffle=False)] == [2, 1]
    assert source.num_tokens("train") == 3


def test_special_tokens_that_a_text_spells_are_unknown_in_a_task(tmp_path):
    made = listed_token_cache.write_cache(tmp_path / "made", [[5, 0, 6, 1], [1, 2, 0]])
    examples = _examples(TokenCacheDataSource(made, find_shift=lambda: 0), shuffle=False)
    assert [example["targets"].tolist() for example in examples] == [[5, 2, 6, 2], [2, 2, 2]]
    as_they_are = _examples(TokenCacheDataSource(made), shuffle=False)
    assert [example["targets"].tolist() for example in as_they_are] == [[5, 0, 6, 1], [1, 2, 0]]
    shifted = _examples(TokenCacheDataSource(made, find_shift=lambda: 3), shuffle=False)
    assert shifted[1]["targets"].tolist() == [4, 5, 3]


def test_a_cache_that_was_made_anew_is_refused_by_a_source_and_its_copies(tmp_path):
    made = listed_token_cache.write_cache(tmp_path / "made")
    other = listed_token_cache.write_cache(tmp_path / "other", [[7]], made_from="another list")
    source, unread = TokenCacheDataSource(made), TokenCacheDataSource(made)
    assert len(_examples(source)) == 3
    content = pickle.dumps(source)
    os.rename(made, tmp_path / "old")
    os.rename(other, made)
    with pytest.raises(errors.ArtifactError, match="made anew since"):
        source.get_dataset("train")
    copied = pickle.loads(content)  # noqa: S301
    with pytest.raises(errors.ArtifactError, match="since it was opened as .*start the program"):
        copied.get_dataset("train")
    assert len(_examples(unread)) == 1


def test_documents_beyond_32_bits_are_read(tmp_path):
    folder = sparse_token_cache.write_cache(
        tmp_path / "cache",
        num_tokens=2**32 + 10,
        ends=[2**31 - 2, 2**31 + 2, 2**32 - 1, 2**32 + 2, 2**32 + 10],
        pieces={2**31 - 2: [1, 2, 3, 4], 2**32 - 1: [5, 6, 7, 8]},
    )
    shard = seqio.ShardInfo(1, 2)
    examples = _examples(TokenCacheDataSource(folder), shuffle=False, shard_info=shard)
    assert [example["targets"].tolist() for example in examples] == [[1, 2, 3, 4], [5, 6, 7]]
    split = TokenCacheReader(folder).split("train")
    last = read_documents(split, documents=np.array([4]))
    assert last.row(0).tolist() == [8] + [0] * 7


def test_what_was_read_of_a_large_file_is_given_back(tmp_path, monkeypatch):
    made = listed_token_cache.write_cache(tmp_path / "made", [[5] * 10] * 200)
    monkeypatch.setattr(memory_maps, "RESIDENT_BYTES", 100)
    given_back = []
    monkeypatch.setattr(
        token_split.TokenSplit, "give_back", lambda split: given_back.append(split.split_name)
    )
    # 200 documents of 10 ids of 8 bytes, 64 documents a call.
    for limit, num_times in ((64 * 80 - 1, 3), (64 * 80, 2), (200 * 80, 0)):
        monkeypatch.setattr(token_cache_source, "_RESIDENT_BYTES", limit)
        given_back.clear()
        assert len(_examples(TokenCacheDataSource(made), shuffle=False)) == 200
        assert len(given_back) == num_times

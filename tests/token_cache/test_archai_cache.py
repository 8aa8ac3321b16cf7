"""Caches that archai made."""

from __future__ import annotations

import json
import pickle

import numpy as np
import pytest
import sparse_token_cache

from code_t5 import errors
from code_t5.token_cache import FastHfDatasetProvider, archai_cache

TOKENS = {"train": np.arange(40, dtype=np.uint16), "validation": np.arange(9, dtype=np.uint16)}


class _Marker:
    """Says so when it is unpickled."""

    loaded = 0

    def __setstate__(self, state):
        _Marker.loaded += 1

    def __getstate__(self):
        return {"is": "tokenizer"}


@pytest.fixture(name="folder")
def _folder(tmp_path):
    for split, tokens in TOKENS.items():
        np.save(tmp_path / f"{split}.npy", tokens)
    (tmp_path / "config.json").write_text(json.dumps({"dataset_name": "wikitext"}))
    (tmp_path / "tokenizer.pkl").write_bytes(pickle.dumps(_Marker()))
    _Marker.loaded = 0
    return tmp_path


def test_nothing_is_read_unless_the_caller_trusts_it(folder):
    with pytest.raises(errors.InputError, match="trust_pickle=True") as caught:
        FastHfDatasetProvider.from_cache(folder)
    assert "\n" not in str(caught.value)
    assert not _Marker.loaded


def test_splits_are_read_as_one_document_each(folder):
    provider = FastHfDatasetProvider.from_cache(folder, trust_pickle=True)
    assert provider.splits == ("train", "validation")
    assert provider.config == {"dataset_name": "wikitext"}
    split = provider.cache.split("train")
    assert split.tokens.tolist() == list(range(40))
    assert split.offsets.tolist() == [0, 40]
    assert split.names(0) == ("", "")
    split.check_offsets()
    assert not _Marker.loaded
    assert isinstance(provider.tokenizer, _Marker)
    assert _Marker.loaded == 1


def test_windows_are_those_of_archai(folder):
    train = FastHfDatasetProvider.from_cache(folder, trust_pickle=True).get_train_dataset(seq_len=8)
    # (40 - 1) // 8 windows, each with its labels one token on.
    assert len(train) == 4
    inputs, labels = train[3]
    assert inputs.tolist() == list(range(24, 32))
    assert labels.tolist() == list(range(25, 33))


def test_workers_open_it_again_without_the_pickle(folder):
    train = FastHfDatasetProvider.from_cache(folder, trust_pickle=True).get_train_dataset(seq_len=8)
    copy = pickle.loads(pickle.dumps(train))  # noqa: S301
    assert copy[2][0].tolist() == train[2][0].tolist()
    assert not _Marker.loaded
    np.save(folder / "train.npy", np.arange(100, dtype=np.uint16))
    with pytest.raises(errors.ArtifactError, match="has changed since"):
        pickle.loads(pickle.dumps(train))  # noqa: S301


def test_ids_of_four_bytes_are_read(folder):
    np.save(folder / "train.npy", np.array([70_000, 1, 2], dtype=np.int32))
    cache = archai_cache.ArchaiCache(folder, trust_pickle=True)
    assert cache.split("train").tokens.tolist() == [70_000, 1, 2]


@pytest.mark.parametrize("damage", ["text", "short", "shape", "dtype", "objects", "empty"])
def test_what_is_no_array_of_ids_is_refused(folder, damage):
    path = folder / "train.npy"
    if damage == "text":
        path.write_text("tokens")
    elif damage == "short":
        path.write_bytes(path.read_bytes()[:-4])
    else:
        odd = {
            "shape": np.zeros((2, 3), dtype=np.uint16),
            "dtype": np.zeros(3),
            "objects": np.array([{}], dtype=object),
            "empty": np.zeros(0, dtype=np.uint16),
        }
        np.save(path, odd[damage])
    with pytest.raises(errors.ArtifactError, match="train.npy .*wanted a cache as archai"):
        FastHfDatasetProvider.from_cache(folder, trust_pickle=True)


def test_negative_ids_are_refused_by_their_place(folder, monkeypatch):
    monkeypatch.setattr(archai_cache, "_CHECKED_IDS", 4)
    tokens = np.arange(10, dtype=np.int32)
    np.save(folder / "train.npy", tokens)
    provider = FastHfDatasetProvider.from_cache(folder, trust_pickle=True)
    assert provider.cache.split("train").tokens.tolist() == list(range(10))
    tokens[9] = -1
    np.save(folder / "train.npy", tokens)
    with pytest.raises(errors.ArtifactError, match="train.npy holds the id -1 at 9"):
        FastHfDatasetProvider.from_cache(folder, trust_pickle=True)


def test_unreadable_pickle_is_one_line(folder):
    (folder / "tokenizer.pkl").write_bytes(b"no pickle")
    provider = FastHfDatasetProvider.from_cache(folder, trust_pickle=True)
    with pytest.raises(errors.ArtifactError, match="cannot be unpickled"):
        _ = provider.tokenizer


def test_shared_memory_needs_checksums(folder):
    with pytest.raises(errors.InputError, match="no checksums"):
        FastHfDatasetProvider.from_cache(folder, trust_pickle=True, use_shared_memory=True)


def test_split_that_is_not_there_lists_the_splits(folder):
    cache = archai_cache.ArchaiCache(folder, trust_pickle=True)
    with pytest.raises(errors.InputError, match="no split 'test'; wanted one of train, validation"):
        cache.split("test")


def test_folder_with_a_manifest_is_no_cache_of_archai(folder):
    assert archai_cache.is_archai_cache(folder)
    (folder / "manifest.json").write_text("{}")
    assert not archai_cache.is_archai_cache(folder)
    with pytest.raises(errors.ArtifactError):
        FastHfDatasetProvider.from_cache(folder)


def test_ids_beyond_32_bits_are_read(folder):
    sparse_token_cache.write_sparse(
        folder / "train.npy",
        dtype="<u2",
        length=2**32 + 100,
        pieces={2**31 - 1: [1, 2, 3], 2**32 - 1: [4, 5]},
    )
    cache = FastHfDatasetProvider.from_cache(folder, trust_pickle=True)
    train = cache.get_train_dataset(seq_len=8)
    assert len(train) == 2**29 + 12
    assert train[2**28 - 1][1].tolist() == [0] * 6 + [1, 2]
    assert train[2**29 - 1][0].tolist() == [0] * 7 + [4]

"""Documents that are at hand."""

from __future__ import annotations

import collections.abc

import pytest
from arrow_files import read_units

from code_t5 import errors
from code_t5.storage import atomic
from code_t5.token_cache.sources import document_source

TEXTS = ["one", b"zwei", "", "trois é", "五" * 10, "six"]


@pytest.fixture(name="cache_dir")
def _cache_dir(tmp_path):
    return tmp_path / "cache"


@pytest.fixture(autouse=True)
def _small_units(monkeypatch):
    monkeypatch.setattr(document_source, "UNIT_BYTES", 12)


def _utf8(texts):
    return [text if isinstance(text, bytes) else text.encode() for text in texts]


@pytest.mark.parametrize("kind", [list, tuple, iter])
def test_documents_are_read_in_order(cache_dir, kind):
    with document_source.open_documents(kind(TEXTS), cache_dir=cache_dir) as source:
        assert source.splits == ("train",)
        assert source.num_documents("train") == 6
        units = list(source.units("train"))
        texts, names = read_units(units)
    assert texts == _utf8(TEXTS)
    assert names == [("", str(row)) for row in range(6)]
    assert len(units) == 3
    assert len({unit.key for unit in units}) == 3


@pytest.mark.parametrize("kind", [list, iter])
def test_validation_is_made_of_train(cache_dir, kind):
    with document_source.open_documents(
        kind(TEXTS), cache_dir=cache_dir, validation_split=2, seed=3
    ) as source:
        assert source.splits == ("train", "validation")
        found = {split: read_units(source.units(split)) for split in source.splits}
        counts = [source.num_documents(split) for split in source.splits]
    assert [len(found[split][0]) for split in source.splits] == [4, 2] == counts
    rows = [int(name) for split in source.splits for _, name in found[split][1]]
    assert sorted(rows) == list(range(6))
    for texts, names in found.values():
        assert texts == [_utf8(TEXTS)[int(name)] for _, name in names]


def test_what_can_be_walked_once_gives_the_fingerprint_of_a_list(cache_dir):
    parts = []
    for kind in (list, iter):
        splits = {"train": kind(TEXTS), "test": kind(["x"])}
        with document_source.open_documents(splits, cache_dir=cache_dir) as source:
            parts.append(source.fingerprint_parts)
            keys = [unit.key for unit in source.units("train")]
            parts.append(keys)
    assert parts[:2] == parts[2:]


@pytest.mark.parametrize("other", [["ab", "c"], ["a", "b", "c"], ["abc"], ["a", "bd"], ["bc", "a"]])
def test_other_documents_have_another_fingerprint(cache_dir, other):
    def parts(texts):
        with document_source.open_documents(texts, cache_dir=cache_dir) as source:
            return source.fingerprint_parts["documents_sha256"]["train"]

    assert parts(["a", "bc"]) != parts(other)


def test_keys_of_units_stand_for_their_documents(cache_dir):
    def keys(**options):
        with document_source.open_documents(TEXTS, cache_dir=cache_dir, **options) as source:
            return [unit.key for split in source.splits for unit in source.units(split)]

    chosen = {"validation_split": 2, "seed": 1}
    assert keys(**chosen) == keys(**chosen)
    for other in ({}, {**chosen, "seed": 2}, {**chosen, "validation_split": 3}):
        assert not set(keys(**chosen)) & set(keys(**other))


def test_nothing_is_left_beside_the_cache(cache_dir):
    with document_source.open_documents(iter(TEXTS), cache_dir=cache_dir):
        assert [path.name for path in cache_dir.parent.iterdir()] == [".cache.documents"]
    assert not list(cache_dir.parent.iterdir())
    with (
        pytest.raises(errors.InputError),
        document_source.open_documents(iter(["a", 5]), cache_dir=cache_dir),
    ):
        pass
    assert not list(cache_dir.parent.iterdir())


def test_what_a_killed_process_left_is_removed(cache_dir):
    left = cache_dir.with_name(".cache.documents") / "0123456789ab"
    left.mkdir(parents=True)
    (left / "0").write_text("old")
    with document_source.open_documents(iter(TEXTS), cache_dir=cache_dir):
        assert not left.exists()
    assert not left.parent.exists()


def test_two_at_once_do_not_mix(cache_dir):
    folder = cache_dir.with_name(".cache.documents")
    with (
        atomic.lock(folder / "lock", purpose="test"),
        pytest.raises(errors.BusyError),
        document_source.open_documents(iter(TEXTS), cache_dir=cache_dir),
    ):
        pass
    assert folder.exists()


class _Growing(collections.abc.Sequence):
    """Gives other documents the second time."""

    def __init__(self, first, second):
        self._walks = [first, second]

    def __len__(self):
        return len(self._walks[0])

    def __getitem__(self, number):
        return self._walks[0][number]

    def change(self):
        del self._walks[0]


@pytest.mark.parametrize(
    ("second", "match"),
    [
        (["one", "two", "abc"], "document 2 has changed"),
        (["one", "twoo", "xyz"], "document 1 has changed"),
        (["one", "two"], "document 2 has changed"),
        (["one", "two", "xyz", "more"], "document 3 has changed"),
    ],
)
def test_documents_that_change_between_two_walks_are_refused(cache_dir, second, match):
    documents = _Growing(["one", "two", "xyz"], second)
    with document_source.open_documents(documents, cache_dir=cache_dir) as source:
        assert read_units(source.units("train"))[0] == [b"one", b"two", b"xyz"]
        documents.change()
        with pytest.raises(errors.InputError, match=match):
            list(source.units("train"))


def test_names_of_splits_are_text(cache_dir):
    with document_source.open_documents({1: ["a"]}, cache_dir=cache_dir) as source:
        assert source.splits == ("1",)
        assert list(source.fingerprint_parts["documents_sha256"]) == ["1"]
    with (
        pytest.raises(errors.InputError, match="split '1' is given twice"),
        document_source.open_documents({1: ["a"], "1": ["b"]}, cache_dir=cache_dir),
    ):
        pass


def test_no_share_of_validation_is_none(cache_dir):
    with document_source.open_documents(TEXTS, cache_dir=cache_dir) as source:
        wanted = source.fingerprint_parts
    with document_source.open_documents(TEXTS, cache_dir=cache_dir, validation_split=0) as source:
        assert source.splits == ("train",)
        assert source.fingerprint_parts == wanted


def test_sample_comes_from_all_over_the_split(cache_dir):
    texts = [f"document {number}" for number in range(100)]
    for kind in (list, iter):
        with document_source.open_documents(kind(texts), cache_dir=cache_dir) as source:
            batches = list(source.sample("train", num_bytes=400))
        rows = [int(name) for batch in batches for _, name in batch.names]
        assert len(batches) == 16
        assert rows == sorted(set(rows))
        assert rows[-1] > 90
        assert [t.decode() for b in batches for t in b.texts] == [texts[row] for row in rows]


@pytest.mark.parametrize(
    ("documents", "match"),
    [
        ("text", "'train' are a str; wanted an iterable"),
        ({"train": "text"}, "'train' are a str; wanted an iterable"),
        (5, "'train' are a int"),
        ([], "'train' has no documents"),
        ({"train": ["a"], "test": iter([])}, "'test' has no documents"),
        (["a", None], "document 1 is a NoneType"),
        ([{"text": "a"}], "document 0 is a dict"),
        (["a\ud800"], "document 0 is no valid Unicode"),
        ([b"a", b"\xff"], "document 1 is no valid Unicode"),
        ({"a/b": ["a"]}, "split is named 'a/b'"),
    ],
)
def test_what_is_no_text_is_refused(cache_dir, documents, match):
    with (
        pytest.raises(errors.InputError, match=match),
        document_source.open_documents(documents, cache_dir=cache_dir),
    ):
        pass
    assert not list(cache_dir.parent.iterdir())

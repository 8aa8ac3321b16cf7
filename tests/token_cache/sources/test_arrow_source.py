"""A data set of Arrow files as a source of documents."""

from __future__ import annotations

import pytest
from arrow_files import read_units, write_arrow

from code_t5 import errors
from code_t5.token_cache.sources import arrow_rows, row_options
from code_t5.token_cache.sources.arrow_source import ArrowSource


@pytest.fixture(name="files")
def _files(tmp_path):
    """Train in two files, and a test split."""
    first = write_arrow(tmp_path / "0", {"text": [f"train {row}" for row in range(10)]})
    second = write_arrow(tmp_path / "1", {"text": [f"train {row}" for row in range(10, 25)]})
    test = write_arrow(tmp_path / "2", {"text": ["test 0", "test 1"]})
    return {"train": [first, second], "test": [test]}


def _source(files, **changes):
    options = {"mapping_column_name": None, "split": None, "validation_split": None, "seed": 42}
    options = row_options.read_options(**{**options, **changes})
    calls = []

    def open_files():
        calls.append(1)
        return files

    source = ArrowSource(
        open_files,
        options=options,
        where="the data set small",
        fingerprint_parts={"revision": "abc"},
        config={"dataset_name": "small"},
    )
    return source, calls


def _texts(source, split):
    return [text.decode() for text in read_units(source.units(split))[0]]


def test_all_splits_are_read_as_they_are(files):
    source, _ = _source(files)
    assert source.splits == ("train", "test")
    assert _texts(source, "train") == [f"train {row}" for row in range(25)]
    assert _texts(source, "test") == ["test 0", "test 1"]
    assert [source.num_documents(split) for split in source.splits] == [25, 2]


def test_nothing_is_opened_for_a_fingerprint(files):
    source, calls = _source(files, validation_split=2)
    assert source.fingerprint_parts["revision"] == "abc"
    assert source.fingerprint_parts["seed"] == 42
    assert source.config["validation_split"] == 2
    assert not calls
    assert source.splits
    list(source.units("train"))
    assert calls == [1]


def test_seed_counts_only_where_it_chooses():
    parts = [_source({}, seed=seed)[0].fingerprint_parts for seed in (1, 2)]
    assert parts[0] == parts[1]
    parts = [_source({}, seed=seed, validation_split=1)[0].fingerprint_parts for seed in (1, 2)]
    assert parts[0] != parts[1]


@pytest.mark.parametrize(
    ("split", "wanted"),
    [
        ("train[:3]", {"train": range(3)}),
        ("train[8:12]", {"train": range(8, 12)}),
        ("train[80%:]", {"train": range(20, 25)}),
        ({"a": "train[:1]", "b": "train[-2:]"}, {"a": range(1), "b": range(23, 25)}),
        ("train[:2]+train[11:13]", {"train": [0, 1, 11, 12]}),
    ],
)
def test_part_of_a_split_keeps_the_names_of_its_rows(files, split, wanted):
    source, _ = _source(files, split=split)
    assert source.splits == tuple(wanted)
    for name, rows in wanted.items():
        texts, names = read_units(source.units(name))
        assert texts == [f"train {row}".encode() for row in rows]
        assert names == [("", str(row)) for row in rows]
        assert source.num_documents(name) == len(rows)


def test_validation_is_made_of_the_rows_that_are_wanted(files):
    source, _ = _source(files, split="train[5:25]", validation_split=4)
    assert source.splits == ("train", "validation")
    train, validation = (_texts(source, split) for split in source.splits)
    assert (
        [len(train), len(validation)] == [16, 4] == list(map(source.num_documents, source.splits))
    )
    assert sorted(train + validation) == sorted(f"train {row}" for row in range(5, 25))
    assert train == sorted(train, key=lambda text: int(text.split()[1]))


def test_how_finely_units_are_cut_changes_no_document(files, monkeypatch):
    whole = {split: _texts(_source(files)[0], split) for split in ("train", "test")}
    monkeypatch.setattr(arrow_rows, "UNIT_BYTES", 40)
    source, _ = _source(files)
    units = list(source.units("train"))
    assert len(units) > 5
    assert _texts(source, "train") == whole["train"]
    assert len({unit.key for unit in units}) == len(units)


def test_keys_stand_for_documents(files):
    first, second = _source(files)[0], _source(files)[0]
    assert [u.key for u in first.units("train")] == [u.key for u in second.units("train")]
    other, _ = _source(files, validation_split=3)
    keys = {unit.key for unit in first.units("train")}
    assert not keys & {unit.key for unit in other.units("train")}


def test_sample_comes_from_all_over_the_split(files):
    source, _ = _source(files)
    batches = list(source.sample("train", num_bytes=16 * 14))
    assert len(batches) == 16
    rows = [int(name) for batch in batches for _, name in batch.names]
    assert rows == sorted(set(rows))
    assert rows[0] == 0
    assert rows[-1] >= 23
    again = _source(files)[0].sample("train", num_bytes=16 * 14)
    assert [batch.texts for batch in again] == [batch.texts for batch in batches]


def test_sample_of_a_made_split_is_of_its_documents(files):
    source, _ = _source(files, validation_split=5)
    for split in source.splits:
        wanted = set(_texts(source, split))
        found = [t.decode() for b in source.sample(split, num_bytes=1000) for t in b.texts]
        assert found
        assert set(found) <= wanted


def test_missing_text_is_counted_in_a_warning(tmp_path, caplog):
    path = write_arrow(tmp_path / "a", {"text": ["a", None, None, "b"]})
    source, _ = _source({"train": [path]})
    with caplog.at_level("WARNING"):
        assert _texts(source, "train") == ["a", "", "", "b"]
    assert "2 of the 4 rows" in caplog.text
    assert caplog.text.count("rows of") == 1


def test_split_that_is_not_there_lists_the_splits(files):
    source, _ = _source(files, split="validation")
    with pytest.raises(errors.InputError, match="no split 'validation'; wanted one of train, test"):
        _ = source.splits


def test_empty_split_is_refused(files, tmp_path):
    files["validation"] = [write_arrow(tmp_path / "none", {"text": ["a"]}, rows_per_batch=1)]
    for split in ("validation[1:]", "train[30:]"):
        with pytest.raises(errors.InputError, match="'train' of the data set small is empty"):
            _ = _source(files, split=split)[0].splits


def test_split_name_that_no_file_can_have_is_refused(files):
    files["train.clean"] = files.pop("train")
    with pytest.raises(errors.InputError, match="has the split 'train.clean'"):
        _ = _source(files)[0].splits
    assert _source(files, split={"train": "train.clean"})[0].splits == ("train",)


def test_files_of_one_split_must_all_have_the_column(files, tmp_path):
    files["train"].append(write_arrow(tmp_path / "odd", {"title": ["a"]}))
    with pytest.raises(errors.InputError, match="no column 'text'"):
        _ = _source(files)[0].splits

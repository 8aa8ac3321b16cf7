"""Data sets that `save_to_disk` wrote."""

from __future__ import annotations

import shutil

import datasets
import pytest
from arrow_files import read_units

from code_t5 import errors
from code_t5.token_cache.sources import disk_source, row_options

TRAIN, TEST = ["one", "two", "three"], ["four"]


def _open(folder, **changes):
    options = {"mapping_column_name": None, "split": None, "validation_split": None, "seed": 42}
    return disk_source.open_disk_source(
        folder, options=row_options.read_options(**{**options, **changes})
    )


def _rows(texts):
    return datasets.Dataset.from_dict({"text": texts, "n": list(range(len(texts)))})


@pytest.fixture(name="folder")
def _folder(tmp_path):
    splits = {"train": _rows(TRAIN), "test": _rows(TEST)}
    datasets.DatasetDict(splits).save_to_disk(
        tmp_path / "saved", num_shards={"train": 2, "test": 1}
    )
    return tmp_path / "saved"


def _texts(source, split):
    return [text.decode() for text in read_units(source.units(split))[0]]


def test_splits_of_a_dictionary_are_read(folder):
    source = _open(folder)
    assert source.splits == ("train", "test")
    assert [_texts(source, split) for split in source.splits] == [TRAIN, TEST]


def test_single_data_set_counts_as_train(tmp_path):
    _rows(TRAIN).save_to_disk(tmp_path / "one")
    source = _open(tmp_path / "one", split="train[1:]")
    assert _texts(source, "train") == ["two", "three"]


def test_rows_that_were_chosen_or_shuffled_are_read_as_they_were_saved(tmp_path):
    _rows(TRAIN).select([2, 0]).save_to_disk(tmp_path / "some")
    assert _texts(_open(tmp_path / "some"), "train") == ["three", "one"]


def test_fingerprint_follows_the_content_and_not_the_place(folder, tmp_path):
    parts = _open(folder).fingerprint_parts
    shutil.copytree(folder, tmp_path / "copy")
    assert _open(tmp_path / "copy").fingerprint_parts == parts
    datasets.DatasetDict(
        {"train": _rows(["one", "two", "thre!"]), "test": _rows(TEST)}
    ).save_to_disk(tmp_path / "other", num_shards={"train": 2, "test": 1})
    assert _open(tmp_path / "other").fingerprint_parts["arrow_sha256"] != parts["arrow_sha256"]


def test_options_are_part_of_the_fingerprint(folder):
    assert _open(folder, mapping_column_name="text").fingerprint_parts != (
        _open(folder).fingerprint_parts
    )


@pytest.mark.parametrize("what", ["missing", "empty", "file"])
def test_what_is_no_saved_data_set_is_refused(tmp_path, what):
    folder = tmp_path / what
    if what == "empty":
        folder.mkdir()
    elif what == "file":
        folder.write_text("")
    with pytest.raises(errors.InputError, match="wanted the .*folder that save_to_disk wrote"):
        _open(folder)


def test_missing_file_is_refused(folder):
    next(folder.glob("train/*.arrow")).unlink()
    with pytest.raises(errors.InputError, match="cannot be loaded"):
        _open(folder)

from __future__ import annotations

import numpy as np
from fake_word_vocabulary import packed_arrays

from code_t5.data.preview import packed_rows


def _packed(**features):
    return packed_rows.read_row(packed_arrays(**features))


def test_a_packed_row_comes_apart():
    row = _packed(targets=[[7, 1], [8, 1]], inputs=[[5, 6, 1], [4, 1]])
    assert row.is_packed
    assert row.is_paired
    assert row.num_examples == 2
    assert list(row.features) == ["inputs", "targets"]
    assert {name: ids.tolist() for name, ids in row.example(2).items()} == {
        "inputs": [4, 1],
        "targets": [8, 1],
    }
    assert (row.num_tokens("inputs"), row.num_tokens("targets")) == (5, 4)


def test_a_row_without_segmentation_is_one_example():
    row = packed_rows.read_row({"inputs": np.array([5, 1, 0]), "targets": np.array([0, 0, 0])})
    assert not row.is_packed
    assert row.num_examples == 1
    assert row.example(1)["inputs"].tolist() == [5, 1]
    assert row.example(1)["targets"].tolist() == []


def test_numbers_that_shift_are_noticed():
    assert not _packed(inputs=[[5, 1]], targets=[[7, 1], [8, 1]]).is_paired


def test_what_is_no_line_of_ids_is_left_out():
    arrays = {
        "targets": np.array([5, 1]),
        "scores": np.array([0.5, 1.0]),
        "image": np.zeros((2, 2), np.int32),
        "text": np.array([b"a", b"b"]),
    }
    assert list(packed_rows.read_row(arrays).features) == ["targets"]


def test_lengths_of_examples_come_row_by_row():
    rows = [
        _packed(inputs=[[5, 6, 1], [4, 1]], targets=[[7, 1], [8, 1]]),
        _packed(inputs=[[1]], targets=[[7, 7, 7, 1]]),
    ]
    found = packed_rows.example_lengths(rows)
    assert found["inputs"].tolist() == [3, 2, 1]
    assert found["targets"].tolist() == [2, 2, 4]

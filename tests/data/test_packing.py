"""Packing, beside mesh-tensorflow's own."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pytest
import tensorflow as tf
from mesh_tensorflow.transformer import dataset as mesh_dataset

from code_t5.data import packing
from code_t5.encoding.ragged import Ragged


class Examples(NamedTuple):
    inputs: Ragged
    targets: Ragged


def examples_of(*pairs):
    return Examples(*(Ragged.from_rows([pair[i] for pair in pairs]) for i in range(2)))


def drawn_examples(seed, *, num_examples, lengths):
    rng = np.random.default_rng(seed)
    return examples_of(
        *(
            [rng.integers(2, 99, rng.integers(0, lengths[name])) for name in packing.FEATURES]
            for _ in range(num_examples)
        )
    )


def pack_by_mesh_tensorflow(examples, lengths):
    """One batch of `pack_dataset`, of at most as many examples as a row has tokens."""

    def generate():
        for index in range(examples.inputs.num_rows):
            yield {
                name: np.append(getattr(examples, name).row(index), 1).astype(np.int32)
                for name in packing.FEATURES
            }

    spec = {name: tf.TensorSpec([None], tf.int32) for name in packing.FEATURES}
    dataset = tf.data.Dataset.from_generator(generate, output_signature=spec)
    packed = mesh_dataset.pack_dataset(dataset, length=lengths, keys=packing.FEATURES)
    return list(packed.as_numpy_iterator())


def test_the_example_of_mesh_tensorflows_docstring():
    rows = packing.pack(
        examples_of(([8, 7], [4]), ([2, 3, 4], [5, 6])), {"inputs": 10, "targets": 10}
    )
    assert {key: array.tolist() for key, array in rows.items()} == {
        "inputs": [[8, 7, 1, 2, 3, 4, 1, 0, 0, 0]],
        "inputs_segmentation": [[1, 1, 1, 2, 2, 2, 2, 0, 0, 0]],
        "inputs_position": [[0, 1, 2, 0, 1, 2, 3, 0, 0, 0]],
        "targets": [[4, 1, 5, 6, 1, 0, 0, 0, 0, 0]],
        "targets_segmentation": [[1, 1, 2, 2, 2, 0, 0, 0, 0, 0]],
        "targets_position": [[0, 1, 0, 1, 2, 0, 0, 0, 0, 0]],
    }
    assert {array.dtype for array in rows.values()} == {np.dtype(np.int32)}


@pytest.mark.parametrize(
    "seed, num_examples, lengths",
    [
        (0, 30, {"inputs": 32, "targets": 32}),
        (1, 64, {"inputs": 64, "targets": 9}),
        (2, 40, {"inputs": 5, "targets": 50}),
        (3, 1, {"inputs": 8, "targets": 8}),
    ],
)
def test_rows_are_those_of_mesh_tensorflow(seed, num_examples, lengths):
    examples = drawn_examples(seed, num_examples=num_examples, lengths=lengths)
    wanted = pack_by_mesh_tensorflow(examples, lengths)
    found = packing.pack(examples, lengths)
    assert set(found) == set(wanted[0]) == set(packing.PACKED_KEYS)
    for key, array in found.items():
        np.testing.assert_array_equal(array, [row[key] for row in wanted], err_msg=key)


def test_empty_inputs_are_a_lone_end():
    rows = packing.pack(examples_of(([], [4]), ([], [5])), {"inputs": 4, "targets": 4})
    assert rows["inputs"].tolist() == [[1, 1, 0, 0]]
    assert rows["inputs_segmentation"].tolist() == [[1, 2, 0, 0]]


def test_an_example_that_fills_its_row_stands_alone():
    rows = packing.pack(
        examples_of(([7], [4]), ([7, 7, 7], [5]), ([], [6])), {"inputs": 4, "targets": 9}
    )
    assert rows["inputs"].tolist() == [[7, 1, 0, 0], [7, 7, 7, 1], [1, 0, 0, 0]]


def test_padding_gives_each_example_a_row():
    rows = packing.pad(examples_of(([8, 7], []), ([], [5, 6])), {"inputs": 4, "targets": 3})
    assert {key: array.tolist() for key, array in rows.items()} == {
        "inputs": [[8, 7, 1, 0], [1, 0, 0, 0]],
        "targets": [[1, 0, 0], [5, 6, 1]],
    }


def test_examples_that_begin_within_a_larger_array_are_packed_alike():
    whole = drawn_examples(5, num_examples=20, lengths={"inputs": 9, "targets": 9})
    part = Examples(*(Ragged(rows.values, rows.offsets[5:]) for rows in whole))
    copied = Examples(*(Ragged.from_rows([r.row(i) for i in range(5, 20)]) for r in whole))
    lengths = {"inputs": 12, "targets": 12}
    wanted = packing.pack(copied, lengths)
    for key, array in packing.pack(part, lengths).items():
        np.testing.assert_array_equal(array, wanted[key])


@pytest.mark.parametrize("function", [packing.pack, packing.pad])
def test_nothing_becomes_no_rows(function):
    rows = function(examples_of(), {"inputs": 4, "targets": 3})
    assert {array.shape for array in rows.values()} == {(0, 4), (0, 3)}


@pytest.mark.parametrize("function", [packing.pack, packing.pad])
def test_an_example_longer_than_a_row_is_refused(function):
    with pytest.raises(ValueError, match="targets of an example have 5 tokens with EOS.* most 4"):
        function(examples_of(([1], [2, 3, 4, 5])), {"inputs": 4, "targets": 4})

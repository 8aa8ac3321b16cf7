from __future__ import annotations

import numpy as np
import pytest

from code_t5.data.preview import suggestions
from code_t5.data.preview.suggestions import Measured, Trial, suggest


def _trial(inputs, targets, *, length=512, num_epoch_examples=None):
    return Trial(
        {"inputs": length, "targets": length},
        {"inputs": np.array(inputs), "targets": np.array(targets)},
        num_epoch_examples,
    )


def test_windows_tell_how_documents_fare():
    found = {one.length: one for one in suggestions.windows_of(np.array([127, 128, 1000]))}
    assert found[128].share_whole == pytest.approx(1 / 3)
    assert found[128].share_tokens_whole == pytest.approx(127 / 1255)
    # 1, 2 and 8 windows of 127 tokens.
    assert found[128].mean_windows == pytest.approx(11 / 3)
    assert found[128].fill == pytest.approx(1255 / (11 * 127))
    assert found[1024].share_whole == 1.0
    assert found[1024].fill == pytest.approx(1255 / (3 * 1023))


@pytest.mark.parametrize(
    ("documents", "length"),
    [
        ([100_000] * 3, 4096),
        # A window of 256 would be 98 % full, one of 512 half.
        ([250] * 5, 256),
        ([10] * 5, 128),
        ([0], 128),
    ],
)
def test_the_best_window_is_the_longest_that_is_filled(documents, length):
    assert suggestions.best_window(np.array(documents)).length == length


@pytest.mark.parametrize(("length", "rounded"), [(0, 0), (1, 16), (128, 128), (129, 192)])
def test_lengths_are_rounded_up(length, rounded):
    assert suggestions.round_up(length) == rounded


def test_packing_stops_at_the_first_feature_that_is_full():
    trial = _trial([3, 3, 3, 9], [5, 5, 1, 1])
    found = suggestions.reckon_packing(trial.examples, {"inputs": 8, "targets": 9})
    # The third fits beside the second; the fourth is cut to 8 and stands alone.
    assert (found.num_rows, found.num_examples) == (3, 4)
    assert found.fill == {"inputs": pytest.approx(17 / 24), "targets": pytest.approx(12 / 27)}
    assert found.fill_unpacked["targets"] == pytest.approx(12 / 36)
    assert found.saving == pytest.approx(1 / 4)


def test_packing_reckons_as_the_trainer_packs():
    import tensorflow as tf
    from mesh_tensorflow.transformer import dataset as trainer_packing

    rng = np.random.default_rng(3)
    # Padding counts as the end of what the trainer packs in one go: 32 examples at a time.
    inputs, targets = rng.integers(1, 20, 32), rng.integers(1, 12, 32)
    examples = tf.data.Dataset.from_generator(
        lambda: (
            {"inputs": np.full(i, 7, np.int32), "targets": np.full(t, 7, np.int32)}
            for i, t in zip(inputs, targets)
        ),
        output_signature={name: tf.TensorSpec([None], tf.int32) for name in ("inputs", "targets")},
    )
    room = {"inputs": 32, "targets": 24}
    rows = list(trainer_packing.pack_dataset(examples, room).as_numpy_iterator())
    found = suggestions.reckon_packing({"inputs": inputs, "targets": targets}, room)
    assert found.num_rows == len(rows)
    for name, length in room.items():
        filled = sum(int((row[name] > 0).sum()) for row in rows)
        assert found.fill[name] == pytest.approx(filled / (len(rows) * length))


def test_examples_with_lengths_of_their_own_are_not_cut():
    natural = {"inputs": np.array([90] * 99 + [5000]), "targets": np.full(100, 9)}
    found = suggest(Measured(_trial([90], [9], num_epoch_examples=10**7), natural=natural))
    assert found.sequence_length == {"inputs": 96, "targets": 16}
    assert not found.pack
    # 682 rows of 96 tokens.
    assert found.tokens_per_batch == 65_472
    assert "inputs of 96 cut 1.0%" in found.reasons[0]
    assert found.gin_lines("token_train_dataset_fn") == [
        "utils.run.sequence_length = {'inputs': 96, 'targets': 16}",
        "token_train_dataset_fn.pack = False",
        "utils.run.batch_size = ('tokens_per_batch', 65472)",
    ]


def test_windows_follow_the_documents_and_targets_what_they_need():
    documents = np.full(1000, 6000)
    measured = Measured(
        _trial([512], [114]),
        documents=documents,
        window=_trial([512] * 100, [114] * 100, length=512, num_epoch_examples=10**6),
    )
    found = suggest(measured)
    assert found.sequence_length == {"inputs": 512, "targets": 128}
    assert not found.pack
    assert found.tokens_per_batch == 65_536
    assert "1,000,000 rows: 7,812 steps of 128 rows" in found.reasons[2]
    # 128 rows of 114 tokens.
    assert "about 14,592 target tokens" in found.reasons[2]


def test_short_examples_are_packed_and_an_epoch_is_counted_in_rows():
    measured = Measured(
        _trial([64], [64]),
        documents=np.full(50, 60),
        window=_trial([32] * 100, [32] * 100, length=128, num_epoch_examples=4_000_000),
    )
    found = suggest(measured)
    assert found.sequence_length == {"inputs": 32, "targets": 32}
    packed = suggest(Measured(_trial([100] * 8, [100] * 8, num_epoch_examples=4_000_000)))
    assert packed.pack
    # 5 of 100 tokens fit into 512.
    assert "1,000,000 rows" in packed.reasons[2]


def test_little_data_gets_small_batches():
    found = suggest(Measured(_trial([500] * 8, [500] * 8, num_epoch_examples=1000)))
    assert found.tokens_per_batch == 8 * 512


def test_without_a_count_of_examples_batches_are_those_of_t5():
    assert suggest(Measured(_trial([500] * 8, [500] * 8))).tokens_per_batch == 65_536


def test_the_trainer_takes_the_tokens_of_a_batch():
    from mesh_tensorflow.transformer import utils

    natural = {"inputs": np.full(10, 190), "targets": np.full(10, 70)}
    found = suggest(Measured(_trial([190], [70]), natural=natural))
    rows = utils.compute_batch_size(
        found.sequence_length,
        "batch:1",
        "batch:batch",
        ("tokens_per_batch", found.tokens_per_batch),
    )
    assert rows == 65_536 // 192

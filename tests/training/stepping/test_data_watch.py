"""Waiting for data, and the tokens that steps get."""

from __future__ import annotations

import time

import pytest
import tensorflow as tf

from code_t5.training.stepping.data_watch import DataCounts, DataWatch

# Batches of two rows: 3 and 6 tokens of inputs, 2 and 4 of targets.
BATCHES = {
    "inputs": [[[5, 1, 0, 0], [1, 0, 0, 0]], [[5, 5, 5, 1], [5, 1, 0, 0]]],
    "targets": [[[1, 0], [1, 0]], [[5, 1], [5, 1]]],
}
DELAY = 0.05


def batches(names=tuple(BATCHES)):
    features = {name: tf.constant(BATCHES[name], tf.int32) for name in names}
    return tf.data.Dataset.from_tensor_slices(features)


def delayed(dataset):
    def wait():
        time.sleep(DELAY)

    def pass_on(batch):
        with tf.control_dependencies([tf.numpy_function(wait, [], [])]):
            return tf.nest.map_structure(tf.identity, batch)

    return dataset.map(pass_on)


def test_batches_pass_unchanged_and_their_tokens_are_counted():
    watch = DataWatch()
    passed = list(watch.watch(batches()))
    for name, wanted in BATCHES.items():
        assert [batch[name].numpy().tolist() for batch in passed] == wanted
    counts = watch.counts
    assert (counts.num_batches, counts.num_tokens, counts.num_positions) == (2, 15, 24)


def test_a_model_without_inputs_is_counted_too():
    watch = DataWatch()
    list(watch.watch(batches(["targets"])))
    assert (watch.counts.num_tokens, watch.counts.num_positions) == (6, 8)


def test_time_that_a_reader_is_kept_waiting_is_counted():
    watch = DataWatch()
    list(watch.watch(delayed(batches())))
    assert watch.counts.waited_seconds >= 2 * DELAY


def test_batches_that_were_ready_cost_no_waiting():
    watch = DataWatch()
    # Made while the reader is at work, and the reader is slower.
    iterator = iter(watch.watch(delayed(batches().repeat(5)).prefetch(10)))
    next(iterator)
    time.sleep(12 * DELAY)
    before = watch.counts
    list(iterator)
    after = watch.counts.since(before)
    assert after.num_batches == 9
    assert after.waited_seconds < 9 * DELAY


def test_counts_are_of_what_was_asked_for_not_of_what_was_made_ahead():
    watch = DataWatch()
    iterator = iter(watch.watch(batches().repeat(5).prefetch(10)))
    next(iterator)
    assert watch.counts.num_batches == 1


def test_it_works_in_the_graph_of_an_estimator():
    watch = DataWatch()
    with tf.Graph().as_default():
        iterator = tf.compat.v1.data.make_one_shot_iterator(watch.watch(batches()))
        following = iterator.get_next()
        with tf.compat.v1.Session() as session:
            assert session.run(following)["inputs"].tolist() == BATCHES["inputs"][0]
    assert watch.counts.num_tokens == 5


def test_a_difference_of_counts_is_that_of_each():
    later, earlier = DataCounts(5, 60, 100, 2.5), DataCounts(2, 20, 40, 0.5)
    assert later.since(earlier) == DataCounts(3, 40, 60, pytest.approx(2.0))

"""Batches of samples, padded and in an order that can be gone on with."""

from __future__ import annotations

import itertools
import json

import numpy as np
import pytest
from refusals import assert_refused
from small_teacher_outputs import small_plan, small_sample, write_small

from code_t5.teacher_outputs.sample_batches import OutputBatches, SampleReader
from code_t5.teacher_outputs.schema import ArrayField, OutputSchema
from code_t5.teacher_outputs.writer import OutputsWriter


@pytest.fixture(name="outputs")
def _outputs(tmp_path):
    return write_small(tmp_path / "outputs")


def _numbers(batch):
    return (batch["f0"] - 440).astype(int).tolist()


def test_ragged_fields_are_padded(outputs):
    batch = SampleReader(outputs).read([5, 0, 1])
    assert list(batch) == [
        *("x", "f0", "ids", "log_probabilities", "text", "tokens_lengths", "text_lengths")
    ]
    assert batch["x"][0].tolist() == small_sample(5)["x"].tolist()
    assert batch["tokens_lengths"].tolist() == [2, 0, 1]
    assert batch["text_lengths"].tolist() == [5, 0, 1]
    assert batch["ids"].shape == (3, 2, 3)
    assert batch["ids"][0].tolist() == small_sample(5)["ids"].tolist()
    assert batch["ids"][1].tolist() == [[0] * 3] * 2
    assert batch["text"].tolist() == [[97] * 5, [0] * 5, [97, 0, 0, 0, 0]]


def test_small_unsigned_numbers_are_widened(outputs):
    batch = SampleReader(outputs).read([2])
    assert batch["ids"].dtype == np.int32 and batch["ids"].min() >= 40_000
    assert batch["text"].dtype == np.uint8
    assert batch["x"].dtype == np.float32


def test_wide_fixed_fields_are_widened_too(tmp_path):
    schema = OutputSchema((ArrayField("a", "uint16", (200,)), ArrayField("b", "uint32")))
    plan = small_plan(schema=schema, num_samples=1)
    with OutputsWriter(tmp_path / "outputs", plan=plan) as writer:
        writer.write_shard(0, [{"a": np.full(200, 65_535), "b": 2**32 - 1}])
        batch = SampleReader(writer.publish()).read([0])
    assert (batch["a"].dtype, batch["a"][0, 7]) == (np.int32, 65_535)
    assert (batch["b"].dtype, batch["b"][0]) == (np.int64, 2**32 - 1)


def test_padding_may_be_of_another_value_and_size(outputs):
    reader = SampleReader(
        outputs, fields=["text", "ids"], fill={"ids": -100}, pad_to={"tokens": 4, "text": 9}
    )
    batch = reader.read([4])
    assert reader.names == ("text", "ids", "text_lengths", "tokens_lengths")
    assert batch["ids"].shape == (1, 4, 3)
    assert batch["ids"][0, 1:].tolist() == [[-100] * 3] * 3
    assert batch["text"].shape == (1, 9)


def test_what_cannot_be_padded_is_refused(outputs):
    reader = SampleReader(outputs, pad_to={"tokens": 1})
    assert reader.read([0, 1])["ids"].shape == (2, 1, 3)
    assert_refused(lambda: reader.read([2]), match="a sample has 2 tokens; wanted at most the 1")
    for options, match in [
        ({"pad_to": {"x": 1}}, "pad_to names 'x'; wanted tokens, text"),
        ({"pad_to": {"tokens": 0}}, "is 0"),
        ({"fill": {"x": 1}}, "fill names 'x'; wanted ids, log_probabilities, text"),
        ({"fields": ["x"], "pad_to": {"tokens": 1}}, "nothing that is read is ragged"),
        ({"fields": ["no"]}, "no field 'no'"),
    ]:
        assert_refused(lambda options=options: SampleReader(outputs, **options), match=match)


def test_a_field_that_is_called_as_the_lengths_are_is_refused(tmp_path):
    schema = OutputSchema((ArrayField("a", "int8", (None,)), ArrayField("a_lengths", "int8")))
    with OutputsWriter(
        tmp_path / "outputs", plan=small_plan(schema=schema, num_samples=1)
    ) as writer:
        writer.write_shard(0, [{"a": [1], "a_lengths": 1}])
        outputs = writer.publish()
    assert_refused(lambda: SampleReader(outputs), match="a field 'a_lengths'")
    assert SampleReader(outputs, fields=["a_lengths"]).names == ("a_lengths",)


def test_no_samples_make_an_empty_batch(outputs):
    batch = SampleReader(outputs).read([])
    assert batch["x"].shape == (0, 5, 1)
    assert batch["ids"].shape == (0, 0, 3)


def test_each_epoch_holds_each_sample_once_in_another_order(outputs):
    batches = OutputBatches(outputs, batch_size=3, drop_last=False)
    epochs = [sum(map(_numbers, batches), []) for _ in range(3)]
    assert all(sorted(epoch) == list(range(10)) for epoch in epochs)
    assert len({tuple(epoch) for epoch in epochs}) == 3
    again = OutputBatches(outputs, batch_size=3, drop_last=False)
    assert sum(map(_numbers, again), []) == epochs[0]
    assert epochs[0] == [0, 2, 6, 7, 3, 5, 1, 8, 4, 9]


def test_without_shuffling_samples_come_by_number(outputs):
    batches = OutputBatches(outputs, batch_size=4, shuffle=False)
    assert [_numbers(batch) for batch in batches] == [[0, 1, 2, 3], [4, 5, 6, 7]]
    assert len(batches) == 2


def test_a_run_goes_on_where_it_was_with_other_ranks(outputs):
    whole = sum(map(_numbers, OutputBatches(outputs, batch_size=2)), [])
    begun = OutputBatches(outputs, batch_size=2)
    had = sum(map(_numbers, itertools.islice(begun, 1)), [])
    state = json.loads(json.dumps(begun.state_dict()))
    assert (state["num_samples"], state["position"]) == (10, 2)
    ranks = []
    for rank in range(2):
        batches = OutputBatches(outputs, batch_size=2, rank=rank, world_size=2)
        batches.load_state_dict(state)
        ranks.append([_numbers(batch) for batch in batches])
    assert had + [n for step in zip(*ranks) for batch in step for n in batch] == whole


def test_a_state_of_other_outputs_is_refused(tmp_path, outputs):
    state = OutputBatches(outputs, batch_size=2).state_dict()
    other = OutputBatches(write_small(tmp_path / "other", seed=8), batch_size=2)
    assert_refused(lambda: other.load_state_dict(state), match="fingerprint is")
    assert_refused(lambda: OutputBatches(outputs, batch_size=11), match="10 samples make no batch")

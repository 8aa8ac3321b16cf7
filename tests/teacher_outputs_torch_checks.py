"""Checks of the torch readers with worker processes, which test_torch_outputs.py runs.

They run in an interpreter of their own: workers that are forked out of a process with TensorFlow
and its threads in it can die.
"""

from __future__ import annotations

import itertools
import json
import sys

import pytest
import torch
from small_teacher_outputs import small_sample, write_small
from torch.utils.data import DataLoader

from code_t5.teacher_outputs.sample_batches import OutputBatches
from code_t5.teacher_outputs.torch_outputs import ResumableLoader, output_dataset, output_stream


@pytest.fixture(name="outputs")
def _outputs(tmp_path):
    return write_small(tmp_path / "outputs")


def _numbers(epoch):
    return [(batch["f0"] - 440).int().tolist() for batch in epoch]


def test_nothing_is_in_this_process_that_workers_could_die_of():
    assert {"tensorflow", "apache_beam", "jax"}.isdisjoint(sys.modules)


def test_a_sample_is_a_mapping_or_a_tuple_of_tensors(outputs):
    sample = output_dataset(outputs)[5]
    assert sample["ids"].tolist() == small_sample(5)["ids"].tolist()
    assert (sample["ids"].dtype, sample["x"].dtype) == (torch.int32, torch.float32)
    assert set(sample) == set(outputs.schema.names)
    dataset = output_dataset(outputs, order=("f0", "text"))
    assert (len(dataset), isinstance(dataset[-1], tuple)) == (10, True)
    assert [value.tolist() for value in dataset[-1]] == [449, [97] * 9]
    with pytest.raises(IndexError):
        dataset[10]
    assert [len(text) for _, text in dataset] == list(range(10))


@pytest.mark.parametrize("workers", [0, 1])
def test_torchs_loader_reads_batches_without_more_ado(outputs, workers):
    loader = DataLoader(output_dataset(outputs), batch_size=4, num_workers=workers)
    batches = list(loader)
    assert _numbers(batches) == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]
    assert batches[1]["text"].shape == (4, 7)
    assert batches[1]["text_lengths"].tolist() == [4, 5, 6, 7]
    loader = DataLoader(
        output_dataset(outputs, order=("x", "text"), pad_to={"text": 9}),
        batch_size=5,
        num_workers=workers,
    )
    for x, text in loader:
        assert (x.shape, text.shape) == ((5, 5, 1), (5, 9))


@pytest.mark.parametrize("context", ["fork", "spawn"])
def test_workers_change_nothing(outputs, context):
    options = {"num_workers": 2, "multiprocessing_context": context}
    loader = DataLoader(output_dataset(outputs), batch_size=4, **options)
    assert _numbers(loader) == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]
    wanted = [_numbers(ResumableLoader(output_stream(outputs, batch_size=3))) for _ in range(2)]
    loader = ResumableLoader(output_stream(outputs, batch_size=3), **options)
    assert _numbers(loader) == wanted[0]
    assert _numbers(loader) != wanted[0]


def test_samples_taken_one_by_one_are_as_they_were(outputs):
    taken = output_dataset(outputs).__getitems__([3, 1])
    assert [sample["text"].tolist() for sample in taken] == [[97] * 3, [97]]
    assert [len(sample["ids"]) for sample in taken[:2]] == [0, 1]
    loader = DataLoader(output_dataset(outputs), batch_size=2, collate_fn=list)
    assert [len(sample["text"]) for batch in loader for sample in batch] == list(range(10))


def test_batches_of_a_stream_are_those_of_numpy(outputs):
    options = {"batch_size": 3, "fields": ["f0", "ids"], "fill": {"ids": 7}}
    for found, wanted in zip(output_stream(outputs, **options), OutputBatches(outputs, **options)):
        assert list(found) == list(wanted)
        for name, array in wanted.items():
            assert found[name].tolist() == array.tolist()


@pytest.mark.parametrize("workers", [0, 2])
def test_a_run_goes_on_exactly_whatever_workers_had_read_ahead(outputs, workers):
    whole = _numbers(ResumableLoader(output_stream(outputs, batch_size=2)))
    begun = ResumableLoader(output_stream(outputs, batch_size=2), num_workers=workers)
    had = _numbers(itertools.islice(begun, 2))
    state = json.loads(json.dumps(begun.state_dict()))
    assert state["position"] == 4
    again = ResumableLoader(output_stream(outputs, batch_size=2), num_workers=workers)
    again.load_state_dict(state)
    assert had + _numbers(again) == whole
    assert again.state_dict()["epoch"] == 1

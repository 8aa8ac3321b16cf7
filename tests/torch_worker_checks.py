"""Checks of the torch readers with worker processes, which test_torch_windows.py runs.

They run in an interpreter of their own. Workers are forked out of the process that reads, and out
of one that has TensorFlow, Beam and their threads in it a worker can die.
"""

from __future__ import annotations

import itertools
import json
import sys

import listed_token_cache
import pytest
import torch
from torch.utils.data import DataLoader

from code_t5.token_cache.reading import batches, torch_windows

_SEQ_LEN = 4


@pytest.fixture(name="source")
def _source(tmp_path):
    cache_dir = listed_token_cache.write_cache(tmp_path / "made")
    return batches.cache_source(cache_dir, split="train", seq_len=_SEQ_LEN)


def _windows(epoch):
    """Says by the first token of each row which windows the batches of an epoch are."""
    return [((batch[0][:, 0] - 100) // _SEQ_LEN).tolist() for batch in epoch]


def _loader(source, *, workers=0, batch_size=2, rank=0, world_size=1, drop_last=True, **options):
    stream = torch_windows.window_stream(
        source, batch_size=batch_size, rank=rank, world_size=world_size, drop_last=drop_last
    )
    return torch_windows.ResumableLoader(stream, num_workers=workers, **options)


def test_nothing_is_in_this_process_that_workers_could_die_of():
    assert {"tensorflow", "apache_beam", "jax"}.isdisjoint(sys.modules)


@pytest.mark.parametrize("context", ["fork", "spawn"])
def test_workers_read_a_dataset(source, context):
    loader = DataLoader(
        torch_windows.window_dataset(source),
        batch_size=4,
        num_workers=2,
        multiprocessing_context=context,
    )
    assert _windows(loader) == [[0, 1, 2, 3], [4, 5, 6, 7], [8]]


@pytest.mark.parametrize(
    "options",
    [
        {"workers": 2},
        {"workers": 2, "persistent_workers": True},
        {"workers": 2, "multiprocessing_context": "spawn", "persistent_workers": True},
    ],
)
def test_workers_change_nothing_in_three_epochs(source, options):
    alone = _loader(source, drop_last=False)
    wanted = [_windows(alone) for _ in range(3)]
    assert [len(epoch) for epoch in wanted] == [5, 5, 5]
    assert wanted[0] != wanted[1]
    loader = _loader(source, drop_last=False, **options)
    assert [_windows(loader) for _ in range(3)] == wanted


def test_a_batch_is_a_tuple_of_contiguous_tensors(source):
    for workers in (0, 1):
        batch = next(iter(_loader(source, workers=workers)))
        assert isinstance(batch, tuple)
        assert all(field.is_contiguous() and field.dtype == torch.int64 for field in batch)


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("world_size", [1, 2])
def test_a_run_goes_on_exactly_whatever_workers_had_read_ahead(source, workers, world_size):
    whole = _windows(_loader(source, batch_size=1))
    begun = _loader(source, workers=workers)
    had = _windows(itertools.islice(begun, 2))
    state = json.loads(json.dumps(begun.state_dict()))
    assert state["position"] == 4
    ranks = []
    for rank in range(world_size):
        loader = _loader(source, workers=workers, batch_size=1, rank=rank, world_size=world_size)
        loader.load_state_dict(state)
        ranks.append(_windows(loader))
    assert len(ranks[0]) == 5 // world_size
    rest = [window for step in zip(*ranks) for batch in step for window in batch]
    assert sum(had, []) + rest == sum(whole, [])[: 4 + len(rest)]


def test_persistent_workers_go_where_a_state_says(source):
    wanted = _loader(source)
    epochs = [_windows(wanted) for _ in range(3)]
    loader = _loader(source, workers=2, persistent_workers=True)
    assert _windows(loader) == epochs[0]
    loader.set_epoch(2)
    assert _windows(loader) == epochs[2]
    begun = _loader(source)
    next(iter(begun))
    loader.load_state_dict(begun.state_dict())
    assert len(loader) == 3
    assert _windows(loader) == epochs[0][1:]


def test_breaking_off_goes_on_with_the_rest_of_the_epoch(source):
    wanted = _windows(_loader(source))
    for workers in (0, 2):
        loader = _loader(source, workers=workers)
        had = _windows(itertools.islice(loader, 1))
        loader.set_epoch(0)
        assert had + _windows(loader) == wanted
        assert loader.state_dict()["epoch"] == 1


def test_torchs_own_loader_reads_a_stream(source):
    made = _loader(source)
    wanted, later = _windows(made), _windows(made)
    for workers in (0, 2):
        stream = torch_windows.window_stream(source, batch_size=2)
        assert isinstance(stream, torch.utils.data.IterableDataset)
        assert len(stream) == 4
        loader = DataLoader(stream, batch_size=None, num_workers=workers)
        assert _windows(loader) == wanted
        stream.set_epoch(1)
        assert _windows(loader) == later


def test_a_stream_stays_at_its_place_in_torchs_own_loader_with_workers(source):
    made = _loader(source)
    wanted, later = _windows(made), _windows(made)
    stream = torch_windows.window_stream(source, batch_size=2)
    loader = DataLoader(stream, batch_size=None, num_workers=1)
    assert [_windows(loader), _windows(loader)] == [wanted, wanted]
    stream.set_epoch(1)
    assert [_windows(loader), _windows(loader)] == [later, later]

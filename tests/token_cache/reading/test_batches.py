from __future__ import annotations

import json
import pickle
import shutil

import listed_token_cache
import numpy as np
import pytest
import sparse_token_cache

from code_t5 import errors
from code_t5.token_cache import reader
from code_t5.token_cache.reading import batches

# Windows of 4 of 38 tokens: 9, which begin with 100, 104 and so on.
_SEQ_LEN, _NUM_WINDOWS = 4, 9


@pytest.fixture
def cache_dir(tmp_path):
    return listed_token_cache.write_cache(tmp_path / "made")


def _source(cache_dir, **options):
    return batches.cache_source(cache_dir, split="train", **{"seq_len": _SEQ_LEN, **options})


def _windows(epoch):
    """Says by the first token of each row which windows the batches of an epoch are."""
    return [((batch[0][:, 0] - 100) // _SEQ_LEN).tolist() for batch in epoch]


def _flat(epoch):
    return sum(_windows(epoch), [])


def test_batches_come_in_order_without_shuffling(cache_dir):
    made = batches.WindowBatches(_source(cache_dir), batch_size=4, shuffle=False)
    assert len(made) == 2
    (inputs, labels), _ = list(made)
    assert inputs.tolist() == [[100 + 4 * row + place for place in range(4)] for row in range(4)]
    assert (labels - inputs == 1).all()
    assert inputs.dtype == labels.dtype == np.int32
    assert inputs.flags.c_contiguous and labels.flags.c_contiguous


def test_the_arrays_of_a_batch_are_the_callers_to_change(cache_dir):
    made = batches.WindowBatches(_source(cache_dir), batch_size=4, shuffle=False)
    inputs, labels = next(iter(made))
    inputs[:] = 0
    assert labels[0].tolist() == [101, 102, 103, 104]
    assert made.windows.read(np.array([0])).tokens[0, 0] == 100


def test_each_epoch_holds_each_window_once_in_an_order_of_its_own(cache_dir):
    made = batches.WindowBatches(_source(cache_dir), batch_size=2, drop_last=False)
    epochs = [_flat(made) for _ in range(3)]
    assert [sorted(epoch) for epoch in epochs] == [list(range(_NUM_WINDOWS))] * 3
    assert len({tuple(epoch) for epoch in epochs}) == 3
    assert made.state_dict()["epoch"] == 3


def test_ranks_share_an_epoch_without_overlap(cache_dir):
    alone = batches.WindowBatches(_source(cache_dir), batch_size=4)
    ranks = [
        batches.WindowBatches(_source(cache_dir), batch_size=2, rank=rank, world_size=2)
        for rank in range(2)
    ]
    parts = [_windows(rank) for rank in ranks]
    assert [first + second for first, second in zip(*parts)] == _windows(alone)


@pytest.mark.parametrize("world_size", [1, 2, 3])
def test_a_run_goes_on_exactly_on_another_number_of_ranks(cache_dir, world_size):
    options = {"seed": 7, "drop_last": False}
    whole = _flat(batches.WindowBatches(_source(cache_dir), batch_size=1, **options))
    begun = batches.WindowBatches(_source(cache_dir), batch_size=2, **options)
    iterator = iter(begun)
    had = _flat([next(iterator), next(iterator)])
    state = json.loads(json.dumps(begun.state_dict()))
    rest = []
    for rank in range(world_size):
        other = batches.WindowBatches(
            _source(cache_dir), batch_size=1, rank=rank, world_size=world_size, **options
        )
        other.load_state_dict(state)
        rest.append(_windows(other))
    joined = [window for step in zip(*rest) for batch in step for window in batch]
    assert had + joined == whole


def test_the_state_of_another_cache_is_refused(cache_dir, tmp_path):
    other = listed_token_cache.write_cache(tmp_path / "other", made_from="another list")
    made = batches.WindowBatches(_source(cache_dir), batch_size=2)
    state = batches.WindowBatches(_source(other), batch_size=2).state_dict()
    with pytest.raises(errors.InputError, match="fingerprint is"):
        made.load_state_dict(state)


def test_fields_say_which_document_a_token_is_of_and_where(cache_dir):
    source = _source(cache_dir, seq_len=8)
    made = batches.WindowBatches(source, batch_size=4, shuffle=False, fields=batches.FIELDS)
    _, _, segment_ids, positions = next(iter(made))
    assert segment_ids[2].tolist() == [1, 1, 1, 1, 2, 3, 3, 3]
    assert positions[2].tolist() == [16, 17, 18, 19, 0, 0, 1, 2]


def test_windows_within_documents_have_labels_that_losses_pass_over(cache_dir):
    source = _source(cache_dir, seq_len=16, cross_documents=False, pad_id=9)
    made = batches.WindowBatches(source, batch_size=3, shuffle=False, dtype=np.int64)
    inputs, labels = next(iter(made))
    assert inputs[1].tolist() == [116, 117, 118, 119] + [9] * 12
    assert labels[1].tolist() == [117, 118, 119] + [-100] * 13
    assert labels[0].tolist() == list(range(101, 117))
    assert inputs.dtype == np.int64


def test_an_unknown_field_is_refused(cache_dir):
    with pytest.raises(errors.InputError, match="wanted some of inputs, labels, segment_ids"):
        batches.WindowBatches(_source(cache_dir), batch_size=2, fields=["inputs", "targets"])
    with pytest.raises(errors.InputError, match="give a list"):
        batches.check_fields("inputs")


def test_an_id_that_int32_cannot_hold_is_refused_and_read_as_int64(tmp_path):
    largest = 2**32 - 1
    cache_dir = listed_token_cache.write_cache(tmp_path / "made", [[1, 2, 3, 4, largest]])
    with pytest.raises(errors.ArtifactError, match=f"holds the id {largest}.*as int64"):
        list(batches.WindowBatches(_source(cache_dir), batch_size=1))
    (batch,) = batches.WindowBatches(_source(cache_dir), batch_size=1, dtype=np.int64)
    assert batch[1].tolist() == [[2, 3, 4, largest]]


def test_a_copy_by_pickle_is_small_and_goes_on_at_the_same_place(cache_dir):
    made = batches.WindowBatches(_source(cache_dir), batch_size=2, seed=3)
    next(iter(made))
    content = pickle.dumps(made)
    assert len(content) < 4000
    assert _windows(pickle.loads(content)) == _windows(made)  # noqa: S301


def test_a_copy_refuses_a_cache_that_was_made_anew(cache_dir, tmp_path):
    content = pickle.dumps(_source(cache_dir))
    other = listed_token_cache.write_cache(tmp_path / "other", made_from="another list")
    shutil.rmtree(cache_dir)
    shutil.move(other, cache_dir)
    with pytest.raises(errors.ArtifactError, match="since it was opened"):
        pickle.loads(content).open()  # noqa: S301


def test_an_opened_cache_is_a_source_too(cache_dir, monkeypatch):
    monkeypatch.chdir(cache_dir.parent)
    source = _source(reader.TokenCacheReader("cache"))
    monkeypatch.chdir("/")
    assert source.open().num_windows == _NUM_WINDOWS


def test_shared_memory_gives_the_same_windows(cache_dir):
    shared = batches.WindowBatches(_source(cache_dir, use_shared_memory=True), batch_size=2)
    assert _windows(shared) == _windows(batches.WindowBatches(_source(cache_dir), batch_size=2))


@pytest.mark.parametrize("dtype", [np.int16, np.uint32, np.float32, "text", None, bool])
def test_a_dtype_that_is_neither_int32_nor_int64_is_refused(cache_dir, dtype):
    with pytest.raises(errors.InputError, match="^dtype is .*; wanted numpy.int32 or numpy.int64"):
        batches.WindowBatches(_source(cache_dir), batch_size=2, dtype=dtype)
    windows = _source(cache_dir).open()
    with pytest.raises(errors.InputError, match="^dtype is "):
        batches.read_fields(windows, indexes=np.array([0]), dtype=dtype)


def test_a_dtype_may_be_named(cache_dir):
    made = batches.WindowBatches(_source(cache_dir), batch_size=2, dtype="int64")
    assert next(iter(made))[0].dtype == np.int64


def test_a_position_that_int32_cannot_hold_is_refused_and_read_as_int64(tmp_path):
    folder = sparse_token_cache.write_cache(
        tmp_path / "cache", num_tokens=2**31 + 100, ends=[2**31 + 100], pieces={}
    )
    source = batches.cache_source(folder, split="train", seq_len=8)
    fields = ["positions", "segment_ids"]
    windows, last = source.open(), np.array([2**28])
    with pytest.raises(errors.ArtifactError, match="holds the position 2147483655.*as int64"):
        batches.read_fields(windows, indexes=last, fields=fields)
    positions, _ = batches.read_fields(windows, indexes=last, fields=fields, dtype=np.int64)
    assert positions.tolist() == [list(range(2**31, 2**31 + 8))]
    positions, _ = batches.read_fields(windows, indexes=last - 1, fields=fields)
    assert (positions[0, -1], positions.dtype) == (2**31 - 1, np.int32)

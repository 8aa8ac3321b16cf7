from __future__ import annotations

import pickle
import subprocess
import sys

import fresh_interpreter
import listed_token_cache
import pytest
import sparse_token_cache
import torch
import torch_worker_checks

from code_t5 import errors
from code_t5.token_cache.reading import batches, torch_windows

_SEQ_LEN = 4


@pytest.fixture
def source(tmp_path):
    cache_dir = listed_token_cache.write_cache(tmp_path / "made")
    return batches.cache_source(cache_dir, split="train", seq_len=_SEQ_LEN)


def _windows(epoch):
    """Says by the first token of each row which windows the batches of an epoch are."""
    return [((batch[0][:, 0] - 100) // _SEQ_LEN).tolist() for batch in epoch]


def test_an_item_is_inputs_and_labels_shifted_by_one(source):
    dataset = torch_windows.window_dataset(source)
    assert isinstance(dataset, torch.utils.data.Dataset)
    assert len(dataset) == 9
    inputs, labels = dataset[1]
    assert inputs.tolist() == [104, 105, 106, 107]
    assert labels.tolist() == [105, 106, 107, 108]
    assert inputs.dtype == labels.dtype == torch.int64
    assert dataset[-1][0].tolist() == [132, 133, 134, 135]
    assert dataset[torch.tensor(1)][0].tolist() == inputs.tolist()


def test_several_items_are_read_at_once(source):
    dataset = torch_windows.window_dataset(source)
    inputs, labels = dataset[[2, 0]]
    assert inputs.tolist() == [[108, 109, 110, 111], [100, 101, 102, 103]]
    assert labels[1].tolist() == [101, 102, 103, 104]
    assert dataset[1:3][0][:, 0].tolist() == [104, 108]
    assert dataset[torch.tensor([0, 2])][0][:, 0].tolist() == [100, 108]
    assert [row.tolist() for row, _ in dataset.__getitems__([8, 0])] == [
        [132, 133, 134, 135],
        [100, 101, 102, 103],
    ]


def test_a_dataset_ends_where_its_windows_end(source):
    dataset = torch_windows.window_dataset(source)
    assert len(list(dataset)) == 9
    for index in (9, -10, [0, 9]):
        with pytest.raises(IndexError, match="of 9"):
            dataset[index]


def test_a_dataset_has_the_fields_that_were_asked_for(source):
    dataset = torch_windows.window_dataset(source, ["positions", "inputs"])
    positions, inputs = dataset[5]
    assert inputs.tolist() == [120, 121, 122, 123]
    assert positions.tolist() == [0, 0, 1, 2]
    with pytest.raises(errors.InputError, match="wanted some of"):
        torch_windows.window_dataset(source, ["text"])


def test_a_dataset_is_pickled_without_its_tokens(source):
    content = pickle.dumps(torch_windows.window_dataset(source))
    assert len(content) < 2000
    assert pickle.loads(content)[3][0].tolist() == [112, 113, 114, 115]  # noqa: S301


def test_a_stream_is_pickled_at_its_place(source):
    stream = torch_windows.window_stream(source, batch_size=2)
    next(iter(stream))
    assert _windows(pickle.loads(pickle.dumps(stream))) == _windows(stream)  # noqa: S301


def test_importing_the_module_loads_no_torch():
    code = "import sys, code_t5.token_cache.reading.torch_windows; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_workers_give_the_same_in_an_interpreter_of_their_own():
    assert b"15 passed" in fresh_interpreter.run_pytest(torch_worker_checks.__file__)


def test_masks_choose_windows_as_in_torch(source):
    dataset = torch_windows.window_dataset(source)
    mask = torch.zeros(9, dtype=torch.bool)
    mask[[2, 5]] = True
    assert dataset[mask][0][:, 0].tolist() == [108, 120]
    assert dataset[mask.numpy()][0][:, 0].tolist() == [108, 120]
    assert dataset[torch.zeros(9, dtype=torch.bool)][0].shape == (0, _SEQ_LEN)


@pytest.mark.parametrize("index", [1.0, True, [True, False], [0.5, 2.0], "1", torch.tensor(2.5)])
def test_what_is_no_whole_number_is_refused(source, index):
    with pytest.raises(errors.InputError, match="indexes of windows are .*; wanted whole numbers"):
        torch_windows.window_dataset(source)[index]


def test_windows_and_positions_beyond_32_bits_are_read(tmp_path):
    num_tokens = 2**32 + 100
    folder = sparse_token_cache.write_cache(
        tmp_path / "cache",
        num_tokens=num_tokens,
        ends=[50, num_tokens],
        pieces={2**31 - 1: [1, 2, 3, 4], num_tokens - 9: [5, 6, 7, 8, 9, 10, 11, 12, 13]},
    )
    source = batches.cache_source(folder, split="train", seq_len=8)
    inputs, labels, positions = torch_windows.window_dataset(
        source, ["inputs", "labels", "positions"]
    )[[2**28 - 1, -1]]
    assert inputs.tolist() == [[0] * 7 + [1], [0, 0, 0, 5, 6, 7, 8, 9]]
    assert labels.tolist() == [[0] * 6 + [1, 2], [0, 0, 5, 6, 7, 8, 9, 10]]
    assert positions[0].tolist() == list(range(2**31 - 58, 2**31 - 50))
    stream = torch_windows.window_stream(source, batch_size=2, shuffle=False)
    stream.reader.order.position = 2**28 - 1
    assert next(iter(stream))[0].tolist() == [[0] * 7 + [1], [2, 3, 4, 0, 0, 0, 0, 0]]

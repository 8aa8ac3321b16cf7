"""Rows as batches of a torch DataLoader: what becomes a tensor, and which batches are read."""

from __future__ import annotations

import numpy as np
import torch
from PIL import Image

from code_t5.hf_artifacts.checking import torch_batches
from code_t5.hf_artifacts.checking.torch_batches import LoaderOptions, collate_column


class _Counted:
    """Rows that remember which of them were asked for."""

    def __init__(self, num_rows: int) -> None:
        self.num_rows = num_rows
        self.asked: list[int] = []

    def __len__(self) -> int:
        return self.num_rows

    def __getitem__(self, index: int) -> dict[str, object]:
        self.asked.append(index)
        return {"number": index, "text": f"row {index}"}


class _Stream(torch.utils.data.IterableDataset):
    """Rows that can only be walked."""

    def __iter__(self):
        return ({"number": index} for index in range(7))


def _read(rows, **options):
    return torch_batches.read_batches(rows, options=LoaderOptions(**options), description="test")


def test_numbers_of_one_type_are_one_tensor():
    assert collate_column([3, 1, 2]).tolist() == [3, 1, 2]
    assert collate_column([3, 1, 2]).dtype == torch.int64
    assert collate_column([0.5, 2.0]).dtype == torch.float64
    assert collate_column([True, False]).dtype == torch.bool
    assert collate_column([[1, 2], [3, 4]]).tolist() == [[1, 2], [3, 4]]


def test_images_of_one_size_are_one_tensor_and_of_different_sizes_a_list():
    small, wide = Image.new("RGB", (4, 3), (1, 2, 3)), Image.new("RGB", (5, 3), (1, 2, 3))
    same = collate_column([small, small])
    assert tuple(same.shape) == (2, 3, 3, 4)
    assert same[0, :, 0, 0].tolist() == [1, 2, 3]
    mixed = collate_column([small, wide])
    assert [tuple(image.shape) for image in mixed] == [(3, 3, 4), (3, 3, 5)]
    assert torch_batches.describe_column(mixed) == "2 x uint8 [3, 3, 4..5]"


def test_images_of_other_kinds_become_numbers_that_torch_can_hold():
    grey, deep = Image.new("L", (2, 1), 7), Image.fromarray(np.array([[70000 % 65536]], np.uint16))
    assert collate_column([grey]).tolist() == [[[[7, 7]]]]
    assert collate_column([deep]).tolist() == [[[[4464]]]]
    for mode in ("P", "CMYK", "RGBA", "LA", "1"):
        assert tuple(collate_column([Image.new(mode, (2, 1))]).shape) == (1, 3, 1, 2)


def test_what_is_no_number_stays_as_it_is():
    for values in (["a", "b"], [b"a", b""], [None, None], [["a"], ["b", "c"]]):
        assert collate_column(values) == values
    assert collate_column([2**70, 1])[0] == 2**70
    missing, number = collate_column([None, 4])
    assert missing is None
    assert int(number) == 4


def test_lists_of_different_lengths_are_a_list_of_tensors_of_one_type():
    column = collate_column([[], [0.5], [1.5, 2.5]])
    assert [tensor.tolist() for tensor in column] == [[], [0.5], [1.5, 2.5]]
    column = collate_column([[1], [], [2, 3]])
    assert torch_batches.describe_column(column) == "3 x int64 [0..2]"


def test_mappings_are_collated_by_their_names():
    column = collate_column([{"a": 1, "b": "x"}, {"a": 2, "b": "y"}])
    assert column["a"].tolist() == [1, 2]
    assert column["b"] == ["x", "y"]
    assert torch_batches.describe_column(column) == "{a: int64 [2], b: 2 x str}"


def test_only_the_first_and_the_last_batch_are_read():
    rows = _Counted(25)
    read = _read(rows, batch_size=10)
    assert rows.asked == [*range(10), *range(20, 25)]
    assert (read.num_batches, read.num_read, read.num_rows) == (3, 2, 15)
    assert read.first == {"number": "int64 [10]", "text": "10 x str"}
    assert read.last == {"number": "int64 [5]", "text": "5 x str"}


def test_all_batches_are_read_when_asked_and_one_is_read_once():
    rows = _Counted(25)
    assert _read(rows, batch_size=10, all_batches=True).num_rows == 25
    assert rows.asked == list(range(25))
    rows = _Counted(4)
    read = _read(rows, batch_size=10)
    assert (read.num_batches, read.num_read, rows.asked) == (1, 1, [0, 1, 2, 3])


def test_no_rows_are_no_batches():
    read = _read(_Counted(0), batch_size=10)
    assert (read.num_batches, read.num_read, read.first, read.last) == (0, 0, {}, {})


def test_a_stream_is_read_up_to_its_first_batch_unless_all_are_asked_for():
    def read(**options):
        made = LoaderOptions(batch_size=3, **options)
        return torch_batches.read_stream(_Stream(), options=made, num_rows=None, description="test")

    assert (read().num_batches, read().num_read, read().num_rows) == (None, 1, 3)
    everything = read(all_batches=True)
    assert (everything.num_batches, everything.num_read, everything.num_rows) == (3, 3, 7)
    assert everything.last == {"number": "int64 [1]"}

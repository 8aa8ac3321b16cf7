"""Teacher outputs for torch: samples by number, or a stream of whole batches.

    outputs = open_outputs("cached_train")
    dataset = output_dataset(outputs, order=("x", "y", "f0", "dB"))
    x, y, f0, level = dataset[0]
    DataLoader(dataset, batch_size=64, shuffle=True, num_workers=2)   # tuples of [64, ...]

    loader = ResumableLoader(output_stream(outputs, batch_size=64), num_workers=2)
    for batch in loader:                   # {"x": float32 [64, ...], ...}
        state = loader.state_dict()        # goes on behind this batch

Ragged fields are padded in batches, as `sample_batches` says. Workers, forked or spawned, open the
outputs again. torch is imported when something is made, not before.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from code_t5.encoding import torch_stream
from code_t5.encoding.torch_stream import ResumableLoader
from code_t5.teacher_outputs.reader import TeacherOutputs
from code_t5.teacher_outputs.sample_batches import OutputBatches, SampleReader, lengths_name

if TYPE_CHECKING:
    import torch

__all__ = ["ResumableLoader", "output_dataset", "output_stream"]


class _TupleSample(tuple):
    """One sample of a batch that was read at once, without names."""

    __slots__ = ()


class _NamedSample(dict):
    """One sample of a batch that was read at once, by names."""

    __slots__ = ()


class _Samples(Sequence[Any]):
    """The samples of a batch, one by one; torch's DataLoader takes them whole."""

    def __init__(self, reader: SampleReader, arrays: Mapping[str, Any], *, is_named: bool) -> None:
        self.reader = reader
        self.arrays = arrays
        self.is_named = is_named
        self.num_samples = len(next(iter(arrays.values())))

    @property
    def whole(self) -> Any:
        """The batch."""
        if self.is_named:
            return dict(self.arrays)
        return tuple(self.arrays[field.name] for field in self.reader.fields)

    def __len__(self) -> int:
        return self.num_samples

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return [self[number] for number in range(*index.indices(len(self)))]
        found = {}
        for field in self.reader.fields:
            row = self.arrays[field.name][index]
            if field.length is not None:
                row = row[: int(self.arrays[lengths_name(field.length)][index])]
            found[field.name] = row
        return _NamedSample(found) if self.is_named else _TupleSample(found.values())


def _collate(samples: Any, *, collate_fn_map: Any = None) -> Any:
    """Does for samples what torch's `default_collate` does for tuples; copies no whole batch.

    Raises:
      TypeError: They are loose samples, which nobody padded.
    """
    del collate_fn_map
    if isinstance(samples, _Samples):
        return samples.whole
    raise TypeError("samples are collated by the DataLoader that read them: give it the dataset")


@functools.cache
def _dataset_class() -> type:
    import torch
    import torch.utils.data

    class OutputDataset(torch.utils.data.Dataset):
        """Samples by number; `output_dataset` says what they are."""

        def __init__(self, reader: SampleReader, is_named: bool) -> None:
            self.reader = reader
            self.is_named = is_named

        def __reduce__(self) -> tuple[Any, ...]:
            return _make_dataset, (self.reader, self.is_named)

        def __len__(self) -> int:
            return len(self.reader.outputs)

        def _read(self, indexes: Any) -> _Samples:
            numbers = np.asarray(indexes)
            if numbers.dtype.kind == "i":
                numbers = np.where(numbers < 0, numbers + len(self), numbers)
            arrays = self.reader.read(numbers)
            tensors = {name: torch.from_numpy(array) for name, array in arrays.items()}
            return _Samples(self.reader, tensors, is_named=self.is_named)

        def __getitem__(self, index: Any) -> Any:
            return self._read([index])[0]

        def __getitems__(self, indexes: Sequence[int]) -> _Samples:
            return self._read(indexes)

    # How torch lets types of one's own be put together.
    for kind in (_TupleSample, _NamedSample):
        torch.utils.data._utils.collate.default_collate_fn_map[kind] = _collate
    return OutputDataset


def _make_dataset(reader: SampleReader, is_named: bool) -> Any:
    return _dataset_class()(reader, is_named)


def output_dataset(
    outputs: TeacherOutputs,
    *,
    order: Sequence[str] | None = None,
    fields: Sequence[str] | None = None,
    fill: Mapping[str, Any] | None = None,
    pad_to: Mapping[str, int] | None = None,
) -> torch.utils.data.Dataset:
    """Returns samples as a torch Dataset.

    A DataLoader over it reads each batch at once, and needs no `collate_fn`.

    Args:
      outputs: What is read.
      order: Names of fields: a sample is a tuple of these. None: it is a mapping.
      fields: Names of those in the mapping; None for all.
      fill: By the name of a ragged field, what stands behind a sample's rows; else 0.
      pad_to: By the name of a length, to how many rows its fields are filled in a batch.

    Returns:
      A Dataset that can be pickled. A sample's ragged fields have the sample's own length.

    Raises:
      InputError: There is no such field or length.
    """
    wanted = fields if order is None else order
    reader = SampleReader(outputs, fields=wanted, fill=fill, pad_to=pad_to)
    return _make_dataset(reader, order is None)


def output_stream(
    outputs: TeacherOutputs, *, batch_size: int, **options: Any
) -> torch.utils.data.IterableDataset:
    """Returns whole batches as a torch IterableDataset, for `ResumableLoader`.

    Args:
      outputs: What is read.
      batch_size: Samples of a batch of one rank.
      **options: `shuffle`, `seed`, `rank`, `world_size`, `drop_last`, `fields`, `fill` and `pad_to`
        of `sample_batches.OutputBatches`.

    Returns:
      An IterableDataset that can be pickled; its items are mappings of tensors.

    Raises:
      InputError: An option does not do.
    """
    return torch_stream.batch_stream(OutputBatches(outputs, batch_size=batch_size, **options))

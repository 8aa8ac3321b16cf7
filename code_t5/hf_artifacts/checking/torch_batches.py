"""Rows of any data set as batches of a torch DataLoader: what training will ask of them.

*Rows* are whatever a DataLoader can number: a `datasets.Dataset`, or the rows of Parquet files. A
*column* of a batch is a tensor where all its values have one type and one shape, else the list of
them: images of different sizes are a list of tensors, texts a list of texts. torch is imported
when a loader is made, not before.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from code_t5 import progress

# As they are; all others (palettes, CMYK, with transparency) become RGB.
_PLAIN_MODES = ("L", "RGB", "F", "I", "I;16")


@dataclasses.dataclass(frozen=True)
class LoaderOptions:
    """How the loader reads.

    Attributes:
      batch_size: Rows in a batch; the last may hold fewer.
      num_workers: Processes that read; 0 for this one.
      all_batches: Whether all are read, and not the first and the last alone.
    """

    batch_size: int = 32
    num_workers: int = 0
    all_batches: bool = False


@dataclasses.dataclass(frozen=True)
class BatchesRead:
    """What a loader gave.

    Attributes:
      num_batches: How many there are; None where that is not known without reading all.
      num_read: How many of them were read.
      num_rows: Rows in those that were read.
      first: Of each column of the first batch, what it is.
      last: Of the last; empty where that was not read.
    """

    num_batches: int | None
    num_read: int
    num_rows: int
    first: Mapping[str, str]
    last: Mapping[str, str]


def read_batches(rows: Any, *, options: LoaderOptions, description: str) -> BatchesRead:
    """Builds a DataLoader over numbered rows and reads the first and the last batch, or all.

    Args:
      rows: With `len` and `[number]`.
      options: How.
      description: For the progress bar.
    """
    import torch.utils.data

    num_batches = -(-len(rows) // options.batch_size)
    chosen = range(num_batches) if options.all_batches else sorted({0, num_batches - 1})
    # Only these rows are read: the sampler names them.
    sampler = [_bounds(len(rows), options.batch_size, index) for index in chosen if num_batches]
    loader = torch.utils.data.DataLoader(
        _Numbered(rows), batch_sampler=sampler, num_workers=options.num_workers, collate_fn=collate
    )
    read = _read(loader, total=len(sampler), description=description)
    return dataclasses.replace(read, num_batches=num_batches)


def read_stream(
    stream: Iterable[Mapping[str, Any]],
    *,
    options: LoaderOptions,
    num_rows: int | None,
    description: str,
) -> BatchesRead:
    """Builds a DataLoader over a stream and reads the first batch, or all.

    Args:
      stream: torch's IterableDataset, as `datasets` makes it.
      options: How.
      num_rows: Rows of it, where that is known.
      description: For the progress bar.
    """
    import torch.utils.data

    loader = torch.utils.data.DataLoader(
        stream,
        batch_size=options.batch_size,
        num_workers=options.num_workers,
        collate_fn=collate,
    )
    total = None if num_rows is None else -(-num_rows // options.batch_size)
    if not options.all_batches:
        read = _read(itertools.islice(loader, 1), total=1, description=description)
        last = read.last if total == 1 else {}
        return dataclasses.replace(read, num_batches=total, last=last)
    read = _read(loader, total=total, description=description)
    return dataclasses.replace(read, num_batches=read.num_read)


def collate(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Returns rows as one batch.

    Args:
      rows: With the same columns.

    Returns:
      Column -> tensor or list, by `collate_column`.
    """
    return {name: collate_column([row[name] for row in rows]) for name in rows[0]}


def collate_column(values: Sequence[Any]) -> Any:
    """Returns the values of one column as a tensor, where they fit into one, else as a list.

    Args:
      values: One for each row: numbers, texts, bytes, None, images, arrays, lists, mappings.
    """
    import torch

    tensors = [_as_tensor(value) for value in values]
    if any(tensor is None for tensor in tensors):
        is_nested = all(isinstance(value, Mapping) for value in values)
        if is_nested and len({tuple(value) for value in values}) == 1 and values[0]:
            return collate(values)
        return [value if tensor is None else tensor for value, tensor in zip(values, tensors)]
    filled = {tensor.dtype for tensor in tensors if tensor.numel()}
    # An empty list does not say what it would hold.
    dtype = filled.pop() if len(filled) == 1 else None
    found = [tensor if tensor.numel() or dtype is None else tensor.to(dtype) for tensor in tensors]
    if len({(tensor.dtype, tensor.shape) for tensor in found}) == 1:
        return torch.stack(found)
    return found


def describe_column(column: Any) -> str:
    """Returns what a column of a batch is, in some words.

    Args:
      column: As `collate_column` gives it.

    Returns:
      Such as `int64 [32]`, `32 x uint8 [3, 20..48, 64]` or `32 x str`.
    """
    import torch

    if isinstance(column, torch.Tensor):
        return f"{_dtype(column)} {list(column.shape)}"
    if isinstance(column, Mapping):
        return "{" + ", ".join(f"{k}: {describe_column(v)}" for k, v in column.items()) + "}"
    kinds = sorted({_dtype(v) if isinstance(v, torch.Tensor) else type(v).__name__ for v in column})
    is_plain = all(isinstance(value, torch.Tensor) for value in column)
    shape = f" [{_shapes([tuple(value.shape) for value in column])}]" if is_plain else ""
    return f"{len(column)} x {' or '.join(kinds)}{shape}"


class _Numbered:
    """Rows by number; a whole batch at once where the rows can give it."""

    def __init__(self, rows: Any) -> None:
        self.rows = rows

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> Any:
        return self.rows[index]

    def __getitems__(self, indexes: Sequence[int]) -> list[Any]:
        if hasattr(self.rows, "__getitems__"):
            return list(self.rows.__getitems__(list(indexes)))
        return [self.rows[index] for index in indexes]


def _bounds(num_rows: int, batch_size: int, batch_index: int) -> range:
    start = batch_index * batch_size
    return range(start, min(start + batch_size, num_rows))


def _read(batches: Iterable[Mapping[str, Any]], *, total: int | None, description: str) -> Any:
    num_read, num_rows = 0, 0
    first: dict[str, str] = {}
    last: Mapping[str, Any] = {}
    with progress.progress_bar(description=description, unit="batch", total=total) as bar:
        for batch in batches:
            first = first or _describe(batch)
            last = batch
            num_read += 1
            num_rows += _num_rows(batch)
            bar.update()
    return BatchesRead(None, num_read, num_rows, first, _describe(last))


def _describe(batch: Mapping[str, Any]) -> dict[str, str]:
    return {name: describe_column(column) for name, column in batch.items()}


def _num_rows(batch: Mapping[str, Any]) -> int:
    column = next(iter(batch.values()), ())
    return _num_rows(column) if isinstance(column, Mapping) else len(column)


def _as_tensor(value: Any) -> Any:
    """Returns a value as a tensor; None for what is none."""
    import numpy as np
    import torch

    if isinstance(value, torch.Tensor):
        return value
    if hasattr(value, "getbands") and hasattr(value, "tobytes"):
        return _image_tensor(value)
    if isinstance(value, (bool, int, float, list, tuple, np.ndarray, np.generic)):
        return _array_tensor(value)
    return None


def _image_tensor(image: Any) -> Any:
    """Returns an image as `[channels, height, width]`."""
    import numpy as np
    import torch

    plain = image if image.mode in _PLAIN_MODES else image.convert("RGB")
    array = np.array(plain)
    if array.dtype == np.uint16:
        # torch has no arithmetic on them.
        array = array.astype(np.int32)
    array = array[None] if array.ndim == 2 else np.ascontiguousarray(array.transpose(2, 0, 1))
    return torch.from_numpy(array)


def _array_tensor(value: Any) -> Any:
    """Returns numbers in lists as a tensor; None where they are no numbers, or ragged."""
    import numpy as np
    import torch

    try:
        array = np.asarray(value)
        if array.dtype.kind not in "biuf":
            return None
        # A copy: the arrays that Arrow gives cannot be written to.
        return torch.from_numpy(np.array(array))
    except (TypeError, ValueError):
        return None


def _dtype(tensor: Any) -> str:
    return str(tensor.dtype).replace("torch.", "")


def _shapes(shapes: Sequence[tuple[int, ...]]) -> str:
    """Returns shapes in one: `3, 20..48, 64`."""
    if len({len(shape) for shape in shapes}) != 1:
        return "of different ranks"
    return ", ".join(_span(sizes) for sizes in zip(*shapes))


def _span(sizes: Iterable[int]) -> str:
    held = sorted(sizes)
    return str(held[0]) if held[0] == held[-1] else f"{held[0]}..{held[-1]}"

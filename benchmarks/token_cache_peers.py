"""Reads random windows of a token file as others do; what `token_cache_reading` compares with.

    python benchmarks/token_cache_peers.py READER TOKENS FOLDER SECONDS

imports nothing of code_t5, so that any interpreter can run it. TOKENS is a `.npy` file of uint16,
FOLDER is where a reader keeps the same tokens in its own format: written at its first run. Each
reads batches of 64 windows in random order, on one core. Those of NumPy, and megatron-core's, give
1,024 tokens of each, as stored. The others give what a model is trained with: 1,024 inputs and
labels, which are one array with a column more where the library allows it. Printed is one line of
JSON: inputs per second of processor time (which on one core is the clock's, but for what else runs
there) once the first batch is there, seconds to the first batch, and the most memory that the
process had, in MB.
"""

from __future__ import annotations

import itertools
import json
import os
import pathlib
import resource
import sys
import time
from collections.abc import Iterator
from typing import Any, Callable

import numpy as np

BATCH_WINDOWS = 64
SEQ_LEN = 1024
# Inputs and the last label.
_WIDTH = SEQ_LEN + 1
# Windows that are written at a time.
_CHUNK_WINDOWS = 1 << 12
# Batches between two looks at the clock.
_TIMED_BATCHES = 8

Reader = Callable[[pathlib.Path, pathlib.Path], Iterator[Any]]


def pin_to_one_core() -> None:
    """Lets this process, and what it starts, run on one core alone."""
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    os.environ["OMP_NUM_THREADS"] = "1"


def measure(make_batches: Callable[[], Iterator[Any]], *, seconds: float) -> dict[str, float]:
    """Reads batches for some time.

    Args:
      make_batches: Returns them, without end.
      seconds: How long.

    Returns:
      What the module says is printed.
    """
    start = time.perf_counter()
    batches = make_batches()
    next(batches)
    first_seconds = time.perf_counter() - start
    begun = now = time.process_time()
    num_batches = 0
    while now < begun + seconds:
        for _ in range(_TIMED_BATCHES):
            next(batches)
        num_batches += _TIMED_BATCHES
        now = time.process_time()
    return {
        "tokens_per_second": num_batches * BATCH_WINDOWS * SEQ_LEN / (now - begun),
        "first_seconds": first_seconds,
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000,
    }


def _open_tokens(path: pathlib.Path) -> np.ndarray:
    return np.asarray(np.load(path, mmap_mode="r"))


def _random_batches(size: int) -> Iterator[np.ndarray]:
    rng = np.random.default_rng(0)
    while True:
        yield rng.integers(0, size, size=BATCH_WINDOWS)


def gather(tokens_path: pathlib.Path, folder: pathlib.Path) -> Iterator[np.ndarray]:
    """Yields windows by one look-up for each token."""
    del folder
    tokens = _open_tokens(tokens_path)
    columns = np.arange(SEQ_LEN)
    for starts in _random_batches(len(tokens) - SEQ_LEN):
        yield tokens[starts[:, None] + columns]


def rows(tokens_path: pathlib.Path, folder: pathlib.Path) -> Iterator[np.ndarray]:
    """Yields windows by one look-up for each window, in a view of all windows."""
    del folder
    windows = np.lib.stride_tricks.sliding_window_view(_open_tokens(tokens_path), SEQ_LEN)
    for starts in _random_batches(len(windows)):
        yield windows[starts]


def slices(tokens_path: pathlib.Path, folder: pathlib.Path) -> Iterator[np.ndarray]:
    """Yields windows by one slice for each."""
    del folder
    tokens = _open_tokens(tokens_path)
    for starts in _random_batches(len(tokens) - SEQ_LEN):
        yield np.stack([tokens[start : start + SEQ_LEN] for start in starts.tolist()])


def _endless(batches: Any) -> Iterator[Any]:
    for _ in itertools.count():
        yield from batches


def _pair(windows: Any) -> tuple[Any, Any]:
    return windows[:, :-1], windows[:, 1:]


def torch_loader(tokens_path: pathlib.Path, folder: pathlib.Path) -> Iterator[Any]:
    """Yields batches of torch's DataLoader over a Dataset that slices a memory map."""
    import torch
    import torch.utils.data

    del folder
    tokens = _open_tokens(tokens_path)

    class Windows(torch.utils.data.Dataset):
        def __len__(self) -> int:
            return (len(tokens) - 1) // SEQ_LEN

        def __getitem__(self, index: int) -> tuple[torch.Tensor, torch.Tensor]:
            window = tokens[index * SEQ_LEN : (index + 1) * SEQ_LEN + 1].astype(np.int64)
            return torch.from_numpy(window[:-1]), torch.from_numpy(window[1:])

    torch.set_num_threads(1)
    yield from _endless(
        torch.utils.data.DataLoader(Windows(), batch_size=BATCH_WINDOWS, shuffle=True)
    )


def _aligned(tokens_path: pathlib.Path) -> np.ndarray:
    tokens = _open_tokens(tokens_path)
    return tokens[: len(tokens) // _WIDTH * _WIDTH].reshape(-1, _WIDTH)


def _chunks(tokens_path: pathlib.Path) -> Iterator[np.ndarray]:
    windows = _aligned(tokens_path)
    for start in range(0, len(windows), _CHUNK_WINDOWS):
        yield windows[start : start + _CHUNK_WINDOWS]


def arrow(tokens_path: pathlib.Path, folder: pathlib.Path) -> Iterator[np.ndarray]:
    """Yields rows of a data set in Arrow's format as NumPy arrays."""
    import datasets
    import pyarrow as pa

    if not folder.exists():
        tables = [
            pa.table({"tokens": pa.FixedSizeListArray.from_arrays(pa.array(chunk.ravel()), _WIDTH)})
            for chunk in _chunks(tokens_path)
        ]
        datasets.Dataset(pa.concat_tables(tables)).save_to_disk(str(folder))
    dataset = datasets.load_from_disk(str(folder)).with_format("numpy")
    for indexes in _random_batches(len(dataset)):
        yield _pair(dataset[indexes]["tokens"].astype(np.int64))


def _whole(windows: np.ndarray) -> Any:
    """Returns some windows as one tensor, of a dtype that old torches have."""
    import torch

    return torch.from_numpy(windows.ravel().astype(np.uint16))


def litdata(tokens_path: pathlib.Path, folder: pathlib.Path) -> Iterator[Any]:
    """Yields batches of litdata's loader of tokens."""
    import litdata as library

    if not folder.exists():
        library.optimize(
            fn=_whole,
            inputs=list(_chunks(tokens_path)),
            output_dir=str(folder),
            chunk_bytes="64MB",
            num_workers=1,
            item_loader=library.TokensLoader(block_size=_WIDTH),
        )
    dataset = library.StreamingDataset(
        str(folder), item_loader=library.TokensLoader(block_size=_WIDTH), shuffle=True
    )
    for windows in _endless(library.StreamingDataLoader(dataset, batch_size=BATCH_WINDOWS)):
        yield _pair(windows.long())


def mosaicml_streaming(tokens_path: pathlib.Path, folder: pathlib.Path) -> Iterator[Any]:
    """Yields batches of MosaicML's StreamingDataset."""
    import streaming
    import torch.utils.data

    if not folder.exists():
        columns = {"tokens": f"ndarray:uint16:{_WIDTH}"}
        with streaming.MDSWriter(out=str(folder), columns=columns) as writer:
            for window in _aligned(tokens_path):
                writer.write({"tokens": window})
    dataset = streaming.StreamingDataset(local=str(folder), shuffle=True, batch_size=BATCH_WINDOWS)

    def stack(items: list[dict[str, np.ndarray]]) -> Any:
        return torch.from_numpy(np.stack([item["tokens"] for item in items]).astype(np.int64))

    loader = torch.utils.data.DataLoader(dataset, batch_size=BATCH_WINDOWS, collate_fn=stack)
    yield from map(_pair, _endless(loader))


def megatron(tokens_path: pathlib.Path, folder: pathlib.Path) -> Iterator[np.ndarray]:
    """Yields windows of megatron-core's indexed data set, each by a call; they are not stacked."""
    from megatron.core.datasets import indexed_dataset

    prefix = folder / "tokens"
    if not folder.exists():
        import torch

        folder.mkdir(parents=True)
        builder = indexed_dataset.IndexedDatasetBuilder(f"{prefix}.bin", dtype=np.uint16)
        for window in _aligned(tokens_path):
            builder.add_item(torch.from_numpy(window.astype(np.int32)))
            builder.end_document()
        builder.finalize(f"{prefix}.idx")
    dataset = indexed_dataset.IndexedDataset(str(prefix))
    for indexes in _random_batches(len(dataset)):
        yield [dataset.get(index, length=SEQ_LEN) for index in indexes.tolist()]


READERS: dict[str, Reader] = {
    "NumPy, gather": gather,
    "NumPy, slices": slices,
    "NumPy, rows of a view": rows,
    "torch DataLoader": torch_loader,
    "datasets (Arrow)": arrow,
    "litdata": litdata,
    "mosaicml-streaming": mosaicml_streaming,
    "megatron-core": megatron,
}


def _main(reader: str, tokens_path: str, folder: str, seconds: str) -> None:
    pin_to_one_core()
    paths = pathlib.Path(tokens_path), pathlib.Path(folder)
    print(json.dumps(measure(lambda: READERS[reader](*paths), seconds=float(seconds))))


if __name__ == "__main__":
    _main(*sys.argv[1:])

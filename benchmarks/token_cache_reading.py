"""Prints how fast windows of a token cache are read, beside what others read the same tokens with.

    python -m benchmarks.token_cache_reading --peers_python=PYTHON

writes a cache of random tokens, and reads batches of 64 windows of 1,024 tokens in random order:
with ours, and with those of `token_cache_peers` (litdata, mosaicml-streaming and megatron-core only
if `--peers_python` names an interpreter of an environment that has them). Each measurement is a
process of its own on one core; readers take turns, `--repeats` times, and the median counts. Ours
are the tokens alone (`WindowReader`), and inputs and labels for NumPy, torch and TensorFlow in the
order of the formula.

Then a cache that is `--sparse_gb` large and takes no room: how long opening it takes beside opening
one of 1 KB, and by how much resident memory grows while as much is read of it. MB are 10^6 bytes.
"""

from __future__ import annotations

import functools
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from absl import flags

from benchmarks import token_cache_peers as peers
from code_t5 import command_line, errors
from code_t5.encoding import item_order
from code_t5.storage import fingerprints, manifest
from code_t5.token_cache import layout
from code_t5.token_cache.reader import TokenCacheReader
from code_t5.token_cache.reading import batches

_NUM_TOKENS = flags.DEFINE_integer("num_tokens", 95_800_000, "Of the cache.", lower_bound=10**6)
_SPARSE_GB = flags.DEFINE_float("sparse_gb", 10, "Size of the sparse cache.", lower_bound=0.1)
_SECONDS = flags.DEFINE_float("seconds", 3, "How long to read.", lower_bound=0)
_REPEATS = flags.DEFINE_integer("repeats", 3, "Processes per reader.", lower_bound=1)
_PEERS = flags.DEFINE_string("peers_python", None, "Interpreter that has the other libraries.")
_WORK_DIR = flags.DEFINE_string("work_dir", None, "Where files go; None is a temporary folder.")
_READERS = flags.DEFINE_string("readers", None, "Which, with ; between; None for all.")
_READER = flags.DEFINE_string("reader", None, "For the processes that this program starts.")

_ROOT = pathlib.Path(__file__).resolve().parent.parent
_SPLIT = "train"
_MAX_ID = 32_000
_DOCUMENT_TOKENS = 3000
_CHUNK_TOKENS = 10**7
# What the others need: the module that is looked for under --peers_python.
_PEER_MODULES = {
    "litdata": "litdata",
    "mosaicml-streaming": "streaming",
    "megatron-core": "megatron",
    "datasets (Arrow)": "datasets",
}
# What the others are compared with.
_BASES = ("NumPy, gather", "torch DataLoader")
_OPEN, _RESIDENT = "open", "resident"


def _source(cache_dir: str) -> batches.WindowSource:
    return batches.cache_source(cache_dir, split=_SPLIT, seq_len=peers.SEQ_LEN)


def _endless(epochs: Any) -> Iterator[Any]:
    while True:
        yield from epochs


def _bare_windows(cache_dir: str) -> Iterator[Any]:
    windows = _source(cache_dir).open()
    order = item_order.ItemOrder(windows.num_windows)
    sharded = item_order.ShardedOrder(order, batch_size=peers.BATCH_WINDOWS)
    return (windows.read(indexes) for indexes in _endless(sharded))


def _numpy_batches(cache_dir: str) -> Iterator[Any]:
    return _endless(batches.WindowBatches(_source(cache_dir), batch_size=peers.BATCH_WINDOWS))


def _torch_dataset(cache_dir: str) -> Iterator[Any]:
    import torch.utils.data

    from code_t5.token_cache.reading import torch_windows

    torch.set_num_threads(1)
    dataset = torch_windows.window_dataset(_source(cache_dir))
    return _endless(
        torch.utils.data.DataLoader(dataset, batch_size=peers.BATCH_WINDOWS, shuffle=True)
    )


def _torch_stream(cache_dir: str) -> Iterator[Any]:
    import torch

    from code_t5.token_cache.reading import torch_windows

    torch.set_num_threads(1)
    stream = torch_windows.window_stream(_source(cache_dir), batch_size=peers.BATCH_WINDOWS)
    return _endless(torch_windows.ResumableLoader(stream))


def _tf_dataset(cache_dir: str) -> Iterator[Any]:
    from code_t5.token_cache.reading import tf_windows

    reader = tf_windows.TfWindowBatches(_source(cache_dir), batch_size=peers.BATCH_WINDOWS)
    return iter(reader.dataset(None))


_OURS = {
    "ours, WindowReader": _bare_windows,
    "ours, NumPy": _numpy_batches,
    "ours, torch Dataset": _torch_dataset,
    "ours, torch stream": _torch_stream,
    "ours, tf.data": _tf_dataset,
}


def _write_cache(cache_dir: pathlib.Path, *, num_tokens: int, is_sparse: bool) -> None:
    """Writes a cache of random tokens, or of zeros that take no room; names are empty."""
    cache_dir.mkdir()
    ends = np.append(np.arange(0, num_tokens, _DOCUMENT_TOKENS), num_tokens)
    num_documents = len(ends) - 1
    arrays = {
        layout.OFFSETS: ends.astype("<i8"),
        layout.SIZES: np.zeros(num_documents, dtype="<i8"),
        layout.NAMES: np.zeros(0, dtype=np.uint8),
        layout.NAMES_OFFSETS: np.zeros(num_documents + 1, dtype="<i8"),
    }
    for array, values in arrays.items():
        np.save(cache_dir / layout.array_name(_SPLIT, array), values)
    rng = np.random.default_rng(0)
    with open(cache_dir / layout.array_name(_SPLIT, layout.TOKENS), "wb") as file:
        header = {"descr": "<u2", "fortran_order": False, "shape": (num_tokens,)}
        np.lib.format.write_array_header_1_0(file, header)
        end = file.tell() + 2 * num_tokens
        while not is_sparse and file.tell() < end:
            size = min(_CHUNK_TOKENS, (end - file.tell()) // 2)
            file.write(rng.integers(0, _MAX_ID, size=size, dtype=np.uint16).tobytes())
        file.truncate(end)
    counts = {"num_documents": num_documents, "num_tokens": num_tokens, "num_bytes": 0}
    fields = {
        "format_name": layout.FORMAT_NAME,
        "format_version": layout.FORMAT_VERSION,
        "fingerprint": fingerprints.hash_json({}),
        "fingerprint_parts": {},
        "dtype": "uint16",
        "splits": {_SPLIT: counts},
        "sha256": {},
    }
    manifest.write_manifest(cache_dir, fields)


def _open_seconds(cache_dir: str) -> dict[str, float]:
    start = time.perf_counter()
    TokenCacheReader(cache_dir).split(_SPLIT)
    return {"open_seconds": time.perf_counter() - start}


def _resident_mb() -> float:
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("VmRSS")) / 1000


def _resident_growth(cache_dir: str) -> dict[str, float]:
    """Reads as many windows as the cache holds, in the order of the formula."""
    windows = _source(cache_dir).open()
    order = item_order.ItemOrder(windows.num_windows)
    sharded = item_order.ShardedOrder(order, batch_size=peers.BATCH_WINDOWS)
    grown = before = 0.0
    for number, indexes in enumerate(sharded):
        windows.read(indexes)
        if number == 8:
            before = _resident_mb()
        elif number > 8 and number % 1000 == 0:
            grown = max(grown, _resident_mb() - before)
    return {"grown_mb": max(grown, _resident_mb() - before)}


def _run(command: Sequence[str]) -> dict[str, float]:
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": ""}
    done = subprocess.run(
        command, cwd=_ROOT, env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise errors.InputError(
            f"a reader failed: {done.stderr.strip().splitlines()[-1:]}; wanted batches; run the "
            "command that failed to see more: " + " ".join(map(repr, command))
        )
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def _run_ours(reader: str, cache_dir: pathlib.Path) -> dict[str, float]:
    program = [sys.executable, "-m", "benchmarks.token_cache_reading"]
    return _run(
        [*program, f"--reader={reader}", f"--work_dir={cache_dir}", f"--seconds={_SECONDS.value}"]
    )


def _run_peer(reader: str, *, cache_dir: pathlib.Path, python: str) -> dict[str, float]:
    tokens = cache_dir / layout.array_name(_SPLIT, layout.TOKENS)
    folder = cache_dir.with_name(f"peer-{list(peers.READERS).index(reader)}")
    program = [python, str(_ROOT / "benchmarks" / "token_cache_peers.py")]
    return _run([*program, reader, str(tokens), str(folder), str(_SECONDS.value)])


def _has_module(python: str, name: str) -> bool:
    program = f"import importlib.util as i, sys; sys.exit(i.find_spec({name!r}) is None)"
    return subprocess.run([python, "-c", program], capture_output=True, check=False).returncode == 0


def _runners(cache_dir: pathlib.Path) -> dict[str, Any]:
    """Returns what measures each reader once."""
    runners: dict[str, Any] = {}
    for reader in peers.READERS:
        module = _PEER_MODULES.get(reader)
        pythons = [python for python in (sys.executable, _PEERS.value) if python]
        having = [python for python in pythons if module is None or _has_module(python, module)]
        if having:
            runners[reader] = functools.partial(
                _run_peer, reader, cache_dir=cache_dir, python=having[0]
            )
    runners.update({name: functools.partial(_run_ours, name, cache_dir) for name in _OURS})
    wanted = runners if _READERS.value is None else _READERS.value.split(";")
    missing = [name for name in wanted if name not in runners]
    if missing:
        raise errors.InputError(
            f"there is no reader {', '.join(missing)}; wanted some of {', '.join(runners)}; set "
            "--readers, or --peers_python to an interpreter that has the library"
        )
    return {name: runners[name] for name in wanted}


def _compare(cache_dir: pathlib.Path) -> None:
    runners = _runners(cache_dir)
    found: dict[str, list[dict[str, float]]] = {reader: [] for reader in runners}
    for run in runners.values():
        # The first run writes what the reader needs, and fills the page cache.
        run()
    for _ in range(_REPEATS.value):
        for reader, run in runners.items():
            found[reader].append(run())
    rates = {
        reader: statistics.median(one["tokens_per_second"] for one in measured)
        for reader, measured in found.items()
    }
    bases = [name for name in _BASES if name in rates]
    print(f"{'M tokens/s':>35}", *(f"x {name:>16}" for name in bases), "    first      peak")
    for reader, measured in found.items():
        first, peak = (
            statistics.median(one[name] for one in measured)
            for name in ("first_seconds", "peak_mb")
        )
        ratios = (f"{rates[reader] / rates[name]:18.2f}" for name in bases)
        print(
            f"{reader:24} {rates[reader] / 1e6:10.1f}",
            *ratios,
            f"{first:7.2f} s {peak:6.0f} MB",
            flush=True,
        )


def _compare_sizes(folder: pathlib.Path) -> None:
    sizes = {"1 KB": 512, f"{_SPARSE_GB.value:g} GB": int(_SPARSE_GB.value * 5e8)}
    for name, num_tokens in sizes.items():
        cache_dir = folder / name.replace(" ", "-")
        _write_cache(cache_dir, num_tokens=num_tokens, is_sparse=True)
        seconds = [_run_ours(_OPEN, cache_dir)["open_seconds"] for _ in range(_REPEATS.value)]
        print(f"opening {name}: {statistics.median(seconds) * 1000:.1f} ms")
    grown = _run_ours(_RESIDENT, cache_dir)["grown_mb"]
    print(f"resident memory grew by {grown:.0f} MB while {name} were read")


def _measure_one(reader: str, cache_dir: str) -> dict[str, float]:
    if reader == _OPEN:
        return _open_seconds(cache_dir)
    if reader == _RESIDENT:
        return _resident_growth(cache_dir)
    return peers.measure(functools.partial(_OURS[reader], cache_dir), seconds=_SECONDS.value)


def main(argv: Sequence[str]) -> None:
    """Writes the caches, lets every reader read, and prints.

    Args:
      argv: Ignored.
    """
    del argv
    if _READER.value is not None:
        peers.pin_to_one_core()
        print(json.dumps(_measure_one(_READER.value, _WORK_DIR.value)))
        return
    with tempfile.TemporaryDirectory(dir=_WORK_DIR.value, prefix="code_t5_benchmark_") as temporary:
        folder = pathlib.Path(temporary)
        _write_cache(folder / "cache", num_tokens=_NUM_TOKENS.value, is_sparse=False)
        _compare(folder / "cache")
        _compare_sizes(folder)


if __name__ == "__main__":
    command_line.run(main)

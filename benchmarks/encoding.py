"""Prints how fast texts become ids and a token cache, beside SentencePiece itself.

    taskset -c 0 python -m benchmarks.encoding --input_dir=SOURCES --vocabulary_dir=VOCABULARY

reads every `*.py` file below a folder, ten megabytes at a time, and encodes them with the bare
SentencePiece library on one thread, with `PieceModel`, and with `UnitEncoder`, which begins without
a unit. Each must give the same ids for every file. Then the ids are written as a token cache, which
is opened and verified, and `UnitEncoder` encodes the last ten megabytes again, now that it knows
their units. Times are CPU seconds; those of the cache, and of opening it, are seconds. MB are 10^6
bytes of text.
"""

from __future__ import annotations

import dataclasses
import pathlib
import resource
import tempfile
import time
from collections.abc import Iterator, Sequence
from typing import Any, Callable

import numpy as np
import sentencepiece
from absl import flags

from code_t5 import command_line, errors, vocabulary_escapes
from code_t5.encoding import piece_model, unit_encoder
from code_t5.encoding.ragged import Ragged
from code_t5.token_cache import reader, writer
from code_t5.token_cache.parts import PartWriter

_INPUT = flags.DEFINE_string("input_dir", None, "Folder with Python files.", required=True)
_VOCABULARY = flags.DEFINE_string(
    "vocabulary_dir", None, "Directory of a SentencePiece vocabulary.", required=True
)
_MAX_MB = flags.DEFINE_float("max_mb", 1e9, "Stop after so much text.", lower_bound=0)
_BLOCK_BYTES = 10_000_000
# As many files as the builder of a cache hands over at once.
_TEXTS_AT_ONCE = 256


@dataclasses.dataclass
class _Totals:
    """What was measured; seconds by who encoded."""

    size_bytes: int = 0
    num_files: int = 0
    num_tokens: int = 0
    num_differing: int = 0
    seconds: dict[str, float] = dataclasses.field(default_factory=dict)


def _blocks(folder: pathlib.Path, *, max_bytes: float) -> Iterator[list[bytes]]:
    """Yields the files that are UTF-8, some megabytes at a time."""
    block: list[bytes] = []
    size = total = 0
    for path in sorted(filter(pathlib.Path.is_file, folder.rglob("*.py"))):
        content = path.read_bytes()
        try:
            content.decode("utf-8")
        except UnicodeDecodeError:
            continue
        block.append(content)
        size, total = size + len(content), total + len(content)
        if size >= _BLOCK_BYTES or total >= max_bytes:
            yield block
            block, size = [], 0
        if total >= max_bytes:
            return
    if block:
        yield block


def _escape(content: bytes) -> str:
    return vocabulary_escapes.escape(content.decode("utf-8"))


def _encode_all(
    encode_fn: Callable[[list[bytes]], Any], contents: Sequence[bytes]
) -> tuple[list[Any], float]:
    """Returns the ids of each text, and CPU seconds."""
    batches = [
        list(contents[start : start + _TEXTS_AT_ONCE])
        for start in range(0, len(contents), _TEXTS_AT_ONCE)
    ]
    start = time.process_time()
    found = [encode_fn(batch) for batch in batches]
    return found, time.process_time() - start


def _same(found: Sequence[Ragged], wanted: Sequence[Sequence[Sequence[int]]]) -> list[bool]:
    return [
        np.array_equal(rows.row(index), ids)
        for rows, batch in zip(found, wanted)
        for index, ids in enumerate(batch)
    ]


def _measure(folder: pathlib.Path, *, vocabulary_dir: str, part: PartWriter) -> _Totals:
    """Encodes every file in three ways and writes the ids to a part of a token cache."""
    model = piece_model.load_piece_model(vocabulary_dir)
    bare = sentencepiece.SentencePieceProcessor(model_proto=model.model_bytes)
    encoder = unit_encoder.UnitEncoder(model)
    totals = _Totals()

    def add(name: str, seconds: float) -> None:
        totals.seconds[name] = totals.seconds.get(name, 0.0) + seconds

    block: list[bytes] = []
    for block in _blocks(folder, max_bytes=_MAX_MB.value * 1e6):
        wanted, seconds = _encode_all(
            lambda texts: bare.encode(list(map(_escape, texts)), num_threads=1), block
        )
        add("SentencePiece alone", seconds)
        by_model, seconds = _encode_all(
            lambda texts: model.encode_batch(text.decode("utf-8") for text in texts), block
        )
        add("PieceModel.encode_batch", seconds)
        found, seconds = _encode_all(encoder.encode, block)
        add("UnitEncoder.encode", seconds)
        is_same = np.array(_same(found, wanted)) & np.array(_same(found, by_model))
        totals.num_differing += int((~is_same).sum())
        totals.num_files += len(block)
        totals.size_bytes += sum(map(len, block))
        totals.num_tokens += sum(len(rows.values) for rows in found)
        start = time.monotonic()
        texts = iter(block)
        for rows in found:
            sizes = [len(next(texts)) for _ in range(rows.num_rows)]
            part.append(rows, sizes=sizes, names=[("benchmark", "file.py")] * rows.num_rows)
        add("writing a part", time.monotonic() - start)
    if not block:
        raise errors.InputError(f"{folder} has no Python files; wanted some; check --input_dir")
    add("again", _encode_all(encoder.encode, block)[1] * totals.size_bytes / sum(map(len, block)))
    return totals


def _seconds(function: Callable[[], Any]) -> float:
    start = time.monotonic()
    function()
    return time.monotonic() - start


def main(argv: Sequence[str]) -> None:
    """Measures and prints.

    Args:
      argv: Ignored.
    """
    del argv
    with tempfile.TemporaryDirectory() as scratch:
        folder = pathlib.Path(scratch)
        with PartWriter(folder / "part") as part:
            totals = _measure(
                pathlib.Path(_INPUT.value), vocabulary_dir=_VOCABULARY.value, part=part
            )
        cache_dir, parts = folder / "cache", {"train": [folder / "part"]}
        joining = _seconds(lambda: writer.join_parts(cache_dir, parts=parts, fingerprint_parts={}))
        opening = min(
            _seconds(lambda: reader.TokenCacheReader(cache_dir).split("train")) for _ in range(5)
        )
        verifying = _seconds(reader.TokenCacheReader(cache_dir).verify)
    megabytes = totals.size_bytes / 1e6
    print(
        f"{totals.num_files:,} files, {megabytes:.1f} MB, {totals.num_tokens:,} ids; "
        f"{totals.num_differing} files with other ids; sentencepiece {sentencepiece.__version__}"
    )
    slowest = totals.seconds["SentencePiece alone"]
    for name, seconds in totals.seconds.items():
        print(f"{name:<26}{megabytes / seconds:8.1f} MB/s{slowest / seconds:8.1f} times")
    print(f"{'joining parts':<26}{megabytes / joining:8.1f} MB/s")
    print(f"{'verifying a cache':<26}{megabytes / verifying:8.1f} MB/s")
    print(f"{'opening a cache':<26}{opening * 1e3:8.2f} ms")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
    print(f"{'peak memory, peers too':<26}{peak:8.0f} MB")


if __name__ == "__main__":
    command_line.run(main)

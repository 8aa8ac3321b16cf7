"""Prints how fast token caches are built, beside the libraries that encode and `datasets.map`.

    python -m benchmarks.token_cache_encoding --data_dir=DATA_DIR --name=NAME

trains a byte-level BPE tokenizer that cuts texts as GPT-2 does, with `tokenizers`, on the first
`--max_sample_bytes` of a prepared data set, and encodes the data set with it:

    build         FastHfDatasetProvider.from_flcc: planning, the proof of the engine, reading,
                  encoding, checksums, joining, publishing
    documents     the same, from texts that are in memory already (from_documents)
    LIBRARY       each library that is installed and proves equal, and nothing else: texts in
                  memory, tokenizer loaded, in one process and in `--num_workers`
    datasets.map  with `--num_workers` processes, then the rows joined into an array

Each is a program of its own. Seconds are those of the work, without starting Python and importing,
the best of `--repeats`, the kinds taking turns; CPU seconds and memory are of the whole program
(resident, of all its processes together and of the largest; a program that holds the texts has
them in there). `tokenizers` and `datasets.map` get at most `--max_slow_bytes`, so their ratios are
of MB/s. MB are 10^6 bytes of UTF-8.

`--compare_all` compares the ids of every document in the cache with those of `tokenizers`.
`--peers_python=PATH` names an interpreter of another environment with `gigatoken`, `splintr-rs`,
`tokenizers` and `google-crc32c`, whose libraries are timed too, and asked for the ids of hostile
texts.
"""

from __future__ import annotations

import dataclasses
import importlib.util
import json
import pathlib
import sys
import tempfile
from collections.abc import Iterator, Sequence
from typing import Any

from absl import flags

from benchmarks import task_cache
from benchmarks import token_cache_encoding_runs as runs
from code_t5 import command_line, errors, parallel
from code_t5.token_cache.sources import flcc_source
from code_t5.token_cache.tokenizing import encoder_proof, encoders, tokenizer_files
from code_t5.token_cache.tokenizing.tokenizer_files import StoredTokenizer

_ROOT = pathlib.Path(__file__).resolve().parent.parent
_DATA_DIR = flags.DEFINE_string("data_dir", None, "A data directory.", required=True)
_NAME = flags.DEFINE_string("name", None, "Of a data set in it.", required=True)
_VOCAB_SIZE = flags.DEFINE_integer("vocab_size", 32_000, "Pieces.", lower_bound=300)
_MAX_SAMPLE_BYTES = flags.DEFINE_integer("max_sample_bytes", 50_000_000, "Most to train on.")
_MAX_SLOW_BYTES = flags.DEFINE_integer("max_slow_bytes", 400_000_000, "Most for slow libraries.")
_NUM_WORKERS = flags.DEFINE_integer("num_workers", 2, "Processes.", lower_bound=1)
_REPEATS = flags.DEFINE_integer("repeats", 3, "How often each quick kind runs.", lower_bound=1)
_MAP = flags.DEFINE_boolean("datasets_map", True, "Whether to run datasets.map.")
_COMPARE = flags.DEFINE_boolean("compare_all", False, "Whether to compare all ids.")
_PEERS = flags.DEFINE_string("peers_python", None, "Interpreter with gigatoken.")
_WORK_DIR = flags.DEFINE_string("work_dir", None, "Where to put temporary data; needs 2 GB.")
_END = "<|endoftext|>"


@dataclasses.dataclass
class Row:
    """One kind of encoding and the best time of it.

    Attributes:
      name: For the table.
      seconds: Of the work.
      size: Bytes of text.
      cpu_seconds: Of the processors.
      memory: Most resident bytes of all its processes together, and of one.
    """

    name: str
    seconds: float
    size: int
    cpu_seconds: float
    memory: tuple[int, int]

    @property
    def megabytes_per_second(self) -> float:
        """Of text."""
        return self.size / self.seconds / 1e6

    def line(self) -> str:
        """Returns the row of the table."""
        total, largest = (f"{number / 1e6:8.0f} MB" for number in self.memory)
        return (
            f"{self.name:<28}{self.seconds:8.2f} s{self.cpu_seconds:8.2f} s"
            f"{self.megabytes_per_second:9.1f} MB/s{total}{largest}"
        )


def train_tokenizer(folder: pathlib.Path) -> None:
    """Trains a tokenizer and saves it as transformers does."""
    import tokenizers
    import transformers
    from tokenizers import decoders, models, pre_tokenizers, trainers

    backend = tokenizers.Tokenizer(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=_VOCAB_SIZE.value,
        special_tokens=[_END],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    texts = runs.read_texts(_DATA_DIR.value, name=_NAME.value, max_bytes=_MAX_SAMPLE_BYTES.value)
    backend.train_from_iterator((text.decode("utf-8") for text in texts), trainer)
    tokenizer = transformers.GPT2TokenizerFast(
        tokenizer_object=backend, bos_token=_END, eos_token=_END, unk_token=_END
    )
    tokenizer.save_pretrained(str(folder))


def _run(
    function: Any, *, folder: pathlib.Path, python: str = sys.executable, **arguments: Any
) -> tuple[Any, task_cache.Measured]:
    """Runs one of the functions of `token_cache_encoding_runs` in a program of its own."""
    request, answer = folder / "request.json", folder / "answer.json"
    request.write_text(json.dumps({"function": function.__name__, "arguments": arguments}))
    program = [python, "-m", runs.__name__, str(request), str(answer)]
    environment = {"PYTHONPATH": str(_ROOT), "TOKENIZERS_PARALLELISM": "false"}
    measured = task_cache.measure(program, environment=environment)
    return json.loads(answer.read_text("utf-8")), measured


class _Runner:
    """Runs the kinds of encoding and keeps the best of each."""

    def __init__(self, folder: pathlib.Path, stored: StoredTokenizer, size: int) -> None:
        self._folder = folder
        self._stored = stored
        self._size = size
        self.rows: dict[str, Row] = {}
        self.num_tokens: dict[str, int] = {}
        self._num_builds = 0

    @property
    def _dataset(self) -> dict[str, str]:
        return {"data_dir": _DATA_DIR.value, "name": _NAME.value}

    def _keep(self, row: Row) -> None:
        before = self.rows.get(row.name)
        if before is None or row.seconds < before.seconds:
            self.rows[row.name] = row

    def build(self, kind: str) -> pathlib.Path:
        """Builds a cache, from `flcc` or from `documents`; returns where it is."""
        self._num_builds += 1
        cache_dir = self._folder / f"cache-{self._num_builds}"
        seconds, measured = _run(
            runs.whole_build,
            folder=self._folder,
            **self._dataset,
            tokenizer_dir=str(self._folder / "trained"),
            cache_dir=str(cache_dir),
            num_workers=_NUM_WORKERS.value,
            kind=kind,
        )
        memory = measured.total_bytes, measured.process_bytes
        name = "build" if kind == "flcc" else kind
        self._keep(Row(name, seconds, self._size, measured.cpu_seconds, memory))
        return cache_dir

    def library(
        self, engine: str, num_workers: int, *, max_bytes: int = 0, python: str = sys.executable
    ) -> None:
        """Encodes with a library alone."""
        (clock, cpu, num_tokens, size), measured = _run(
            runs.bare_library,
            folder=self._folder,
            python=python,
            **self._dataset,
            max_bytes=max_bytes,
            stored=dataclasses.asdict(self._stored),
            engine=engine,
            num_workers=num_workers,
        )
        where = "" if python == sys.executable else "peers' "
        name = f"{where}{engine}, {num_workers} process{'es' if num_workers > 1 else ''}"
        self.num_tokens[name] = num_tokens
        memory = measured.total_bytes, measured.process_bytes
        self._keep(Row(name, clock, size, cpu, memory))

    def mapped(self) -> None:
        """Encodes with `datasets.map`."""
        path, size = self._folder / "texts.jsonl", 0
        with open(path, "w", encoding="utf-8") as file:
            for text in runs.read_texts(**self._dataset, max_bytes=_MAX_SLOW_BYTES.value):
                file.write(json.dumps({"text": text.decode("utf-8")}) + "\n")
                size += len(text)
        seconds, measured = _run(
            runs.mapped_dataset,
            folder=self._folder,
            texts_path=str(path),
            tokenizer_dir=str(self._folder / "trained"),
            work_dir=str(self._folder),
            num_workers=_NUM_WORKERS.value,
        )
        memory = measured.total_bytes, measured.process_bytes
        self._keep(Row("datasets.map", seconds, size, measured.cpu_seconds, memory))

    def prove_peers(self, engines: Sequence[str]) -> None:
        """Prints whether the peers' libraries give the ids of `tokenizers` on hostile texts."""
        stored = dataclasses.asdict(self._stored)
        for engine in engines:
            difference, _ = _run(
                runs.prove, folder=self._folder, python=_PEERS.value, stored=stored, engine=engine
            )
            print(f"peers' {engine} on hostile texts: {difference or 'equal'}", flush=True)


def _library_runs(engines: Sequence[str]) -> Iterator[tuple[str, int]]:
    for engine in engines:
        for num_workers in sorted({1, _NUM_WORKERS.value}):
            yield engine, num_workers


def compare_all(cache_dir: pathlib.Path, stored: StoredTokenizer) -> None:
    """Compares all ids of a cache with those of `tokenizers`, and prints how many differ.

    Args:
      cache_dir: The cache.
      stored: Its tokenizer.
    """
    source = flcc_source.open_flcc_source(_DATA_DIR.value, _NAME.value)
    jobs = []
    for split in source.splits:
        first = 0
        for unit in source.units(split):
            jobs.append((unit, stored, str(cache_dir), split, first))
            first += unit.num_records
    with parallel.WorkerPool(_NUM_WORKERS.value) as pool:
        results = list(pool.map(runs.compare_unit, jobs))
    num_documents, num_wrong = (sum(column) for column in zip(*results))
    print(f"ids of {num_documents} documents compared with tokenizers: {num_wrong} differ")


def _print_ratios(runner: _Runner, engine: str) -> None:
    rows = runner.rows
    for row in rows.values():
        print(row.line())
    build = rows["build"]
    for name, row in rows.items():
        if row is not build:
            ratio = build.megabytes_per_second / row.megabytes_per_second
            print(f"build is {ratio:7.2f} times as fast as {name}")
    fastest = rows[f"{engine}, 1 process"]
    print(
        f"build takes {build.seconds / build.size * fastest.size / fastest.seconds:.2f} times as "
        f"long as {engine} alone in one process; memory of the build {build.memory[0] / 1e6:.0f} MB"
    )


def _measure(runner: _Runner, *, engine: str) -> pathlib.Path:
    """Runs everything; returns where the last cache is."""
    slow = {"max_bytes": _MAX_SLOW_BYTES.value}
    for _ in range(_REPEATS.value):
        cache_dir = runner.build("flcc")
        runner.build("documents")
        if engine != encoders.TOKENIZERS:
            for _, num_workers in _library_runs([engine]):
                runner.library(engine, num_workers)
        if _PEERS.value:
            for peer, num_workers in _library_runs([encoders.GIGATOKEN, encoders.SPLINTR]):
                runner.library(peer, num_workers, python=_PEERS.value)
    for _, num_workers in _library_runs([encoders.TOKENIZERS]):
        runner.library(encoders.TOKENIZERS, num_workers, **slow)
    if _MAP.value:
        runner.mapped()
    return cache_dir


def main(argv: Sequence[str]) -> None:
    """Trains, runs every kind, prints.

    Args:
      argv: The program's name; everything else is a flag.

    Raises:
      InputError: A library is not installed.
    """
    del argv
    if _MAP.value and importlib.util.find_spec("datasets") is None:
        raise errors.InputError(
            "datasets is not installed; wanted it beside; install the extra hf, or pass "
            "--nodatasets_map"
        )
    with tempfile.TemporaryDirectory(prefix="code_t5_benchmark_", dir=_WORK_DIR.value) as name:
        folder = pathlib.Path(name)
        train_tokenizer(folder / "trained")
        stored = tokenizer_files.store_tokenizer(
            None, tokenizer_name=str(folder / "trained"), folder=folder / "stored"
        )
        texts = list(runs.read_texts(_DATA_DIR.value, name=_NAME.value))
        choice = encoder_proof.choose_engine(stored, sample=texts[:: max(1, len(texts) // 100)])
        size = sum(map(len, texts))
        print(f"-- {len(texts)} documents, {size / 1e6:.1f} MB; chosen: {choice.engine}")
        for engine, why in choice.refused.items():
            print(f"not {engine}: {why}")
        del texts
        runner = _Runner(folder, stored, size)
        if _PEERS.value:
            runner.prove_peers([encoders.GIGATOKEN, encoders.SPLINTR])
        cache_dir = _measure(runner, engine=choice.engine)
        print(f"{'':28}{'work':>10}{'cpu':>10}{'':14}{'memory':>11}{'largest':>11}")
        _print_ratios(runner, choice.engine)
        if _COMPARE.value:
            compare_all(cache_dir, stored)


if __name__ == "__main__":
    command_line.run(main)

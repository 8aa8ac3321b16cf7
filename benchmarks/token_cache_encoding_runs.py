"""What `benchmarks.token_cache_encoding` runs, each in a program of its own.

    python -m benchmarks.token_cache_encoding_runs REQUEST.json ANSWER.json

The request names one of the functions below and its arguments; the answer is what it returned.
"""

from __future__ import annotations

import itertools
import json
import multiprocessing
import pathlib
import sys
import time
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from code_t5.storage import prepared, tfrecords
from code_t5.token_cache import reader
from code_t5.token_cache.tokenizing import encoder_proof, encoders, hostile_texts
from code_t5.token_cache.tokenizing.tokenizer_files import StoredTokenizer

_BATCH_FILES = 64


def read_texts(data_dir: str, *, name: str, max_bytes: int = 0) -> Iterator[bytes]:
    """Yields the texts of a data set, split by split, shard by shard.

    Args:
      data_dir: The data directory.
      name: Of the data set.
      max_bytes: Most UTF-8 in all; 0 for everything.
    """
    num_bytes = 0
    folder = prepared.PreparedDataset(name, data_dir).dataset_dir
    for path in sorted(folder.glob("*.tfrecord-*")):
        for (text,) in tfrecords.read_features(path, ["text"]):
            if isinstance(text, bytes):
                num_bytes += len(text)
                if max_bytes and num_bytes > max_bytes:
                    return
                yield text


def whole_build(
    data_dir: str, *, name: str, tokenizer_dir: str, cache_dir: str, num_workers: int, kind: str
) -> float:
    """Builds a token cache of a data set; returns the seconds, without imports.

    Args:
      data_dir: The data directory.
      name: Of the data set.
      tokenizer_dir: Of the Hugging Face tokenizer.
      cache_dir: The cache to make.
      num_workers: Processes.
      kind: `flcc`: from its records; `documents`: from texts that are in memory already.
    """
    import transformers

    from code_t5.token_cache import FastHfDatasetProvider

    tokenizer = transformers.AutoTokenizer.from_pretrained(tokenizer_dir)
    texts = list(read_texts(data_dir, name=name)) if kind == "documents" else []
    start = time.perf_counter()
    if texts:
        FastHfDatasetProvider.from_documents(
            texts, tokenizer=tokenizer, cache_dir=cache_dir, num_workers=num_workers
        )
    else:
        FastHfDatasetProvider.from_flcc(
            data_dir, name, tokenizer=tokenizer, cache_dir=cache_dir, num_workers=num_workers
        )
    return time.perf_counter() - start


def _encode_share(
    index: int, stored: StoredTokenizer, request: dict[str, Any], shared: Any
) -> None:
    """Encodes every so many-th text, once all processes have read theirs."""
    barrier, results = shared
    texts = read_texts(request["data_dir"], name=request["name"], max_bytes=request["max_bytes"])
    own = list(itertools.islice(texts, index, None, request["num_workers"]))
    encoder = encoders.open_encoder(stored, request["engine"])
    barrier.wait()
    start, cpu_start = time.perf_counter(), time.process_time()
    num_tokens = sum(
        len(encoder.encode(own[first : first + _BATCH_FILES]).values)
        for first in range(0, len(own), _BATCH_FILES)
    )
    seconds = time.perf_counter() - start, time.process_time() - cpu_start
    results.put((*seconds, num_tokens, sum(map(len, own))))


def bare_library(**request: Any) -> list[float]:
    """Encodes the texts of a data set with one library and nothing else.

    Args:
      **request: `data_dir`, `name`, `max_bytes` (0 for all), `stored` (fields of a stored
        tokenizer), `engine` and `num_workers`.

    Returns:
      Seconds of the clock and of the processors, number of tokens, bytes of text; reading the
      texts and loading the tokenizer is not counted.
    """
    context = multiprocessing.get_context("spawn")
    shared = (context.Barrier(request["num_workers"]), context.Queue())
    stored = StoredTokenizer(**request["stored"])
    processes = [
        context.Process(target=_encode_share, args=(index, stored, request, shared))
        for index in range(request["num_workers"])
    ]
    for process in processes:
        process.start()
    results = [shared[1].get() for _ in processes]
    for process in processes:
        process.join()
    clock, cpu, tokens, size = zip(*results)
    return [max(clock), sum(cpu), sum(tokens), sum(size)]


def mapped_dataset(
    texts_path: str, *, tokenizer_dir: str, work_dir: str, num_workers: int
) -> float:
    """Encodes with `datasets.map` and joins the rows; returns the seconds, without imports.

    That is how the best-known provider of this kind goes about it.

    Args:
      texts_path: JSON lines with the field `text`.
      tokenizer_dir: Of the Hugging Face tokenizer.
      work_dir: For the library's cache and the array.
      num_workers: Processes.
    """
    import datasets
    import transformers

    datasets.disable_progress_bars()
    tokenizer = transformers.AutoTokenizer.from_pretrained(tokenizer_dir)
    end = [tokenizer.eos_token_id]

    def encode(batch: dict[str, list[str]]) -> dict[str, list[list[int]]]:
        found = tokenizer(batch["text"], add_special_tokens=False, verbose=False)
        return {"input_ids": [ids + end for ids in found["input_ids"]]}

    start = time.perf_counter()
    dataset = datasets.load_dataset(
        "json", data_files=texts_path, split="train", cache_dir=f"{work_dir}/datasets"
    )
    mapped = dataset.map(
        encode, batched=True, num_proc=num_workers, remove_columns=dataset.column_names
    ).with_format("numpy")
    rows = (row["input_ids"].astype(np.uint16) for row in mapped)
    np.save(f"{work_dir}/train.npy", np.concatenate(list(rows)))
    return time.perf_counter() - start


def prove(stored: dict[str, Any], engine: str) -> str:
    """Says in words where an engine differs from `tokenizers` on hostile texts, or "".

    Args:
      stored: Fields of a stored fast tokenizer.
      engine: One of `encoders.ENGINES`.
    """
    tokenizer = StoredTokenizer(**stored)
    yardstick = encoders.open_encoder(tokenizer, encoders.TOKENIZERS)
    texts = hostile_texts.hostile_texts(["<|endoftext|>"])
    found = encoders.open_encoder(tokenizer, engine).encode(texts)
    return encoder_proof.find_difference(texts, found=found, wanted=yardstick.encode(texts))


def compare_unit(job: tuple[Any, StoredTokenizer, str, str, int]) -> tuple[int, int]:
    """Compares the ids of a unit's documents with those of `tokenizers`.

    Args:
      job: The unit, the tokenizer, the cache, the split, and the number of the first document.

    Returns:
      How many documents there are, and in how many the cache has other ids.
    """
    unit, stored, cache_dir, split, first = job
    cache = reader.TokenCacheReader(cache_dir)
    arrays, end = cache.split(split), cache.end_of_text_id
    yardstick = encoders.open_encoder(stored, encoders.TOKENIZERS)
    number = first
    num_wrong = 0
    for batch in unit.read():
        rows = yardstick.encode(batch.texts)
        for index in range(rows.num_rows):
            start, stop = arrays.offsets[number], arrays.offsets[number + 1]
            found = arrays.tokens[start:stop]
            is_same = np.array_equal(found[:-1], rows.row(index)) and found[-1] == end
            num_wrong += not is_same
            number += 1
    return number - first, num_wrong


def main(arguments: Sequence[str]) -> None:
    """Does what a request asks for.

    Args:
      arguments: Files of the request and of the answer.
    """
    request_path, answer_path = map(pathlib.Path, arguments)
    request = json.loads(request_path.read_text("utf-8"))
    functions = {
        function.__name__: function
        for function in (whole_build, bare_library, mapped_dataset, prove)
    }
    answer = functions[request["function"]](**request["arguments"])
    answer_path.write_text(json.dumps(answer), "utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])

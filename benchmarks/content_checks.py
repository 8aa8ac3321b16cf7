"""Prints what finding licences and benchmarks costs, and that the benchmark search misses nothing.

    python -m benchmarks.content_checks --input_dir=FLCC_DIR

The benchmark is made of functions: by turns of the standard library of the running Python (nothing
of it should be in the corpus but vendored copies) and of the corpus itself (each is there). The
peer looks for every string in a sample of the files with Python's own substring search, in the same
run; what the two find is compared. One process; seconds of processor time; MB are 10^6 bytes.
"""

from __future__ import annotations

import ast
import collections
import functools
import json
import pathlib
import random
import sysconfig
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from absl import flags

from code_t5 import command_line, errors
from preprocessing import decontamination, licenses
from preprocessing.decontamination import benchmark_index
from preprocessing.dedup import ngram_sets, tokens

_BATCH_FILES = 1000
_MAX_LINES = 40
_Result = TypeVar("_Result")


def read_files(input_dir: pathlib.Path) -> list[bytes]:
    """Reads the Python files of a folder in FLCC layout, sorted by path.

    Args:
      input_dir: The folder.

    Returns:
      Their contents.

    Raises:
      InputError: There is none.
    """
    paths = sorted(input_dir.glob("v3/languages/Python/.py/*/*/*/*.py"))
    if not paths:
        raise errors.InputError(f"{input_dir} has no Python files in FLCC layout; check it")
    return [path.read_bytes() for path in paths]


def take_functions(sources: Sequence[bytes], *, count: int, seed: int) -> list[str]:
    """Draws functions of 5 to 40 lines.

    Args:
      sources: Python files; those that do not parse are passed over.
      count: How many functions.
      seed: Of the draw.

    Returns:
      Their source, `count` or fewer.
    """
    rng, found = random.Random(seed), []
    for _ in range(20 * count):
        source = rng.choice(sources)
        try:
            tree = ast.parse(source)
        except (SyntaxError, ValueError):
            continue
        functions = [
            node
            for node in ast.walk(tree)
            if isinstance(node, ast.FunctionDef)
            and 4 <= (node.end_lineno or 0) - node.lineno <= _MAX_LINES
        ]
        if functions:
            segment = ast.get_source_segment(
                source.decode("utf-8", errors="replace"), rng.choice(functions)
            )
            found.append(segment or "")
        if len(found) == count:
            break
    return found


def _timed(function: Callable[[], _Result]) -> tuple[_Result, float]:
    start = time.process_time()
    result = function()
    return result, time.process_time() - start


def _batches(contents: Sequence[bytes]) -> Iterator[Sequence[bytes]]:
    for start in range(0, len(contents), _BATCH_FILES):
        yield contents[start : start + _BATCH_FILES]


def _print_licenses(contents: Sequence[bytes]) -> None:
    found, seconds = _timed(lambda: [licenses.find_file_license(content) for content in contents])
    sources = collections.Counter(item.source or "none" for item in found)
    strict = sum(bool(i.expression) and not licenses.is_permissive(i.expression) for i in found)
    print(
        f"licences: {seconds:.2f} s; spdx_tag {sources['spdx_tag']:,}, header "
        f"{sources['header']:,}, none {sources['none']:,}; not permissive {strict:,}"
    )


def _print_search(contents: Sequence[bytes], functions: Sequence[str], title: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder, "benchmark.jsonl")
        path.write_text("".join(json.dumps({"code": text}) + "\n" for text in functions))
        config = decontamination.DecontaminationConfig(benchmark_paths=(str(path),))
        index, loading = _timed(lambda: decontamination.load_benchmarks(config))
    matches: list[tuple[decontamination.Match, ...]] = []
    making = finding = 0.0
    for batch in _batches(contents):
        hashed = tokens.hash_tokens(batch)
        make_fn = functools.partial(tokens.ngram_hashes, hashed, ngram_sets.NGRAM_SIZE)
        ngrams, seconds = _timed(make_fn)
        making += seconds
        find_fn = functools.partial(index.find, batch, tokens=hashed, ngrams=ngrams)
        found, seconds = _timed(find_fn)
        finding += seconds
        matches.extend(found)
    counts = index.counts()[0]
    print(
        f"{title}: {counts['num_searched']:,} strings, loaded in {loading:.2f} s; found in "
        f"{sum(map(bool, matches)):,} files in {finding:.2f} s, beside {making:.2f} s for 5-grams"
    )
    _print_peer(contents, functions, matches)


def _print_peer(
    contents: Sequence[bytes],
    functions: Sequence[str],
    matches: Sequence[tuple[decontamination.Match, ...]],
) -> None:
    """Searches a sample by substring, and compares."""
    sample = random.Random(0).sample(range(len(contents)), min(500, len(contents)))
    squeezed = [benchmark_index.squeeze(text.encode("utf-8")) for text in functions]
    long_enough = [
        len(tokens.hash_tokens([text]).hashes) >= benchmark_index.MIN_TOKENS for text in squeezed
    ]

    def search() -> list[bool]:
        wanted = [text for text, is_long in zip(squeezed, long_enough) if is_long]
        texts = (benchmark_index.squeeze(contents[i]) for i in sample)
        return [any(string in text for string in wanted) for text in texts]

    plain, seconds = _timed(search)
    ours = [any(match.kind == "exact" for match in matches[i]) for i in sample]
    differing = sum(first != second for first, second in zip(plain, ours))
    whole = seconds * len(contents) / len(sample)
    print(
        f"  peer, substring search of {len(sample)} files: {seconds:.2f} s, {whole:.0f} s for all; "
        f"finds {sum(plain)}, {differing} otherwise than ours"
    )


def main(argv: Sequence[str]) -> None:
    """Measures and prints.

    Args:
      argv: The program's name; everything else is a flag.
    """
    del argv
    contents = read_files(pathlib.Path(flags.FLAGS.input_dir))
    print(f"{len(contents):,} files, {sum(map(len, contents)) / 1e6:.1f} MB")
    _print_licenses(contents)
    library = pathlib.Path(sysconfig.get_paths()["stdlib"])
    sources = [path.read_bytes() for path in sorted(library.glob("*.py"))]
    functions = take_functions(sources, count=1000, seed=5)
    _print_search(contents, functions, "functions of the standard library")
    functions = take_functions(contents, count=1000, seed=3)
    _print_search(contents, functions, "functions of the corpus")


if __name__ == "__main__":
    flags.DEFINE_string("input_dir", None, "Folder in FLCC layout.", required=True)
    command_line.run(main)

"""Decontamination: finds source files that hold what a model will be tested on.

A *benchmark* is a JSON Lines file of problems (`benchmark_files`). A file *matches* if it holds a
prompt, docstring or solution as a whole, white space aside (kind `exact`), or shares 13 tokens in a
row with one (kind `ngram`; `benchmark_index`). What is done about it, drop the file or cut it off
before the first match, is the build's work.
"""

from __future__ import annotations

import dataclasses
import functools
import os
from collections.abc import Sequence
from typing import Any

from code_t5 import errors
from code_t5.storage import fingerprints
from preprocessing.decontamination import allow_list, benchmark_files, benchmark_index

DROP = "drop"
TRUNCATE = "truncate"
ACTIONS = (DROP, TRUNCATE)
_MAX_DESCRIBED = 20

Match = benchmark_index.Match
BenchmarkIndex = benchmark_index.BenchmarkIndex


@dataclasses.dataclass(frozen=True)
class DecontaminationConfig:
    """Which benchmarks must not be in the data, and what to do about it.

    Attributes:
      benchmark_paths: JSON Lines files, possibly compressed; none for no decontamination.
      fields: Fields of their entries; empty for the usual ones.
      action: `drop` or `truncate`.
      allow_list_paths: Files of snippets that may be in the data all the same.
    """

    benchmark_paths: tuple[str, ...] = ()
    fields: tuple[str, ...] = ()
    action: str = DROP
    allow_list_paths: tuple[str, ...] = ()


def _stamp(path: str) -> tuple[int, ...]:
    """Returns what changes when a file does; nothing for one that is not there."""
    try:
        status = os.stat(path)
    except (OSError, ValueError):
        return ()
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns


@functools.lru_cache(maxsize=8)
def _read_benchmark(
    path: str, *, fields: tuple[str, ...], stamp: tuple[int, ...], name: str
) -> benchmark_files.BenchmarkFile:
    del stamp
    return benchmark_files.read_benchmark(path, fields=fields, name=name)


def _read_benchmarks(config: DecontaminationConfig) -> list[benchmark_files.BenchmarkFile]:
    return [
        _read_benchmark(path, fields=config.fields, stamp=_stamp(path), name=name)
        for path, name in zip(config.benchmark_paths, _names(config.benchmark_paths))
    ]


def _names(paths: Sequence[str]) -> list[str]:
    """Returns the files' names, with as many folders before each as tell them apart."""
    parts = [os.path.abspath(path).split(os.sep) for path in paths]
    depth = 1
    while len({tuple(names[-depth:]) for names in parts}) < len(set(map(tuple, parts))):
        depth += 1
    return ["/".join(names[-depth:]) for names in parts]


def _read_snippets(config: DecontaminationConfig) -> list[bytes]:
    snippets = [snippet.encode("utf-8") for snippet in allow_list.SNIPPETS]
    for path in config.allow_list_paths:
        snippets += benchmark_files.read_allow_list(path)
    return snippets


@functools.lru_cache(maxsize=2)
def _load(config: DecontaminationConfig, stamps: tuple[tuple[int, ...], ...]) -> BenchmarkIndex:
    del stamps
    return BenchmarkIndex(_read_benchmarks(config), snippets=_read_snippets(config))


def load_benchmarks(config: DecontaminationConfig) -> BenchmarkIndex:
    """Reads the benchmarks and makes them ready; a process does so once for the same files.

    Args:
      config: Which benchmarks.

    Returns:
      The index; without benchmarks one that finds nothing.

    Raises:
      InputError: A file cannot be read or is not what it should be, or the action is unknown.
    """
    if config.action not in ACTIONS:
        raise errors.InputError(
            f"--benchmark_action is {config.action!r}; wanted one of {', '.join(ACTIONS)}"
        )
    paths = (*config.benchmark_paths, *config.allow_list_paths)
    return _load(config, tuple(_stamp(path) for path in paths))


def describe_config(config: DecontaminationConfig) -> dict[str, Any]:
    """Returns what decides on the outcome, for a manifest: contents, not places.

    Args:
      config: Which benchmarks.

    Returns:
      JSON, with a hash of every benchmark file and of all allowed snippets.

    Raises:
      InputError: A file cannot be read or is not what it should be.
    """
    if not config.benchmark_paths:
        return {"benchmarks": []}
    snippets = [snippet.hex() for snippet in _read_snippets(config)]
    return {
        "benchmarks": [
            {"file": file.name, "sha256": file.sha256} for file in _read_benchmarks(config)
        ],
        "fields": list(config.fields),
        "action": config.action,
        "allowed": fingerprints.hash_json(snippets),
        "min_tokens": benchmark_index.MIN_TOKENS,
        "overlap_size": benchmark_index.OVERLAP_SIZE,
    }


def describe(matches: Sequence[Match]) -> str:
    """Says in one line what was found in a file, as the ledger has it.

    Args:
      matches: One or more.

    Returns:
      The matches in order, `; ` between them; only the first 20 by name.

    >>> describe([Match(entry="HumanEval.jsonl:17", field="prompt", kind="exact", start=40)])
    'HumanEval.jsonl:17 prompt exact'
    """
    parts = [f"{match.entry} {match.field} {match.kind}" for match in matches[:_MAX_DESCRIBED]]
    if len(matches) > _MAX_DESCRIBED:
        parts.append(f"and {len(matches) - _MAX_DESCRIBED} more")
    return "; ".join(parts)

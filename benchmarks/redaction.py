"""Prints how fast secrets and personal data are found and replaced, beside detect-secrets itself.

    python -m benchmarks.redaction --input=FLCC_FOLDER

reads every source file that the filters keep, once, on one core. Timed are only `find_spans` and
`replace_spans`. In the same run detect-secrets scans a sample of the files through its own
interface, with all its detectors and filters, line by line. On the sample, too, the finder runs
with every detector on every line instead of where the anchors match: the spans must be the same.
All Python files that were changed are parsed before and after. No find is printed. MB are 10^6
bytes of kept text, times are CPU seconds.
"""

from __future__ import annotations

import ast
import collections
import os
import pathlib
import tempfile
import time
import warnings
from collections.abc import Iterator, Sequence
from typing import NamedTuple
from unittest import mock

from absl import flags

from code_t5 import command_line, errors
from preprocessing import filters, redaction
from preprocessing.redaction import anchors

_INPUT = flags.DEFINE_string("input", None, "Folder of a data set in the FLCC layout.")
_SAMPLE_MB = flags.DEFINE_float("sample_mb", 3.0, "For what runs line by line.", lower_bound=0.1)


class Source(NamedTuple):
    """A kept source file: the extension of its name, and its normalised content."""

    extension: str
    content: bytes


class Measured(NamedTuple):
    """What redacting the whole data set took and found."""

    num_files: int
    size_bytes: int
    find_seconds: float
    anchor_seconds: float
    counts: dict[str, int]
    files: dict[str, int]
    num_parsed_before: int
    num_parsed_after: int
    sample: list[Source]


def read_sources(input_dir: pathlib.Path) -> Iterator[Source]:
    """Yields the source files that the filters keep, in a fixed order without any pattern."""
    paths = []
    for folder, _, names in os.walk(input_dir / "v3" / "languages"):
        paths += [pathlib.Path(folder, name) for name in names]
    # By name before folder, so that the first few megabytes come from everywhere.
    for path in sorted(paths, key=lambda path: (path.name, path)):
        if path.is_file() and not path.is_symlink():
            verdict, content = filters.decide(path.read_bytes(), filters.FilterConfig())
            if verdict == filters.KEPT:
                yield Source(path.suffix, content)


def _is_python(content: bytes) -> bool:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            ast.parse(content)
        except (SyntaxError, ValueError, MemoryError, RecursionError):
            return False
    return True


def measure(input_dir: pathlib.Path, *, sample_bytes: int) -> Measured:
    """Redacts a data set.

    Args:
      input_dir: Where it is.
      sample_bytes: How much of it to keep for the slow comparisons.

    Returns:
      Times, counts and the sample.

    Raises:
      InputError: No file is kept.
    """
    redaction.find_spans(b"", extension=".py")  # loads the detectors
    known = anchors.load(True)
    counts: collections.Counter[str] = collections.Counter(dict.fromkeys(redaction.KINDS, 0))
    files: collections.Counter[str] = collections.Counter(dict.fromkeys(redaction.KINDS, 0))
    num_files = size_bytes = parsed_before = parsed_after = sampled = 0
    find_seconds = anchor_seconds = 0.0
    sample = []
    for source in read_sources(input_dir):
        start = time.process_time()
        spans = redaction.find_spans(source.content, extension=source.extension)
        redacted = redaction.replace_spans(source.content, spans)
        found = time.process_time()
        collections.deque(anchors.candidate_lines(source.content, known), maxlen=0)
        anchor_seconds += time.process_time() - found
        find_seconds += found - start
        num_files += 1
        size_bytes += len(source.content)
        kinds = redaction.count_kinds(spans)
        counts.update(kinds)
        files.update(kind for kind, count in kinds.items() if count)
        if spans and source.extension == ".py":
            parsed_before += _is_python(source.content)
            parsed_after += _is_python(redacted)
        if sampled < sample_bytes:
            sample.append(source)
            sampled += len(source.content)
    if not num_files:
        raise errors.InputError(
            f"{input_dir} has no source file that the filters keep; check --input"
        )
    return Measured(
        num_files=num_files,
        size_bytes=size_bytes,
        find_seconds=find_seconds,
        anchor_seconds=anchor_seconds,
        counts=dict(counts),
        files=dict(files),
        num_parsed_before=parsed_before,
        num_parsed_after=parsed_after,
        sample=sample,
    )


def scan_with_library(sample: Sequence[Source]) -> float:
    """Scans source files with detect-secrets as its users do.

    Args:
      sample: The files; written to a temporary folder, since the library reads files.

    Returns:
      Seconds.
    """
    import detect_secrets
    from detect_secrets import settings

    with tempfile.TemporaryDirectory() as folder, settings.default_settings():
        paths = []
        for number, source in enumerate(sample):
            path = pathlib.Path(folder, f"source_{number}{source.extension}")
            path.write_bytes(source.content)
            paths.append(str(path))
        start = time.process_time()
        for name in paths:
            detect_secrets.SecretsCollection().scan_file(name)
        return time.process_time() - start


def _all_lines(content: bytes, known: anchors.Anchors) -> Iterator[tuple[int, int]]:
    del known
    start = 0
    for line in content.split(b"\n"):
        yield start, start + len(line)
        start += len(line) + 1


def _all_detectors(line: bytes, known: anchors.Anchors) -> list[str]:
    del line
    return sorted(known.names)


def count_missed(sample: Sequence[Source]) -> tuple[int, int, float]:
    """Compares the finder with one that runs every detector on every line.

    Args:
      sample: The files.

    Returns:
      Spans found with anchors, spans in which the two differ, and the seconds without anchors.
    """
    num_found = num_differing = 0
    seconds = 0.0
    for source in sample:
        found = redaction.find_spans(source.content, extension=source.extension)
        start = time.process_time()
        with mock.patch.multiple(anchors, candidate_lines=_all_lines, detectors_for=_all_detectors):
            wanted = redaction.find_spans(source.content, extension=source.extension)
        seconds += time.process_time() - start
        num_found += len(found)
        num_differing += len(set(found) ^ set(wanted))
    return num_found, num_differing, seconds


def main(argv: Sequence[str]) -> None:
    """Prints Markdown tables."""
    del argv
    result = measure(pathlib.Path(_INPUT.value), sample_bytes=int(_SAMPLE_MB.value * 1e6))
    sample_mb = sum(len(source.content) for source in result.sample) / 1e6
    megabytes = result.size_bytes / 1e6
    print(f"{result.num_files:,} files kept, {megabytes:.1f} MB; sample {sample_mb:.1f} MB")
    print("| on one core | MB/s |\n|---|---|")
    print(f"| find and replace | {megabytes / result.find_seconds:.1f} |")
    print(f"| of which the anchors alone | {megabytes / result.anchor_seconds:.1f} |", flush=True)
    seconds = scan_with_library(result.sample)
    print(f"| detect-secrets' own scan, sample | {sample_mb / seconds:.3f} |", flush=True)
    num_found, num_differing, seconds = count_missed(result.sample)
    print(f"| every detector on every line, sample | {sample_mb / seconds:.3f} |")
    print(f"\nsample: {num_found} spans with anchors, {num_differing} differ without them")
    print("\n| kind | found | in files |\n|---|---|---|")
    for kind in redaction.KINDS:
        print(f"| {kind} | {result.counts[kind]:,} | {result.files[kind]:,} |")
    print(
        f"\nchanged Python files that parse: {result.num_parsed_before} before, "
        f"{result.num_parsed_after} after"
    )


if __name__ == "__main__":
    flags.mark_flag_as_required("input")
    command_line.run(main)

"""The scan: reads each source file of a work unit once and decides on it alone.

A file goes through the filters, its licence and what it shares with benchmarks are found, and
personal data and secrets are replaced; the *content* is the text that comes out of all that. A
*candidate* is a file that is still wanted then: it has a record, and a *sketch* for finding near-
duplicates (`preprocessing.dedup.minhash`). Everything happens in memory and depends on nothing but
the unit and the options, so that a pool of processes and a Beam pipeline run the same function;
`preprocessing.unit_store` keeps on disk what comes out.
"""

from __future__ import annotations

import dataclasses
import hashlib
import os
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from code_t5.storage import tfrecords
from preprocessing import decontamination, filters, flcc_layout, ledger, licenses, redaction, splits
from preprocessing.dedup import minhash, near, ngram_sets, tokens

REDACT_OFF = "off"
REDACT_REPORT = "report"
REDACT_REPLACE = "replace"
REDACT_MODES = (REDACT_OFF, REDACT_REPORT, REDACT_REPLACE)

# hash: SHA-256 of the content. rank: of the licence, the smaller the better. row: position among
# the unit's candidates. offset and length: of the framed record. num_ngrams: 5-grams of
# tokens, 0 for a file that is too short to have near-duplicates.
INDEX_DTYPE = np.dtype(
    [
        ("hash", "S32"),
        ("file_id", "<u8"),
        ("split_key", "<u8"),
        ("unit", "<u4"),
        ("row", "<u4"),
        ("length", "<u4"),
        ("num_ngrams", "<u4"),
        ("offset", "<u8"),
        ("size", "<u8"),
        ("rank", "u1"),
    ]
)


@dataclasses.dataclass(frozen=True)
class ScanConfig:
    """What deciding on one file alone needs to know.

    Attributes:
      filters: Limits of the filters.
      license_policy: One of `licenses.POLICIES`.
      redact: One of `REDACT_MODES`.
      decontamination: Which benchmarks must not be in the data, and what to do about it.
      near_duplicates: Whether sketches are wanted.
    """

    filters: filters.FilterConfig = filters.FilterConfig()
    license_policy: str = licenses.ANY
    redact: str = REDACT_REPLACE
    decontamination: decontamination.DecontaminationConfig = decontamination.DecontaminationConfig()
    near_duplicates: near.NearDupConfig = near.NearDupConfig()


@dataclasses.dataclass(frozen=True)
class ScannedUnit:
    """What comes out of one work unit.

    Attributes:
      unit_index: Which one.
      size_bytes: Of the input files.
      rows: The ledger lines.
      index: `INDEX_DTYPE [num_candidates]`, in the order of the files.
      records: The framed records of the candidates, joined.
      signatures: uint32 `[num_candidates, 256]`; no rows where near-duplicates are not wanted.
      problems: One line each, for the user.
    """

    unit_index: int
    size_bytes: int
    rows: list[ledger.Row]
    index: np.ndarray
    records: bytes
    signatures: np.ndarray
    problems: tuple[str, ...]


def text_of_record(record: bytes) -> bytes:
    """Returns the content in a framed record.

    Args:
      record: As `ScannedUnit.records` and the shards hold it.
    """
    text = tfrecords.decode_example(tfrecords.unframe_record(record))["text"]
    return text if isinstance(text, bytes) else b""


def extension_of_record(record: bytes) -> str:
    """Returns the extension, with its dot, of the file in a framed record.

    Args:
      record: As `ScannedUnit.records` and the shards hold it.
    """
    path = tfrecords.decode_example(tfrecords.unframe_record(record))["path"]
    return os.path.splitext(path.decode("utf-8"))[1] if isinstance(path, bytes) else ""


def _decide_entry(
    folder: str, entry: flcc_layout.FileEntry, config: filters.FilterConfig
) -> tuple[str, bytes]:
    """Returns verdict and normalised content of one entry of a branch folder."""
    if entry.mode == 0:
        return filters.VANISHED, b""
    if entry.is_link:
        return filters.SYMBOLIC_LINK, b""
    if not entry.is_regular:
        return filters.NOT_REGULAR, b""
    if entry.size_bytes > config.max_file_bytes:
        return filters.TOO_LARGE, b""
    try:
        raw = flcc_layout.read_bounded(f"{folder}{os.sep}{entry.name}", config.max_file_bytes)
    except FileNotFoundError:
        return filters.VANISHED, b""
    except OSError:
        return filters.UNREADABLE, b""
    return filters.decide(raw, config)


def redact_content(content: bytes, *, row: ledger.Row, extension: str, mode: str) -> bytes:
    """Counts personal data and secrets in a ledger line, and replaces them if that is wanted.

    Args:
      content: Normalised.
      row: Gets a count by kind.
      extension: Of the file, with its dot.
      mode: One of `REDACT_MODES`.

    Returns:
      The content, changed in the mode `replace` only.
    """
    if mode == REDACT_OFF:
        return content
    spans = redaction.find_spans(content, extension=extension)
    row.update(redaction.count_kinds(spans))
    return redaction.replace_spans(content, spans) if mode == REDACT_REPLACE else content


def _cut_at_line(content: bytes, start: int) -> bytes:
    """Returns what stands before the line in which a match begins."""
    return content[: content.rfind(b"\n", 0, start) + 1]


def decontaminate(
    contents: list[bytes],
    *,
    rows: Sequence[ledger.Row],
    config: decontamination.DecontaminationConfig,
) -> tuple[tokens.NgramBatch | None, list[int]]:
    """Drops or cuts off what holds part of a benchmark.

    Args:
      contents: Changed in place where something is cut off.
      rows: Ledger lines of the contents; their verdicts change.
      config: Which benchmarks, and what to do.

    Returns:
      The 5-grams of the contents as they were, None without benchmarks; which were cut off.
    """
    if not config.benchmark_paths:
        return None, []
    batch = tokens.hash_tokens(contents)
    ngrams = tokens.ngram_hashes(batch, ngram_sets.NGRAM_SIZE)
    benchmarks = decontamination.load_benchmarks(config)
    cut = []
    for index, found in enumerate(benchmarks.find(contents, tokens=batch, ngrams=ngrams)):
        if not found:
            continue
        row = rows[index]
        row["contamination"] = decontamination.describe(found)
        left = b""
        if config.action == decontamination.TRUNCATE:
            left = _cut_at_line(contents[index], min(match.start for match in found))
        if left.strip():
            row["truncated"] = True
            contents[index] = left
            cut.append(index)
        else:
            row["verdict"] = filters.BENCHMARK
    return ngrams, cut


def _sketch(
    contents: Sequence[bytes], ngrams: tokens.NgramBatch | None, changed: list[int]
) -> tuple[np.ndarray, np.ndarray]:
    """Sketches texts, given the 5-grams that they had before some of them changed.

    Returns:
      Signatures, uint32 `[num_texts, 256]`, and numbers of 5-grams, int64 `[num_texts]`.
    """
    if ngrams is None:
        ngrams, changed = ngram_sets.ngrams_of(contents), []
    signatures, counts = minhash.sign(ngrams), np.diff(ngrams.offsets)
    if changed:
        again = ngram_sets.ngrams_of([contents[i] for i in changed])
        signatures[changed], counts[changed] = minhash.sign(again), np.diff(again.offsets)
    return signatures, counts


class _Wanted(NamedTuple):
    """A file that is still wanted: its ledger line, content, extension and split key."""

    row: ledger.Row
    content: bytes
    extension: str
    split_key: int


class _UnitScanner:
    """Collects what one unit leaves behind."""

    def __init__(self, unit: flcc_layout.WorkUnit, config: ScanConfig) -> None:
        self.unit = unit
        self.config = config
        self.rows: list[ledger.Row] = []
        self.problems: list[str] = []
        self._wanted: list[_Wanted] = []

    def scan_group(
        self, branch: flcc_layout.Branch, entries: tuple[flcc_layout.FileEntry, ...]
    ) -> None:
        paths, problems = flcc_layout.read_paths(branch)
        self.problems.extend(problems)
        unknown = flcc_layout.unknown_names(branch, paths)
        if unknown:
            self.problems.append(
                f"{branch.paths_json} names {len(unknown)} file(s) that are not there, the first "
                f"is {unknown[0]!r}; ignored"
            )
        folder = os.fspath(branch.files_dir)
        printable = flcc_layout.printable_name
        of_repository = licenses.UNKNOWN
        if branch.has_own_metadata:
            of_repository = licenses.find_repository_license(branch.paths_json.parent)
        shared = {
            "language": printable(branch.language),
            "repository": printable(branch.full_name),
            "branch": printable(branch.branch),
        }
        split_key = splits.split_key(shared["repository"])
        for entry in entries:
            verdict, content = _decide_entry(folder, entry, self.config.filters)
            flat_name = printable(entry.name)
            row: ledger.Row = {
                **shared,
                "file_id": self.unit.first_file_id + len(self.rows),
                "flat_name": flat_name,
                "path": paths.get(entry.name, flat_name),
                "size_bytes": entry.size_bytes,
                "verdict": verdict,
            }
            self.rows.append(row)
            if verdict == filters.KEPT:
                self._look_inside(row, content, branch, of_repository, split_key)
            elif content:
                row["content_hash"] = hashlib.sha256(content).hexdigest()
            elif verdict in (filters.VANISHED, filters.UNREADABLE):
                self.problems.append(
                    f"{folder}/{flat_name} is {verdict}; wanted to read it; its ledger line says "
                    "so, build again with --overwrite once it can be read"
                )

    def _look_inside(
        self,
        row: ledger.Row,
        content: bytes,
        branch: flcc_layout.Branch,
        of_repository: licenses.License,
        split_key: int,
    ) -> None:
        """Finds the licence and decides by it."""
        found = licenses.choose(licenses.find_file_license(content), of_repository)
        row["license"] = found.expression or None
        row["license_source"] = found.source or None
        if licenses.is_allowed(found.expression, self.config.license_policy):
            self._wanted.append(_Wanted(row, content, branch.extension, split_key))
        else:
            row["verdict"] = filters.LICENSE
            row["content_hash"] = hashlib.sha256(content).hexdigest()

    def _redact(self, contents: list[bytes]) -> list[int]:
        """Redacts the contents in place; returns which of them changed."""
        changed = []
        for i, (wanted, content) in enumerate(zip(self._wanted, contents)):
            contents[i] = redact_content(
                content, row=wanted.row, extension=wanted.extension, mode=self.config.redact
            )
            if contents[i] != content:
                changed.append(i)
        return changed

    def finish(self) -> ScannedUnit:
        """Compares with benchmarks, redacts, and makes records and sketches."""
        contents = [wanted.content for wanted in self._wanted]
        rows = [wanted.row for wanted in self._wanted]
        # Before redaction: a benchmark may hold an address as well.
        ngrams, cut = decontaminate(contents, rows=rows, config=self.config.decontamination)
        changed = sorted({*cut, *self._redact(contents)})
        for row, content in zip(rows, contents):
            row["content_hash"] = hashlib.sha256(content).hexdigest()
        kept = [i for i, row in enumerate(rows) if row["verdict"] == filters.KEPT]
        index, records = self._make_records(kept, [contents[i] for i in kept])
        signatures = np.empty((0, minhash.NUM_PERMUTATIONS), np.uint32)
        if self.config.near_duplicates.enabled:
            signatures, counts = _sketch(contents, ngrams, changed)
            signatures, index["num_ngrams"] = signatures[kept], counts[kept]
        return ScannedUnit(
            unit_index=self.unit.unit_index,
            size_bytes=self.unit.size_bytes,
            rows=self.rows,
            index=index,
            records=records,
            signatures=signatures,
            problems=tuple(self.problems),
        )

    def _make_records(self, kept: list[int], contents: list[bytes]) -> tuple[np.ndarray, bytes]:
        records, index, offset = [], [], 0
        for position, (i, content) in enumerate(zip(kept, contents)):
            row, _, _, split_key = self._wanted[i]
            record = encode_record(row, content)
            index.append(
                (
                    bytes.fromhex(row["content_hash"]), row["file_id"], split_key,
                    self.unit.unit_index, position, len(record), 0, offset, len(content),
                    licenses.permissive_rank(row["license"] or ""),
                )
            )  # fmt: skip
            records.append(record)
            offset += len(record)
        return np.array(index, dtype=INDEX_DTYPE), b"".join(records)


def encode_record(row: ledger.Row, content: bytes) -> bytes:
    """Returns the framed record of a candidate.

    Args:
      row: Its ledger line, `content_hash` included.
      content: Its text.
    """
    features: dict[str, tfrecords.Value] = {
        name: row[name].encode("utf-8")
        for name in ("path", "repository", "branch", "language", "content_hash")
    }
    features["license"] = (row["license"] or "").encode("utf-8")
    features["text"] = content
    features["size"] = len(content)
    return tfrecords.frame_record(tfrecords.encode_example(features))


def scan_unit(unit: flcc_layout.WorkUnit, config: ScanConfig) -> ScannedUnit:
    """Scans one work unit.

    Args:
      unit: What to read.
      config: How to decide.

    Returns:
      Ledger lines, candidates and their sketches.
    """
    scanner = _UnitScanner(unit, config)
    for branch, entries in unit.groups:
        scanner.scan_group(branch, entries)
    return scanner.finish()

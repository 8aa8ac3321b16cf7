"""The scan: reads each source file once, decides on it alone, and keeps its record aside.

For each work unit the scan leaves in the *work directory*

    unit-<index>.records   the records of the files that passed the filters, framed as TFRecords
    unit-<index>.npy       one row of `INDEX_DTYPE` per such record
    unit-<index>.parquet   the unit's piece of the ledger
    unit-<index>.json      written last: says what listing the unit was made from

so that comparing files and writing shards never opens an input again: a file that changes or
vanishes later cannot make the records disagree with the ledger. A unit whose last file is there and
fits the listing is not scanned again.
"""

from __future__ import annotations

import dataclasses
import errno
import functools
import hashlib
import json
import os
import pathlib
import stat
from typing import Any, BinaryIO

import numpy as np

from code_t5.storage import atomic, fingerprints, tfrecords
from preprocessing import filters, flcc_layout, ledger, splits

_DATA_SUFFIXES = ("records", "npy", "parquet")

# hash: SHA-256 of the content; offset and length: of the framed record in the unit's file.
INDEX_DTYPE = np.dtype(
    [
        ("hash", "S32"),
        ("file_id", "<u8"),
        ("split_key", "<u8"),
        ("unit", "<u4"),
        ("length", "<u4"),
        ("offset", "<u8"),
        ("size", "<u8"),
    ]
)


@dataclasses.dataclass(frozen=True)
class ScanConfig:
    """What the scan of one data set needs to know.

    Attributes:
      work_dir: The work directory.
      filters: Limits of the filters.
    """

    work_dir: str
    filters: filters.FilterConfig


@dataclasses.dataclass(frozen=True)
class UnitSummary:
    """What one scanned unit says of itself.

    Attributes:
      unit_index: Which one.
      num_files: Ledger lines.
      size_bytes: Of the input files.
      num_candidates: Records that passed the filters.
      problems: One line each, for the user.
    """

    unit_index: int
    num_files: int
    size_bytes: int
    num_candidates: int
    problems: tuple[str, ...]


def unit_path(work_dir: str, *, unit_index: int, suffix: str) -> pathlib.Path:
    """Returns the path of one of a unit's files.

    >>> unit_path("work", unit_index=7, suffix="json").as_posix()
    'work/unit-000007.json'
    """
    return pathlib.Path(work_dir, f"unit-{unit_index:06d}.{suffix}")


def unit_fingerprint(unit: flcc_layout.WorkUnit) -> str:
    """Returns a hash of everything that the listing says of a unit."""
    return fingerprints.hash_json(unit.groups)


def _read_bounded(path: str, limit: int) -> bytes:
    """Reads at most `limit + 1` bytes of a plain file, whatever the name has become meanwhile."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise OSError(errno.EINVAL, "not a plain file any more")
        pieces = []
        left = limit + 1
        while left > 0:
            piece = os.read(descriptor, min(left, status.st_size + 1))
            if not piece:
                break
            pieces.append(piece)
            left -= len(piece)
        return b"".join(pieces)
    finally:
        os.close(descriptor)


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
        raw = _read_bounded(f"{folder}{os.sep}{entry.name}", config.max_file_bytes)
    except FileNotFoundError:
        return filters.VANISHED, b""
    except OSError:
        return filters.UNREADABLE, b""
    return filters.decide(raw, config)


class _UnitWriter:
    """Collects what one unit leaves behind."""

    def __init__(self, unit: flcc_layout.WorkUnit, records: BinaryIO) -> None:
        self.unit = unit
        self.records = records
        self.offset = 0
        self.rows: list[ledger.Row] = []
        self.index: list[tuple[Any, ...]] = []
        self.problems: list[str] = []

    def add(self, row: dict[str, Any], content: bytes, split_key: int) -> None:
        """Adds a ledger line and, for a file that passed, its record."""
        row["file_id"] = self.unit.first_file_id + len(self.rows)
        if content:
            digest = hashlib.sha256(content)
            row["content_hash"] = digest.hexdigest()
            if row["verdict"] == filters.KEPT:
                self._add_record(row, content, digest.digest(), split_key)
        self.rows.append(row)

    def _add_record(
        self, row: dict[str, Any], content: bytes, digest: bytes, split_key: int
    ) -> None:
        features: dict[str, tfrecords.Value] = {
            name: row[name].encode("utf-8")
            for name in ("path", "repository", "branch", "language", "content_hash")
        }
        features["text"] = content
        features["size"] = len(content)
        record = tfrecords.frame_record(tfrecords.encode_example(features))
        self.records.write(record)
        self.index.append(
            (digest, row["file_id"], split_key, self.unit.unit_index, len(record), self.offset,
             len(content))
        )  # fmt: skip
        self.offset += len(record)

    def report(self, verdict: str, path: str) -> None:
        """Notes a file that could not be read."""
        if verdict in (filters.VANISHED, filters.UNREADABLE):
            self.problems.append(
                f"{path} is {verdict}; wanted to read it; its ledger line says so, build again "
                "with --overwrite once it can be read"
            )


def _scan_group(
    writer: _UnitWriter,
    branch: flcc_layout.Branch,
    entries: tuple[flcc_layout.FileEntry, ...],
    config: ScanConfig,
) -> None:
    paths, problems = flcc_layout.read_paths(branch)
    writer.problems.extend(problems)
    unknown = flcc_layout.unknown_names(branch, paths)
    if unknown:
        writer.problems.append(
            f"{branch.paths_json} names {len(unknown)} file(s) that are not there, the first is "
            f"{unknown[0]!r}; ignored"
        )
    folder = os.fspath(branch.files_dir)
    printable = flcc_layout.printable_name
    repository = printable(branch.full_name)
    split_key = splits.split_key(repository)
    for entry in entries:
        verdict, content = _decide_entry(folder, entry, config.filters)
        flat_name = printable(entry.name)
        row = {
            "language": printable(branch.language),
            "repository": repository,
            "branch": printable(branch.branch),
            "flat_name": flat_name,
            "path": paths.get(entry.name, flat_name),
            "size_bytes": entry.size_bytes,
            "verdict": verdict,
        }
        writer.add(row, content, split_key)
        writer.report(verdict, f"{folder}/{flat_name}")


def _finished_summary(
    unit: flcc_layout.WorkUnit, config: ScanConfig, fingerprint: str
) -> UnitSummary | None:
    """Returns the summary of this very unit if an earlier run left it whole."""
    path = functools.partial(unit_path, config.work_dir, unit_index=unit.unit_index)
    try:
        marker = json.loads(path(suffix="json").read_bytes())
        sizes = {suffix: path(suffix=suffix).stat().st_size for suffix in _DATA_SUFFIXES}
    except (OSError, ValueError):
        return None
    if marker["fingerprint"] != fingerprint or marker["sizes"] != sizes:
        return None
    return UnitSummary(**dict(marker["summary"], problems=tuple(marker["summary"]["problems"])))


def scan_unit(unit: flcc_layout.WorkUnit, config: ScanConfig) -> UnitSummary:
    """Scans one work unit, or finds that an earlier run did.

    Args:
      unit: What to read.
      config: Where to write, and the limits.

    Returns:
      The unit's summary.
    """
    fingerprint = unit_fingerprint(unit)
    earlier = _finished_summary(unit, config, fingerprint)
    if earlier is not None:
        return earlier
    path = functools.partial(unit_path, config.work_dir, unit_index=unit.unit_index)
    path(suffix="json").unlink(missing_ok=True)
    with open(path(suffix="records"), "wb") as records:
        writer = _UnitWriter(unit, records)
        for branch, entries in unit.groups:
            _scan_group(writer, branch, entries, config)
    np.save(path(suffix="npy"), np.array(writer.index, dtype=INDEX_DTYPE), allow_pickle=False)
    ledger.write_rows(path(suffix="parquet"), writer.rows)
    summary = UnitSummary(
        unit_index=unit.unit_index,
        num_files=len(writer.rows),
        size_bytes=unit.size_bytes,
        num_candidates=len(writer.index),
        problems=tuple(writer.problems),
    )
    marker = {
        "fingerprint": fingerprint,
        "sizes": {suffix: path(suffix=suffix).stat().st_size for suffix in _DATA_SUFFIXES},
        "summary": dataclasses.asdict(summary),
    }
    atomic.write_file(path(suffix="json"), json.dumps(marker).encode("utf-8"))
    return summary


def read_index(work_dir: str, unit_index: int) -> np.ndarray:
    """Reads the rows of the records that one unit kept aside.

    Args:
      work_dir: The work directory.
      unit_index: Which unit.

    Returns:
      `INDEX_DTYPE [num_candidates]`.
    """
    return np.load(unit_path(work_dir, unit_index=unit_index, suffix="npy"), allow_pickle=False)


def hash_prefixes(index: np.ndarray) -> np.ndarray:
    """Returns the first 8 bytes of each row's hash as a number, uint64 `[num_rows]`."""
    hashes = np.ascontiguousarray(index["hash"])
    return hashes.view(">u8").reshape(-1, 4)[:, 0].astype(np.uint64)

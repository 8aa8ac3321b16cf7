"""Keeps what the scan of each work unit found in the work directory of a build.

    unit-<index>.records          the framed records of the candidates
    unit-<index>.npy              one row of `scan.INDEX_DTYPE` per candidate
    unit-<index>.signatures.npy   uint32 [num_candidates, 256]
    unit-<index>.parquet          the unit's piece of the ledger
    unit-<index>.json             written last: says what listing the unit was made from

so that comparing files and writing shards never opens an input again: a file that changes or
vanishes later cannot make the records disagree with the ledger. A unit whose last file is there and
fits the listing is not scanned again.
"""

from __future__ import annotations

import bisect
import dataclasses
import functools
import json
import os
import pathlib

import numpy as np

from code_t5 import errors
from code_t5.storage import atomic, fingerprints
from preprocessing import flcc_layout, ledger, redaction, scan

_DATA_SUFFIXES = ("records", "npy", "signatures.npy", "parquet")


@dataclasses.dataclass(frozen=True)
class UnitSummary:
    """What one kept unit says of itself.

    Attributes:
      unit_index: Which one.
      num_files: Ledger lines.
      size_bytes: Of the input files.
      num_candidates: Files with a record.
      problems: One line each, for the user.
    """

    unit_index: int
    num_files: int
    size_bytes: int
    num_candidates: int
    problems: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class ScanTotals:
    """Sums over all scanned units.

    Attributes:
      num_units: Work units.
      num_files: Ledger lines.
      size_bytes: Of the input files.
      num_candidates: Files with a record.
      problems: One line each, for the user; paths are relative to the `v3` folder.
    """

    num_units: int
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
    """Returns a hash of everything that the listing says of a unit.

    The licence files beside its `paths.json` count as well.
    """
    return fingerprints.hash_json(
        [unit.groups, [_listing(branch.paths_json.parent) for branch, _ in unit.groups]]
    )


def _listing(folder: pathlib.Path) -> list[tuple[str, int, int]]:
    """Names, sizes and times of change of a repository's own files; none where it has no folder."""
    try:
        with os.scandir(folder) as entries:
            found = [(os.fsencode(e.name).hex(), e.stat(follow_symlinks=False)) for e in entries]
    except OSError:
        return []
    return sorted((name, status.st_size, status.st_mtime_ns) for name, status in found)


def _finished_summary(
    work_dir: str, unit: flcc_layout.WorkUnit, fingerprint: str
) -> UnitSummary | None:
    """Returns the summary of this very unit if an earlier run left it whole."""
    path = functools.partial(unit_path, work_dir, unit_index=unit.unit_index)
    try:
        marker = json.loads(path(suffix="json").read_bytes())
        sizes = {suffix: path(suffix=suffix).stat().st_size for suffix in _DATA_SUFFIXES}
    except (OSError, ValueError):
        return None
    if marker["fingerprint"] != fingerprint or marker["sizes"] != sizes:
        return None
    return UnitSummary(**dict(marker["summary"], problems=tuple(marker["summary"]["problems"])))


def scan_and_keep(
    unit: flcc_layout.WorkUnit, *, config: scan.ScanConfig, work_dir: str
) -> UnitSummary:
    """Scans one work unit and keeps what comes out, or finds that an earlier run did.

    Args:
      unit: What to read.
      config: How to decide; the same for all runs in one work directory.
      work_dir: Where to keep it.

    Returns:
      The unit's summary.
    """
    fingerprint = unit_fingerprint(unit)
    earlier = _finished_summary(work_dir, unit, fingerprint)
    if earlier is not None:
        return earlier
    unit_path(work_dir, unit_index=unit.unit_index, suffix="json").unlink(missing_ok=True)
    return keep_unit(scan.scan_unit(unit, config), work_dir=work_dir, fingerprint=fingerprint)


def keep_unit(scanned: scan.ScannedUnit, *, work_dir: str, fingerprint: str) -> UnitSummary:
    """Writes what the scan of one unit found.

    Args:
      scanned: What it found.
      work_dir: Where to keep it.
      fingerprint: Of the listing that the unit was made from.

    Returns:
      The unit's summary.
    """
    path = functools.partial(unit_path, work_dir, unit_index=scanned.unit_index)
    path(suffix="records").write_bytes(scanned.records)
    np.save(path(suffix="npy"), scanned.index, allow_pickle=False)
    np.save(path(suffix="signatures.npy"), scanned.signatures, allow_pickle=False)
    ledger.write_rows(path(suffix="parquet"), scanned.rows)
    summary = UnitSummary(
        unit_index=scanned.unit_index,
        num_files=len(scanned.rows),
        size_bytes=scanned.size_bytes,
        num_candidates=len(scanned.index),
        problems=scanned.problems,
    )
    marker = {
        "fingerprint": fingerprint,
        "sizes": {suffix: path(suffix=suffix).stat().st_size for suffix in _DATA_SUFFIXES},
        "summary": dataclasses.asdict(summary),
    }
    atomic.write_file(path(suffix="json"), json.dumps(marker).encode("utf-8"))
    return summary


def read_index(work_dir: str, unit_index: int) -> np.ndarray:
    """Reads the rows of one unit's candidates.

    Args:
      work_dir: The work directory.
      unit_index: Which unit.

    Returns:
      `scan.INDEX_DTYPE [num_candidates]`.
    """
    return np.load(unit_path(work_dir, unit_index=unit_index, suffix="npy"), allow_pickle=False)


def read_signatures(work_dir: str, unit_index: int) -> np.ndarray:
    """Reads the signatures of one unit's candidates.

    Args:
      work_dir: The work directory.
      unit_index: Which unit.

    Returns:
      uint32 `[num_candidates, 256]`.
    """
    path = unit_path(work_dir, unit_index=unit_index, suffix="signatures.npy")
    return np.load(path, allow_pickle=False)


def read_records(rows: np.ndarray, work_dir: str) -> list[bytes]:
    """Reads records, unit by unit from the disk.

    Args:
      rows: Any array with the fields `unit`, `offset` and `length` of `scan.INDEX_DTYPE`.
      work_dir: The work directory.

    Returns:
      The framed records, in the order of the rows.

    Raises:
      ArtifactError: The records do not fit their index.
    """
    records: list[bytes] = [b""] * len(rows)
    order = np.lexsort((rows["offset"], rows["unit"]))
    units = rows["unit"][order]
    cuts = np.flatnonzero(np.diff(units)) + 1
    for positions in np.split(order, cuts) if len(order) else []:
        path = unit_path(work_dir, unit_index=int(rows["unit"][positions[0]]), suffix="records")
        with open(path, "rb") as file:
            for position in positions.tolist():
                row = rows[position]
                records[position] = os.pread(file.fileno(), int(row["length"]), int(row["offset"]))
                if len(records[position]) != row["length"]:
                    raise errors.ArtifactError(
                        f"{path} is shorter than its index says; wanted the records of the scan; "
                        "run the same command again with --overwrite"
                    )
    return records


def read_texts(positions: np.ndarray, *, rows: np.ndarray, work_dir: str) -> list[bytes]:
    """Reads the contents of some candidates.

    Args:
      positions: Which rows.
      rows: Rows with the fields `unit`, `offset` and `length`.
      work_dir: The work directory.

    Returns:
      The contents, in the order of the positions.
    """
    return [scan.text_of_record(record) for record in read_records(rows[positions], work_dir)]


class TextReader:
    """Reads contents of candidates by `file_id`, to be looked at."""

    def __init__(self, work_dir: str, num_units: int) -> None:
        """Looks where each unit begins.

        Args:
          work_dir: The work directory of a finished scan.
          num_units: Number of scanned units.
        """
        self._work_dir = work_dir
        firsts = [(i, read_index(work_dir, i)["file_id"][:1]) for i in range(num_units)]
        self._units = [unit for unit, first in firsts if len(first)]
        self._firsts = [int(first[0]) for _, first in firsts if len(first)]

    def read(self, file_id: int) -> str | None:
        """Returns a file's content, redacted, or None for a file that has no record.

        Args:
          file_id: Which file.
        """
        at = bisect.bisect_right(self._firsts, file_id) - 1
        if at < 0:
            return None
        index = read_index(self._work_dir, self._units[at])
        positions = np.flatnonzero(index["file_id"] == file_id)
        if not len(positions):
            return None
        (record,) = read_records(index[positions], self._work_dir)
        content, extension = scan.text_of_record(record), scan.extension_of_record(record)
        # Nothing that redaction finds is shown, even where the data set keeps it.
        spans = redaction.find_spans(content, extension=extension)
        return redaction.replace_spans(content, spans).decode("utf-8")


def hash_prefixes(index: np.ndarray) -> np.ndarray:
    """Returns the first 8 bytes of each row's hash as a number, uint64 `[num_rows]`."""
    hashes = np.ascontiguousarray(index["hash"])
    return hashes.view(">u8").reshape(-1, 4)[:, 0].astype(np.uint64)

"""Remembers the first row of each block, so that a run that goes on finds its row at once.

A *memo* is a file of JSON lines in the model directory. Its first line, the *header*, names all
that the rows follow from; the line of each block that was packed says where the next one begins. It
only saves time: lines that are lost or damaged are computed again. But rows of other data or
settings would not be the ones that the run has seen, so a header that differs is an error.
"""

from __future__ import annotations

import bisect
import json
import pathlib
import zlib
from collections.abc import Mapping
from typing import Any

from absl import logging

from code_t5 import errors
from code_t5.storage import atomic, fingerprints

FILE_NAME = "data_rows.jsonl"
FORMAT_NAME = "code_t5_data_rows"
FORMAT_VERSION = 1
_MAX_DIFFERENCES = 3
# Of the file; about five million blocks. What lies behind is computed again.
_MAX_BYTES = 256 * 2**20


class RowMemo:
    """Where blocks begin; kept in a file if there is one."""

    def __init__(self, path: pathlib.Path | None = None, *, parts: Mapping[str, Any] = {}) -> None:
        """Reads the file, or begins one.

        Args:
          path: The file; None keeps nothing beyond this object.
          parts: All that the rows follow from, JSON values by name.

        Raises:
          InputError: The file is of other data or settings.
          ArtifactError: The file is none of ours, or of another version.
        """
        self._path = path
        self._first_rows = [0]
        self._fingerprint = fingerprints.hash_json(parts)
        if path is not None:
            self._open(path, json.loads(json.dumps(parts)))

    @property
    def num_known(self) -> int:
        """How many blocks' first rows are known, the first one's included."""
        return len(self._first_rows)

    def first_row(self, block: int) -> int:
        """Returns the first row of a block.

        Args:
          block: Below `num_known`.
        """
        return self._first_rows[block]

    def last_block_before(self, row: int) -> int:
        """Returns the last known block that does not begin after a row."""
        return bisect.bisect_right(self._first_rows, row) - 1

    def record(self, block: int, num_rows: int) -> None:
        """Keeps how many rows a block has; does nothing for one that is known, or not yet next.

        Args:
          block: Of the stream.
          num_rows: At least 1.
        """
        if block != self.num_known - 1:
            return
        row = self._first_rows[-1] + num_rows
        self._first_rows.append(row)
        if self._path is None:
            return
        try:
            with open(self._path, "ab") as file:
                file.write(self._line(block + 1, row))
        except OSError as error:
            self._stop_writing(self._path, error)

    def _stop_writing(self, path: pathlib.Path, error: OSError) -> None:
        # The rows themselves follow from the data alone.
        logging.warning(
            "%s cannot be written (%s): where blocks begin is computed again when a later run "
            "goes on",
            path,
            error.strerror,
        )
        self._path = None

    def _line(self, block: int, row: int) -> bytes:
        checksum = zlib.crc32(f"{self._fingerprint} {block} {row}".encode("ascii"))
        return b'{"block": %d, "row": %d, "crc32": %d}\n' % (block, row, checksum)

    def _open(self, path: pathlib.Path, parts: dict[str, Any]) -> None:
        header = {
            "format_name": FORMAT_NAME,
            "format_version": FORMAT_VERSION,
            "fingerprint": self._fingerprint,
            "parts": parts,
        }
        try:
            with open(path, "rb") as file:
                lines = file.read(_MAX_BYTES).splitlines(keepends=True)
        except FileNotFoundError:
            lines = []
        else:
            self._check_header(path, lines, parts)
        self._read_blocks(lines[1:])
        if not lines or len(lines) != self.num_known:
            kept = [self._line(i, row) for i, row in enumerate(self._first_rows) if i]
            head = json.dumps(header, sort_keys=True).encode("ascii") + b"\n"
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
                atomic.write_file(path, head + b"".join(kept))
            except OSError as error:
                self._stop_writing(path, error)

    def _check_header(self, path: pathlib.Path, lines: list[bytes], parts: dict[str, Any]) -> None:
        found = _parse(lines[0] if lines else b"")
        kind = (found.get("format_name"), found.get("format_version"))
        if kind != (FORMAT_NAME, FORMAT_VERSION) or not isinstance(found.get("parts"), dict):
            raise errors.ArtifactError(
                f"{path} begins with format {kind[0]!r} version {kind[1]!r}; wanted "
                f"{FORMAT_NAME!r} version {FORMAT_VERSION}; remove it: it is written again, which "
                "takes as long as reading the data up to the checkpoint"
            )
        if found["parts"] != parts:
            raise errors.InputError(
                f"the run in {path.parent} has read other data than it would now: "
                f"{describe_differences(found['parts'], parts)}; wanted the same, so that it goes "
                f"on where it stopped; set it back, train in another directory, or remove {path} "
                "to go on with the new data from the same step"
            )

    def _read_blocks(self, lines: list[bytes]) -> None:
        """Takes the lines over, up to the first that is damaged; a second copy is passed over."""
        for line in lines:
            fields = _parse(line)
            block, row = fields.get("block"), fields.get("row")
            if not (isinstance(block, int) and isinstance(row, int)):
                return
            if line != self._line(block, row) or block > self.num_known:
                return
            if block == self.num_known:
                self._first_rows.append(row)


def _parse(line: bytes) -> dict[str, Any]:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _flatten(value: Any, name: str = "") -> dict[str, Any]:
    if not isinstance(value, dict) or not value:
        return {name: value}
    flat = {}
    for key, part in value.items():
        flat.update(_flatten(part, f"{name}.{key}" if name else str(key)))
    return flat


def describe_differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> str:
    """Says in one line how two nested sets of settings differ.

    Args:
      old: JSON values by name.
      new: The same.

    Returns:
      The first few settings that differ, with both values.

    >>> describe_differences({"seed": 0, "rates": {"a": 1}}, {"seed": 0, "rates": {"a": 2}})
    'rates.a was 1 and is 2'
    """
    before, after = _flatten(dict(old)), _flatten(dict(new))
    differing = [
        f"{name} was {_shown(before, name)} and is {_shown(after, name)}"
        for name in sorted({*before, *after})
        if name not in before or name not in after or before[name] != after[name]
    ]
    hidden = len(differing) - _MAX_DIFFERENCES
    more = [f"and {hidden} more"] if hidden > 0 else []
    return ", ".join(differing[:_MAX_DIFFERENCES] + more)


def _shown(settings: Mapping[str, Any], name: str) -> str:
    text = json.dumps(settings[name]) if name in settings else "not there"
    return text if len(text) <= 60 else f"{text[:57]}..."

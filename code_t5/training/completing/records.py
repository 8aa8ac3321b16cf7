"""Files of JSON lines that grow while a run goes on, and that a killed run leaves usable.

A *record* is one JSON object, a line, flushed to the disk before it counts. A last line without its
end is what a killed writer left: it is cut off.
"""

from __future__ import annotations

import json
import os
import pathlib
import threading
from collections.abc import Mapping
from typing import Any

from code_t5 import errors


class RecordFile:
    """A file of records; several threads may append.

    Attributes:
      path: The file.
      records: Those that it holds.
    """

    def __init__(self, path: pathlib.Path) -> None:
        """Reads what is there.

        Args:
          path: The file; made with the first record.

        Raises:
          ArtifactError: It holds something else.
        """
        self.path, self.records = path, list[dict[str, Any]]()
        self._lock = threading.Lock()
        data = path.read_bytes() if path.exists() else b""
        whole = data[: data.rfind(b"\n") + 1]
        if len(whole) < len(data):
            os.truncate(path, len(whole))
        for number, line in enumerate(whole.splitlines(), start=1):
            try:
                record = json.loads(line)
                if not isinstance(record, dict):
                    raise ValueError(type(record).__name__)
            except (ValueError, RecursionError) as error:
                raise errors.ArtifactError(
                    f"{path}, line {number} is not a record of this program; wanted what an "
                    "earlier run wrote; remove the file and run the same command again"
                ) from error
            self.records.append(record)

    def append(self, record: Mapping[str, Any]) -> None:
        """Writes one record; where that fails, as on a full disk, the file is as it was before.

        Args:
          record: JSON values.
        """
        line = json.dumps(dict(record)).encode("ascii") + b"\n"
        with self._lock:
            # Unbuffered: what could not be written is not tried again when the file is closed.
            with open(self.path, "ab", buffering=0) as file:
                size = os.fstat(file.fileno()).st_size
                try:
                    _write_all(file.fileno(), line)
                    os.fsync(file.fileno())
                except BaseException:
                    # Another thread's record would stand behind half of this one.
                    os.ftruncate(file.fileno(), size)
                    raise
            self.records.append(dict(record))


def _write_all(descriptor: int, data: bytes) -> None:
    while data:
        data = data[os.write(descriptor, data) :]

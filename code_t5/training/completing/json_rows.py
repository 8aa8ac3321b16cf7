"""Reads files of JSON values, a value a line or one list, within bounds.

What they hold comes from outside: a file that is too large, is not UTF-8 or not JSON is refused in
one line that says where.
"""

from __future__ import annotations

import json
import os
import pathlib
import zlib
from collections.abc import Iterator, Mapping
from typing import Any

from code_t5 import errors, visible_text

_MAX_FILE_BYTES = 512 << 20
_GZIP = 31


def read_rows(path: str | os.PathLike[str]) -> Iterator[tuple[str, Any]]:
    """Yields the values of a file, and where each stands.

    Args:
      path: JSON lines, none of which is a list, or one JSON list; in UTF-8, compressed if the name
        ends with `.gz`.

    Yields:
      `FILE, line 3` or `FILE, entry 3`, and the value.

    Raises:
      InputError: It cannot be read, is too large, or holds something else.
    """
    text = _read_text(pathlib.Path(path))
    if text.lstrip()[:1] == "[":
        for number, row in enumerate(_parse(text, where=str(path)), start=1):
            yield f"{path}, entry {number}", row
        return
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            where = f"{path}, line {number}"
            yield where, _parse(line, where=where)


def _read_text(path: pathlib.Path) -> str:
    """Returns a file's text.

    Raises:
      InputError: It cannot be read, or is too large.
    """
    try:
        with open(path, "rb") as file:
            data = file.read(_MAX_FILE_BYTES + 1)
        if path.suffix == ".gz":
            unpacker = zlib.decompressobj(wbits=_GZIP)
            data = unpacker.decompress(data, _MAX_FILE_BYTES + 1)
            if not unpacker.eof and len(data) <= _MAX_FILE_BYTES:
                raise EOFError("it ends before its end")
        if len(data) <= _MAX_FILE_BYTES:
            return data.decode("utf-8-sig")
    except (OSError, EOFError, zlib.error, UnicodeDecodeError) as error:
        said = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise errors.InputError(
            f"cannot read {path}: {said}; wanted JSON lines in UTF-8, which may be compressed "
            "(.gz); name such a file"
        ) from error
    raise errors.InputError(
        f"{path} holds more than {_MAX_FILE_BYTES >> 20} MiB; wanted fewer; cut it in parts"
    )


def _parse(text: str, *, where: str) -> Any:
    """Returns what some JSON stands for.

    Raises:
      InputError: It is none.
    """
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise errors.InputError(
            f"{where} is not JSON ({visible_text.one_line(str(error))[:100]}); wanted one JSON "
            "value a line, or one JSON list of them; mend the file"
        ) from error


def text_field(row: Mapping[str, Any], *, name: str, where: str) -> str:
    """Returns a field that is a text.

    Args:
      row: The object.
      name: The field's.
      where: For the message.

    Raises:
      InputError: It is missing, or something else.
    """
    value = row.get(name)
    if not isinstance(value, str):
        found = f"a {type(value).__name__} in" if name in row else "no"
        raise errors.InputError(f"{where} has {found} field {name!r}; wanted a text; mend the file")
    return value

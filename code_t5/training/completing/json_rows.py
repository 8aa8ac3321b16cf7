"""Reads files of JSON values, a value a line or one list, within bounds.

What they hold comes from outside: a file that is too large, is not UTF-8 or not JSON is refused in
one line that says where.
"""

from __future__ import annotations

import gzip
import io
import json
import os
import pathlib
import zlib
from collections.abc import Iterator, Mapping
from typing import Any

from code_t5 import errors, visible_text
from code_t5.training.completing import bounded_files

_MAX_FILE_BYTES = 512 << 20


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
        data = bounded_files.read_file(path, max_bytes=_MAX_FILE_BYTES + 1)
        if path.suffix == ".gz":
            # All of its members: several compressed files in a row are one.
            with gzip.GzipFile(fileobj=io.BytesIO(data)) as file:
                data = file.read(_MAX_FILE_BYTES + 1)
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
        return json.loads(text, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise errors.InputError(
            f"{where} is not JSON that can be read ({_complaint(error)}); wanted one JSON value a "
            "line, or one JSON list of them; mend the file"
        ) from error


class _ConstantError(ValueError):
    """NaN or Infinity, which Python takes for JSON and nobody else does."""


def _refuse_constant(name: str) -> None:
    """Refuses what is no number of JSON.

    Raises:
      _ConstantError: Always.
    """
    raise _ConstantError(f"{name} is no number of it")


def _complaint(error: Exception) -> str:
    """Returns what is wrong with some JSON, without words of Python's inside."""
    if isinstance(error, json.JSONDecodeError):
        return f"{visible_text.one_line(error.msg)} at character {error.pos + 1}"
    if isinstance(error, _ConstantError):
        return str(error)
    # What is left of a ValueError: Python turns no more than some thousand digits into a number.
    return "too deep" if isinstance(error, RecursionError) else "a number of too many digits"


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
        found = f"has a field {name!r} of type {type(value).__name__}"
        if name not in row:
            found = f"has no field {name!r}"
        raise errors.InputError(f"{where} {found}; wanted a text; mend the file")
    return value

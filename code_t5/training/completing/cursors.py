r"""Finds what stands before and behind a cursor in a file.

A *cursor* is written `FILE:LINE:COLUMN`, both counted from 1 as editors do: column 1 is before the
line's first character, and one past the last is behind it. A tab is one column, `\r\n` and a lone
`\r` are line ends like `\n`, and a byte order mark is not counted: models are trained on text that
is normalised so.
"""

from __future__ import annotations

import pathlib
import re

from code_t5 import errors
from code_t5.training.completing import bounded_files
from code_t5.training.prompts import Gap

_NUMBER = r"-?\d{1,99}"
_PLACE = re.compile(
    rf"(?P<path>.+?):(?P<line>{_NUMBER})(?::(?P<column>{_NUMBER}))?", re.DOTALL | re.ASCII
)
_MAX_FILE_BYTES = 64 << 20


def split_at_cursor(place: str) -> Gap:
    """Returns what stands before and behind a cursor.

    Args:
      place: `FILE:LINE:COLUMN`, or `FILE:LINE` for the line's end.

    Raises:
      InputError: It is not written so, the file cannot be read, or has no such place.
    """
    found = _PLACE.fullmatch(place)
    if found is None:
        raise errors.InputError(
            f"found {place!r}; wanted FILE:LINE:COLUMN, counted from 1; write main.py:12:5 for "
            "example"
        )
    text = read_code(pathlib.Path(found["path"]))
    lines = text.split("\n")
    line = int(found["line"])
    if not 1 <= line <= len(lines):
        raise errors.InputError(
            f"{found['path']} has {_count(len(lines), 'line')}; wanted a line from 1 to "
            f"{len(lines)}, not {line}; name another"
        )
    length = len(lines[line - 1])
    column = length + 1 if found["column"] is None else int(found["column"])
    if not 1 <= column <= length + 1:
        raise errors.InputError(
            f"line {line} of {found['path']} has {_count(length, 'character')}; wanted a column "
            f"from 1 to {length + 1}, not {column}; name another"
        )
    start = sum(len(one) + 1 for one in lines[: line - 1]) + column - 1
    return Gap(text[:start], text[start:])


def _count(number: int, thing: str) -> str:
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"


def read_code(path: pathlib.Path) -> str:
    """Returns the text of a source file as models read it.

    Args:
      path: The file.

    Raises:
      InputError: It cannot be read, is too large, or not UTF-8.
    """
    try:
        data = bounded_files.read_file(path, max_bytes=_MAX_FILE_BYTES + 1)
    except OSError as error:
        raise errors.InputError(
            f"cannot read {path}: {error.strerror}; wanted a source file; name another"
        ) from error
    return decode_code(data, where=str(path))


def decode_code(data: bytes, *, where: str) -> str:
    r"""Returns source code as models read it.

    Args:
      data: The bytes.
      where: What they are of, for the message.

    Raises:
      InputError: There are too many, or they are not UTF-8.

    >>> decode_code(b"a\r\nb", where="a file")
    'a\nb'
    """
    if len(data) > _MAX_FILE_BYTES:
        raise errors.InputError(
            f"{where} is larger than {_MAX_FILE_BYTES >> 20} MiB; wanted source code; name another"
        )
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise errors.InputError(
            f"{where} is not UTF-8 at byte {error.start}; wanted source code in UTF-8; name the "
            "encoding that it has and convert it: iconv -f latin1 -t utf-8 OLD > NEW for example"
        ) from error
    return text.replace("\r\n", "\n").replace("\r", "\n")

"""Reads benchmark files: JSON Lines whose objects hold problems, as HumanEval and MBPP have them.

An *entry* is one line's object, named `<file name>:<line>`. A *benchmark text* is one string of it:
a field's value, a member of a list there, or a docstring that such a string holds. A *snippet* is a
text so generic that sharing it says nothing; an *allow-list* holds one per line, either as it is or
as a JSON string.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import re
import stat
import zlib
from collections.abc import Iterator, Sequence
from typing import Any, BinaryIO, NamedTuple

from code_t5 import errors
from preprocessing import flcc_layout

# Used where `fields` is empty: the names under which problems, docstrings and solutions are common.
DEFAULT_FIELDS = (
    "prompt",
    "text",
    "description",
    "question",
    "docstring",
    "code",
    "canonical_solution",
    "solution",
    "solutions",
    "test_list",
    "challenge_test_list",
)
# The largest lines of public benchmarks, with all their tests, are some tens of megabytes.
MAX_LINE_BYTES = 64 << 20
MAX_FILE_BYTES = 4 << 30
MAX_ALLOW_LIST_BYTES = 16 << 20
_MAX_DOCSTRINGS = 16
_GZIP_MAGIC = b"\x1f\x8b"
_DOCSTRING = re.compile(r'"""(.*?)"""|\'\'\'(.*?)\'\'\'', re.S)


class BenchmarkText(NamedTuple):
    """One string of a benchmark.

    Attributes:
      entry: `<file name>:<line>`, the line counted from 1.
      field: The field's name; of a docstring inside of it with ` docstring` after it.
      text: UTF-8.
    """

    entry: str
    field: str
    text: bytes


class BenchmarkFile(NamedTuple):
    """One benchmark file as read.

    Attributes:
      name: Its file name, with folders where that is needed to tell it from another.
      sha256: Of its bytes on the disk.
      num_entries: Objects in it.
      texts: Their strings, in the file's order.
    """

    name: str
    sha256: str
    num_entries: int
    texts: tuple[BenchmarkText, ...]


class _HashingReader(io.RawIOBase):
    """Passes bytes on and hashes them."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.digest = hashlib.sha256()

    def readable(self) -> bool:
        """Says that it can be read."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fills a buffer."""
        data = self._file.read(len(buffer))
        buffer[: len(data)] = data
        self.digest.update(data)
        return len(data)


def printable_path(path: str) -> str:
    """Returns a path fit for one line of an error.

    Args:
      path: As the user gave it.
    """
    return flcc_layout.printable_name(path).replace("\n", "\\n")


def open_plain_file(path: str, *, flag: str) -> BinaryIO:
    """Opens a file that the user named; it may be a link, but must lead to a plain file.

    Args:
      path: The file.
      flag: Which flag named it, for the error.

    Returns:
      The open file.

    Raises:
      InputError: It cannot be read or is no plain file.
    """
    try:
        # Without O_NONBLOCK a named pipe would hold the program up for ever.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise errors.InputError(
            f"cannot read {printable_path(path)}: {reason}; wanted a plain file; check {flag}"
        ) from error
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise errors.InputError(
            f"{printable_path(path)} is a folder, a pipe or a device; wanted a plain file; check "
            f"{flag}"
        )
    return open(descriptor, "rb")


def _lines(file: BinaryIO, path: str) -> Iterator[tuple[int, bytes]]:
    """Yields the lines that are not blank, with their numbers counted from 1.

    Raises:
      InputError: A line or the whole is too large, or the gzip stream is broken.
    """
    name, number, size = printable_path(path), 0, 0
    while True:
        number += 1
        try:
            line = file.readline(MAX_LINE_BYTES + 1)
        except (OSError, EOFError, zlib.error) as error:
            raise errors.InputError(
                f"{name}:{number} cannot be read ({error}); wanted a whole file; fetch it anew"
            ) from error
        if not line:
            return
        size += len(line)
        if len(line) > MAX_LINE_BYTES:
            raise errors.InputError(
                f"{name}:{number} is a line of over {MAX_LINE_BYTES:,} bytes; wanted JSON Lines; "
                "cut it down"
            )
        if size > MAX_FILE_BYTES:
            raise errors.InputError(
                f"{name} holds over {MAX_FILE_BYTES:,} bytes; wanted a benchmark; cut it down"
            )
        if line.strip():
            yield number, line


def _entry(line: bytes, where: str) -> dict[str, Any]:
    """Parses one line.

    Raises:
      InputError: It is no JSON object in UTF-8.
    """
    try:
        value = json.loads(line.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise errors.InputError(
            f"{where} is no UTF-8; wanted one JSON object per line, or that compressed with gzip; "
            "check --benchmark"
        ) from error
    except (ValueError, RecursionError) as error:
        reason = str(error).split(":")[0]
        raise errors.InputError(
            f"{where} is no JSON ({reason}); wanted one JSON object per line; mend that line"
        ) from error
    if not isinstance(value, dict):
        raise errors.InputError(
            f"{where} holds a JSON {type(value).__name__}; wanted an object; mend that line"
        )
    return value


def _strings(value: Any, *, field: str, where: str) -> list[str]:
    """Returns the strings of a field.

    Raises:
      InputError: It holds something else.
    """
    members = value if isinstance(value, list) else [value]
    found = [member for member in members if member is not None]
    for member in found:
        if not isinstance(member, str):
            raise errors.InputError(
                f"{where} holds a {type(member).__name__} in the field {printable_path(field)}; "
                "wanted a string or a list of strings; name other --benchmark_fields"
            )
    return found


def find_docstrings(text: str) -> list[str]:
    """Returns what stands between triple quotes in a text, each once.

    Args:
      text: Source code, whole or not.

    Returns:
      At most 16 strings; a docstring that is not closed is none.
    """
    found: dict[str, None] = {}
    for match in _DOCSTRING.finditer(text):
        found[match.group(1) if match.group(1) is not None else match.group(2)] = None
        if len(found) >= _MAX_DOCSTRINGS:
            break
    return [docstring for docstring in found if docstring.strip() != text.strip()]


def _texts_of(
    entry: dict[str, Any], *, fields: Sequence[str], where: str
) -> Iterator[tuple[str, str]]:
    """Yields `(field, text)` of one entry.

    Raises:
      InputError: A field does not hold strings.
    """
    for field in fields:
        for text in _strings(entry.get(field), field=field, where=where):
            yield field, text
            for docstring in find_docstrings(text):
                yield f"{field} docstring", docstring


def read_benchmark(path: str, *, fields: Sequence[str] = (), name: str = "") -> BenchmarkFile:
    """Reads one benchmark file.

    Args:
      path: JSON Lines, or that compressed with gzip, whatever its name.
      fields: Fields to take; every entry has one of them, and each is in some entry. Empty for
        those of `DEFAULT_FIELDS` that are there.
      name: What the file is called in what is found; empty for its own name.

    Returns:
      The file's texts.

    Raises:
      InputError: The file cannot be read, is empty, or a line is not what it should be.
    """
    texts: list[BenchmarkText] = []
    seen: set[str] = set()
    name, num_entries = printable_path(name or os.path.basename(path)), 0
    wanted = tuple(fields) or DEFAULT_FIELDS
    with open_plain_file(path, flag="--benchmark") as raw:
        hashing = _HashingReader(raw)
        is_gzip = raw.read(2) == _GZIP_MAGIC
        raw.seek(0)
        with io.BufferedReader(hashing, 1 << 20) as plain:
            stream = gzip.GzipFile(fileobj=plain) if is_gzip else plain
            for number, line in _lines(stream, path):  # type: ignore[arg-type]
                where = f"{printable_path(path)}:{number}"
                entry = _entry(line, where)
                if not any(entry.get(field) is not None for field in wanted):
                    found = ", ".join(printable_path(field) for field in list(entry)[:8])
                    raise errors.InputError(
                        f"{where} has the fields {found or 'none'}; wanted one of "
                        f"{', '.join(wanted)}; name the right ones with --benchmark_fields"
                    )
                num_entries += 1
                seen.update(entry)
                for field, text in _texts_of(entry, fields=wanted, where=where):
                    data = text.encode("utf-8", errors="replace")
                    texts.append(BenchmarkText(f"{name}:{number}", field, data))
    _check_file(path, num_entries=num_entries, missing=[f for f in fields if f not in seen])
    return BenchmarkFile(name, hashing.digest.hexdigest(), num_entries, tuple(texts))


def _check_file(path: str, *, num_entries: int, missing: list[str]) -> None:
    """Refuses a file without entries or without a field that was asked for.

    Raises:
      InputError: It is such a file.
    """
    if not num_entries:
        raise errors.InputError(
            f"{printable_path(path)} holds no entry; wanted JSON Lines; check --benchmark"
        )
    if missing:
        raise errors.InputError(
            f"{printable_path(path)} has no entry with the field {printable_path(missing[0])}; "
            "wanted every field of --benchmark_fields; name others"
        )


def read_allow_list(path: str) -> list[bytes]:
    """Reads an allow-list.

    Args:
      path: One snippet per line; a line that begins with `"` is a JSON string, one that begins
        with `#` a comment, and blank ones are nothing.

    Returns:
      The snippets, UTF-8.

    Raises:
      InputError: The file cannot be read or a line is not what it should be.
    """
    with open_plain_file(path, flag="--benchmark_allow") as file:
        data = file.read(MAX_ALLOW_LIST_BYTES + 1)
    name = printable_path(path)
    if len(data) > MAX_ALLOW_LIST_BYTES:
        raise errors.InputError(
            f"{name} is over {MAX_ALLOW_LIST_BYTES:,} bytes; wanted a list of short snippets; "
            "check --benchmark_allow"
        )
    snippets = []
    for number, line in enumerate(data.split(b"\n"), start=1):
        line = line.strip()
        if not line or line.startswith(b"#"):
            continue
        try:
            text = line.decode("utf-8")
            value = json.loads(text) if text.startswith('"') else text
        except (ValueError, RecursionError) as error:
            raise errors.InputError(
                f"{name}:{number} is no JSON string in UTF-8; wanted a snippet as it is, or as a "
                "JSON string; mend that line"
            ) from error
        snippets.append(value.encode("utf-8", errors="replace"))
    return snippets

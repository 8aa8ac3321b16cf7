"""Licence files of a repository: `LICENSE`, `LICENCE`, `COPYING`, `UNLICENSE` and what begins so.

The folder may be hostile: links are never followed, what is no plain file is never read, few files
are looked at and none past a bound.
"""

from __future__ import annotations

import functools
import os
import re

from preprocessing.inputs import repository_folder
from preprocessing.licenses import expressions, headers, phrases

MAX_LICENSE_FILE_BYTES = 1 << 20
MAX_LICENSE_FILES = 16
# A licence names itself at its beginning; the longest common ones are 35 KB.
_READ_BYTES = 64 << 10
# What is named only after so many characters is a licence of something else.
_MAX_POSITION = 3000
_NAME = re.compile(r"(?:UN)?LICEN[SC]E|COPYING", re.I)
_PLAIN_NAME = re.compile(r"[A-Za-z0-9_.\-]{1,100}")
# Files that list the licences of code from elsewhere.
_NOT_ITS_OWN = ("third", "3rd", "bundled", "vendor", "notice", "header")
# What a name says of its licence; "lesser" and "lib" widen the licence beside them.
_WIDENING = ("lesser", "lib")
_LICENSE_WORDS = (
    *("apache", "mit", "bsd", "gpl", "lgpl", "agpl", "mpl", "psf", "zlib", "isc", "boost"),
    *_WIDENING,
)
_TEXT_SUFFIXES = ("", ".txt", ".md", ".rst", ".html", ".adoc")


def is_license_name(name: str) -> bool:
    """Says whether a file's name is a licence file's.

    >>> [is_license_name(n) for n in ("LICENSE-MIT.txt", "copying", "license.py", "licenses")]
    [True, True, False, False]
    """
    if not _NAME.match(name) or not _PLAIN_NAME.fullmatch(name):
        return False
    rest = _NAME.sub("", name, count=1).lower()
    if not rest.startswith(("-", "_", ".")):
        return not rest
    extension = os.path.splitext(f"x{rest}")[1]
    # `.APACHE2` and `.BSDL` as well as `.APACHE` and `.BSD`.
    named = extension[1:].startswith(_LICENSE_WORDS)
    return named or extension in _TEXT_SUFFIXES or extension[1:].isdigit()


def _named_license(name: str) -> str:
    """Returns the licence that a file's name says, '' if none: `apache` of `LICENSE.APACHE`."""
    rest = _NAME.sub("", name, count=1).strip("-_.").lower()
    stem = os.path.splitext(rest)[0] if rest.endswith(_TEXT_SUFFIXES[1:]) else rest
    return next((word for word in _LICENSE_WORDS if stem.startswith(word)), "")


def license_file_names(names: list[str]) -> list[str]:
    """Returns the licence files among a folder's names, in their bytes' order.

    Args:
      names: As the operating system gives them.

    Returns:
      At most `MAX_LICENSE_FILES`; files on the licences of others are left out.
    """
    found = [
        name
        for name in names
        if is_license_name(name) and not any(word in name.lower() for word in _NOT_ITS_OWN)
    ]
    return sorted(found, key=os.fsencode)[:MAX_LICENSE_FILES]


def license_of_text(data: bytes) -> str:
    """Finds the licence that a licence file's text is.

    Args:
      data: The file.

    Returns:
      SPDX expression of what it names at its beginning; '' if it names none that is known.
    """
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        data = data.decode("utf-16", errors="replace").encode("utf-8")
    tagged = headers.find_tags(data)
    if tagged:
        return tagged
    text = headers.plain_text(data[:_READ_BYTES])
    names = [f.expression for f in headers.find_all(text) if f.position < _MAX_POSITION]
    # The texts of the others speak of further licences.
    if names and not expressions.is_permissive(names[0]):
        names = names[:1]
    is_choice = any(choice in text[:_MAX_POSITION] for choice in phrases.CHOICES)
    return headers.combine(list(dict.fromkeys(names)), is_choice=is_choice)


def _stamps(folder: str) -> tuple[tuple[str, int, int, int], ...]:
    """Returns name, size, time of change and inode of the plain licence files in a folder."""
    found = []
    with os.scandir(folder) as entries:
        plain = {entry.name: entry for entry in entries if entry.is_file(follow_symlinks=False)}
    for name in license_file_names(list(plain)):
        status = plain[name].stat(follow_symlinks=False)
        found.append((name, status.st_size, status.st_mtime_ns, status.st_ino))
    return tuple(found)


@functools.lru_cache(maxsize=4096)
def _find_license(folder: str, stamps: tuple[tuple[str, int, int, int], ...]) -> str:
    """Reads the files; the stamps are what the cache goes by."""
    found: dict[str, str] = {}
    for name, *_ in stamps:
        path = os.path.join(folder, name)
        try:
            data = repository_folder.read_plain_file(path, max_bytes=MAX_LICENSE_FILE_BYTES)
        except repository_folder.SkippedFile:
            continue
        expression = license_of_text(data)
        if expression:
            found[name] = expression
    named = [name for name in found if _named_license(name) not in ("", *_WIDENING)]
    is_choice = len(named) > 1 and len(named) == len(found)
    return headers.combine(list(dict.fromkeys(found.values())), is_choice=is_choice)


def find_license(folder: str | os.PathLike[str]) -> str:
    """Finds the licence that a folder's licence files give.

    Files whose names say which licence each is (`LICENSE-MIT`, `LICENSE-APACHE`) offer a choice;
    otherwise all hold.

    Args:
      folder: May be missing; a link is not followed.

    Returns:
      SPDX expression; '' if there is none.
    """
    path = os.fspath(folder)
    try:
        if os.path.islink(path):
            return ""
        stamps = _stamps(path)
    except OSError:
        return ""
    return _find_license(path, stamps) if stamps else ""

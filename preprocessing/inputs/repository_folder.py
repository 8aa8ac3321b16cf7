"""Copies one repository's folder, as it stands on the disk, into the FLCC layout.

The folder may be hostile: links are counted and never followed, what is no plain file is never
opened for reading, and no file is read past a bound.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Mapping
from typing import Callable

from preprocessing.inputs import flcc_tree, languages, tally

# The build drops files over 1 MB, and counts them; what is far larger is not worth a copy.
DEFAULT_MAX_FILE_BYTES = 16 << 20

# Left out without a word, for every repository has them.
_EVERYWHERE = frozenset({".git", "__pycache__"})

FolderTest = Callable[[str], bool]


class SkippedFile(Exception):
    """A file that is left out; its text is the reason."""


def read_plain_file(path: str, *, max_bytes: int) -> bytes:
    """Reads a file that may change, vanish or be something else by now.

    Args:
      path: The file.
      max_bytes: Most bytes to read.

    Returns:
      The whole content.

    Raises:
      SkippedFile: It cannot be read, or should not be.
    """
    # Without O_NONBLOCK a named pipe would hold the program up for ever.
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        descriptor = os.open(path, flags)
    except FileNotFoundError as error:
        raise SkippedFile(tally.VANISHED) from error
    except OSError as error:
        raise SkippedFile(tally.UNREADABLE) from error
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise SkippedFile(tally.NOT_A_PLAIN_FILE)
    with open(descriptor, "rb") as file:
        try:
            data = file.read(max_bytes + 1)
        except OSError as error:
            raise SkippedFile(tally.UNREADABLE) from error
    if len(data) > max_bytes:
        raise SkippedFile(tally.TOO_LARGE)
    return data


def _listing(folder: str, counts: tally.Tally) -> list[os.DirEntry[str]]:
    """Entries of a folder in the order of their names' bytes; none if it cannot be listed."""
    try:
        with os.scandir(folder) as entries:
            return sorted(entries, key=lambda entry: os.fsencode(entry.name))
    except FileNotFoundError:
        counts.skip(tally.VANISHED)
    except OSError:
        counts.skip(tally.UNREADABLE)
    return []


def find_source_files(
    root: str,
    *,
    table: Mapping[str, str],
    is_excluded: FolderTest,
    counts: tally.Tally,
) -> Iterator[tuple[str, str, str]]:
    """Yields the source files below a folder, depth first, in the order of their names' bytes.

    Args:
      root: The folder, without a slash at its end.
      table: Extensions that are wanted, see `languages`.
      is_excluded: Told a folder's path, says whether to leave it out.
      counts: Where links and excluded folders are counted.

    Yields:
      `(path, language, extension)`, the path relative to `root`.
    """
    pending = [root]
    while pending:
        folder = pending.pop()
        subfolders = []
        for entry in _listing(folder, counts):
            found = languages.language_of(entry.name, table=table)
            if entry.is_dir(follow_symlinks=False):
                if not is_excluded(entry.path):
                    subfolders.append(entry.path)
                elif entry.name not in _EVERYWHERE:
                    counts.skip(tally.EXCLUDED_FOLDER)
            elif entry.is_symlink():
                counts.skip(tally.SYMBOLIC_LINK)
            elif found and not entry.is_file(follow_symlinks=False):
                counts.skip(tally.NOT_A_PLAIN_FILE)
            elif found:
                yield (entry.path[len(root) + 1 :], *found)
        pending.extend(reversed(subfolders))


def copy_files(
    root: str,
    *,
    writer: flcc_tree.BranchWriter,
    table: Mapping[str, str],
    is_excluded: FolderTest,
    counts: tally.Tally,
    max_file_bytes: int = DEFAULT_MAX_FILE_BYTES,
    prefix: str | None = None,
) -> None:
    """Copies the source files below a folder into one branch of the layout.

    Args:
      root: The folder.
      writer: Of the branch.
      table: Extensions that are wanted.
      is_excluded: Told a folder's path, says whether to leave it out.
      counts: Where everything is counted.
      max_file_bytes: A larger file is skipped.
      prefix: Put before the recorded paths, with a `/`.
    """
    files = find_source_files(root, table=table, is_excluded=is_excluded, counts=counts)
    for path, language, extension in files:
        try:
            data = read_plain_file(os.path.join(root, path), max_bytes=max_file_bytes)
        except SkippedFile as skipped:
            counts.skip(str(skipped))
            continue
        recorded = path if prefix is None else f"{prefix}/{path}"
        writer.add(recorded, data=data, language=language, extension=extension)
        counts.add_file(len(data))

"""What a program behind the fence takes and leaves: memory and files, seen from outside."""

from __future__ import annotations

import contextlib
import os
import pathlib
import shutil

_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
# Of `st_blocks`, whatever the file system.
_BLOCK_BYTES = 512
_MAX_DEPTH = 64


def memory_bytes(process: int) -> int:
    """Returns what a process and its descendants hold in memory, as far as it can be seen.

    Args:
      process: Its number.
    """
    total, rest = 0, [process]
    while rest:
        one = pathlib.Path("/proc", str(rest.pop()))
        with contextlib.suppress(OSError, ValueError, IndexError):
            total += int((one / "statm").read_bytes().split()[1]) * _PAGE_BYTES
            for task in (one / "task").iterdir():
                rest += [int(child) for child in (task / "children").read_bytes().split()]
    return total


def folder_size(place: str, *, most_files: int) -> tuple[int, int]:
    """Returns how many entries a folder has and how many bytes they take.

    Args:
      place: The folder.
      most_files: Where more are found, or folders lie too deep to be walked, the count stops.

    Returns:
      Entries, more than `most_files` where it stopped; bytes on the disk.
    """
    num_files = size_bytes = 0
    rest = [(place, 0)]
    while rest and num_files <= most_files:
        folder, depth = rest.pop()
        if depth > _MAX_DEPTH:
            return most_files + 1, size_bytes
        with contextlib.suppress(OSError), os.scandir(folder) as entries:
            for entry in entries:
                num_files += 1
                with contextlib.suppress(OSError):
                    size_bytes += entry.stat(follow_symlinks=False).st_blocks * _BLOCK_BYTES
                    if entry.is_dir(follow_symlinks=False):
                        rest.append((entry.path, depth + 1))
                if num_files > most_files:
                    break
    return num_files, size_bytes


def remove_folder(place: str) -> None:
    """Removes a folder, however deep, and whatever its modes say.

    Args:
      place: The folder; nothing that links in it lead to is touched.
    """
    # Each folder in a folder is moved to the top before its turn, so that no path gets long.
    rest, number = [place], 0
    while rest:
        folder = rest.pop()
        with contextlib.suppress(OSError):
            os.chmod(folder, 0o700)
            with os.scandir(folder) as entries:
                inner = [one.path for one in entries if one.is_dir(follow_symlinks=False)]
            for path in inner:
                number += 1
                moved = os.path.join(place, f".{number}.folder")
                os.chmod(path, 0o700)
                os.rename(path, moved)
                rest.append(moved)
    shutil.rmtree(place, ignore_errors=True)

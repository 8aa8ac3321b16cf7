"""Removes the lock files that `datasets` leaves in a root.

It makes one beside each folder that it writes, and one directly in `datasets/` whose name holds the
whole path of the root, and leaves them there. They are of no use afterwards, and the paths are this
machine's. A lock is *held* while a process has it locked by `flock`.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import pathlib
from collections.abc import Iterable, Iterator

from code_t5.hf_artifacts.cache_root import CacheRoot
from code_t5.hf_artifacts.fetching import repository_links

# `datasets` cuts longer names, and puts a number behind them.
_MAX_NAME_LENGTH = 255
_CUT_LENGTH = 40


def remove_locks(root: CacheRoot, *, names: Iterable[str], folders: Iterable[pathlib.Path]) -> None:
    """Removes the locks of data sets that nobody holds.

    Only whoever holds the job lock of the repository may do that: other processes of this project
    open none of them meanwhile.

    Args:
      root: Where.
      names: All names of the repository.
      folders: Where its Arrow files lie.
    """
    for lock in [*_named_locks(root, names), *_locks_beside(folders)]:
        # One that may not be removed does no harm.
        with contextlib.suppress(OSError):
            _remove_unless_held(lock)


@contextlib.contextmanager
def removing_new_locks(root: CacheRoot) -> Iterator[None]:
    """Removes, after the block, the locks that were made in it and that nobody holds.

    For whoever only reads, and leaves the root as it was.

    Args:
      root: Which.

    Yields:
      Nothing.
    """
    before = set(_all_locks(root))
    try:
        yield
    finally:
        for lock in set(_all_locks(root)) - before:
            with contextlib.suppress(OSError):
                _remove_unless_held(lock)


def _all_locks(root: CacheRoot) -> Iterator[pathlib.Path]:
    # Beside the folders of NAME/CONFIGURATION/VERSION.
    for pattern in ("*.lock", "*/*/*/*.lock"):
        yield from root.datasets_dir.glob(pattern)


def _named_locks(root: CacheRoot, names: Iterable[str]) -> Iterator[pathlib.Path]:
    """Yields the locks directly in `datasets/`."""
    folders = {repository_links.dataset_folder_name(name) for name in names}
    paths = [os.path.join(root.datasets_dir, folder) for folder in sorted(folders)]
    prefixes = tuple(f"{path.replace(os.sep, '_')}_" for path in paths)
    cut = tuple(prefix[: _MAX_NAME_LENGTH - _CUT_LENGTH] for prefix in prefixes)
    for lock in root.datasets_dir.glob("*.lock"):
        is_cut = len(os.fsencode(lock.name)) >= _MAX_NAME_LENGTH - _CUT_LENGTH
        if lock.name.startswith(prefixes) or (is_cut and lock.name.startswith(cut)):
            yield lock


def _locks_beside(folders: Iterable[pathlib.Path]) -> Iterator[pathlib.Path]:
    for folder in folders:
        for lock in folder.parent.glob("*.lock"):
            if lock.name.startswith((f"{folder.name}_", f"{folder.name}.")):
                yield lock


def _remove_unless_held(lock: pathlib.Path) -> None:
    """Removes a lock unless a process holds it.

    Raises:
      OSError: It is held, or may not be removed.
    """
    file = os.open(lock, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return
        except OSError:
            # The file system has no locks: nobody can hold one.
            pass
        lock.unlink()
    finally:
        os.close(file)

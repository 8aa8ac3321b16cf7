"""Where a build keeps its work, and the lock that keeps other builds away from it.

The *staging* folder is `.<name of the cache>.building` beside the cache. It holds a part and a
marker for each finished unit, until the cache is published: what an interrupted build of the same
*plan* left there is used again, that of another plan is thrown away.
"""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import fcntl
import json
import os
import pathlib
import shutil
import stat
import uuid
from collections.abc import Iterator, Mapping
from typing import Any, BinaryIO

from code_t5 import errors
from code_t5.storage import atomic
from code_t5.token_cache.building import cache_place

_PLAN_NAME = "plan.json"
_LOCK_NAME = "lock"
_SUFFIX = ".building"
_MAX_ATTEMPTS = 100
_MAY_PASS = (errno.ENOTDIR, errno.EEXIST, errno.ENOENT)


@dataclasses.dataclass(frozen=True)
class Staging:
    """Where the work of a build is kept, while its lock is held.

    Attributes:
      folder: All of it.
      lock: Descriptor of the lock file in it.
    """

    folder: pathlib.Path
    lock: int

    @property
    def parts_dir(self) -> pathlib.Path:
        """Gets a part for each unit."""
        return self.folder / "parts"

    @property
    def markers_dir(self) -> pathlib.Path:
        """Gets a marker for each finished unit."""
        return self.folder / "markers"

    @property
    def is_ours(self) -> bool:
        """Whether the folder is still the one whose lock is held; it is not once it is removed."""
        return _is_named(self.lock, self.folder / _LOCK_NAME)

    @property
    def has_work(self) -> bool:
        """Whether a unit is finished, by an encoder that is known, proved or not."""
        is_planned = (self.folder / _PLAN_NAME).is_file() and self.markers_dir.is_dir()
        return is_planned and any(self.markers_dir.iterdir())

    def prepare(self, plan: str) -> dict[str, Any]:
        """Keeps what an interrupted build of the same plan did, and nothing else.

        Args:
          plan: Hash of everything that decides on the content.

        Returns:
          What the interrupted build said of its encoder; empty if there was none.
        """
        try:
            fields = json.loads((self.folder / _PLAN_NAME).read_bytes())
            is_same, encoder = fields["plan"] == plan, dict(fields["encoder"])
        except (OSError, ValueError, TypeError, KeyError):
            is_same, encoder = False, {}
        if not is_same:
            encoder = {}
            self.start_afresh()
        for folder in (self.parts_dir, self.markers_dir):
            folder.mkdir(exist_ok=True)
        for leftover in self.folder.rglob(".*.tmp"):
            leftover.unlink(missing_ok=True)
        return encoder

    def write_plan(self, plan: str, *, encoder: Mapping[str, Any]) -> None:
        """Says what the work is for.

        Args:
          plan: As for `prepare`.
          encoder: JSON: what turns text into ids.
        """
        fields = {"plan": plan, "encoder": dict(encoder)}
        atomic.write_file(self.folder / _PLAN_NAME, json.dumps(fields).encode("ascii"))

    def start_afresh(self) -> None:
        """Throws the work away; the folder and the lock in it stay."""
        for path in self.folder.iterdir():
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path, ignore_errors=True)
            elif path.name != _LOCK_NAME:
                path.unlink(missing_ok=True)
        for folder in (self.parts_dir, self.markers_dir):
            folder.mkdir()

    def remove(self) -> None:
        """Removes the folder, unless that was done before: the next build's may be in its place."""
        if not self.is_ours:
            return
        # In one step: from here on the name is free for another build, whose files stay.
        aside = self.folder.with_name(f"{self.folder.name[: -len(_SUFFIX)]}.{_random_name()}.tmp")
        os.rename(self.folder, aside)
        shutil.rmtree(aside, ignore_errors=True)


@contextlib.contextmanager
def staging_of(cache_dir: pathlib.Path) -> Iterator[Staging]:
    """Makes the staging folder of a cache and holds its lock.

    Args:
      cache_dir: The cache; the folder above it is made.

    Yields:
      The staging, which no other process uses meanwhile.

    Raises:
      BusyError: Another process builds the same cache.
      InputError: No folder can be made there.
    """
    folder = cache_dir.with_name(f".{cache_dir.name}{_SUFFIX}")
    with contextlib.ExitStack() as stack:
        for _ in range(_MAX_ATTEMPTS):
            with contextlib.ExitStack() as attempt:
                file = attempt.enter_context(_open_lock(folder, cache_dir))
                _lock(file.fileno(), cache_dir)
                # The one who held it may have removed the folder: that was another file, then.
                if _is_named(file.fileno(), folder / _LOCK_NAME):
                    staging = Staging(folder, file.fileno())
                    stack.enter_context(attempt.pop_all())
                    break
        else:
            raise _busy(cache_dir)
        try:
            yield staging
        finally:
            # What is worth going on with is kept.
            if staging.is_ours and not staging.has_work:
                staging.remove()


def _random_name() -> str:
    # `atomic.remove_leftovers` knows it: the next build removes what a killed one left.
    return uuid.uuid4().hex[:12]


def _open_lock(folder: pathlib.Path, cache_dir: pathlib.Path) -> BinaryIO:
    """Opens the lock file of a staging, which is made if it is not there."""
    for attempt in range(_MAX_ATTEMPTS):
        try:
            if folder.is_symlink():
                # What it points to is not ours to write to, nor to clean up.
                folder.unlink()
            folder.mkdir(parents=True, exist_ok=True)
            return open(folder / _LOCK_NAME, "a+b")
        except OSError as error:
            is_refused = error.errno in cache_place.REFUSED
            if not is_refused and error.errno not in _MAY_PASS:
                raise
            # Another build may just have removed its own.
            if is_refused or _is_blocked(folder) or attempt > _MAX_ATTEMPTS // 2:
                raise errors.InputError(
                    f"cannot write beside {cache_dir} ({error.strerror}); wanted a folder to make "
                    "the cache in; give another cache_dir"
                ) from error
    raise _busy(cache_dir)


def _is_blocked(path: pathlib.Path) -> bool:
    """Says whether something is there that is no folder; looks once, as folders come and go."""
    try:
        return not stat.S_ISDIR(os.lstat(path).st_mode)
    except OSError:
        return False


def _lock(descriptor: int, cache_dir: pathlib.Path) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        raise _busy(cache_dir) from error


def _busy(cache_dir: pathlib.Path) -> errors.BusyError:
    return errors.BusyError(
        f"another process builds {cache_dir}; wanted to be the only one; wait until it has ended, "
        "or stop it, and run the command again"
    )


def _is_named(descriptor: int, path: pathlib.Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), os.stat(path))
    except OSError:
        return False

"""Where a cache is to lie: its path, what may be replaced there, and what the disk refuses."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import pathlib
from collections.abc import Iterator
from typing import Any, Callable, Union

from code_t5 import errors
from code_t5.storage import manifest
from code_t5.token_cache import archai_cache, layout

PathLike = Union[str, "os.PathLike[str]"]

NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
# What is in the user's way, and not in the project's.
REFUSED = (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENAMETOOLONG, errno.ELOOP)
# While a cache is written, it has a name that is longer by this.
_TEMPORARY = ".{}.0123456789ab.tmp"
_MAX_MANIFEST_BYTES = 16 << 20
_MAX_SHOWN = 80


def resolve(cache_dir: PathLike) -> pathlib.Path:
    """Returns the path of a cache, links resolved: work is kept beside where it really lies.

    Args:
      cache_dir: As the user gave it.

    Raises:
      InputError: It names no directory that can be there.
    """
    if not isinstance(cache_dir, (str, os.PathLike)):
        raise errors.InputError(
            f"cache_dir is {shown(cache_dir)}; wanted the name of a directory; give one"
        )
    name = os.fspath(cache_dir)
    if not name:
        raise errors.InputError("cache_dir is empty; wanted a directory's name; give one")
    try:
        path = pathlib.Path(os.path.realpath(os.path.expanduser(name)))
        if path.name:
            # Python 3.9's Path.exists says nothing of names that cannot be.
            with contextlib.suppress(FileNotFoundError, NotADirectoryError):
                os.lstat(path.with_name(_TEMPORARY.format(path.name)))
    except (OSError, ValueError) as error:
        found = getattr(error, "strerror", None) or error
        raise errors.InputError(
            f"cache_dir is {shown(name)} ({found}); wanted the name of a directory that can "
            "be made; give another"
        ) from error
    return path


def shown(value: Any) -> str:
    """Returns a value as it may stand in a message: no control character, not long.

    Args:
      value: Any.

    >>> shown("a" * 100) == "'" + "a" * 79 + "..."
    True
    """
    text = ascii(value)
    return text if len(text) <= _MAX_SHOWN else f"{text[:_MAX_SHOWN]}..."


def no_directory(cache_dir: pathlib.Path) -> errors.InputError:
    """Returns what to tell the user whose cache_dir is a file.

    Args:
      cache_dir: The file.
    """
    return errors.InputError(
        f"cache_dir is {cache_dir}, which is a file; wanted a directory; give another"
    )


def check_replaceable(cache_dir: pathlib.Path) -> None:
    """Looks at what overwriting would remove.

    Args:
      cache_dir: Where a cache is to be written.

    Raises:
      InputError: It is a file, or a directory that is no cache, or holds what no cache wrote.
    """
    if not os.path.lexists(cache_dir):
        return
    if not cache_dir.is_dir():
        raise no_directory(cache_dir)
    present = sorted(_files_in(cache_dir))
    if not present:
        return
    own = _own_files(cache_dir)
    foreign = [name for name in present if name not in own]
    if foreign:
        raise errors.InputError(
            f"cache_dir is {cache_dir}, which holds {foreign[0]!a}; wanted a token cache to "
            "replace, or nothing; give another cache_dir, or remove what is there by hand"
        )


def is_replaceable(cache_dir: pathlib.Path) -> bool:
    """Says whether `check_replaceable` lets a directory pass.

    Args:
      cache_dir: The directory.
    """
    try:
        check_replaceable(cache_dir)
    except errors.InputError:
        return False
    return True


def _files_in(folder: pathlib.Path) -> Iterator[str]:
    """Yields all that would be removed, by its path within the folder; empty folders too."""
    for place, folders, names in os.walk(folder):
        inner = pathlib.Path(place)
        for name in names:
            yield (inner / name).relative_to(folder).as_posix()
        for name in folders:
            path = inner / name
            if path.is_symlink() or not any(path.iterdir()):
                yield path.relative_to(folder).as_posix()


def _own_files(cache_dir: pathlib.Path) -> set[str]:
    """Returns the files that a cache of code_t5 or of archai has there; none if it is neither."""
    if archai_cache.is_archai_cache(cache_dir):
        splits = ("train", "validation", "test")
        arrays = {layout.array_name(split, layout.TOKENS) for split in splits}
        return {*arrays, layout.CONFIG_NAME, archai_cache.TOKENIZER_NAME}
    fields = _read_manifest(cache_dir)
    if fields.get("format_name") != layout.FORMAT_NAME:
        return set()
    own = {manifest.MANIFEST_NAME, manifest.COMPLETED_NAME, layout.CONFIG_NAME}
    own.add(layout.TOKENIZER_NAME)  # An empty one.
    for split in filter(layout.is_split_name, _object(fields, "splits")):
        own.update(layout.array_name(split, array) for array in layout.ARRAYS)
    files = _object(_object(fields, "tokenizer"), "files")
    return own | {f"{layout.TOKENIZER_NAME}/{name}" for name in files}


def _object(fields: dict[str, Any], name: str) -> dict[str, Any]:
    value = fields.get(name)
    return value if isinstance(value, dict) else {}


def _read_manifest(cache_dir: pathlib.Path) -> dict[str, Any]:
    """Reads a manifest of any version, of a damaged cache too; empty if there is none."""
    path = cache_dir / manifest.MANIFEST_NAME
    try:
        if not path.is_file() or path.stat().st_size > _MAX_MANIFEST_BYTES:
            return {}
        fields = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    return fields if isinstance(fields, dict) else {}


@contextlib.contextmanager
def clear_disk_errors(cache_dir: pathlib.Path, *, wanted_fn: Callable[[], str]) -> Iterator[None]:
    """Turns the disk's errors into the project's.

    Args:
      cache_dir: The cache that is built in the block.
      wanted_fn: Says how much room was wanted.

    Yields:
      Nothing.

    Raises:
      InputError: Something cannot be read or written.
      CodeT5Error: There is no room.
    """
    try:
        yield
    except OSError as error:
        if error.errno in NO_ROOM:
            raise errors.CodeT5Error(
                f"no room on the disk while building {cache_dir} ({error.strerror}); wanted "
                f"{wanted_fn()}; free some, or give another cache_dir, then run the same command "
                "again: it goes on"
            ) from error
        if error.errno in REFUSED:
            raise errors.InputError(
                f"{error.filename} cannot be used while building {cache_dir} ({error.strerror}); "
                "wanted to read and write it; change its permissions, or give another cache_dir"
            ) from error
        raise

"""What the readers of `datasets` (`json`, `csv`, `text`, a folder of such files) make of files.

Files have no revision. What decides on their documents is their content, and how it is read: the
same bytes are other rows by another reader, or by other settings of it.
"""

from __future__ import annotations

import dataclasses
import itertools
import os
import pathlib
from typing import Any

from code_t5 import errors, library_errors, progress
from code_t5.storage import fingerprints

_PACKED = {".bz2", ".gz", ".lz4", ".xz", ".zip", ".zst"}
# Of a reader's configuration: where files lie, how they are told of, and what they are called.
_NOT_OF_CONTENT = {"name", "version", "data_dir", "data_files", "description"}


def describe_reader(builder: Any) -> dict[str, Any]:
    """Returns what decides on how files are read: the reader, its settings, kinds of files.

    Settings that are the reader's own defaults are left out, so that new ones of a later version
    of `datasets` change nothing.

    Args:
      builder: Of `datasets`, that has found its files.
    """
    config = builder.config
    settings = {
        field.name: _shown_setting(getattr(config, field.name))
        for field in dataclasses.fields(config)
        if field.name not in _NOT_OF_CONTENT and getattr(config, field.name) != _default_of(field)
    }
    if builder.info.features is not None:
        settings["features"] = _shown_setting(builder.info.features)
    paths = itertools.chain.from_iterable((config.data_files or {}).values())
    return {
        # The class itself may be called after the folder.
        "name": type(builder).__module__.rpartition(".")[2],
        "settings": settings,
        "suffixes": sorted({_find_suffix(str(path)) for path in paths}),
    }


def _default_of(field: dataclasses.Field[Any]) -> Any:
    if field.default_factory is not dataclasses.MISSING:
        return field.default_factory()
    return field.default


def _find_suffix(path: str) -> str:
    """Returns the end of a file's name, which says how it is read: `.jsonl.gz`."""
    suffixes = pathlib.PurePath(library_errors.hide_secrets(path)).suffixes
    is_packed = bool(suffixes) and suffixes[-1].lower() in _PACKED
    return "".join(suffixes[-2:] if is_packed else suffixes[-1:])


def _shown_setting(value: Any) -> Any:
    """Returns a setting as JSON."""
    if value is None or isinstance(value, (bool, int, float, str)):
        return library_errors.hash_secrets(value) if isinstance(value, str) else value
    return library_errors.hash_secrets(repr(value))


def hash_data_files(builder: Any, *, where: str) -> str:
    """Returns one hash of the content of all files, and the splits that they belong to.

    Args:
      builder: Of `datasets`, that has found its files.
      where: The data set, for messages.

    Raises:
      InputError: A file lies on a server that says nothing of its version.
    """
    data_files = builder.config.data_files or {}
    total = sum(map(len, data_files.values()))
    found: dict[str, list[Any]] = {}
    bar = progress.progress_bar(description="hashing", unit="file", total=total)
    with bar:
        for split, paths in data_files.items():
            origins = getattr(paths, "origin_metadata", [()] * len(paths))
            found[str(split)] = []
            for path, origin in zip(paths, origins):
                if os.path.isfile(path):
                    found[str(split)].append(fingerprints.hash_file(path))
                elif origin:
                    found[str(split)].append([path, *map(str, origin)])
                else:
                    raise errors.InputError(
                        f"{where} reads {library_errors.hide_secrets(path)}, whose server says "
                        "nothing of its version; wanted to know when it changes; download it first"
                    )
                bar.update(1)
    return fingerprints.hash_json(found)

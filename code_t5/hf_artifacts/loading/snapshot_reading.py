"""Data read from a snapshot in `hub/` by the readers of `datasets`, as if it came from the Hub.

What is not streamed is *prepared*: written as Arrow files, once, to
`CACHE/code_t5--snapshots/<name>/<configuration>-<key>/`. The key is of the commit, the files and
the options. Where the cache cannot be written, a scratch directory of the user takes its place.
"""

from __future__ import annotations

import copy
import dataclasses
import errno
import logging
import os
import pathlib
import re
import shutil
from typing import Any

from code_t5 import errors, library_errors
from code_t5.hf_artifacts.fetching import job_locks
from code_t5.hf_artifacts.loading import arrow_reading, places, prepared_snapshots
from code_t5.hf_artifacts.loading.arrow_reading import ArrowFiles
from code_t5.hf_artifacts.loading.places import Lookup
from code_t5.hf_artifacts.loading.snapshot_files import ChosenFiles
from code_t5.hf_artifacts.loading.snapshot_place import SnapshotSource
from code_t5.hf_artifacts.loading.tried import RefusedError
from code_t5.storage import atomic, fingerprints, manifest

# For streams: a cache that is not on the disk, in which datasets makes no folders and no locks.
_NOWHERE = "memory://nothing"
_KEY_LENGTH = 16
_UNSAFE = re.compile(r"[^\w.-]+")
_NOT_PARAMETERS = ("default", "data_files", "data_dir", "config_name")
# The cache is someone else's, full, or on a file system without locks.
_ELSEWHERE = {
    *(errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC, errno.EDQUOT),
    *(errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.EIO, errno.ESTALE),
}


def open_stream(source: SnapshotSource, *, lookup: Lookup) -> Any:
    """Opens streams of the files; nothing is written.

    Args:
      source: The files.
      lookup: What is asked for.

    Raises:
      RefusedError: `datasets` cannot stream them, or the split expression.
    """
    split = lookup.request.split
    try:
        builder = _make_builder(source, lookup, cache_dir=_NOWHERE)
        if split is None:
            return builder.as_streaming_dataset()
        return arrow_reading.over_leaves(split, lambda leaf: builder.as_streaming_dataset(leaf))
    except Exception as error:  # readers of a dozen formats
        raise RefusedError(f"it cannot be streamed ({_reason(error)})") from error


def prepare(source: SnapshotSource, *, lookup: Lookup) -> ArrowFiles:
    """Returns the Arrow files of a source; they are made if they are not there.

    Args:
      source: The files.
      lookup: What is asked for.

    Raises:
      RefusedError: The files cannot be read, or their rows are not those that are described.
    """
    key = _key(source, lookup)
    folder = f"{_UNSAFE.sub('-', source.config)}-{key}"
    relative = pathlib.Path(prepared_snapshots.HOME, source.name.replace("/", "___"), folder)
    cache, scratch = lookup.caches.datasets_dirs[0], places.make_scratch_dir()
    for home in (cache, scratch):
        try:
            found = _describe(home / relative, home=home, key=key)
            # Their rows may name files of a place that the cache was moved from.
            arrow_reading.open_arrow(found, split=None, keep_in_memory=False)
            return found
        except RefusedError:
            continue
    for home in (cache, scratch):
        try:
            _write(source, lookup, target=home / relative)
        except Exception as error:  # readers of a dozen formats
            if home == scratch or _blocked(error) is None:
                raise RefusedError(f"it cannot be prepared ({_reason(error)})") from error
            logging.getLogger(__name__).warning(
                "%s cannot be written (%s): Arrow files of %s go to %s",
                home, _blocked(error), source.name, scratch,
            )  # fmt: skip
        else:
            return _describe(home / relative, home=home, key=key)
    raise RefusedError("it cannot be prepared")


def _make_builder(source: SnapshotSource, lookup: Lookup, *, cache_dir: str) -> Any:
    """Returns the builder that `datasets` would make for the same files on the Hub."""
    from datasets import packaged_modules
    from datasets.load import import_main_class

    request = lookup.request
    path, _ = packaged_modules._PACKAGED_DATASETS_MODULES[source.chosen.module]
    builder_class: Any = import_main_class(path)
    given = {**source.chosen.options, **source.card.parameters(source.config)}
    parameters = {
        name: value
        for name, value in given.items()
        if hasattr(builder_class.BUILDER_CONFIG_CLASS, name) and name not in _NOT_PARAMETERS
    }
    return builder_class(
        cache_dir=cache_dir,
        dataset_name=source.name.rpartition("/")[2],
        config_name=source.config,
        hash=source.commit,
        base_path=source.snapshot.as_posix(),
        info=_info(source, chooses_files=request.chooses_files),
        features=request.features,
        data_files=source.chosen.data_files,
        **{**parameters, **request.options},
    )


def _info(source: SnapshotSource, *, chooses_files: bool) -> Any:
    """Returns what README.md says of a configuration, of the splits that are read."""
    info = copy.deepcopy(source.card.infos.get(source.config))
    if info is not None and info.splits is not None:
        for name in [name for name in info.splits if name not in source.splits]:
            del info.splits[name]
        if chooses_files:
            # Of files that the caller chose nobody says how many rows they have.
            info.splits = None
    return info


def _key(source: SnapshotSource, lookup: Lookup) -> str:
    from datasets.fingerprint import Hasher

    request = lookup.request
    files = {
        str(split): [
            [os.path.relpath(path, source.snapshot), os.path.getsize(path)] for path in paths
        ]
        for split, paths in _real_paths(source.chosen).items()
    }
    fields = {
        "format_version": prepared_snapshots.FORMAT_VERSION,
        "commit": source.commit,
        "config": source.config,
        "files": files,
        # The rows of files that someone chose are not compared with the README's numbers.
        "chooses_files": request.chooses_files,
        "verification_mode": request.verification,
        "options": Hasher.hash(dict(sorted(request.options.items()))) if request.options else "",
        "features": Hasher.hash(request.features) if request.features is not None else "",
    }
    return fingerprints.hash_json(fields)[:_KEY_LENGTH]


def _real_paths(chosen: ChosenFiles) -> dict[str, list[pathlib.Path]]:
    from datasets.data_files import DataFilesDict

    return {
        split: dataclasses.replace(chosen, data_files=DataFilesDict({split: files})).paths
        for split, files in chosen.data_files.items()
    }


def _describe(target: pathlib.Path, *, home: pathlib.Path, key: str) -> ArrowFiles:
    """Returns the files that were prepared before.

    Raises:
      RefusedError: There are none, or not as their manifest says.
    """
    if not manifest.is_complete(target):
        raise RefusedError("nothing was prepared")
    try:
        files = prepared_snapshots.read_manifest(target).files
    except errors.ArtifactError as error:
        raise RefusedError(library_errors.one_line(error)) from error
    fingerprint = f"{target.parent.name}/{key}"
    return arrow_reading.describe_arrow(
        target / prepared_snapshots.ARROW, home=home, fingerprint=fingerprint, files=files
    )


def _write(source: SnapshotSource, lookup: Lookup, *, target: pathlib.Path) -> None:
    """Prepares Arrow files beside the target, and gives them its name when they are whole."""
    lock = job_locks.job_lock(
        target.parent / f".{target.name}.lock",
        purpose=f"prepares {source.name} {source.config}",
        say=logging.getLogger(__name__).warning,
    )
    with lock as held:
        if held.has_waited and manifest.is_complete(target):
            return
        _write_locked(source, lookup, target=target)


def _write_locked(source: SnapshotSource, lookup: Lookup, *, target: pathlib.Path) -> None:
    atomic.remove_leftovers(target)
    with atomic.directory(target) as folder:
        request = lookup.request
        builder = _make_builder(source, lookup, cache_dir=os.fspath(target.parent.parent))
        builder.download_and_prepare(
            output_dir=os.fspath(folder / prepared_snapshots.ARROW),
            verification_mode=request.verification_mode,
            num_proc=request.num_proc,
        )
        for leftover in folder.iterdir():
            if leftover.name != prepared_snapshots.ARROW:
                shutil.rmtree(leftover) if leftover.is_dir() else leftover.unlink()
        prepared_snapshots.write_manifest(
            folder, repository=source.name, commit=source.commit, config=source.config
        )


def _blocked(error: BaseException | None) -> str | None:
    """Returns why a directory cannot be written, if that is what an error says."""
    while error is not None:
        if isinstance(error, OSError) and error.errno in _ELSEWHERE:
            return os.strerror(error.errno)
        error = error.__cause__ or error.__context__
    return None


def _reason(error: BaseException) -> str:
    """Returns what `datasets` says, or what it hides behind its own words."""
    hidden = error.__cause__ if type(error).__name__ == "DatasetGenerationError" else None
    return library_errors.one_line(hidden or error)

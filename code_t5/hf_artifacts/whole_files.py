"""Says whether all that a record lists is on the disk, as it was."""

from __future__ import annotations

import concurrent.futures
import os
import pathlib
import shutil
import stat
from collections.abc import Iterator, Mapping
from typing import Callable

from code_t5 import parallel
from code_t5.hf_artifacts.cache_root import CacheRoot
from code_t5.hf_artifacts.records import ArtefactRecord, StoredFile
from code_t5.storage import fingerprints


def is_whole(
    root: CacheRoot, *, record: ArtefactRecord, with_hashes: bool, moved: Callable[[int], object]
) -> bool:
    """Says whether every file of a record is there; what `datasets` prepared is removed if not.

    Args:
      root: Where.
      record: What.
      with_hashes: Whether every file is read; else its size decides.
      moved: Is told of bytes that were looked at; of fewer than none if they do not count.
    """
    counted = 0
    is_whole = True
    for is_right, size_bytes in _check_files(
        record.snapshot_dir(root), record.files, with_hashes=with_hashes
    ):
        is_whole = is_whole and is_right
        counted += size_bytes
        moved(size_bytes)
    for config in record.prepared:
        folder = root.path / config.arrow_dir
        found = _check_files(folder, config.files, with_hashes=with_hashes)
        if not all(is_right for is_right, _ in found):
            _remove_prepared(root, folder)
            is_whole = False
    if not is_whole:
        # They will be counted when they are fetched, or looked at once more.
        moved(-counted)
    return is_whole


def _remove_prepared(root: CacheRoot, folder: pathlib.Path) -> None:
    """Removes what is damaged: `datasets` takes a folder that is there for one that is right."""
    held = pathlib.Path(os.path.realpath(folder))
    # The record may come from elsewhere, and links lead anywhere.
    if pathlib.Path(os.path.realpath(root.datasets_dir)) in held.parents:
        shutil.rmtree(held, ignore_errors=True)


def _check_files(
    folder: pathlib.Path, files: Mapping[str, StoredFile], *, with_hashes: bool
) -> Iterator[tuple[bool, int]]:
    """Yields of each file whether it is right, and its size."""

    def is_right(item: tuple[str, StoredFile]) -> bool:
        path, wanted = item
        try:
            status = (folder / path).stat()
            if not stat.S_ISREG(status.st_mode) or status.st_size != wanted.size_bytes:
                return False
            return not with_hashes or fingerprints.hash_file(folder / path) == wanted.sha256
        except OSError:
            return False

    with concurrent.futures.ThreadPoolExecutor(parallel.default_num_workers()) as threads:
        for answer, file in zip(threads.map(is_right, files.items()), files.values()):
            yield answer, file.size_bytes

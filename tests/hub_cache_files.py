"""Caches made by hand, as huggingface_hub lays them out, with the records of `precache`."""

from __future__ import annotations

import hashlib
import os
import pathlib
from collections.abc import Mapping
from typing import Any

from code_t5.hf_artifacts import records
from code_t5.hf_artifacts.cache_root import CacheRoot
from code_t5.hf_artifacts.records import ArtefactRecord, PreparedConfig, StoredFile
from code_t5.hf_artifacts.requests import ArtefactRequest

COMMIT = "c0ffee" + 34 * "0"
LFS_SUFFIXES = (".safetensors", ".parquet", ".bin")


def sha256(data: bytes) -> str:
    """Returns the SHA-256 of a content, hexadecimal."""
    return hashlib.sha256(data).hexdigest()


def blob_name(path: str, data: bytes) -> str:
    """Returns what huggingface_hub calls a content: by its SHA-256, or as git does."""
    if path.endswith(LFS_SUFFIXES):
        return sha256(data)
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


def put_repository(
    root: CacheRoot,
    folder: str,
    files: Mapping[str, bytes],
    *,
    commit: str = COMMIT,
    refs: tuple[str, ...] = ("main",),
) -> pathlib.Path:
    """Puts a repository into `hub/` and returns the folder of its snapshot."""
    repository = root.hub_dir / folder
    snapshot = repository / "snapshots" / commit
    (repository / "blobs").mkdir(parents=True, exist_ok=True)
    for path, data in files.items():
        blob = repository / "blobs" / blob_name(path, data)
        blob.write_bytes(data)
        (snapshot / path).parent.mkdir(parents=True, exist_ok=True)
        (snapshot / path).symlink_to(os.path.relpath(blob, (snapshot / path).parent))
    for ref in refs:
        (repository / "refs" / ref).parent.mkdir(parents=True, exist_ok=True)
        (repository / "refs" / ref).write_text(commit)
    return snapshot


def put_record(
    root: CacheRoot,
    request: ArtefactRequest,
    files: Mapping[str, bytes],
    *,
    arrow_files: Mapping[str, bytes] | None = None,
    **fields: Any,
) -> str:
    """Writes the record of a repository, and Arrow files where it has some; returns its key."""
    prepared = ()
    if arrow_files:
        arrow_dir = f"datasets/{request.name}/en"
        (root.path / arrow_dir).mkdir(parents=True)
        for path, data in arrow_files.items():
            (root.path / arrow_dir / path).write_bytes(data)
        stored = {path: StoredFile(len(data), sha256(data)) for path, data in arrow_files.items()}
        prepared = (PreparedConfig("en", arrow_dir, {"train": 1}, stored),)
    record = ArtefactRecord(
        request=request,
        repository=request.name,
        commit=fields.pop("commit", COMMIT),
        files={
            path: StoredFile(len(data), sha256(data), blob_name(path, data))
            for path, data in files.items()
        },
        prepared=prepared,
        **fields,
    )
    records.write_record(root, record)
    return request.slug

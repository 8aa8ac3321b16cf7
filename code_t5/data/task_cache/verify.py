"""Reads every byte of task caches and compares it with what their manifests say."""

from __future__ import annotations

import os
import pathlib

from code_t5 import errors, progress
from code_t5.data.task_cache import layout
from code_t5.storage import fingerprints, manifest
from code_t5.token_cache import reader


def verify_cache(task_cache_dir: str | os.PathLike[str], *, data_dir: str) -> None:
    """Checks that a task cache holds what was written.

    Args:
      task_cache_dir: The cache of one Task.
      data_dir: The data directory, for the command that mends it.

    Raises:
      ArtifactError: It is half-written, of another format, or a file is not the one that was
        written.
    """
    folder = pathlib.Path(task_cache_dir)
    try:
        _verify(folder)
    except errors.CodeT5Error as error:
        command = layout.cache_command(folder, data_dir=data_dir)
        raise errors.ArtifactError(f"{error}; write it again: {command}") from error


def _verify(folder: pathlib.Path) -> None:
    fields = layout.read_task_manifest(folder)
    damage = layout.damage_of(folder, fields)
    if damage:
        raise errors.ArtifactError(f"{folder} is damaged: {damage}")
    sha256, sizes = fields.get("sha256"), fields["sizes"]
    if not isinstance(sha256, dict) or set(sha256) != set(sizes):
        raise errors.ArtifactError(
            f"{folder} is damaged: its manifest does not give the SHA-256 of each file"
        )
    tokens = reader.TokenCacheReader(folder / layout.TOKENS_NAME)
    arrays = {f"{layout.TOKENS_NAME}/{name}" for name in tokens.sha256}
    names = [name for name in sha256 if name not in arrays]
    bar = progress.progress_bar(
        description=f"checking {folder.name}", unit="file", total=len(names)
    )
    with bar:
        for name in names:
            _check_file(folder, name=name, wanted=sha256[name])
            bar.update(1)
    tokens.verify()
    for split in tokens.splits:
        tokens.split(split)
    for finished in (folder, tokens.cache_dir):
        manifest.check_manifest(finished)


def _check_file(folder: pathlib.Path, *, name: str, wanted: object) -> None:
    try:
        found = f"has SHA-256 {fingerprints.hash_file(folder / name)}"
    except OSError as error:
        found = f"cannot be read ({error.strerror})"
    if found != f"has SHA-256 {wanted}":
        raise errors.ArtifactError(
            f"{folder} is damaged: {name!a} {found}; wanted what was written"
        )

"""Refuses a task cache that was made of something else than what the Task would read."""

from __future__ import annotations

import os
import pathlib

from absl import logging

from code_t5 import errors
from code_t5.data.task_cache import layout
from code_t5.storage import manifest, prepared


def check_task_cache(
    task_cache_dir: str | os.PathLike[str], dataset: prepared.PreparedDataset
) -> None:
    """Checks that a task cache is whole and was made of the data set as it is now.

    A cache without our manifest, as seqio's own Beam script writes it, cannot be checked: that is
    logged.

    Args:
      task_cache_dir: The cache of one Task.
      dataset: What the Task reads.

    Raises:
      ArtifactError: The cache is half-written, of another format, or was made of another
        vocabulary or data set, or by another version of the code.
      NotBuiltError: The data set or its vocabulary is not there.
      VocabularyMismatchError: The data set was built with another vocabulary than the one there.
    """
    folder = pathlib.Path(task_cache_dir)
    command = layout.cache_command(folder, data_dir=dataset.data_dir)
    is_marked = (folder / manifest.COMPLETED_NAME).is_file()
    if is_marked and not (folder / manifest.MANIFEST_NAME).exists():
        logging.warning(
            "%s has no %s, so nobody can say whether it still fits %s; %s writes one that says so",
            *(folder, manifest.MANIFEST_NAME, dataset.dataset_dir, command),
        )
        return
    try:
        fields = layout.read_task_manifest(folder)
    except errors.ArtifactError as error:
        raise errors.ArtifactError(f"{error}: {command}") from error
    differing = layout.differing_parts(
        fields.get("fingerprint_parts"), wanted=layout.fingerprint_parts(dataset)
    )
    if differing:
        raise errors.ArtifactError(
            f"{folder} is stale: {'; '.join(differing)}; write it again: {command}"
        )
    damage = layout.damage_of(folder, fields)
    if damage:
        raise errors.ArtifactError(f"{folder} is damaged: {damage}; write it again: {command}")

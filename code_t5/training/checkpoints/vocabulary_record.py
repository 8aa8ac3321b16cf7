"""Remembers which vocabulary a model was trained with, and refuses another one.

Two vocabularies of one size give models of one shape: TensorFlow reads a checkpoint of the one into
a model of the other, and nothing tells until the texts it writes are nonsense. The *record* is
`<model_dir>/vocabulary.json`: the fingerprints of the inputs' and the targets' vocabulary, where
they have any (seqio's own have none).
"""

from __future__ import annotations

import json
import os
import pathlib
import re
from collections.abc import Sequence
from typing import Any

from code_t5 import errors
from code_t5.storage import atomic

FILE_NAME = "vocabulary.json"
_FORMAT = {"format": "code_t5_model_vocabulary", "version": 1}
_FINGERPRINT = re.compile(r"[0-9a-f]{1,128}")
_MAX_BYTES = 1 << 16


def fingerprints(vocabulary: Any) -> list[str]:
    """Returns the fingerprints of a trainer's vocabulary.

    Args:
      vocabulary: One, or a pair for inputs and targets, as `utils.run` has it.

    Returns:
      Each once, in order; empty where one has none.
    """
    both = vocabulary if isinstance(vocabulary, (tuple, list)) else [vocabulary]
    found = [getattr(one, "fingerprint", None) for one in both]
    return list(dict.fromkeys(map(str, found))) if found and all(found) else []


def check(model_dir: str | os.PathLike[str], *, vocabulary: Any, has_checkpoint: bool) -> None:
    """Compares a vocabulary with the record, and makes the record where there is none.

    Args:
      model_dir: The model directory.
      vocabulary: The trainer's.
      has_checkpoint: Whether there is something to go on from; else a new record is made.

    Raises:
      VocabularyMismatchError: The model was trained with another one.
      ArtifactError: The record cannot be read.
    """
    found = fingerprints(vocabulary)
    if not found:
        return
    path = pathlib.Path(model_dir, FILE_NAME)
    recorded = _read(path) if has_checkpoint and path.exists() else None
    if recorded is None:
        record = {**_FORMAT, "fingerprints": found}
        atomic.write_file(path, (json.dumps(record, indent=2) + "\n").encode("ascii"))
    elif recorded != found:
        raise errors.VocabularyMismatchError(
            f"found in {os.fspath(model_dir)} a model trained with the vocabulary "
            f"{_short(recorded)}; wanted {_short(found)}, the one of this run's data; name "
            "another --model_dir, or a Task with the model's vocabulary; nothing was changed"
        )


def _read(path: pathlib.Path) -> list[str]:
    """Returns the fingerprints of a record.

    Raises:
      ArtifactError: It is not a record of this version.
    """
    try:
        with open(path, "rb") as file:
            record = json.loads(file.read(_MAX_BYTES))
        found = {key: record[key] for key in _FORMAT}
        known = found == _FORMAT and type(found["version"]) is int
        recorded = record["fingerprints"]
    except (OSError, ValueError, LookupError, TypeError, RecursionError):
        known, recorded = False, None
    if not known or not _are_fingerprints(recorded):
        raise errors.ArtifactError(
            f"{path} is not the record of a vocabulary that was written; wanted "
            f"{_FORMAT['format']} version {_FORMAT['version']}; if the model's vocabulary is this "
            "run's, remove the file, and it is made again"
        )
    return recorded


def _are_fingerprints(found: Any) -> bool:
    return (
        isinstance(found, list)
        and 0 < len(found) <= 2
        and all(isinstance(one, str) and _FINGERPRINT.fullmatch(one) for one in found)
    )


def _short(found: Sequence[str]) -> str:
    return " and ".join(one[:16] for one in found)

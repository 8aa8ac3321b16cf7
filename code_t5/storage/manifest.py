"""The manifest: one JSON object in every artefact directory that says what the directory is.

Beside it stands `COMPLETED`, written last: it holds the SHA-256 of the manifest, or nothing in
older artefacts. A directory without it is half-written.
"""

from __future__ import annotations

import json
import os
import pathlib
from collections.abc import Mapping
from typing import Any, Union

from code_t5 import errors
from code_t5.storage import atomic, fingerprints

MANIFEST_NAME = "manifest.json"
COMPLETED_NAME = "COMPLETED"
# A manifest holds counts and hashes, never data: a larger one is not ours.
_MAX_MANIFEST_BYTES = 16 << 20
# As of it a marker that is not ours is shown.
_MAX_MARKER_BYTES = 100

PathLike = Union[str, "os.PathLike[str]"]


def write_manifest(artifact_dir: PathLike, fields: Mapping[str, Any]) -> None:
    """Writes the manifest and then the completion marker.

    Args:
      artifact_dir: The directory, everything else in it already written.
      fields: JSON values; must hold `format_name` (str) and `format_version` (int).

    Raises:
      ValueError: `fields` does not say the format's name and version.
    """
    if "format_name" not in fields or "format_version" not in fields:
        raise ValueError("a manifest needs format_name and format_version")
    folder = pathlib.Path(artifact_dir)
    content = (json.dumps(dict(fields), indent=2, sort_keys=True) + "\n").encode("utf-8")
    atomic.write_file(folder / MANIFEST_NAME, content)
    marker = fingerprints.hash_bytes(content) + "\n"
    atomic.write_file(folder / COMPLETED_NAME, marker.encode("ascii"))


def check_manifest(artifact_dir: PathLike) -> None:
    """Compares a manifest with the hash that its marker holds, if it holds one.

    Args:
      artifact_dir: The artefact's directory, in which both are.

    Raises:
      ArtifactError: The manifest is not the one that was written, or one of both cannot be read.
    """
    folder = pathlib.Path(artifact_dir)
    try:
        wanted = (folder / COMPLETED_NAME).read_bytes()[:_MAX_MARKER_BYTES]
    except OSError as error:
        raise errors.ArtifactError(
            f"cannot read {folder / COMPLETED_NAME}: {error.strerror}; wanted the marker of a "
            "finished directory; run the command that builds it again"
        ) from error
    given = " ".join(wanted.decode("ascii", "backslashreplace").split())
    found = fingerprints.hash_file(folder / MANIFEST_NAME)
    # The markers of older artefacts are empty.
    if given and given != found:
        raise errors.ArtifactError(
            f"{folder / MANIFEST_NAME} has SHA-256 {found}; wanted {given}, which {COMPLETED_NAME} "
            "gives; put back what was written, or remove the directory and build again"
        )


def is_complete(artifact_dir: PathLike) -> bool:
    """Says whether the directory holds a manifest and the marker that is written last."""
    folder = pathlib.Path(artifact_dir)
    return (folder / COMPLETED_NAME).is_file() and (folder / MANIFEST_NAME).is_file()


def is_readable(artifact_dir: PathLike) -> bool:
    """Says whether the manifest is a JSON object of no more than 16 MiB, of whatever format.

    Args:
      artifact_dir: The artefact's directory.
    """
    return bool(_load_object(pathlib.Path(artifact_dir) / MANIFEST_NAME))


def _load_object(path: pathlib.Path) -> dict[str, Any]:
    """Returns the JSON object in `path`, or {} if it holds anything else."""
    try:
        if path.stat().st_size > _MAX_MANIFEST_BYTES:
            return {}
        value = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def read_manifest(
    artifact_dir: PathLike, *, format_name: str, format_version: int
) -> dict[str, Any]:
    """Reads a manifest and refuses anything but the format that the caller reads.

    Args:
      artifact_dir: The artefact's directory.
      format_name: The format wanted.
      format_version: The version wanted.

    Returns:
      The manifest's fields.

    Raises:
      ArtifactError: The marker or the manifest is missing or damaged, or the format is another.
    """
    folder = pathlib.Path(artifact_dir)
    if not is_complete(folder):
        raise errors.ArtifactError(
            f"{folder} has no {MANIFEST_NAME} with a {COMPLETED_NAME} marker; wanted a finished "
            f"{format_name}; run the command that builds it again"
        )
    fields = _load_object(folder / MANIFEST_NAME)
    found = (fields.get("format_name"), fields.get("format_version"))
    if found != (format_name, format_version):
        raise errors.ArtifactError(
            f"{folder / MANIFEST_NAME} says format {found[0]!r} version {found[1]!r}; wanted "
            f"{format_name!r} version {format_version}; build it again with this version of code_t5"
        )
    return fields

"""Fingerprints: the SHA-256 of everything that made an artefact."""

from __future__ import annotations

import hashlib
import json
import os
import pathlib
from typing import Any

from code_t5 import errors

_CHUNK_BYTES = 1 << 20


def hash_bytes(data: bytes) -> str:
    """Returns the SHA-256 of `data` in hexadecimal.

    >>> hash_bytes(b"")[:8]
    'e3b0c442'
    """
    return hashlib.sha256(data).hexdigest()


def hash_file(path: str | os.PathLike[str]) -> str:
    """Returns the SHA-256 of a file's content in hexadecimal, read in pieces of 1 MiB."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        for chunk in iter(lambda: file.read(_CHUNK_BYTES), b""):
            digest.update(chunk)
    return digest.hexdigest()


def hash_json(value: Any) -> str:
    """Returns the SHA-256 of a value's canonical JSON (sorted keys, no spaces) in hexadecimal.

    >>> hash_json({"b": 1, "a": 2}) == hash_json({"a": 2, "b": 1})
    True
    """
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hash_bytes(text.encode("ascii"))


def read_checked_file(path: str | os.PathLike[str], *, sha256: str, role: str) -> bytes:
    """Reads a file that a manifest gives the hash of.

    Args:
      path: The file.
      sha256: What the manifest says.
      role: What the file is, for the message.

    Returns:
      Its content.

    Raises:
      ArtifactError: It cannot be read, or is not the one that the manifest is about.
    """
    try:
        content = pathlib.Path(path).read_bytes()
    except OSError as error:
        raise errors.ArtifactError(
            f"cannot read {path}: {error.strerror}; wanted {role}; put it back, or remove the "
            "directory and build again"
        ) from error
    found = hash_bytes(content)
    if found != sha256:
        raise errors.ArtifactError(
            f"{path} has SHA-256 {found}; wanted {sha256}, which its manifest gives; put {role} "
            "back, or remove the directory and build again"
        )
    return content

"""Writes the FLCC v3 folder layout.

    <root>/v3/languages/<Language>/.<ext>/<org>/<repository>/<branch>/<flat name>
    <root>/v3/repositories/<org>/<repository>/<branch>/paths.json
    <root>/v3/repositories/<org>/<repository>/<branch>/LICENSE and the like, if there is one

A *flat name* is the stem of the original name, a number counted per branch, and the extension.
A *component* is one folder's name, made from text that may hold anything.
"""

from __future__ import annotations

import hashlib
import json
import os
import pathlib
import re

_UNUSUAL = re.compile(r"[^\w.\-]")
_MAX_COMPONENT_BYTES = 150
_MAX_STEM_BYTES = 100


def _shortened(text: str, max_bytes: int) -> str:
    return text.encode("utf-8")[:max_bytes].decode("utf-8", errors="ignore")


def safe_component(name: str, *, unique: bool = True) -> str:
    """Returns a folder name that every file system and program takes.

    Letters and digits of any script, `_`, `-` and inner dots stay. Two different names never give
    the same component: one that had to be changed ends in part of its hash.

    Args:
      name: Text from outside, possibly with undecodable bytes (surrogate escapes).
      unique: Whether to add the hash.

    Returns:
      A name that is not empty and does not start with a dot.

    >>> safe_component("requests"), safe_component("feature/tabs", unique=False)
    ('requests', 'feature_tabs')
    """
    cleaned = _UNUSUAL.sub("_", name)
    if cleaned.startswith(".") or not cleaned:
        cleaned = "_" + cleaned[1:]
    cleaned = _shortened(cleaned, _MAX_COMPONENT_BYTES)
    if cleaned == name or not unique:
        return cleaned
    digest = hashlib.sha256(name.encode("utf-8", errors="surrogateescape")).hexdigest()
    return f"{cleaned}-{digest[:8]}"


class BranchWriter:
    """Writes the files of one branch of one repository, then their `paths.json`.

    The folders appear with the first file, so that a branch without source files leaves nothing.
    """

    def __init__(
        self, root: pathlib.Path, *, organization: str, repository: str, branch: str
    ) -> None:
        """Names the branch.

        Args:
          root: The folder that holds, or is to hold, `v3`.
          organization: A component.
          repository: A component.
          branch: A component.
        """
        self._root = root / "v3"
        self._place = os.path.join(organization, repository, branch)
        self._paths: dict[str, str] = {}
        self._folders: dict[str, str] = {}
        self._licenses: dict[str, bytes] = {}

    @property
    def num_files(self) -> int:
        """Files written so far."""
        return len(self._paths)

    def add(self, path: str, *, data: bytes, language: str, extension: str) -> None:
        """Writes one source file.

        Args:
          path: Where it stands in the repository, separated by `/`.
          data: Its bytes, kept as they are.
          language: The language's folder, for example `Python`.
          extension: With its dot, in lower case.
        """
        folder = self._folders.get(extension)
        if folder is None:
            folder = os.path.join(self._root, "languages", language, extension, self._place)
            os.makedirs(folder, exist_ok=True)
            self._folders[extension] = folder
        stem = _UNUSUAL.sub("_", os.path.splitext(os.path.basename(path))[0])
        stem = _shortened(stem.lstrip("."), _MAX_STEM_BYTES) or "_"
        flat_name = f"{stem}_{len(self._paths)}{extension}"
        with open(os.path.join(folder, flat_name), "xb") as file:
            file.write(data)
        # A path that is no UTF-8 could not be stored as text by any reader.
        self._paths[flat_name] = os.fsencode(path).decode("utf-8", errors="backslashreplace")

    def add_license(self, name: str, *, data: bytes) -> None:
        """Keeps one licence file of the repository, to be written with `paths.json`.

        Args:
          name: A name that `licenses.is_license_name` takes.
          data: Its bytes, kept as they are.
        """
        self._licenses[name] = data

    def close(self) -> None:
        """Writes `paths.json` and the licence files, if there was a source file."""
        if not self._paths:
            return
        folder = os.path.join(self._root, "repositories", self._place)
        os.makedirs(folder, exist_ok=True)
        with open(os.path.join(folder, "paths.json"), "x", encoding="ascii") as file:
            json.dump(self._paths, file, indent=0, ensure_ascii=True)
        for name, data in self._licenses.items():
            with open(os.path.join(folder, name), "xb") as license_file:
                license_file.write(data)

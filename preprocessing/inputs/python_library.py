"""The running interpreter's own standard library, as a source: real code, nothing downloaded.

Every top-level package or module is a repository `python/<name>`, its branch the version (`3.11`).
Tests and character tables are left out, as are installed distributions and the settings of the
machine that built the interpreter. The library's licence file goes with every repository.
"""

from __future__ import annotations

import os
import pathlib
import platform
import sys
import sysconfig
from typing import Any

from code_t5 import errors, progress
from preprocessing.inputs import (
    flcc_tree,
    languages,
    license_copies,
    repository_folder,
    source,
    tally,
)

ORGANIZATION = "python"

# `encodings` is character tables that a program wrote: an eighth of the library, no code to learn.
_EXCLUDED_FOLDERS = frozenset(
    {"__pycache__", "dist-packages", "encodings", "idle_test", "site-packages", "test", "tests"}
)
# Written when the interpreter is built; holds the folders of that machine.
_BUILD_SETTINGS_PREFIX = "_sysconfigdata"


def _is_excluded(folder: str) -> bool:
    name = os.path.basename(folder)
    return name in _EXCLUDED_FOLDERS or name.startswith(".")


def _is_repository(entry: os.DirEntry[str]) -> bool:
    """Whether an entry of the library's folder is a module or may be a package."""
    if entry.is_dir(follow_symlinks=False):
        return entry.name.isidentifier() and not _is_excluded(entry.path)
    if entry.name.startswith(_BUILD_SETTINGS_PREFIX):
        return False
    stem, extension = os.path.splitext(entry.name)
    return extension == ".py" and stem.isidentifier() and entry.is_file(follow_symlinks=False)


class PythonLibrarySource(source.Source):
    """The standard library of the interpreter that runs."""

    def __init__(self, library_dir: str | None = None) -> None:
        """Chooses the library.

        Args:
          library_dir: Its folder; None for the running interpreter's.
        """
        self._library_dir = os.path.realpath(library_dir or sysconfig.get_paths()["stdlib"])

    def identity(self) -> dict[str, Any]:
        """Returns the kind and the interpreter's implementation and version."""
        return {
            "source": "python",
            "implementation": platform.python_implementation(),
            "version": platform.python_version(),
        }

    def describe(self) -> str:
        """Says what the source is."""
        fields = self.identity()
        return f"the standard library of {fields['implementation']} {fields['version']}"

    def _entries(self) -> list[os.DirEntry[str]]:
        """Returns the packages and modules, in the order of their names' bytes.

        Raises:
          InputError: There is no library to read.
        """
        try:
            with os.scandir(self._library_dir) as entries:
                found = sorted(entries, key=lambda entry: os.fsencode(entry.name))
        except OSError as error:
            raise errors.InputError(
                f"cannot read the standard library in {self._library_dir}: {error.strerror}; "
                "wanted an interpreter that brings its sources; use another one, or --bundled"
            ) from error
        return [entry for entry in found if _is_repository(entry)]

    def _copy_entry(
        self, entry: os.DirEntry[str], *, writer: flcc_tree.BranchWriter, counts: tally.Tally
    ) -> None:
        if entry.is_dir(follow_symlinks=False):
            repository_folder.copy_files(
                entry.path,
                writer=writer,
                table=languages.PYTHON_ONLY,
                is_excluded=_is_excluded,
                counts=counts,
                prefix=entry.name,
            )
            return
        try:
            data = repository_folder.read_plain_file(
                entry.path, max_bytes=repository_folder.DEFAULT_MAX_FILE_BYTES
            )
        except repository_folder.SkippedFile as skipped:
            counts.skip(str(skipped))
            return
        writer.add(entry.name, data=data, language="Python", extension=".py")
        counts.add_file(len(data))

    def write_tree(self, root: pathlib.Path) -> tally.Tally:
        """Copies the library.

        Args:
          root: An empty folder.

        Returns:
          Its counts.

        Raises:
          InputError: There is no Python source in the library's folder.
        """
        counts = tally.Tally()
        branch = f"{sys.version_info.major}.{sys.version_info.minor}"
        bar = progress.progress_bar(
            self._entries(), description="standard library", unit="repository"
        )
        # A package and a module of one name cannot both be imported, but may both be there.
        names = set()
        license_texts = license_copies.read_license_files(self._library_dir, counts)
        for entry in bar:
            name = os.path.splitext(entry.name)[0]
            if name in names:
                counts.skip("module hidden by a package")
                continue
            names.add(name)
            writer = flcc_tree.BranchWriter(
                root, organization=ORGANIZATION, repository=name, branch=branch
            )
            self._copy_entry(entry, writer=writer, counts=counts)
            for license_name, data in license_texts.items():
                writer.add_license(license_name, data=data)
            writer.close()
            counts.num_repositories += writer.num_files > 0
        if not counts.num_files:
            raise errors.InputError(
                f"{self._library_dir} holds no Python source; wanted an interpreter that brings "
                "its standard library as .py files; use another one, or --bundled"
            )
        return counts

"""What every source of code has in common, and how its tree gets to its place whole.

A source's *identity* is the JSON that tells it from any other source: its kind and options. Two
runs with one identity may share a tree; a second identity in the same folder is refused.
"""

from __future__ import annotations

import abc
import os
import pathlib
from collections.abc import Mapping
from typing import Any

from code_t5 import errors
from code_t5.storage import atomic, fingerprints, manifest
from preprocessing.inputs import tally

FORMAT_NAME = "code_t5_source_tree"
FORMAT_VERSION = 1


class Source(abc.ABC):
    """Where code comes from."""

    @abc.abstractmethod
    def identity(self) -> dict[str, Any]:
        """Returns the kind (`source`) and the options that shape the tree; no secrets."""

    @abc.abstractmethod
    def describe(self) -> str:
        """Says in a few words what the source is."""

    @abc.abstractmethod
    def write_tree(self, root: pathlib.Path) -> tally.Tally:
        """Writes `v3/` into an empty folder.

        Args:
          root: The folder.

        Returns:
          What was written and skipped.
        """

    def is_same(self, recorded: Mapping[str, Any]) -> bool:
        """Says whether a finished tree came from this source.

        Args:
          recorded: The tree's manifest.
        """
        return bool(recorded.get("identity") == self.identity())


def _occupant(output_dir: pathlib.Path) -> dict[str, Any]:
    """Returns the manifest of the finished tree at `output_dir`, or {} if nothing is there.

    Raises:
      InputError: Something else is there, which must not be replaced.
    """
    if not os.path.lexists(output_dir):
        return {}
    try:
        return manifest.read_manifest(
            output_dir, format_name=FORMAT_NAME, format_version=FORMAT_VERSION
        )
    except errors.ArtifactError as error:
        if output_dir.is_dir() and not output_dir.is_symlink() and not os.listdir(output_dir):
            return {}
        raise errors.InputError(
            f"{output_dir} holds something that is not a source tree made by this program; wanted "
            "a new folder; remove it or choose another name or folder"
        ) from error


def _check_parent(output_dir: pathlib.Path) -> None:
    try:
        output_dir.parent.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as error:
        raise errors.InputError(
            f"cannot make the folder {output_dir.parent}: part of that path is a file; wanted a "
            "folder for the output; choose another one"
        ) from error


def prepare_tree(
    source: Source, *, output_dir: pathlib.Path, overwrite: bool = False
) -> tuple[dict[str, Any], bool]:
    """Makes the source tree, unless it is there already.

    Args:
      source: Where the code comes from.
      output_dir: Becomes the tree: `v3/`, a manifest and the completion marker.
      overwrite: Whether to make it again and replace what this program made before.

    Returns:
      `(manifest, is_new)`: the tree's manifest, and whether it was made just now.

    Raises:
      InputError: The folder holds another source's tree or something else.
      BusyError: Another process is making the same tree.
    """
    _check_parent(output_dir)
    lock_path = output_dir.with_name(f".{output_dir.name}.lock")
    with atomic.lock(lock_path, purpose=f"preparing {output_dir}"):
        recorded = _occupant(output_dir)
        if recorded and not overwrite:
            if source.is_same(recorded):
                return recorded, False
            raise errors.InputError(
                f"{output_dir} already holds {recorded.get('description')}; wanted "
                f"{source.describe()}; choose another name, or --overwrite to replace it"
            )
        atomic.remove_leftovers(output_dir)
        with atomic.directory(output_dir) as root:
            counts = source.write_tree(root)
            identity = source.identity()
            fields = {
                "format_name": FORMAT_NAME,
                "format_version": FORMAT_VERSION,
                "identity": identity,
                "fingerprint": fingerprints.hash_json(identity),
                "description": source.describe(),
                "counts": counts.as_json(),
            }
            manifest.write_manifest(root, fields)
        return fields, True

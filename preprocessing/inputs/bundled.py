"""The small data set that comes with the project, as a source."""

from __future__ import annotations

import os
import pathlib
from typing import Any

from code_t5.storage import fingerprints
from preprocessing import dev_dataset
from preprocessing.inputs import source, tally

# The data set holds a link to show that the build does not follow it.
_LINK_IN_THE_TREE = "symbolic link, left for the build to skip"


def _count_tree(root: pathlib.Path) -> tally.Tally:
    """Counts the source files below `root/v3`; links are counted apart."""
    counts = tally.Tally()
    repositories = set()
    languages_dir = os.path.join(root, "v3", "languages")
    for folder, _, names in os.walk(languages_dir):
        for name in names:
            path = os.path.join(folder, name)
            if os.path.islink(path):
                counts.skip(_LINK_IN_THE_TREE)
                continue
            counts.add_file(os.path.getsize(path))
            # <Language>/.<ext>/<org>/<repository>/<branch>
            repositories.add(tuple(os.path.relpath(folder, languages_dir).split(os.sep)[2:4]))
    counts.num_repositories = len(repositories)
    return counts


class BundledSource(source.Source):
    """The bundled data set, with everything that it makes at build time."""

    def identity(self) -> dict[str, Any]:
        """Returns the kind and a fingerprint of the stored files, which an update may change."""
        root = dev_dataset.bundled_root()
        files = sorted(path for path in root.joinpath("v3").rglob("*") if path.is_file())
        hashes = {
            path.relative_to(root).as_posix(): fingerprints.hash_file(path)
            for path in files
            if path.suffix != ".pyc"
        }
        return {"source": "bundled", "content": fingerprints.hash_json(hashes)}

    def describe(self) -> str:
        """Says what the source is."""
        return f"the bundled data set (content {self.identity()['content'][:8]})"

    def write_tree(self, root: pathlib.Path) -> tally.Tally:
        """Unpacks the data set.

        Args:
          root: An empty folder.

        Returns:
          Its counts.
        """
        dev_dataset.materialize(root)
        return _count_tree(root)

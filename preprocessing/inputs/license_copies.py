"""Copies the licence files of a repository's top folder beside its `paths.json`.

Only files that `preprocessing.licenses` would read: few, small, plain, under plain names. Links are
not followed and not copied.
"""

from __future__ import annotations

import os

from preprocessing.inputs import flcc_tree, repository_folder, tally
from preprocessing.licenses import license_files


def read_license_files(folder: str, counts: tally.Tally) -> dict[str, bytes]:
    """Reads the licence files that stand directly in a folder.

    Args:
      folder: The repository's; may be hostile.
      counts: Where files that cannot be read or are too large are counted.

    Returns:
      Content by name, in the order of the names' bytes; empty if the folder cannot be listed.
    """
    found = {}
    try:
        names = license_files.license_file_names(os.listdir(folder))
    except OSError:
        return {}
    for name in names:
        path = os.path.join(folder, name)
        # Links are counted where the folder is walked; a folder may be called so.
        if os.path.islink(path) or os.path.isdir(path):
            continue
        try:
            found[name] = repository_folder.read_plain_file(
                path, max_bytes=license_files.MAX_LICENSE_FILE_BYTES
            )
        except repository_folder.SkippedFile as skipped:
            counts.skip(f"licence file: {skipped}")
    return found


def copy_license_files(folder: str, *, writer: flcc_tree.BranchWriter, counts: tally.Tally) -> None:
    """Copies the licence files that stand directly in a folder.

    Args:
      folder: The repository's; may be hostile.
      writer: Of the branch.
      counts: Where files that cannot be read or are too large are counted.
    """
    for name, data in read_license_files(folder, counts).items():
        writer.add_license(name, data=data)

"""The list of an export's files in its manifest, and whether they are what it says.

A list is a JSON object: by path below the export, `size_bytes` and `sha256`. Of larger files than
256 MiB the size alone is compared, so that opening stays quick; TensorFlow's checkpoints hold
checksums of their own.
"""

from __future__ import annotations

import pathlib
from collections.abc import Mapping
from typing import Any

from code_t5.storage import fingerprints, manifest

MAX_HASHED_BYTES = 256 << 20


def list_files(folder: pathlib.Path) -> dict[str, dict[str, Any]]:
    """Returns the list of what lies in a directory, its own manifest and marker left out.

    Args:
      folder: An export, everything else in it already written.
    """
    own = {folder / manifest.MANIFEST_NAME, folder / manifest.COMPLETED_NAME}
    return {
        path.relative_to(folder).as_posix(): {
            "size_bytes": path.stat().st_size,
            "sha256": fingerprints.hash_file(path),
        }
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path not in own
    }


def find_damage(folder: pathlib.Path, files: Mapping[str, Any]) -> str | None:
    """Says what is not as it was written.

    Args:
      folder: An export.
      files: As its manifest lists them; of any form, as the manifest may be somebody else's.

    Returns:
      What to say of the export, 'lacks model.bin'; None if all is as it was.
    """
    for name, wanted in files.items():
        path = folder / name
        parts = pathlib.PurePosixPath(name).parts
        if path.is_symlink() or not path.is_file() or ".." in parts or name.startswith("/"):
            return f"lacks {name!a} as a file in it"
        size = path.stat().st_size
        listed = wanted if isinstance(wanted, Mapping) else {}
        if size != listed.get("size_bytes"):
            return f"has a {name} of {size} bytes ({listed.get('size_bytes')} were written)"
        if size <= MAX_HASHED_BYTES and fingerprints.hash_file(path) != listed.get("sha256"):
            return f"has a {name} that was changed"
    return None

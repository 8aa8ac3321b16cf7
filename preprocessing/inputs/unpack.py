"""Writes the wanted members of an archive of the FLCC layout, and nothing else.

Of `<anything>/v3/...` only files at the layout's own depth are written, under `repositories` only
`paths.json` and licence files, and of these only the organisations that a *selection* (shell
patterns such as `A*`) matches. The archive may be hostile: nothing in it decides where a file goes
beyond the names of its folders, what it belongs to or who may run it.
"""

from __future__ import annotations

import dataclasses
import fnmatch
import os
import pathlib
import tarfile
from collections.abc import Sequence

from preprocessing.inputs import tally, tar_stream
from preprocessing.licenses import license_files

_OUTSIDE_LAYOUT = "outside of the layout"
_HARD_LINK = "hard link"
_UNUSABLE_NAME = "name that is too long"
_NUM_EXAMPLES = 6
# languages/<Language>/.<ext>/<org>/<repository>/<branch>/<file>, paths.json without the first two.
_DEPTH = {"languages": 7, "repositories": 5}
_ORGANIZATION_INDEX = {"languages": 3, "repositories": 1}


@dataclasses.dataclass(frozen=True)
class ArchiveLimits:
    """How much an archive may hold.

    Attributes:
      max_file_bytes: A larger file is skipped.
      max_total_bytes: More bytes to write make the archive refused.
      max_members: More entries make it refused.
      max_unpacked_bytes: More bytes once unpacked, wanted or not, make it refused.
    """

    max_file_bytes: int = 16 << 20
    max_total_bytes: int = 64 << 30
    max_members: int = 100_000_000
    max_unpacked_bytes: int = 4 << 40


def printable_member(name: str) -> str:
    """Returns a member's name fit for one line of an error.

    Args:
      name: As the archive gives it.
    """
    text = ascii(name)[1:-1]
    return text if len(text) <= 80 else text[:77] + "..."


def _safe_parts(name: str) -> list[str]:
    """Splits a member's name into folders.

    Raises:
      BrokenArchive: The name leaves the archive's folder, or is none.
    """
    parts = name.split("/")
    if name.startswith("/") or ".." in parts or "\0" in name:
        raise tar_stream.BrokenArchive(
            f"it names {printable_member(name)}, outside of its own folder"
        )
    return [part for part in parts if part not in ("", ".")]


def _is_repository_file(name: str) -> bool:
    return name == "paths.json" or license_files.is_license_name(name)


class Unpacker:
    """Writes the wanted members of one archive."""

    def __init__(
        self, root: pathlib.Path, *, selection: Sequence[str], limits: ArchiveLimits
    ) -> None:
        self._root, self._selection, self._limits = root, selection, limits
        self._top: list[str] | None = None
        self._repositories: set[tuple[str, str]] = set()
        self._total_bytes = 0
        self._selected: dict[str, bool] = {}
        self._folder = ""
        self.counts = tally.Tally()
        self.examples: list[str] = []
        self.other_organizations: list[str] = []

    def _is_selected(self, organization: str) -> bool:
        known = self._selected.get(organization)
        if known is None:
            known = any(fnmatch.fnmatchcase(organization, p) for p in self._selection)
            # Archives come sorted, so that a few names are enough to remember.
            if len(self._selected) > 100_000:
                self._selected.clear()
            self._selected[organization] = known
            others = self.other_organizations
            if not known and len(others) < _NUM_EXAMPLES and organization not in others:
                others.append(organization)
        return known

    def _layout_parts(self, parts: list[str]) -> list[str] | None:
        """Returns the folders below `v3` of a file of the layout, None for any other.

        Raises:
          BrokenArchive: The archive holds two data sets.
        """
        for index, part in enumerate(parts[:-1]):
            if part == "v3" and parts[index + 1] in _DEPTH:
                break
        else:
            return None
        top, below = parts[:index], parts[index + 1 :]
        if self._top is None:
            self._top = top
        elif self._top != top:
            one, two = ("/".join([*folders, "v3"]) for folders in (self._top, top))
            raise tar_stream.BrokenArchive(
                f"it holds two data sets, {printable_member(one)} and {printable_member(two)}"
            )
        if len(below) != _DEPTH[below[0]]:
            return None
        if below[0] == "repositories" and not _is_repository_file(below[-1]):
            return None
        return below

    def _refuses(self, member: tarfile.TarInfo) -> bool:
        """Whether the member is no plain file; links are counted.

        Raises:
          BrokenArchive: It is something that no data set holds.
        """
        if member.issym():
            self.counts.skip(tally.SYMBOLIC_LINK)
        elif member.islnk():
            self.counts.skip(_HARD_LINK)
        elif member.isdev():
            raise tar_stream.BrokenArchive(
                f"it holds a device or a pipe, {printable_member(member.name)}, as no data set does"
            )
        elif member.isdir():
            pass
        elif not member.isreg() or member.issparse():
            self.counts.skip(tally.NOT_A_PLAIN_FILE)
        else:
            return False
        return True

    def add(self, member: tarfile.TarInfo, members: tar_stream.MemberReader) -> None:
        """Writes a member, if it is wanted.

        Raises:
          BrokenArchive: It is hostile or damaged, or the limits are reached.
        """
        parts = _safe_parts(member.name)
        if self._refuses(member) or not parts:
            return
        if member.size < 0:
            raise tar_stream.BrokenArchive("it holds a file of negative size")
        below = self._layout_parts(parts)
        if below is None:
            self.counts.skip(_OUTSIDE_LAYOUT)
            if len(self.examples) < _NUM_EXAMPLES:
                self.examples.append(printable_member(member.name))
            return
        first = _ORGANIZATION_INDEX[below[0]]
        if not self._is_selected(below[first]):
            return
        limit = self._limits.max_file_bytes
        if below[0] == "repositories" and below[-1] != "paths.json":
            limit = min(limit, license_files.MAX_LICENSE_FILE_BYTES)
        if member.size > limit:
            self.counts.skip(tally.TOO_LARGE)
            return
        self._total_bytes += member.size
        if self._total_bytes > self._limits.max_total_bytes:
            raise tar_stream.BrokenArchive(
                f"the selection holds more than {self._limits.max_total_bytes:,} bytes"
            )
        self._write(below, members.read(member))

    def _write(self, below: list[str], data: bytes) -> None:
        folder = os.path.join(self._root, "v3", *below[:-1])
        if max(len(os.fsencode(part)) for part in below) > 255:
            self.counts.skip(_UNUSABLE_NAME)
            return
        if folder != self._folder:
            os.makedirs(folder, exist_ok=True)
            self._folder = folder
        path = os.path.join(folder, below[-1])
        # Where a tar names a file twice, the later one holds.
        old_size = os.path.getsize(path) if os.path.lexists(path) else None
        with open(path, "wb") as file:
            file.write(data)
        if below[0] != "languages":
            return
        if old_size is not None:
            self.counts.num_files -= 1
            self.counts.size_bytes -= old_size
        self.counts.add_file(len(data))
        self._repositories.add((below[3], below[4]))
        self.counts.num_repositories = len(self._repositories)

"""A published archive of the FLCC layout, as a source: fetched if need be, then unpacked."""

from __future__ import annotations

import os
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

from code_t5 import errors
from preprocessing import flcc_layout
from preprocessing.inputs import addresses, download, source, tally, tar_stream, unpack


class ArchiveSource(source.Source):
    """An archive on the disk or behind an address."""

    def __init__(
        self,
        location: str,
        *,
        selection: Sequence[str],
        downloads_dir: pathlib.Path,
        limits: unpack.ArchiveLimits = unpack.ArchiveLimits(),  # noqa: B008 - frozen
    ) -> None:
        """Chooses the archive and what to take of it.

        Args:
          location: A file's path, or an address that starts with `http://` or `https://`.
          selection: Shell patterns of organisations; a file is wanted if one matches.
          downloads_dir: Where an archive is kept that has to be fetched.
          limits: How much the archive may hold.
        """
        self._location = location
        self._is_address = addresses.is_address(location)
        self._selection = tuple(sorted(set(selection)))
        self._downloads_dir = downloads_dir
        self._limits = limits

    def identity(self) -> dict[str, Any]:
        """Returns the kind, the place without secrets, the selection and what limits files."""
        fields: dict[str, Any] = {
            "source": "archive",
            "select": list(self._selection),
            "max_file_bytes": self._limits.max_file_bytes,
        }
        if self._is_address:
            fields["location"] = addresses.public_address(self._location)
            fields["download_key"] = addresses.download_key(self._location)
        else:
            path = os.path.realpath(self._location)
            fields["location"] = flcc_layout.printable_name(path)
        return fields

    def describe(self) -> str:
        """Says what the source is."""
        fields = self.identity()
        return f"{','.join(fields['select'])} of the archive {fields['location']}"

    def is_same(self, recorded: Mapping[str, Any]) -> bool:
        """Says whether a finished tree came from this archive and selection.

        A file that has gone since is no reason to unpack it again; one of another size is.

        Args:
          recorded: The tree's manifest.
        """
        if not super().is_same(recorded):
            return False
        if self._is_address or not os.path.isfile(self._location):
            return True
        size_bytes = recorded["counts"]["facts"].get("archive_size_bytes")
        return bool(size_bytes == os.path.getsize(self._location))

    def _find_file(self) -> pathlib.Path:
        """Returns the archive's path, after fetching it if need be.

        Raises:
          InputError: There is no such file.
        """
        if self._is_address:
            return download.fetch(self._location, downloads_dir=self._downloads_dir)
        path = pathlib.Path(self._location)
        printable = flcc_layout.printable_name(self._location)
        if path.is_dir():
            raise errors.InputError(
                f"{printable} is a folder; wanted a tar archive; if it is an unpacked data set, "
                "give it to preprocessing.build --input_dir; checkouts go to --checkouts"
            )
        if not path.exists():
            raise errors.InputError(
                f"there is no archive {printable}; wanted a tar archive or an https address; "
                "check the path"
            )
        if not path.is_file():
            raise errors.InputError(
                f"{printable} is no plain file; wanted a tar archive; check the path"
            )
        return path

    def _check_selection(self, unpacker: unpack.Unpacker, path: str) -> None:
        """Raises InputError if nothing was selected."""
        if unpacker.counts.num_files:
            return
        if unpacker.other_organizations:
            names = ", ".join(map(unpack.printable_member, unpacker.other_organizations))
            raise errors.InputError(
                f"no organisation in {path} with a source file matches "
                f"{' or '.join(self._selection)}; it has {names} and maybe more; choose another "
                "--select (capitals count)"
            )
        found = ", ".join(unpacker.examples) or "no file"
        raise errors.InputError(
            f"{path} is not in FLCC layout: it holds {found}; wanted "
            "<data set>/v3/languages/<Language>/.<ext>/<org>/<repository>/<branch>/<file>; check "
            "--archive"
        )

    def write_tree(self, root: pathlib.Path) -> tally.Tally:
        """Fetches the archive if need be, and unpacks the selection.

        Args:
          root: An empty folder.

        Returns:
          The counts.

        Raises:
          InputError: The archive cannot be had, is broken, hostile or too large, or holds nothing
            that was selected.
        """
        path = self._find_file()
        printable = flcc_layout.printable_name(os.fspath(path))
        unpacker = unpack.Unpacker(root, selection=self._selection, limits=self._limits)
        try:
            with tar_stream.open_members(
                path,
                max_members=self._limits.max_members,
                max_unpacked_bytes=self._limits.max_unpacked_bytes,
            ) as (members, sha256):
                for member in members:
                    unpacker.add(member, members)
                unpacker.counts.facts = {
                    "archive_size_bytes": path.stat().st_size,
                    "archive_sha256": sha256(),
                    "num_members": members.num_members,
                }
        except tar_stream.BrokenArchive as error:
            advice = (
                "remove that file and run again, to fetch it anew"
                if self._is_address
                else ("fetch or pack it anew")
            )
            raise errors.InputError(
                f"the archive {printable} is refused: {error}; wanted a whole tar archive of the "
                f"FLCC layout; {advice}; nothing was unpacked"
            ) from error
        self._check_selection(unpacker, printable)
        return unpacker.counts

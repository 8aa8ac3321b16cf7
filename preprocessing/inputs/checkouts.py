"""A folder of ordinary git checkouts, or of plain folders, as a source.

Laid out as `DIR/<repository>` or `DIR/<organization>/<repository>`, also mixed: a folder of `DIR`
that is no checkout but holds one is an organisation, any other a repository. git is never run, for
a repository's own settings can make it run programs; of `.git` two small text files are read.
"""

from __future__ import annotations

import dataclasses
import hashlib
import os
import pathlib
import re
import urllib.parse
from collections.abc import Iterator
from typing import Any

from code_t5 import errors, progress
from preprocessing import flcc_layout
from preprocessing.inputs import (
    flcc_tree,
    languages,
    license_copies,
    repository_folder,
    source,
    tally,
)

DEFAULT_BRANCH = "default"
_NOT_IN_A_REPOSITORY = "file outside of a repository"
_MAX_GIT_FILE_BYTES = 64 << 10
_EXCLUDED_FOLDERS = frozenset(
    {"__pycache__", "dist-packages", "node_modules", "site-packages", "venv", "virtualenv"}
)
_ORIGIN_SECTION = re.compile(r'^\s*\[remote "origin"\]\s*$(.*?)(?=^\s*\[|\Z)', re.M | re.S)
_ORIGIN_URL = re.compile(r"^\s*url\s*=\s*(\S+)\s*$", re.M)
_SCP_ADDRESS = re.compile(r"^(?:[\w.\-]+@)?[\w.\-]+:(?!//)(.+)$")
_OWNER = re.compile(r"[A-Za-z0-9][\w.\-]{0,99}", re.A)
_COMMIT = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")


@dataclasses.dataclass(frozen=True)
class Checkout:
    """One repository on the disk.

    Attributes:
      path: Its folder.
      organization: Component of the layout.
      repository: Component of the layout.
      branch: Component of the layout.
    """

    path: str
    organization: str
    repository: str
    branch: str


def _read_git_file(folder: str, name: str) -> str:
    """Returns the start of a text file in a repository's own `.git` folder, "" if there is none."""
    git_dir = os.path.join(folder, ".git")
    if os.path.islink(git_dir):
        return ""
    try:
        data = repository_folder.read_plain_file(
            os.path.join(git_dir, name), max_bytes=_MAX_GIT_FILE_BYTES
        )
    except repository_folder.SkippedFile:
        return ""
    return data.decode("utf-8", errors="surrogateescape")


def read_branch(folder: str) -> str:
    """Returns the name of the branch that is checked out, as a component.

    Args:
      folder: The repository.

    Returns:
      The branch; the start of the commit if none is checked out; `default` if git does not say.
    """
    head = _read_git_file(folder, "HEAD").strip()
    prefix = "ref: refs/heads/"
    if head.startswith(prefix) and len(head) > len(prefix):
        return flcc_tree.safe_component(head[len(prefix) :], unique=False)
    if _COMMIT.fullmatch(head):
        return head[:12]
    return DEFAULT_BRANCH


def read_origin_owner(folder: str) -> str | None:
    """Returns the owner that the address of `origin` names, if that is plain.

    Args:
      folder: The repository.

    Returns:
      For `https://host/owner/name.git` or `git@host:owner/name.git` the owner, else None.
    """
    section = _ORIGIN_SECTION.search(_read_git_file(folder, "config"))
    url = _ORIGIN_URL.search(section.group(1)) if section else None
    if url is None:
        return None
    address = url.group(1)
    scp = _SCP_ADDRESS.match(address)
    if scp:
        path = scp.group(1)
    else:
        try:
            parts = urllib.parse.urlsplit(address)
        except ValueError:
            return None
        if parts.scheme not in ("http", "https", "ssh", "git"):
            return None
        path = parts.path
    components = [part for part in path.split("/") if part]
    if len(components) < 2 or not _OWNER.fullmatch(components[-2]):
        return None
    return components[-2]


def _is_checkout(folder: str) -> bool:
    return os.path.lexists(os.path.join(folder, ".git"))


def _is_virtual_environment(folder: str) -> bool:
    return os.path.lexists(os.path.join(folder, "pyvenv.cfg"))


class CheckoutsSource(source.Source):
    """A folder of checkouts on this machine."""

    def __init__(
        self,
        checkouts_dir: str,
        *,
        max_file_bytes: int = repository_folder.DEFAULT_MAX_FILE_BYTES,
    ) -> None:
        """Names the folder.

        Args:
          checkouts_dir: Holds the repositories.
          max_file_bytes: A larger file is skipped.
        """
        self._dir = os.path.realpath(checkouts_dir)
        self._max_file_bytes = max_file_bytes

    def identity(self) -> dict[str, Any]:
        """Returns the kind and the folder."""
        return {
            "source": "checkouts",
            "location": flcc_layout.printable_name(self._dir),
            "max_file_bytes": self._max_file_bytes,
        }

    def describe(self) -> str:
        """Says what the source is."""
        return f"the checkouts in {flcc_layout.printable_name(self._dir)}"

    @staticmethod
    def _is_excluded(folder: str) -> bool:
        name = os.path.basename(folder)
        # The rule on dots also keeps out source trees: their files stand below folders like `.py`.
        return name.startswith(".") or name in _EXCLUDED_FOLDERS or _is_virtual_environment(folder)

    def _subfolders(self, folder: str, counts: tally.Tally) -> list[str]:
        """Folders that may be repositories, in the order of their names' bytes.

        Raises:
          InputError: The folder cannot be listed.
        """
        try:
            with os.scandir(folder) as entries:
                listing = sorted(entries, key=lambda entry: os.fsencode(entry.name))
        except OSError as error:
            raise errors.InputError(
                f"cannot read {flcc_layout.printable_name(folder)}: {error.strerror}; wanted a "
                "folder that holds checkouts; check the path and its permissions"
            ) from error
        found = []
        for entry in listing:
            if entry.is_symlink():
                counts.skip(tally.SYMBOLIC_LINK)
            elif not entry.is_dir(follow_symlinks=False):
                if languages.language_of(entry.name, table=languages.ALL_LANGUAGES):
                    counts.skip(_NOT_IN_A_REPOSITORY)
            elif self._is_excluded(entry.path):
                counts.skip(tally.EXCLUDED_FOLDER)
            else:
                found.append(entry.path)
        return found

    def _folders(self, counts: tally.Tally) -> Iterator[tuple[str, str]]:
        """Yields `(folder, organisation)` of every repository.

        Raises:
          InputError: The folder cannot be read, or is itself a checkout.
        """
        if _is_checkout(self._dir):
            raise errors.InputError(
                f"{flcc_layout.printable_name(self._dir)} is itself a checkout; wanted the folder "
                "that holds one or more checkouts; give the folder above it"
            )
        own_name = os.path.basename(self._dir) or "checkouts"
        for folder in self._subfolders(self._dir, counts):
            if _is_checkout(folder):
                yield folder, read_origin_owner(folder) or own_name
                continue
            # What is counted while peeping belongs to a plain repository's own walk.
            peeped = tally.Tally()
            try:
                inner = self._subfolders(folder, peeped)
            except errors.InputError:
                counts.skip(tally.UNREADABLE)
                continue
            if any(map(_is_checkout, inner)):
                counts.skipped.update(peeped.skipped)
                for repository in inner:
                    yield repository, os.path.basename(folder)
            else:
                yield folder, own_name

    def find_checkouts(self, counts: tally.Tally) -> list[Checkout]:
        """Lists the repositories.

        Args:
          counts: Where links and excluded folders are counted.

        Returns:
          The repositories, in the order of their folders' names; no two share a name.
        """
        found: list[Checkout] = []
        taken = set()
        for folder, owner in self._folders(counts):
            organization = flcc_tree.safe_component(owner)
            repository = flcc_tree.safe_component(os.path.basename(folder))
            if (organization, repository) in taken:
                place = os.fsencode(folder[len(self._dir) :])
                repository += "-" + hashlib.sha256(place).hexdigest()[:8]
            taken.add((organization, repository))
            found.append(Checkout(folder, organization, repository, read_branch(folder)))
        return found

    def _copy_checkout(
        self, checkout: Checkout, *, root: pathlib.Path, counts: tally.Tally
    ) -> None:
        writer = flcc_tree.BranchWriter(
            root,
            organization=checkout.organization,
            repository=checkout.repository,
            branch=checkout.branch,
        )
        repository_folder.copy_files(
            checkout.path,
            writer=writer,
            table=languages.ALL_LANGUAGES,
            is_excluded=self._is_excluded,
            counts=counts,
            max_file_bytes=self._max_file_bytes,
        )
        if writer.num_files:
            license_copies.copy_license_files(checkout.path, writer=writer, counts=counts)
        writer.close()
        counts.num_repositories += writer.num_files > 0

    def write_tree(self, root: pathlib.Path) -> tally.Tally:
        """Copies the source files of every repository.

        Args:
          root: An empty folder.

        Returns:
          The counts.

        Raises:
          InputError: The folder cannot be read, or holds no repository or no source file.
        """
        counts = tally.Tally()
        checkouts = self.find_checkouts(counts)
        if not checkouts:
            raise errors.InputError(
                f"{flcc_layout.printable_name(self._dir)} holds no repository; wanted folders "
                "DIR/<repository> or DIR/<organization>/<repository>; check the path"
            )
        for checkout in progress.progress_bar(
            checkouts, description="checkouts", unit="repository"
        ):
            self._copy_checkout(checkout, root=root, counts=counts)
        if not counts.num_files:
            raise errors.InputError(
                f"{flcc_layout.printable_name(self._dir)} holds {len(checkouts)} repositories and "
                "no source file in them; wanted files such as "
                f"{', '.join(sorted(languages.ALL_LANGUAGES)[:8])}; check the path"
            )
        return counts

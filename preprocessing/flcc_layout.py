"""Reads the FLCC v3 folder layout.

    <input_dir>/v3/languages/<Language>/.<ext>/<org>/<repository>/<branch>/<flat file name>
    <input_dir>/v3/repositories/<org>/<repository>/<branch>/paths.json

A *flat name* is a file's name in its branch folder; `paths.json` maps flat names to paths in the
repository. A *repository* is named `<org>/<repository>`. A *work unit* is a bounded run of files in
the data set's order (bytes of language, extension, organisation, repository, branch, flat name):
what one worker scans at a time.

Everything here is hostile until proven otherwise: links are listed but never followed, and no path
that `paths.json` gives is ever opened.
"""

from __future__ import annotations

import dataclasses
import errno
import json
import os
import pathlib
import stat
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from code_t5 import errors

# paths.json of the largest repositories is a few MB.
_MAX_PATHS_JSON_BYTES = 64 << 20
_MAX_PATH_LENGTH = 4096
# Of a path that is not used, in a warning.
_MAX_SHOWN = 100


class FileEntry(NamedTuple):
    """One entry of a branch folder, as the directory listing shows it.

    Attributes:
      name: The flat name, as the operating system gives it.
      size_bytes: From the listing.
      mtime_ns: Time of last change, nanoseconds.
      mode: File type and permission bits, not following links.
    """

    name: str
    size_bytes: int
    mtime_ns: int
    mode: int

    @property
    def is_link(self) -> bool:
        """Whether the entry is a symbolic link."""
        return stat.S_ISLNK(self.mode)

    @property
    def is_regular(self) -> bool:
        """Whether the entry is a plain file."""
        return stat.S_ISREG(self.mode)


class Branch(NamedTuple):
    """One branch folder of one repository in one language.

    Attributes:
      root: The `v3` folder.
      language: For example `Python`.
      extension: With the dot, for example `.py`.
      organization: First part of the repository's name.
      repository: Second part.
      branch: Name of the branch folder.
    """

    root: str
    language: str
    extension: str
    organization: str
    repository: str
    branch: str

    @property
    def full_name(self) -> str:
        """`<org>/<repository>`, the unit of splitting."""
        return f"{self.organization}/{self.repository}"

    @property
    def files_dir(self) -> pathlib.Path:
        """Folder that holds the flat files."""
        return pathlib.Path(
            self.root, "languages", self.language, self.extension,
            self.organization, self.repository, self.branch,
        )  # fmt: skip

    @property
    def has_own_metadata(self) -> bool:
        """Whether no folder on the way to `paths_json` is a symbolic link."""
        folder = self.paths_json.parent
        return not any(path.is_symlink() for path in (folder, *list(folder.parents)[:3]))

    @property
    def paths_json(self) -> pathlib.Path:
        """File that maps flat names to paths."""
        return pathlib.Path(
            self.root, "repositories", self.organization, self.repository, self.branch, "paths.json"
        )


@dataclasses.dataclass(frozen=True)
class WorkUnit:
    """A bounded run of files in the data set's order.

    Attributes:
      unit_index: Counted from 0.
      first_file_id: Number of files in the units before it.
      groups: The branches with their entries; a large branch may go on in the next unit.
    """

    unit_index: int
    first_file_id: int
    groups: tuple[tuple[Branch, tuple[FileEntry, ...]], ...]

    @property
    def num_files(self) -> int:
        """Number of entries in all groups."""
        return sum(len(entries) for _, entries in self.groups)

    @property
    def size_bytes(self) -> int:
        """Sum of the sizes that the listing shows."""
        return sum(entry.size_bytes for _, entries in self.groups for entry in entries)


def printable_name(name: str) -> str:
    r"""Returns a file name as valid Unicode: bytes that are no UTF-8 are written as `\xNN`.

    >>> printable_name("caf\udce9.py")
    'caf\\xe9.py'
    """
    return os.fsencode(name).decode("utf-8", errors="backslashreplace")


def _listing(folder: pathlib.Path) -> list[os.DirEntry[str]]:
    """Entries of a folder in the order of their names' bytes."""
    with os.scandir(folder) as entries:
        return sorted(entries, key=lambda entry: os.fsencode(entry.name))


def _subfolders(folder: pathlib.Path) -> list[str]:
    return [e.name for e in _listing(folder) if e.is_dir(follow_symlinks=False)]


def find_v3_root(input_dir: str | os.PathLike[str]) -> pathlib.Path:
    """Finds the `v3` folder of an FLCC data set.

    Args:
      input_dir: The data set's folder, or its `v3` folder itself.

    Returns:
      The `v3` folder.

    Raises:
      InputError: The folder is missing, unreadable or not in FLCC layout.
    """
    folder = pathlib.Path(input_dir)
    try:
        names = sorted(os.listdir(folder))
    except OSError as error:
        raise errors.InputError(
            f"cannot read the input directory {folder}: {error.strerror}; wanted a folder in FLCC "
            "layout (v3/languages/<Language>/.<ext>/...); check --input_dir"
        ) from error
    for root in (folder / "v3", folder):
        if (root / "languages").is_dir():
            return root
    found = ", ".join(map(printable_name, names[:5])) or "nothing"
    raise errors.InputError(
        f"{folder} is not in FLCC layout: it holds {found}; wanted v3/languages/<Language>/.<ext>; "
        "scripts/build_dev_dataset.sh --checkouts lays ordinary checkouts out so"
    )


def select_languages(root: pathlib.Path, languages: Sequence[str]) -> list[str]:
    """Returns the language folders to read, in order.

    Args:
      root: The `v3` folder.
      languages: Names of language folders, or `all` alone.

    Returns:
      Existing folder names.

    Raises:
      InputError: A language has no folder.
    """
    try:
        found = _subfolders(root / "languages")
    except OSError as error:
        raise errors.InputError(
            f"cannot read {root / 'languages'}: {error.strerror}; wanted the folder of languages; "
            "check its permissions"
        ) from error
    if list(languages) == ["all"]:
        return found
    for language in languages:
        if language not in found:
            raise errors.InputError(
                f"{root / 'languages'} has no folder {language}; it has "
                f"{', '.join(map(printable_name, found)) or 'none'}; check --language"
            )
    return sorted(set(languages), key=os.fsencode)


def list_branches(root: pathlib.Path, languages: Sequence[str]) -> Iterator[Branch]:
    """Yields every branch folder of the languages, in the data set's order.

    Args:
      root: The `v3` folder.
      languages: Names of existing language folders.

    Yields:
      The branches. A folder that is a symbolic link is left out: the tree ends there.
    """
    for language in languages:
        base = root / "languages" / language
        for extension in _subfolders(base):
            for organization in _subfolders(base / extension):
                for repository in _subfolders(base / extension / organization):
                    for branch in _subfolders(base / extension / organization / repository):
                        yield Branch(
                            str(root), language, extension, organization, repository, branch
                        )


def list_files(branch: Branch) -> list[FileEntry]:
    """Returns the entries of a branch folder in the order of their names' bytes.

    Args:
      branch: Where to look.

    Returns:
      Files, links and whatever else is no folder; a file that vanishes meanwhile has mode 0.
    """
    entries = []
    for entry in _listing(branch.files_dir):
        if entry.is_dir(follow_symlinks=False):
            continue
        try:
            status = entry.stat(follow_symlinks=False)
            fields = (status.st_size, status.st_mtime_ns, status.st_mode)
        except FileNotFoundError:
            fields = (0, 0, 0)
        entries.append(FileEntry(entry.name, *fields))
    return entries


def work_units(
    branches: Iterator[Branch], *, max_files: int = 1024, max_bytes: int = 16 << 20
) -> Iterator[WorkUnit]:
    """Cuts the data set into work units; the cuts depend on nothing but the listing.

    Args:
      branches: In the data set's order.
      max_files: Most files in a unit.
      max_bytes: A unit is closed once it holds this much.

    Yields:
      Units of one file or more.
    """
    groups: list[tuple[Branch, tuple[FileEntry, ...]]] = []
    unit_index = first_file_id = num_files = num_bytes = 0
    for branch in branches:
        pending: list[FileEntry] = []
        for entry in list_files(branch):
            pending.append(entry)
            num_files += 1
            num_bytes += entry.size_bytes
            if num_files >= max_files or num_bytes >= max_bytes:
                groups.append((branch, tuple(pending)))
                yield WorkUnit(unit_index, first_file_id, tuple(groups))
                unit_index, first_file_id = unit_index + 1, first_file_id + num_files
                groups, pending, num_files, num_bytes = [], [], 0, 0
        if pending:
            groups.append((branch, tuple(pending)))
    if groups:
        yield WorkUnit(unit_index, first_file_id, tuple(groups))


def read_bounded(path: str | os.PathLike[str], limit: int) -> bytes:
    """Reads at most `limit + 1` bytes of a plain file, whatever the name has become meanwhile.

    Args:
      path: The file; a link is not followed.
      limit: In bytes.

    Returns:
      The beginning of the file.

    Raises:
      OSError: It cannot be read, or is no plain file.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise OSError(errno.EINVAL, "not a plain file any more")
        pieces = []
        left = limit + 1
        while left > 0:
            piece = os.read(descriptor, min(left, status.st_size + 1))
            if not piece:
                break
            pieces.append(piece)
            left -= len(piece)
        return b"".join(pieces)
    finally:
        os.close(descriptor)


def is_safe_path(path: str) -> bool:
    """Says whether a path stays inside the repository that it is said to be in.

    >>> is_safe_path("src/main.py"), is_safe_path("../../outside.py"), is_safe_path("/etc/passwd")
    (True, False, False)
    """
    if not path or len(path) > _MAX_PATH_LENGTH or "\0" in path or path.startswith(("/", "\\")):
        return False
    if len(path) > 1 and path[1] == ":":
        return False
    return ".." not in path.replace("\\", "/").split("/")


def read_paths(branch: Branch) -> tuple[dict[str, str], list[str]]:
    """Reads a branch's `paths.json`.

    Args:
      branch: Whose file to read.

    Returns:
      `(paths, problems)`: flat name to path, for the entries that can be trusted, and one line for
      each thing that was wrong. A branch without the file has no paths, which is no problem.
    """
    file = branch.paths_json
    if not branch.has_own_metadata:
        return {}, [f"{file} lies behind a symbolic link; wanted a folder; its paths are not used"]
    try:
        data = read_bounded(file, _MAX_PATHS_JSON_BYTES)
        if len(data) > _MAX_PATHS_JSON_BYTES:
            return {}, [f"{file} is over {_MAX_PATHS_JSON_BYTES} bytes; its paths are not used"]
        value = json.loads(data)
    except FileNotFoundError:
        return {}, []
    except (OSError, ValueError, RecursionError) as error:
        return {}, [
            f"{file} cannot be read ({error}); wanted one JSON object of flat name to path; "
            "its files are kept under their flat names; restore it and build again with --overwrite"
        ]
    if not isinstance(value, dict):
        return {}, [f"{file} holds a {type(value).__name__}; wanted one JSON object; not used"]
    paths, unsafe = {}, []
    for name, path in value.items():
        if isinstance(path, str) and is_safe_path(path):
            paths[name] = path.encode("utf-8", errors="replace").decode("utf-8")
        else:
            unsafe.append(str(path)[:_MAX_SHOWN])
    problems = [
        f"{file} names {path!r}, which is no path inside the repository; not used"
        for path in unsafe
    ]
    return paths, problems[:3]


def unknown_names(branch: Branch, paths: dict[str, str]) -> list[str]:
    """Returns the flat names of this language in `paths` for which there is no file.

    Args:
      branch: Whose `paths.json` it is.
      paths: What `read_paths` gave; it names the files of all languages.
    """
    present = set(os.listdir(branch.files_dir))
    return [name for name in paths if name.endswith(branch.extension) and name not in present]

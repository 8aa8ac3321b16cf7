"""What lies in `hub/`, told by the names that huggingface_hub gives.

    hub/models--org--name/blobs/HASH              the contents, each under its own hash
    hub/models--org--name/snapshots/COMMIT/FILE   a link to a content, or the content itself
    hub/models--org--name/refs/main               the commit that a branch or tag stood for

A *hash* of 64 digits is the content's SHA-256, one of 40 what git calls the blob: so a content can
be checked with nothing but its name. A folder may be a link to another one: a repository's earlier
name. Names, links and files may come from anywhere: none is followed out of `hub/`.
"""

from __future__ import annotations

import dataclasses
import os
import pathlib
import re
import stat
from collections.abc import Iterator, Mapping

from code_t5 import errors
from code_t5.hf_artifacts.cache_root import CacheRoot
from code_t5.hf_artifacts.checking.findings import Finding
from code_t5.hf_artifacts.requests import ArtefactRequest

_KINDS = {"models": "model", "datasets": "dataset", "spaces": "space"}
_FOLDER = re.compile(r"(models|datasets|spaces)--(.+)", re.DOTALL)
COMMIT = re.compile(r"[0-9a-f]{40}")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_MAX_REF_BYTES = 200
UNFINISHED = ".incomplete"


@dataclasses.dataclass(frozen=True)
class Snapshot:
    """The files of one commit of a repository.

    Attributes:
      repository_type: "model", "dataset" or "space".
      name: The repository's.
      commit: The folder's name.
      path: The folder; where a repository's folder is a link, what it leads to.
      files: Where each content lies, by its path in the repository; only what is there.
      refs: Branches and tags that stood for the commit.
    """

    repository_type: str
    name: str
    commit: str
    path: pathlib.Path
    files: Mapping[str, pathlib.Path]
    refs: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        """Its name as an owner of files."""
        return f"{self.path.parent.parent.name}@{self.commit}"


@dataclasses.dataclass(frozen=True)
class HubContents:
    """Everything that was found in `hub/`.

    Attributes:
      snapshots: By repository and commit.
      blobs: Every finished content.
      findings: What is not as it should be.
    """

    snapshots: tuple[Snapshot, ...]
    blobs: tuple[pathlib.Path, ...]
    findings: tuple[Finding, ...]


def name_hash(path: pathlib.Path) -> str:
    """Returns which hash a content's name is: `sha256`, `git`, or nothing if it is none.

    Args:
      path: The content.

    >>> name_hash(pathlib.Path("blobs/" + 40 * "a"))
    'git'
    """
    if path.parent.name != "blobs":
        return ""
    return (
        "sha256" if _SHA256.fullmatch(path.name) else "git" if COMMIT.fullmatch(path.name) else ""
    )


def is_below(path: pathlib.Path, folder: pathlib.Path) -> bool:
    """Says whether a path without links lies in a folder.

    Args:
      path: With all links followed.
      folder: Likewise.
    """
    return folder == path or folder in path.parents


def is_file(path: pathlib.Path) -> bool:
    """Says whether there is a regular file: no folder, device or pipe.

    Args:
      path: With all links followed.
    """
    try:
        return stat.S_ISREG(os.lstat(path).st_mode)
    except OSError:
        return False


def read_hub(root: CacheRoot) -> HubContents:
    """Walks through `hub/` and reads nothing but names, links and refs.

    Args:
      root: Which; it may hold no `hub/`.
    """
    if not root.hub_dir.is_dir():
        return HubContents((), (), ())
    walk = _Walk(root)
    for entry in walk.entries(root.hub_dir):
        named = _FOLDER.fullmatch(entry.name)
        if named and entry.is_symlink():
            walk.check_link(entry)
        elif named and entry.is_dir():
            walk.read_repository(entry, kind=_KINDS[named[1]], name=named[2].replace("--", "/"))
    return HubContents(tuple(walk.snapshots), tuple(walk.blobs), tuple(walk.findings))


def read_refs(repository: pathlib.Path) -> dict[str, str]:
    """Returns the commit that each branch and tag stood for.

    Args:
      repository: Its folder.
    """
    folder = repository / "refs"
    refs = {}
    for path in sorted(folder.rglob("*")):
        if is_file(path):
            with open(path, "rb") as file:
                commit = file.read(_MAX_REF_BYTES).decode("ascii", "replace").strip()
            refs[path.relative_to(folder).as_posix()] = commit
    return refs


def snapshot_dir(root: CacheRoot, *, request: ArtefactRequest, commit: str = "") -> pathlib.Path:
    """Returns the folder in which the files of one artefact lie, all links followed.

    Args:
      root: Where it is.
      request: Which.
      commit: Of the repository; empty for the one that the request's revision stands for.

    Raises:
      InputError: Its repository is not there, leads elsewhere, or does not know the revision.
    """
    folder = f"{request.repository_type}s/{request.name}".replace("/", "--")
    repository = _resolve(root.hub_dir / folder)
    revision = request.revision or "main"
    if repository is not None and not commit:
        commit = revision if COMMIT.fullmatch(revision) else read_refs(repository).get(revision, "")
    if (
        repository is None
        or repository.parent != root.hub_dir.resolve()
        or not COMMIT.fullmatch(commit)
    ):
        raise errors.InputError(
            f"{request.where} is not in {root.hub_dir}; wanted a repository of which {revision} is "
            "known; fetch it with precache"
        )
    return repository / "snapshots" / commit


def find_files(
    root: CacheRoot, *, request: ArtefactRequest, commit: str = ""
) -> dict[str, pathlib.Path]:
    """Returns where the files of one artefact lie, by their paths in its repository.

    Args:
      root: Where it is.
      request: Which.
      commit: Of the repository; empty for the one that the request's revision stands for.

    Raises:
      InputError: Nothing of it is there, or it leads elsewhere.
    """
    folder = snapshot_dir(root, request=request, commit=commit)
    files = _Walk(root).read_snapshot(folder)
    if not files:
        raise errors.InputError(
            f"nothing of {request.where} is in {root.hub_dir}; wanted files of {folder.name}; "
            "fetch it with precache"
        )
    return files


class _Walk:
    """Collects while it walks."""

    def __init__(self, root: CacheRoot) -> None:
        self._root = root
        self._hub = root.hub_dir.resolve()
        self.snapshots: list[Snapshot] = []
        self.blobs: list[pathlib.Path] = []
        self.findings: list[Finding] = []

    def _find(
        self, path: pathlib.Path, problem: str, *, owners: tuple[str, ...] = (), note: bool = False
    ) -> None:
        shown = os.path.relpath(path, self._root.path)
        self.findings.append(Finding(shown, problem, owners=owners, is_damage=not note))

    def entries(self, folder: pathlib.Path) -> list[pathlib.Path]:
        """Returns what lies in a folder, sorted; nothing where there is none."""
        try:
            return sorted(folder.iterdir())
        except (FileNotFoundError, NotADirectoryError):
            return []
        except OSError as error:
            self._find(folder, f"cannot be read: {error.strerror}; change its permissions")
            return []

    def _files_below(self, folder: pathlib.Path) -> Iterator[pathlib.Path]:
        """Yields what lies in a folder and those below, links to folders as they stand."""
        for entry in self.entries(folder):
            if entry.is_dir() and not entry.is_symlink():
                yield from self._files_below(entry)
            else:
                yield entry

    def check_link(self, link: pathlib.Path) -> None:
        """Looks where a repository's other name leads."""
        target = _resolve(link)
        if target is None or not target.is_dir():
            self._find(link, "leads to nothing; wanted a repository; fetch it again with precache")
        elif target.parent != self._hub:
            self._find(link, f"leads out of hub/, to {target}; wanted a folder in it; remove it")

    def read_repository(self, folder: pathlib.Path, *, kind: str, name: str) -> None:
        """Takes in one repository's contents, refs and snapshots."""
        for part in ("blobs", "snapshots", "refs"):
            if (folder / part).is_symlink():
                self._find(folder / part, "is a link; wanted a folder; remove it and fetch again")
                return
        finished = [path for path in self.entries(folder / "blobs") if is_file(path)]
        unfinished = [path for path in finished if path.name.endswith(UNFINISHED)]
        self.blobs += [path for path in finished if path not in unfinished]
        refs = read_refs(folder)
        found = [path for path in self.entries(folder / "snapshots") if path.is_dir()]
        for path in found:
            if path.is_symlink():
                self._find(path, "is a link; wanted a folder; remove it and fetch again")
                continue
            files = self.read_snapshot(path)
            names = tuple(sorted(ref for ref, commit in refs.items() if commit == path.name))
            self.snapshots.append(Snapshot(kind, name, path.name, path, files, names))
        commits = {path.name for path in found}
        for ref, commit in refs.items():
            if not COMMIT.fullmatch(commit):
                self._find(folder / "refs" / ref, f"holds {commit!a}; wanted a commit; fetch again")
            elif commit not in commits and not (folder / ".no_exist" / commit).is_dir():
                self._find(
                    folder / "refs" / ref,
                    f"stands for {commit}, of which nothing is here; fetch it with precache",
                    note=True,
                )
        for path in unfinished:
            owners = tuple(f"{folder.name}@{commit}" for commit in sorted(commits))
            problem = "half a download: it was broken off, or goes on now; fetch it with precache"
            self._find(path, problem, owners=owners, note=True)

    def read_snapshot(self, snapshot: pathlib.Path) -> dict[str, pathlib.Path]:
        """Returns the contents of one commit by their paths in the repository."""
        key = f"{snapshot.parent.parent.name}@{snapshot.name}"
        return dict(self._snapshot_files(snapshot, owners=(key,)))

    def _snapshot_files(
        self, snapshot: pathlib.Path, *, owners: tuple[str, ...]
    ) -> Iterator[tuple[str, pathlib.Path]]:
        repository = snapshot.parent.parent
        allowed = (repository / "blobs").resolve()
        own = snapshot.resolve()
        for path in self._files_below(snapshot):
            target = _resolve(path)
            if target is not None and path.is_symlink() and not is_below(target, allowed):
                problem = f"leads to {target}; wanted a content of {repository.name}; remove it"
                self._find(path, problem, owners=owners)
            elif target is None or not is_file(target):
                problem = "its content is not there; wanted a file; fetch it again with precache"
                self._find(path, problem, owners=owners)
            elif not path.is_symlink() and not is_below(target, own):
                self._find(path, "lies behind a link; wanted a file; remove it", owners=owners)
            else:
                yield path.relative_to(snapshot).as_posix(), target


def _resolve(path: pathlib.Path) -> pathlib.Path | None:
    """Returns where a path leads; None for nowhere, or in a circle."""
    try:
        return path.resolve(strict=True)
    except (OSError, RuntimeError, ValueError):
        return None

"""What lies in `hub/`, told by the names that huggingface_hub gives.

    hub/models--org--name/blobs/HASH              the contents, each under its own hash
    hub/models--org--name/snapshots/COMMIT/FILE   a link to a content, or the content itself
    hub/models--org--name/refs/main               the commit that a branch or tag stood for

A *hash* of 64 digits is the content's SHA-256, one of 40 what git calls the blob: so a content can
be checked with nothing but its name. A folder may be a link to another one: a repository's earlier
name. Names, links and files may come from anywhere: none is followed out of `hub/`.
"""

from __future__ import annotations

import contextlib
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


def size_of(path: pathlib.Path) -> int:
    """Returns a file's size; 0 if it is not there.

    Args:
      path: Any.
    """
    try:
        return os.stat(path).st_size
    except OSError:
        return 0


def is_file(path: pathlib.Path) -> bool:
    """Says whether there is a regular file: no folder, device or pipe.

    Args:
      path: With all links followed.
    """
    try:
        return stat.S_ISREG(os.lstat(path).st_mode)
    except OSError:
        return False


def shown_path(root: CacheRoot, path: pathlib.Path) -> str:
    """Returns a path as findings write it: relative to the root, where it lies in it.

    Args:
      root: Which.
      path: With or without links followed.
    """
    for folder in (root.path, root.path.resolve()):
        if is_below(path, folder):
            return path.relative_to(folder).as_posix()
    return str(path)


def read_hub(root: CacheRoot) -> HubContents:
    """Walks through `hub/`, and the links to it, and reads nothing but names, links and refs.

    Args:
      root: Which; it may hold no `hub/`.
    """
    walk = _Walk(root)
    for entry in walk.entries(root.transformers_dir):
        # transformers reads models through these; what they lead to is checked in hub/.
        if entry.is_symlink():
            walk.check_link(entry)
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
        # What is gone or may not be read is no ref.
        with contextlib.suppress(OSError):
            if not is_file(path):
                continue
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
        shown = shown_path(self._root, path)
        self.findings.append(Finding(shown, problem, owners=owners, is_damage=not note))

    def entries(self, folder: pathlib.Path) -> list[pathlib.Path]:
        """Returns what lies in a folder, sorted; nothing where there is none."""
        try:
            return [folder / name for name in sorted(os.listdir(folder))]
        except (FileNotFoundError, NotADirectoryError):
            return []
        except OSError as error:
            self._find(folder, f"cannot be read: {error.strerror}; change its permissions")
            return []

    def _files_below(
        self, folder: pathlib.Path, prefix: str = ""
    ) -> Iterator[tuple[pathlib.Path, str]]:
        """Yields what lies in a folder and those below with its name, links as they stand."""
        for entry in self.entries(folder):
            name = f"{prefix}{entry.name}"
            if _is_folder(entry):
                yield from self._files_below(entry, f"{name}/")
            else:
                yield entry, name

    def check_link(self, link: pathlib.Path) -> None:
        """Looks where a repository's other name, or another folder's link to one, leads."""
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
        allowed = _resolve(repository / "blobs")
        for path, name in self._files_below(snapshot):
            target = _read_usual_link(path, depth=name.count("/"), blobs=allowed)
            is_link = target is not None or path.is_symlink()
            target = target or _resolve(path)
            if is_link and target is not None and not (allowed and is_below(target, allowed)):
                problem = f"leads to {target}; wanted a content of {repository.name}; remove it"
                self._find(path, problem, owners=owners)
            elif target is None or not is_file(target):
                problem = "its content is not there; wanted a file; fetch it again with precache"
                self._find(path, problem, owners=owners)
            else:
                yield name, target


def _is_folder(path: pathlib.Path) -> bool:
    """Says whether there is a folder, and no link to one."""
    try:
        return stat.S_ISDIR(os.lstat(path).st_mode)
    except OSError:
        return False


def _read_usual_link(
    path: pathlib.Path, *, depth: int, blobs: pathlib.Path | None
) -> pathlib.Path | None:
    """Returns where a link of huggingface_hub leads; None for a file, or a link of other making.

    Following links step by step, as `_resolve` does, takes ten times as long.

    Args:
      path: A file of a snapshot.
      depth: Of its folder, below the snapshot.
      blobs: The repository's contents, all links followed.
    """
    try:
        link = os.readlink(path)
    except OSError:
        return None
    prefix = "../" * (depth + 2) + "blobs/"
    name = link[len(prefix) :]
    if blobs is None or not link.startswith(prefix) or "/" in name or name in ("", ".", ".."):
        return None
    target = blobs / name
    return target if is_file(target) else None


def _resolve(path: pathlib.Path) -> pathlib.Path | None:
    """Returns where a path leads; None for nowhere, or in a circle."""
    try:
        return path.resolve(strict=True)
    except (OSError, RuntimeError, ValueError):
        return None

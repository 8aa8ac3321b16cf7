"""Where a data set may lie: the caches of the process, and the names it may have there.

The *caches* are a root that the environment or the caller names, and what `datasets` and
huggingface_hub take for theirs. A repository has several *names* where the Hub renamed it; the
records and the links in `hub/` know which.
"""

from __future__ import annotations

import dataclasses
import os
import pathlib
import re
import tempfile
from collections.abc import Iterator

from code_t5 import errors
from code_t5.hf_artifacts import cache_root, records
from code_t5.hf_artifacts.cache_root import CacheRoot
from code_t5.hf_artifacts.loading.dataset_request import DatasetRequest
from code_t5.hf_artifacts.loading.tried import RECORDED, Tried
from code_t5.hf_artifacts.records import ArtefactRecord

_COMMIT = re.compile(r"[0-9a-f]{40}")
_FOLDER = "datasets--"


@dataclasses.dataclass(frozen=True)
class Caches:
    """Directories, in the order in which they are looked through.

    Attributes:
      roots: With records.
      hub_dirs: With repositories.
      datasets_dirs: With Arrow files; what must be prepared goes to the first.
    """

    roots: tuple[CacheRoot, ...]
    hub_dirs: tuple[pathlib.Path, ...]
    datasets_dirs: tuple[pathlib.Path, ...]

    @property
    def root_path(self) -> str:
        """The cache that a command should fill."""
        return str(self.roots[0].path)


@dataclasses.dataclass(frozen=True)
class RecordFound:
    """A record of the data set that is asked for.

    Attributes:
      root: Its root.
      record: What it says.
    """

    root: CacheRoot
    record: ArtefactRecord


@dataclasses.dataclass(frozen=True)
class Lookup:
    """What is asked for, and where it may be.

    Attributes:
      request: What.
      caches: Where.
      names: Of the repository; the one asked for is the first.
      records: Those of the data set.
      tried: Records that cannot be read.
    """

    request: DatasetRequest
    caches: Caches
    names: tuple[str, ...]
    records: tuple[RecordFound, ...]
    tried: tuple[Tried, ...]

    def repositories(self) -> Iterator[tuple[str, pathlib.Path]]:
        """Yields the repository's folders that are there, by the name each stands for."""
        for hub_dir in self.caches.hub_dirs:
            for name in self.names:
                folder = hub_dir / folder_name(name)
                if folder.is_dir():
                    yield name, folder

    def snapshots(self, commit: str | None = None) -> Iterator[tuple[str, pathlib.Path]]:
        """Yields the snapshots that are there, each once, by the name of the repository.

        Args:
          commit: Only of this one.
        """
        seen: set[str] = set()
        for name, folder in self.repositories():
            paths = sorted(folder.glob("snapshots/*")) if commit is None else []
            for path in paths or [folder / "snapshots" / str(commit)]:
                real = os.path.realpath(path)
                if _COMMIT.fullmatch(path.name) and path.is_dir() and real not in seen:
                    seen.add(real)
                    yield name, path

    def records_of(self, commit: str | None) -> list[RecordFound]:
        """Returns the records of one commit, or all.

        Args:
          commit: Which.
        """
        return [one for one in self.records if commit in (None, one.record.commit)]


def folder_name(name: str) -> str:
    """Returns what huggingface_hub calls the folder of a data set's repository."""
    return _FOLDER + name.replace("/", "--")


def is_commit(text: str) -> bool:
    """Says whether a text is the full name of a commit."""
    return bool(_COMMIT.fullmatch(text))


def find_caches(cache_dir: str | os.PathLike[str] | None) -> Caches:
    """Returns the caches of this process.

    Args:
      cache_dir: As `datasets` takes it: where its Arrow files lie; or a root, then no other cache
        is looked through.
    """
    import datasets
    from huggingface_hub import constants

    hub_dir = CacheRoot(constants.HF_HUB_CACHE).path
    datasets_dir = CacheRoot(datasets.config.HF_DATASETS_CACHE).path
    root = CacheRoot(constants.HF_HOME)
    if cache_dir is not None:
        named = CacheRoot(cache_dir)
        if named.artifacts_dir.is_dir() or named.hub_dir.is_dir():
            return Caches((named,), (named.hub_dir,), (named.datasets_dir,))
        datasets_dir = named.path
    nearby = [CacheRoot(folder.parent) for folder in (datasets_dir, hub_dir)]
    roots = [root, *(near for near in nearby if near.artifacts_dir.is_dir())]
    unique = {one.path: one for one in roots}
    hub_dirs = [hub_dir, *(one.hub_dir for one in unique.values() if one.artifacts_dir.is_dir())]
    return Caches(tuple(unique.values()), tuple(dict.fromkeys(hub_dirs)), (datasets_dir,))


def look_up(request: DatasetRequest, *, cache_dir: str | os.PathLike[str] | None) -> Lookup:
    """Returns where a data set may be.

    Args:
      request: What is asked for.
      cache_dir: As `find_caches` takes it.
    """
    caches = find_caches(cache_dir)
    known: list[RecordFound] = []
    tried: list[Tried] = []
    own = folder_name(request.path) + "--"
    for root in caches.roots:
        for folder in _record_folders(root):
            try:
                known.append(RecordFound(root, records.read_record(folder)))
            except errors.ArtifactError as error:
                if folder.name.startswith(own):
                    tried.append(Tried(RECORDED, str(folder), str(error)))
    names = _names(request.path, caches, known)
    found = [one for one in known if {one.record.request.name, one.record.repository} & set(names)]
    return Lookup(request, caches, names, tuple(found), tuple(tried))


def _record_folders(root: CacheRoot) -> list[pathlib.Path]:
    """Returns the records of data sets, as their names begin with that."""
    there = os.listdir(root.artifacts_dir) if root.artifacts_dir.is_dir() else []
    return [root.artifacts_dir / name for name in sorted(there) if name.startswith(_FOLDER)]


def _names(path: str, caches: Caches, known: list[RecordFound]) -> tuple[str, ...]:
    names = [path]
    for one in known:
        pair = (one.record.request.name, one.record.repository)
        names += pair if path in pair else ()
    for hub_dir in caches.hub_dirs:
        folder = hub_dir / folder_name(path)
        if folder.is_symlink():
            target = pathlib.Path(os.path.realpath(folder)).name
            if target.startswith(_FOLDER):
                names.append(target[len(_FOLDER) :].replace("--", "/"))
    return tuple(dict.fromkeys(names))


def make_scratch_dir() -> pathlib.Path:
    """Returns a folder of this user alone below the system's temporary one; it is made."""
    folder = pathlib.Path(tempfile.gettempdir(), f"code_t5-datasets-{os.getuid()}")
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        status = folder.lstat()
        is_own = status.st_uid == os.getuid() and not folder.is_symlink() and folder.is_dir()
    except OSError:
        is_own = False
    return folder if is_own else pathlib.Path(tempfile.mkdtemp(prefix="code_t5-datasets-"))


def is_offline() -> bool:
    """Says whether the environment or one of the libraries is set to offline."""
    if cache_root.is_offline():
        return True
    import datasets
    from huggingface_hub import constants

    flags = ("HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE")
    return any(
        getattr(module, flag, False) for module in (datasets.config, constants) for flag in flags
    )

"""One repository under all names by which the libraries ask for it, without bytes twice.

The Hub sends `wikiann` on to `unimelb-nlp/wikiann`; offline nobody does. huggingface_hub,
transformers and `datasets` look for a repository under the name that the program gave. So the
folder under the *present name* holds the files, and a relative link under the name that was *asked
for* leads to it. transformers looks below `TRANSFORMERS_CACHE`, where links lead to `hub/`.
"""

from __future__ import annotations

import os
import pathlib
import re

from code_t5 import errors
from code_t5.hf_artifacts.cache_root import CacheRoot
from code_t5.hf_artifacts.requests import ArtefactRequest


def folder_name(request: ArtefactRequest, name: str | None = None) -> str:
    """Returns the name of a repository's folder in `hub/`.

    Args:
      request: Of which kind it is.
      name: The repository's; by default, the one asked for.
    """
    return f"{request.repository_type}s/{name or request.name}".replace("/", "--")


def dataset_folder_name(name: str) -> str:
    """Returns the name of a data set's folder in `datasets/`.

    Args:
      name: The repository's.

    >>> dataset_folder_name("nyu-mll/GlueSet")
    'nyu-mll___glue_set'
    """
    owner, _, last = name.rpartition("/")
    # As `datasets` turns class names into names of files.
    last = re.sub(r"([A-Z]+)([A-Z][a-z])", r"\1_\2", last)
    last = re.sub(r"([a-z\d])([A-Z])", r"\1_\2", last).lower()
    return f"{owner}___{last}" if owner else last


def present_name(root: CacheRoot, request: ArtefactRequest) -> str:
    """Returns the present name of a repository whose folder is there, by the links in `hub/`.

    Args:
      root: Where.
      request: Has the name that was asked for.
    """
    asked = folder_name(request)
    folder = root.hub_dir / asked
    if folder.is_symlink():
        found = os.readlink(folder)
    else:
        # A folder of before the repository was renamed: the new name leads to it.
        paths = root.hub_dir.glob(f"{request.repository_type}s--*")
        links = sorted(path.name for path in paths if path.is_symlink())
        found = next((name for name in links if os.readlink(root.hub_dir / name) == asked), asked)
    prefix = f"{request.repository_type}s--"
    is_name = found.startswith(prefix) and os.sep not in found
    # Names hold no two hyphens in a row.
    return found[len(prefix) :].replace("--", "/") if is_name else request.name


def link_repository(root: CacheRoot, *, request: ArtefactRequest, repository: str) -> None:
    """Makes the folder of a repository, and the links to it; before anything is fetched.

    Args:
      root: Where.
      request: Has the name that was asked for.
      repository: The present name.

    Raises:
      ArtifactError: Something else stands where a link belongs.
    """
    asked, present = folder_name(request), folder_name(request, repository)
    if asked != present:
        _link_folders(root.hub_dir, asked=asked, present=present)
    (root.hub_dir / asked).mkdir(parents=True, exist_ok=True)
    if request.kind == "model":
        below = os.path.relpath(root.hub_dir, root.transformers_dir)
        for name in {asked, present}:
            _link(root.transformers_dir / name, f"{below}/{name}")


def link_datasets_folder(root: CacheRoot, *, request: ArtefactRequest, repository: str) -> None:
    """Makes one folder in `datasets/` for both names; before anything is prepared.

    Args:
      root: Where.
      request: Has the name that was asked for.
      repository: The present name.

    Raises:
      ArtifactError: Something else stands where a link belongs.
    """
    asked, present = dataset_folder_name(request.name), dataset_folder_name(repository)
    # Where the last parts differ the files in them differ by name.
    if asked != present and _last(request.name) == _last(repository):
        _link_folders(root.datasets_dir, asked=asked, present=present)


def link_prepared(root: CacheRoot, *, request: ArtefactRequest, repository: str) -> None:
    """Makes what `datasets` prepared findable under both names; after it was prepared.

    Args:
      root: Where.
      request: Has the name that was asked for.
      repository: The present name.

    Raises:
      ArtifactError: Something else stands where a link belongs.
    """
    asked, present = dataset_folder_name(request.name), dataset_folder_name(repository)
    held, names = root.datasets_dir / asked, (_last(request.name), _last(repository))
    if asked == present or held.resolve() == (root.datasets_dir / present).resolve():
        return
    # The files bear the data set's name: a folder of links that bear the other one.
    for info in held.glob("*/*/*/dataset_info.json"):
        source = info.parent
        target = root.datasets_dir / present / source.relative_to(held)
        _link_files(source, target, names=names)


def _link_folders(folder: pathlib.Path, *, asked: str, present: str) -> None:
    """Makes a folder under its present name, and a link that leads there.

    Raises:
      ArtifactError: Something else stands where a link belongs.
    """
    held, before = folder / present, _own_folder(folder / asked)
    if before is not None and before != present and not os.path.lexists(held):
        # Fetched before the repository was renamed: the files are under its old name.
        _link(held, before)
        return
    held.mkdir(parents=True, exist_ok=True)
    _link(folder / asked, present)


def _own_folder(path: pathlib.Path) -> str | None:
    """Returns the name of the folder that a name stands for, if it lies beside it."""
    name = os.readlink(path) if path.is_symlink() else path.name
    found = path.with_name(name) if os.sep not in name and name not in ("", ".", "..") else None
    is_folder = found is not None and found.is_dir() and not found.is_symlink()
    return name if is_folder else None


def _last(name: str) -> str:
    return dataset_folder_name(name.rpartition("/")[2])


def _link_files(source: pathlib.Path, target: pathlib.Path, *, names: tuple[str, str]) -> None:
    """Links each file of a folder under the other name of the data set.

    Raises:
      ArtifactError: Something else stands where a link belongs.
    """
    target.mkdir(parents=True, exist_ok=True)
    before, after = names
    for file in source.iterdir():
        if file.is_file():
            is_named = file.name.startswith(f"{before}-")
            name = after + file.name[len(before) :] if is_named else file.name
            _link(target / name, os.path.relpath(file, target))


def _link(path: pathlib.Path, target: str) -> None:
    """Makes a relative link, in one step; one that leads elsewhere is replaced.

    Raises:
      ArtifactError: Something else stands there.
    """
    if path.is_symlink() and os.readlink(path) == target:
        return
    if os.path.lexists(path) and not path.is_symlink():
        # A folder of its own: whoever made it put the files there.
        if path.is_dir():
            return
        raise errors.ArtifactError(
            f"{path} is a file; wanted a link to {target}; move it away and run the command again"
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    temporary.unlink(missing_ok=True)
    os.symlink(target, temporary)
    os.replace(temporary, path)

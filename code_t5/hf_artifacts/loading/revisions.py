"""Which commit of a repository is meant, told by what is cached and never by a file's age.

A *reference* is a name of a commit: huggingface_hub writes one file for each that was asked for
(`refs/main`, `refs/refs/convert/parquet`). A commit *has data* here if a record, Arrow files or a
snapshot with more than its README are of it.
"""

from __future__ import annotations

import logging
import os
import pathlib
from collections.abc import Iterator

from code_t5 import errors
from code_t5.hf_artifacts.loading import arrow_place
from code_t5.hf_artifacts.loading.places import Lookup, is_commit
from code_t5.hf_artifacts.loading.tried import SNAPSHOT, RefusedError, Tried

_MAIN = "main"
_MIN_SHORT = 7
_COMMIT_BYTES = 40
# Files that say something about data and hold none.
_NO_DATA = {"README.md", "dataset_infos.json", "LICENSE", "LICENSE.txt"}
_NO_DATA_SUFFIXES = {".py", ".md", ".yaml", ".yml"}


def find_commit(lookup: Lookup) -> str | None:
    """Returns the commit that is meant; None if nothing of the data set is cached.

    Args:
      lookup: What is asked for, and where it may be.

    Raises:
      InputError: Several could be meant.
      RefusedError: The revision that is asked for is not known here.
    """
    revision = lookup.request.revision
    if revision is None:
        return _newest(lookup)
    if is_commit(revision):
        return revision
    named = set(_references(lookup, revision)) or {
        one.record.commit for one in lookup.records if one.record.request.revision == revision
    }
    if not named and len(revision) >= _MIN_SHORT:
        named = {commit for commit in cached_commits(lookup) if commit.startswith(revision)}
    if len(named) == 1:
        return named.pop()
    if named:
        raise errors.InputError(
            f"{lookup.request.where} could be any of the commits {', '.join(sorted(named))}; "
            "wanted one; name it as revision"
        )
    commits = cached_commits(lookup)
    raise RefusedError(
        f"nothing here says which commit {revision} is"
        + (f"; cached: {_describe(lookup, commits)}" if commits else "")
    )


def cached_commits(lookup: Lookup) -> list[str]:
    """Returns every commit of which there is data, sorted.

    Args:
      lookup: Where it may be.
    """
    found = {one.record.commit for one in lookup.records}
    found |= {entry.commit for entry in arrow_place.list_entries(lookup) if entry.commit}
    found |= {path.name for _, path in lookup.snapshots() if _has_data(path)}
    return sorted(found)


def describe_others(lookup: Lookup, commit: str | None) -> str:
    """Returns, for a message, the other commits of which there is data; empty if there is none.

    Args:
      lookup: Where it may be.
      commit: The one that was looked for.
    """
    others = [other for other in cached_commits(lookup) if other != commit]
    return _describe(lookup, others) if others else ""


def refused(lookup: Lookup, error: RefusedError) -> Tried:
    """Returns a revision that is not known here as a place that was refused."""
    folders = [str(folder) for _, folder in lookup.repositories()]
    return Tried(SNAPSHOT, ", ".join(folders) or str(lookup.caches.hub_dirs[0]), str(error))


def _newest(lookup: Lookup) -> str | None:
    """Returns the main branch's commit, or the only one there is.

    Raises:
      InputError: There are several, and none is the main branch's.
    """
    main = next(iter(_references(lookup, _MAIN)), None)
    if main is not None and lookup.records_of(main):
        return main
    commits = cached_commits(lookup)
    if main in commits:
        return main
    if len(commits) > 1:
        raise errors.InputError(
            f"{lookup.request.where}: the main branch is not cached, but "
            f"{_describe(lookup, commits)}; wanted one; name it as revision"
        )
    if commits:
        logging.getLogger(__name__).warning(
            "The main branch of %s is not cached; %s is read, the only one that is",
            lookup.request.path,
            _describe(lookup, commits),
        )
    return commits[0] if commits else None


def _describe(lookup: Lookup, commits: list[str]) -> str:
    words = []
    for commit in commits:
        names = [name for name in _reference_names(lookup) if commit in _references(lookup, name)]
        words.append(f"{commit} ({', '.join(names)})" if names else commit)
    return f"the {'revisions' if len(words) > 1 else 'revision'} {', '.join(words)}"


def _references(lookup: Lookup, revision: str) -> list[str]:
    """Returns the commits that a reference stands for, those of the first cache before others."""
    found = []
    for _, folder in lookup.repositories():
        path = folder / "refs" / revision
        commit = _read_commit(path) if ".." not in revision.split("/") else ""
        if commit and commit not in found:
            found.append(commit)
    return found[:1]


def _reference_names(lookup: Lookup) -> list[str]:
    found: list[str] = []
    for _, folder in lookup.repositories():
        refs = folder / "refs"
        for path in sorted(refs.rglob("*")) if refs.is_dir() else []:
            if path.is_file():
                found.append(path.relative_to(refs).as_posix())
    return list(dict.fromkeys(found))


def _read_commit(path: pathlib.Path) -> str:
    try:
        with open(path, "rb") as file:
            text = file.read(_COMMIT_BYTES + 1).decode("ascii", "replace").strip()
    except OSError:
        return ""
    return text if is_commit(text) else ""


def _has_data(snapshot: pathlib.Path) -> bool:
    return any(_is_data(name) for name in _file_names(snapshot))


def _file_names(snapshot: pathlib.Path) -> Iterator[str]:
    for _, _, names in os.walk(snapshot):
        yield from names


def _is_data(name: str) -> bool:
    path = pathlib.PurePath(name)
    return not (name.startswith(".") or name in _NO_DATA or path.suffix in _NO_DATA_SUFFIXES)

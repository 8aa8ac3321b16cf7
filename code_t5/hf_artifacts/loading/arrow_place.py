"""Arrow files of a data set: those of a record, and those that programs left in the cache.

`datasets` keeps them in `CACHE/<org>___<name>/<id>/<version>/<commit>/`. The *id* is the
configuration's name, and a hash behind it where files, features or options were chosen; it is
made anew here of what is asked for, and only the same will do.
"""

from __future__ import annotations

import dataclasses
import os
import pathlib
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from code_t5 import library_errors
from code_t5.hf_artifacts.loading import arrow_reading
from code_t5.hf_artifacts.loading.arrow_reading import ArrowFiles
from code_t5.hf_artifacts.loading.dataset_request import DatasetRequest
from code_t5.hf_artifacts.loading.places import Lookup, RecordFound, is_commit
from code_t5.hf_artifacts.loading.tried import ARROW, RECORDED, RefusedError, Tried
from code_t5.hf_artifacts.records import PreparedConfig, StoredFile
from code_t5.hf_artifacts.requests import ArtefactRequest

_INCOMPLETE = ".incomplete"
_COMMIT_BYTES = 40
_ADDRESS = re.compile(r"hf://datasets/([^/@]+(?:/[^/@]+)?)@")
# Names that `datasets` may write as it writes another: of small letters alone there is one.
_SPELLING = re.compile(r"[A-Z_]")


@dataclasses.dataclass(frozen=True)
class ArrowEntry:
    """One directory in the cache of `datasets`.

    Attributes:
      directory: Where.
      home: The cache.
      relative: Below the cache.
      config_id: Its configuration's name, with a hash where more was chosen.
      config: Its configuration's name.
      commit: Of the repository; None if the directory does not say.
      files: What a record says of every file; None if there is none.
      addresses: Of the files that it was made of, if it names any.
    """

    directory: pathlib.Path
    home: pathlib.Path
    relative: str
    config_id: str
    config: str
    commit: str | None
    files: Mapping[str, StoredFile] | None = None
    addresses: tuple[str, ...] = ()

    @property
    def is_plain(self) -> bool:
        """Whether nothing but the configuration was chosen."""
        return self.config == self.config_id


def list_entries(lookup: Lookup, commit: str | None = None) -> Iterator[ArrowEntry]:
    """Yields the directories of a data set in the caches of `datasets`.

    Args:
      lookup: Where they may be.
      commit: Only of this one, or of those that do not say.
    """
    for entry in _list_all(lookup, commit):
        if not find_stranger(lookup, entry):
            yield entry


def find_stranger(lookup: Lookup, entry: ArrowEntry) -> str:
    """Returns why a directory may be another repository's; empty if it is not.

    `datasets` calls the directories of `org/fooBar` and of `org/foo_bar` the same.

    Args:
      lookup: What is asked for.
      entry: The directory.
    """
    named = {match.group(1) for match in map(_ADDRESS.match, entry.addresses) if match}
    if named:
        others = ", ".join(sorted(named))
        return "" if named & {*lookup.names} else f"its rows are of the repository {others}"
    if any(not _SPELLING.search(name.rpartition("/")[2]) for name in lookup.names):
        return ""
    if entry.commit and lookup.records_of(entry.commit):
        return ""
    for _, folder in lookup.repositories() if entry.commit else ():
        commit = str(entry.commit)
        if (folder / "snapshots" / commit).is_dir() or commit in _references(folder):
            return ""
    return (
        "it may be of a repository of another spelling (foo_bar, fooBar): nothing in hub/ names "
        f"its commit for {lookup.request.path}"
    )


def _references(repository: pathlib.Path) -> Iterator[str]:
    for path in sorted((repository / "refs").rglob("*")):
        if path.is_file():
            with open(path, "rb") as file:
                yield file.read(_COMMIT_BYTES).decode("ascii", "replace")


def _list_all(lookup: Lookup, commit: str | None) -> Iterator[ArrowEntry]:
    for cache in lookup.caches.datasets_dirs:
        for name in lookup.names:
            home = cache / _folder_name(name)
            for info in sorted(home.glob(f"*/*/*/{arrow_reading.INFO_NAME}")):
                folder = info.parent
                if folder.name.endswith(_INCOMPLETE):
                    continue
                found = folder.name if is_commit(folder.name) else None
                if commit is not None and found not in (None, commit):
                    continue
                config, addresses = arrow_reading.read_origin(folder)
                relative = folder.relative_to(cache).as_posix()
                yield ArrowEntry(
                    folder, cache, relative, folder.parts[-3], config, found, addresses=addresses
                )


def list_prepared(
    lookup: Lookup, commit: str | None
) -> Iterator[tuple[RecordFound, PreparedConfig]]:
    """Yields the Arrow files that records name.

    Args:
      lookup: Where they may be.
      commit: Of which.
    """
    for found in lookup.records_of(commit):
        for prepared in found.record.prepared:
            yield found, prepared


def configs_cached(lookup: Lookup, commit: str | None) -> list[str]:
    """Returns the configurations whose Arrow files are there as they are on the Hub.

    Args:
      lookup: Where they may be.
      commit: Of which.
    """
    found = [entry.config for entry in list_entries(lookup, commit) if entry.is_plain]
    for one, prepared in list_prepared(lookup, commit):
        asked = one.record.request
        if asked.data_files is None and asked.data_dir is None and not _leaves_out(asked):
            found.append(prepared.config)
    return sorted(set(found))


def find_arrow(
    lookup: Lookup,
    *,
    commit: str | None,
    config: str,
    ids: set[str],
    every: Sequence[str] | None,
    tried: list[Tried],
) -> Iterator[tuple[str, str | None, ArrowFiles]]:
    """Yields Arrow files of what is asked for: those of records, then the others.

    Args:
      lookup: What is asked for.
      commit: Of which.
      config: The configuration's name.
      ids: What `datasets` would call the directory.
      every: The splits that there are in the whole repository; None if that is not known.
      tried: Gets what is refused.

    Yields:
      The place's kind, the commit, and the files, in which the splits wanted are there.
    """
    seen: set[str] = set()
    narrow = narrow_dirs(lookup, commit)
    for place, entry in _meant(lookup, commit=commit, config=config, ids=ids, tried=tried):
        real = os.path.realpath(entry.directory)
        if real in seen:
            continue
        seen.add(real)
        try:
            arrow = arrow_reading.describe_arrow(
                entry.directory, home=entry.home, fingerprint=entry.relative, files=entry.files
            )
            arrow_reading.check_splits(arrow, lookup.request.split_names)
            if real in narrow and lookup.request.split_names is None:
                _check_every(arrow, every)
        except RefusedError as error:
            tried.append(Tried(place, str(entry.directory), str(error)))
        else:
            yield place, entry.commit, arrow


def _meant(
    lookup: Lookup, *, commit: str | None, config: str, ids: set[str], tried: list[Tried]
) -> Iterator[tuple[str, ArrowEntry]]:
    """Yields the directories of what is asked for; the others are refused."""
    request, others = lookup.request, list[str]()
    for found, prepared in list_prepared(lookup, commit):
        asked, root = found.record.request, found.root
        folder = root.path / prepared.arrow_dir
        is_same = chooses_same(asked, request) and not request.options
        is_same = is_same and request.features is None
        if (is_same and prepared.config == config) or folder.parts[-3] in ids:
            relative = os.path.relpath(folder, root.datasets_dir)
            entry = ArrowEntry(
                folder, root.path, relative, folder.parts[-3], config, found.record.commit
            )
            yield RECORDED, dataclasses.replace(entry, files=prepared.files)
        else:
            others.append(f"{prepared.config} ({folder.parts[-3]})")
    roots = ", ".join(str(root.artifacts_dir) for root in lookup.caches.roots)
    if not lookup.records_of(commit):
        tried.append(Tried(RECORDED, roots, _no_records(lookup, commit)))
    elif others or not lookup.records_of(commit)[0].record.prepared:
        there = ", ".join(others) or "none"
        tried.append(Tried(RECORDED, roots, f"of this commit they have {there}"))
    entries = []
    for entry in _list_all(lookup, commit):
        stranger = find_stranger(lookup, entry)
        if stranger:
            tried.append(Tried(ARROW, str(entry.directory), stranger))
        else:
            entries.append(entry)
    fitting = [entry for entry in entries if entry.config_id in ids]
    for entry in fitting:
        # A directory that does not say its commit cannot be told from another's.
        if entry.commit is None and request.revision is not None:
            tried.append(Tried(ARROW, str(entry.directory), "its commit is not known"))
        else:
            yield ARROW, entry
    if not fitting:
        there = ", ".join(sorted({entry.config_id for entry in entries})) or "nothing of it"
        where = ", ".join(map(str, lookup.caches.datasets_dirs))
        wanted = f"; wanted {', '.join(sorted(ids))}" if ids else ""
        tried.append(Tried(ARROW, where, f"it has {there}{wanted}"))


def _check_every(arrow: ArrowFiles, every: Sequence[str] | None) -> None:
    """Refuses Arrow files of some splits where all are wanted.

    Raises:
      RefusedError: There are others on the Hub, or nobody knows.
    """
    lacking = sorted({*(every or ())} - {*arrow.splits})
    if every is None or lacking:
        others = ", ".join(lacking) or "others"
        raise RefusedError(
            f"of its splits only {', '.join(arrow.splits)} was fetched, by patterns, not {others}: "
            "name a split that is there"
        )


def _no_records(lookup: Lookup, commit: str | None) -> str:
    if not lookup.records:
        return "none names it"
    commits = sorted({one.record.commit for one in lookup.records})
    return f"they are of the commit {', '.join(commits)}; wanted {commit}"


def config_ids(
    lookup: Lookup, *, config: str | None, commit: str | None, data_files: Mapping[str, Any] | None
) -> set[str]:
    """Returns what `datasets` would call the directory of what is asked for.

    Args:
      lookup: What is asked for.
      config: Name of the configuration.
      commit: Of the repository.
      data_files: Paths in the repository by split, if files are chosen and it is known which.

    Returns:
      Several where it depends on the name that was asked for, or on the reader.

    Raises:
      RefusedError: The configuration's name is none.
    """
    from datasets import BuilderConfig

    request, name = lookup.request, config or "default"
    if request.chooses_files and (data_files is None or commit is None):
        return set()
    found = set()
    try:
        for given in _arguments(lookup, commit=commit or "", data_files=data_files):
            builder = BuilderConfig(name)
            found.add(builder.create_config_id(given, custom_features=request.features))
    except Exception as error:  # names and values that cannot be
        raise RefusedError(
            f"{name} is no configuration ({library_errors.one_line(error)})"
        ) from error
    return found


def _arguments(
    lookup: Lookup, *, commit: str, data_files: Mapping[str, Any] | None
) -> Iterator[dict[str, Any]]:
    request = lookup.request
    options = dict(request.options)
    kinds = [options]
    if request.features is not None:
        # Some readers take them as an option as well.
        kinds.append({**options, "features": request.features})
    for kind in kinds:
        if not request.chooses_files:
            yield dict(kind)
            continue
        for name in lookup.names:
            given = {**kind, "data_files": _as_addresses(data_files or {}, name, commit)}
            yield {**given, "data_dir": request.data_dir} if request.data_dir else given


def _as_addresses(data_files: Mapping[str, Any], name: str, commit: str) -> Any:
    """Returns files as `datasets` names them online, which the hash is made of."""
    from datasets.data_files import DataFilesDict, DataFilesList

    found = DataFilesDict()
    for split, paths in data_files.items():
        addresses = [f"hf://datasets/{name}@{commit}/{path}" for path in paths]
        # Not one pair many times: the hash would tell.
        found[split] = DataFilesList(addresses, [(name, commit) for _ in addresses])
    return found


def _leaves_out(asked: ArtefactRequest) -> bool:
    """Says whether patterns kept files of a configuration from being fetched."""
    return bool(asked.patterns or asked.ignore_patterns)


def narrow_dirs(lookup: Lookup, commit: str | None) -> set[str]:
    """Returns the real paths of Arrow files that were made of some splits, though none were named.

    Args:
      lookup: Where records may be.
      commit: Of which.
    """
    narrow, whole = set[str](), set[str]()
    for found, prepared in list_prepared(lookup, commit):
        kind = narrow if _leaves_out(found.record.request) else whole
        kind.add(os.path.realpath(found.root.path / prepared.arrow_dir))
    return narrow - whole


def chooses_same(asked: ArtefactRequest, request: DatasetRequest) -> bool:
    """Says whether the request of a record chose the files that are asked for.

    Args:
      asked: Of the record.
      request: What is asked for.
    """
    folder = os.path.normpath(asked.data_dir) if asked.data_dir else None
    files = _as_lists(asked.data_files)
    return (folder, files) == (request.data_dir, _as_lists(request.data_files))


def _as_lists(data_files: Any) -> Any:
    """Returns the files of a request in one form."""
    if data_files is None:
        return None
    if not isinstance(data_files, Mapping):
        data_files = {"train": data_files}
    return {
        split: [patterns] if isinstance(patterns, str) else list(patterns)
        for split, patterns in data_files.items()
    }


def _folder_name(name: str) -> str:
    from datasets.naming import camelcase_to_snakecase

    *org, last = name.split("/")
    return "___".join([*org, camelcase_to_snakecase(last)])

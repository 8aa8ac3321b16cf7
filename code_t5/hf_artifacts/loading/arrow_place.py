"""Arrow files of a data set: those of a record, and those that programs left in the cache.

`datasets` keeps them in `CACHE/<org>___<name>/<id>/<version>/<commit>/`. The *id* is the
configuration's name, and a hash behind it where files, features or options were chosen; it is
made anew here of what is asked for, and only the same will do.
"""

from __future__ import annotations

import dataclasses
import os
import pathlib
from collections.abc import Iterator, Mapping
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
    """

    directory: pathlib.Path
    home: pathlib.Path
    relative: str
    config_id: str
    config: str
    commit: str | None
    files: Mapping[str, StoredFile] | None = None

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
                config = arrow_reading.read_config_name(folder)
                relative = folder.relative_to(cache).as_posix()
                yield ArrowEntry(folder, cache, relative, folder.parts[-3], config, found)


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
        if one.record.request.data_files is None and one.record.request.data_dir is None:
            found.append(prepared.config)
    return sorted(set(found))


def find_arrow(
    lookup: Lookup, *, commit: str | None, config: str, ids: set[str], tried: list[Tried]
) -> Iterator[tuple[str, str | None, ArrowFiles]]:
    """Yields Arrow files of what is asked for: those of records, then the others.

    Args:
      lookup: What is asked for.
      commit: Of which.
      config: The configuration's name.
      ids: What `datasets` would call the directory.
      tried: Gets what is refused.

    Yields:
      The place's kind, the commit, and the files, in which the splits wanted are there.
    """
    seen: set[str] = set()
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
    entries = list(list_entries(lookup, commit))
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

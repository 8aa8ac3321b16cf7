"""`load_dataset` for machines without a network, and with one.

    from code_t5.hf_artifacts import load_dataset

    train = load_dataset("wikiann", "en", split="train[:10%]")

Online it is `datasets.load_dataset`. Offline (one of the libraries' flags is set) the Hub is never
asked, no flag is touched and no token needed: the places of `tried` are gone through in order, and
the first that holds the whole of what is asked for is read.
"""

from __future__ import annotations

import dataclasses
import logging
import os
import pathlib
from collections.abc import Iterator, Mapping
from typing import Any, Union

from code_t5 import errors
from code_t5.hf_artifacts.loading import candidates, local_files, places, saved_place
from code_t5.hf_artifacts.loading.candidates import Candidate, Found
from code_t5.hf_artifacts.loading.dataset_request import DatasetRequest, patterns_by_split
from code_t5.hf_artifacts.loading.places import Lookup
from code_t5.hf_artifacts.loading.tried import (
    ARROW,
    BUILT,
    RECORDED,
    SAVED,
    SNAPSHOT,
    NotCachedError,
    RefusedError,
    Tried,
    not_cached,
)

__all__ = [
    "ARROW",
    "BUILT",
    "RECORDED",
    "SAVED",
    "SNAPSHOT",
    "Found",
    "NotCachedError",
    "find_dataset",
    "load_dataset",
]

CacheDir = Union[str, "os.PathLike[str]", None]


def load_dataset(
    path: str,
    name: str | None = None,
    data_dir: str | None = None,
    data_files: Any = None,
    split: Any = None,
    cache_dir: CacheDir = None,
    features: Any = None,
    download_config: Any = None,
    download_mode: Any = None,
    verification_mode: Any = None,
    keep_in_memory: bool | None = None,
    save_infos: bool = False,
    revision: Any = None,
    token: bool | str | None = None,
    streaming: bool = False,
    num_proc: int | None = None,
    storage_options: dict[str, Any] | None = None,
    **config_kwargs: Any,
) -> Any:
    """Loads a data set, from the Hub if it may be asked, else from what is cached.

    Args:
      path: A repository, a local folder, or a reader (`json`) with local `data_files`.
      name: Configuration; None for the only one, or the default.
      data_dir: A folder of the repository.
      data_files: Files of the repository: patterns, or patterns by split.
      split: Such as `train[:10%]+test`; None for all splits.
      cache_dir: Of Arrow files. Offline also a root: then no other cache is looked through.
      features: A `datasets.Features`.
      download_config: Online only.
      download_mode: Offline downloading again is refused.
      verification_mode: As `datasets` takes it.
      keep_in_memory: As `datasets` takes it.
      save_infos: As `datasets` takes it.
      revision: Branch, tag, `refs/...` or commit; None for `main`, or the only one that is cached.
      token: Online only.
      streaming: Streams instead of rows.
      num_proc: As `datasets` takes it.
      storage_options: As `datasets` takes it.
      **config_kwargs: For the reader of the format.

    Returns:
      What `datasets.load_dataset` returns.

    Raises:
      NotCachedError: Offline, nothing that is cached holds what is asked for.
      InputError: Offline, several commits or configurations could be meant.
    """
    given = dict(locals())
    options = given.pop("config_kwargs")
    if places.is_offline():
        return _load_offline(given, options)
    import datasets

    return datasets.load_dataset(**given, **options)


def _load_offline(given: Mapping[str, Any], options: Mapping[str, Any]) -> Any:
    """Reads the first place that holds what is asked for.

    Raises:
      NotCachedError: There is none.
      InputError: Several commits or configurations could be meant.
    """
    if _is_local(given["path"]):
        return _load_local(given, options)
    request, lookup = _look_up(given, options)
    tried = list(lookup.tried)
    for candidate in _readable(candidates.candidates(lookup, tried)):
        found = candidate.found
        try:
            loaded = candidate.open()
        except RefusedError as error:
            tried.append(Tried(found.place, str(found.directory), str(error)))
            continue
        logging.getLogger(__name__).info(
            "%s is read from %s %s", request.where, found.place, found.directory
        )
        return loaded
    raise not_cached(request, tried=tried, root=lookup.caches.root_path)


def find_dataset(path: str, name: str | None = None, **given: Any) -> Found:
    """Says where `load_dataset` would read a data set from offline, whatever the flags.

    Args:
      path: As `load_dataset` takes it.
      name: As `load_dataset` takes it.
      **given: Its other arguments.

    Returns:
      The first place that holds it; what lies in a snapshot is not read for this.

    Raises:
      NotCachedError: There is none.
      InputError: Several commits or configurations could be meant.
    """
    if _is_local(path):
        is_saved = saved_place.is_saved(pathlib.Path(path))
        place = SAVED if is_saved else "local files"
        return Found(place, pathlib.Path(os.path.abspath(path)), None, name)
    known = ("data_dir", "data_files", "split", "cache_dir", "features", "revision", "streaming")
    named = {key: given.pop(key) for key in known if key in given}
    request, lookup = _look_up({"path": path, "name": name, **named}, given)
    tried = list(lookup.tried)
    for candidate in _readable(candidates.candidates(lookup, tried)):
        return dataclasses.replace(candidate.found, tried=tuple(tried))
    raise not_cached(request, tried=tried, root=lookup.caches.root_path)


def _look_up(given: Mapping[str, Any], options: Mapping[str, Any]) -> tuple[DatasetRequest, Lookup]:
    """Returns what is asked for, and where it may be.

    Raises:
      InputError: It cannot name a repository, or downloading is asked for.
    """
    path = str(given["path"])
    path = path[len("hf://datasets/") :] if path.startswith("hf://datasets/") else path
    mode = str(getattr(given.get("download_mode"), "value", given.get("download_mode")) or "")
    if mode == "force_redownload":
        raise errors.InputError(
            f"download_mode is {mode} and an offline flag is set; wanted to read what is cached; "
            "leave download_mode out, or load where there is a network"
        )
    options = dict(options)
    if options.pop("trust_remote_code", None):
        logging.getLogger(__name__).warning("trust_remote_code is ignored: no script is run")
    revision = given.get("revision")
    request = DatasetRequest(
        path=path,
        config=given.get("name"),
        data_dir=os.path.normpath(given["data_dir"]) if given.get("data_dir") else None,
        data_files=patterns_by_split(given.get("data_files"), path=path),
        split=given.get("split"),
        revision=None if revision is None else str(revision),
        features=given.get("features"),
        options=options,
        is_streaming=bool(given.get("streaming")),
        keep_in_memory=given.get("keep_in_memory"),
        num_proc=given.get("num_proc"),
        verification_mode=given.get("verification_mode")
        or ("all_checks" if given.get("save_infos") else None),
        uses_prepared=mode != "reuse_cache_if_exists",
    )
    request.check()
    try:
        return request, places.look_up(request, cache_dir=given.get("cache_dir"))
    except OSError as error:
        raise _unreadable(error) from error


def _readable(found: Iterator[Candidate]) -> Iterator[Candidate]:
    """Yields candidates.

    Raises:
      InputError: A folder on the way to them may not be read.
    """
    try:
        yield from found
    except OSError as error:
        raise _unreadable(error) from error


def _unreadable(error: OSError) -> errors.InputError:
    return errors.InputError(
        f"{error.filename} cannot be read ({error.strerror}); wanted a cache that this user may "
        "read; ask its owner for that, or name another as HF_HOME or cache_dir"
    )


def _is_local(path: str) -> bool:
    """Says whether something is named that needs no repository: a reader, or a folder."""
    from datasets import packaged_modules

    return path in packaged_modules._PACKAGED_DATASETS_MODULES or os.path.isdir(path)


def _load_local(given: Mapping[str, Any], options: Mapping[str, Any]) -> Any:
    """Loads local files as `datasets` does; nothing else is opened.

    Raises:
      InputError: An address is named, or the files cannot be read.
    """
    import datasets

    folder = pathlib.Path(given["path"])
    if folder.is_dir() and saved_place.is_saved(folder):
        try:
            return saved_place.open_saved(
                folder,
                split=given["split"],
                is_streaming=given["streaming"],
                keep_in_memory=given["keep_in_memory"],
            )
        except RefusedError as error:
            raise errors.InputError(
                f"{folder} cannot be read: {error}; wanted what save_to_disk writes; save it again"
            ) from error
    local_files.check_local(given)
    return datasets.load_dataset(
        **{**given, "cache_dir": local_files.writable_cache(given["cache_dir"])}, **options
    )

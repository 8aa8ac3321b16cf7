"""Where the rows come from: the Hub, or offline what is cached, by the loader that training uses.

A *source* is one configuration at one commit. Of what is no repository (a local folder, a reader
such as `json` with files) the commit is empty, and the fingerprint that `datasets` gives the rows
stands for it.
"""

from __future__ import annotations

import dataclasses
import logging
import os
import re
from collections.abc import Mapping, Sequence
from typing import Any

from code_t5 import errors
from code_t5.hf_artifacts import cache_root, requests
from code_t5.hf_artifacts.built.built_request import BuiltRequest
from code_t5.hf_artifacts.fetching import hub_errors, retries
from code_t5.library_errors import one_line

_TIMEOUT_SECONDS = 30
_COMMIT = re.compile(r"[0-9a-f]{40}")
_SPLIT = re.compile(r"\w+(\.\w+)*", re.ASCII)
# What lies beside the splits in a folder that is built.
_RESERVED = ("manifest.json", "COMPLETED", "dataset_dict.json")


class _SeveralConfigsError(errors.InputError):
    """A data set has several configurations, and none was named."""


@dataclasses.dataclass(frozen=True)
class Source:
    """Rows that can be read.

    Attributes:
      request: What was asked for, with the configuration that it is.
      repository: Its present name on the Hub; empty if it is none.
      commit: Of the repository; empty if it is none.
      splits: By name, the rows as `datasets.Dataset`.
    """

    request: BuiltRequest
    repository: str
    commit: str
    splits: Mapping[str, Any]

    @property
    def identity(self) -> dict[str, str]:
        """Of rows without a commit: what `datasets` calls them, by split; else nothing."""
        if self.commit:
            return {}
        return {name: str(rows._fingerprint) for name, rows in self.splits.items()}


def check_splits(splits: Sequence[str]) -> None:
    """Refuses what is no name of a split.

    Args:
      splits: As they were given.

    Raises:
      InputError: One is a part of a split, or no name; or one is named twice.
    """
    for split in splits:
        if not _SPLIT.fullmatch(split) or split in _RESERVED:
            raise errors.InputError(
                f"{split!a} is no name of a split; wanted names as train or validation; for a part "
                "of the rows give --subset"
            )
        if list(splits).count(split) > 1:
            raise errors.InputError(f"the split {split} is named twice; wanted each once")


def open_source(request: BuiltRequest, *, splits: Sequence[str]) -> Source:
    """Opens the rows.

    Args:
      request: What of; without a configuration the only one there is.
      splits: Which splits; empty for all.

    Returns:
      The source.

    Raises:
      InputError: There is no such data set, configuration or split.
      CodeT5Error: Nothing is cached (see `loading`), or the Hub does not answer.
    """
    check_splits(splits)
    repository, commit, config = _resolve(request)
    pinned = dataclasses.replace(request, config=config)
    if cache_root.is_offline() and commit:
        pinned = dataclasses.replace(pinned, revision=commit)
    try:
        rows = _load(pinned, splits=splits)
    except _SeveralConfigsError:
        # Online as well the only one that is cached is meant.
        config = _find_cached(request).config
        rows = _load(dataclasses.replace(pinned, config=config), splits=splits)
    found = {str(rows[name].info.config_name or "default") for name in rows}
    resolved = config or (found.pop() if len(found) == 1 else "default")
    commits = set(filter(None, map(_commit_of, rows.values()))) or {commit}
    if commit and len(commits) > 1:
        raise errors.CodeT5Error(
            f"{request.dataset} got a new commit while it was read; wanted one commit for all "
            "splits; run the same command again"
        )
    # The Hub may have got a new one since it was asked.
    commit = commits.pop() if commit else ""
    return Source(dataclasses.replace(request, config=resolved), repository, commit, rows)


def _commit_of(rows: Any) -> str:
    """Returns the commit that `datasets` names its folder after; empty if it is named otherwise."""
    folders = {os.path.basename(os.path.dirname(file["filename"])) for file in rows.cache_files}
    only = folders.pop() if len(folders) == 1 else ""
    return only if _COMMIT.fullmatch(only) else ""


def _resolve(request: BuiltRequest) -> tuple[str, str, str | None]:
    """Returns the repository, the commit and the configuration that are meant."""
    if os.path.exists(request.dataset) or _is_reader(request.dataset):
        return "", "", request.config
    if cache_root.is_offline():
        found = _find_cached(request)
        return _present_name(request.dataset), found.commit or "", found.config
    info = _ask_hub(request)
    return str(info.id), str(info.sha), request.config


def _present_name(name: str) -> str:
    """Returns what the Hub calls a repository now, as far as records and links know."""
    from code_t5.hf_artifacts.loading import dataset_request, places

    lookup = places.look_up(dataset_request.DatasetRequest(name), cache_dir=None)
    return lookup.records[0].record.repository if lookup.records else lookup.names[-1]


def _find_cached(request: BuiltRequest) -> Any:
    """Returns where the data set is cached: a `loading.load.Found`.

    Raises:
      NotCachedError: Nowhere.
      NoConfigError: Several configurations are cached.
      InputError: Several commits are.
    """
    from code_t5.hf_artifacts.loading import load, tried

    try:
        return load.find_dataset(
            request.dataset,
            request.config,
            revision=request.revision,
            data_dir=request.data_dir,
            data_files=request.files,
        )
    except tried.NoConfigError as error:
        raise error.with_flag() from error


def _is_reader(name: str) -> bool:
    """Says whether `datasets` reads files that are named, as `json` does."""
    from datasets import packaged_modules

    return name in packaged_modules._PACKAGED_DATASETS_MODULES


def _ask_hub(request: BuiltRequest) -> Any:
    """Returns what the Hub says of a repository: its present name and its commit.

    Raises:
      InputError: There is none for this user.
      HubUnreachableError: The Hub does not answer.
    """
    import huggingface_hub

    asked = requests.ArtefactRequest("dataset", request.dataset, revision=request.revision)

    def ask() -> Any:
        return huggingface_hub.HfApi().dataset_info(
            asked.name, revision=asked.revision, timeout=_TIMEOUT_SECONDS
        )

    try:
        return retries.call(ask, what=asked.where, policy=retries.QUESTIONS, say=_say)
    except Exception as error:  # Of requests or httpx, by the version.
        told = hub_errors.as_hub_error(error, request=asked)
        if isinstance(told, hub_errors.HubUnreachableError):
            raise hub_errors.HubUnreachableError(
                f"{told}; or run it with HF_HUB_OFFLINE=1 before it to take what is cached"
            ) from error
        if told is None:
            raise
        raise told from error


def _say(text: str) -> None:
    logging.getLogger(__name__).warning("%s", text)


def _load(request: BuiltRequest, *, splits: Sequence[str]) -> dict[str, Any]:
    """Returns the rows by split, from the Hub or the cache.

    Raises:
      InputError: They do not load; `_SeveralConfigsError` if a configuration must be named.
    """
    from code_t5.hf_artifacts.loading import load

    def load_split(split: str | None) -> Any:
        return load.load_dataset(
            request.dataset,
            request.config,
            data_dir=request.data_dir,
            data_files=request.files,
            revision=request.revision,
            split=split,
        )

    try:
        if splits:
            return {split: load_split(split) for split in splits}
        return dict(load_split(None))
    except (errors.CodeT5Error, MemoryError):
        raise
    except Exception as error:
        if isinstance(error, OSError) and error.errno is not None:
            # A full disk, or a folder that may not be read.
            raise
        raise _not_loaded(error, request, splits=splits) from error


def _not_loaded(
    error: Exception, request: BuiltRequest, *, splits: Sequence[str]
) -> errors.CodeT5Error:
    """Returns what to tell the user of an error of `datasets`."""
    asked = requests.ArtefactRequest("dataset", request.dataset, revision=request.revision)
    told = None if cache_root.is_offline() else hub_errors.as_hub_error(error, request=asked)
    if told is not None:
        return told
    what = f"the data set {request.dataset!a}"
    what += f", {request.config!a}" if request.config else ""
    is_open = request.config is None and "Config name is missing" in str(error)
    kind = _SeveralConfigsError if is_open else errors.InputError
    # Of a file that cannot be read `datasets` itself says nothing.
    why = one_line(error) + (f": {one_line(error.__cause__)}" if error.__cause__ else "")
    return kind(
        f"{what} does not load ({why}); wanted {' and '.join(splits) or 'rows'} of it; mind "
        "--config, --splits and --data_files"
    )

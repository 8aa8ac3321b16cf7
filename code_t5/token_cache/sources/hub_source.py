"""Data sets by name: of the Hugging Face Hub, or of files through one of `datasets`' own readers.

    source = open_hub_source(HubRequest("glue", dataset_config_name="sst2"), options=options)

The *revision* of a data set on the Hub is its commit, which the Hub is asked for once; where it
cannot be asked (no network, offline mode), the commit that was fetched before is taken, if there is
one. A data set of files (`json`, `parquet`, a folder) has none: there the content of the files is
hashed. No code that comes with a data set is run.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import logging
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Union

from code_t5 import errors, progress
from code_t5.storage import fingerprints
from code_t5.token_cache.provider_options import RowOptions
from code_t5.token_cache.sources.arrow_source import ArrowSource

DataFiles = Union[str, Sequence[str], Mapping[str, Union[str, Sequence[str]]], None]
# Readers of `datasets` that are asked for by name and find text.
_FILE_READERS = {"arrow", "csv", "json", "pandas", "parquet", "sql", "text", "webdataset", "xml"}
_COMMIT = re.compile(r"[0-9a-f]{40}")
_TIMEOUT_SECONDS = 30
_MAX_SHOWN = 300
# Version of `datasets`.
_FIRST_WITHOUT_CODE = 4


class HubUnreachableError(errors.CodeT5Error):
    """The Hub cannot be asked now: no network, offline mode, or it is out of order."""


@dataclasses.dataclass(frozen=True)
class HubRequest:
    """Which data set is wanted, by the names that `datasets.load_dataset` knows.

    Attributes:
      dataset_name: On the Hub, a folder, or a reader (`json`, `parquet`, `text`).
      dataset_config_name: One of its configurations.
      data_dir: Folder in it.
      data_files: Files in it, or of the reader.
      revision: Branch, tag or commit; None for the newest of the main branch.
    """

    dataset_name: str
    dataset_config_name: str | None = None
    data_dir: str | None = None
    data_files: DataFiles = None
    revision: str | None = None

    @property
    def config(self) -> dict[str, Any]:
        """The request as JSON."""
        fields = dataclasses.asdict(self)
        for name in ("dataset_name", "data_dir", "revision"):
            fields[name] = None if fields[name] is None else str(fields[name])
        fields["data_files"] = _as_json(self.data_files)
        return {"source": "hub", **fields}

    @property
    def is_on_hub(self) -> bool:
        """Whether the name is one of the Hub's."""
        name = str(self.dataset_name)
        return name not in _FILE_READERS and not os.path.isdir(name)

    @property
    def needs_files(self) -> bool:
        """Whether the name is a reader's, which would read whatever lies in this folder."""
        has_files = self.data_files is not None or self.data_dir is not None
        return not self.is_on_hub and not os.path.isdir(self.dataset_name) and not has_files

    @property
    def where(self) -> str:
        """The data set, for messages."""
        config = f" ({self.dataset_config_name})" if self.dataset_config_name else ""
        return f"the data set {self.dataset_name}{config}"


def _as_json(data_files: DataFiles) -> Any:
    if isinstance(data_files, Mapping):
        return {str(split): _as_json(files) for split, files in data_files.items()}
    if data_files is None or isinstance(data_files, (str, os.PathLike)):
        return None if data_files is None else os.fspath(data_files)
    return [os.fspath(path) for path in data_files]


def one_line(error: BaseException) -> str:
    """Returns an error of another library as part of a message: short, without line ends."""
    return (" ".join(str(error).split()) or type(error).__name__)[:_MAX_SHOWN]


def check_library() -> None:
    """Refuses to go on without `datasets`.

    Raises:
      InputError: It is not installed.
    """
    # In programs of absl it would tell which versions of other libraries it has found.
    logger = logging.getLogger("datasets")
    if logger.level == logging.NOTSET:
        logger.setLevel(logging.WARNING)
    try:
        import datasets  # noqa: F401 - only whether it is there
    except ImportError as error:
        raise errors.InputError(
            f"the library datasets is not installed ({one_line(error)}); wanted it to read data "
            "sets of Hugging Face; install code_t5[hf]"
        ) from error


def resolve_revision(request: HubRequest) -> str:
    """Asks the Hub for the commit of a data set.

    Args:
      request: A data set of the Hub.

    Returns:
      40 hexadecimal digits.

    Raises:
      InputError: There is no such data set or revision, or it is closed to the caller.
      HubUnreachableError: The Hub cannot be asked.
    """
    if request.revision is not None and _COMMIT.fullmatch(str(request.revision)):
        return str(request.revision)
    check_library()
    import datasets
    import huggingface_hub
    from huggingface_hub import errors as hub_errors

    if datasets.config.HF_HUB_OFFLINE:
        raise _unreachable(request, "offline mode is on")
    revision = None if request.revision is None else str(request.revision)
    try:
        info = huggingface_hub.HfApi().dataset_info(
            str(request.dataset_name), revision=revision, timeout=_TIMEOUT_SECONDS
        )
    except (
        hub_errors.HFValidationError,
        hub_errors.RepositoryNotFoundError,
        hub_errors.RevisionNotFoundError,
    ) as error:
        raise _refused(request, one_line(error)) from error
    except OSError as error:
        # Every failure of the network, and the Hub's own errors, are of this class.
        status = getattr(getattr(error, "response", None), "status_code", None)
        if status is not None and status < 500 and status not in (408, 429):
            raise _refused(request, one_line(error)) from error
        endpoint = huggingface_hub.constants.ENDPOINT
        said = f"status {status}" if status else type(error).__name__
        raise _unreachable(request, f"{said} at {endpoint}") from error
    return str(info.sha)


def _refused(request: HubRequest, found: str) -> errors.InputError:
    revision = f" at {request.revision}" if request.revision else ""
    return errors.InputError(
        f"the Hub does not give {request.where}{revision}: {found}; wanted one that is there and "
        "open to you; check dataset_name and revision, or log in"
    )


def _unreachable(request: HubRequest, found: str) -> HubUnreachableError:
    return HubUnreachableError(
        f"the Hub cannot be asked for {request.where} ({found}); wanted it, or a cache or data set "
        "that was fetched before with the same arguments; connect, or use from_cache"
    )


def find_fetched_revision(request: HubRequest) -> str | None:
    """Returns the commit that a revision stood for when it was last fetched, if that is known.

    Args:
      request: A data set of the Hub.
    """
    import huggingface_hub

    for name in ("README.md", ".gitattributes"):
        path = huggingface_hub.try_to_load_from_cache(
            str(request.dataset_name), name, repo_type="dataset", revision=request.revision
        )
        if isinstance(path, str):
            commit = os.path.basename(os.path.dirname(path))
            if _COMMIT.fullmatch(commit):
                return commit
    return None


@contextlib.contextmanager
def _offline() -> Iterator[None]:
    """Keeps `datasets` from asking a Hub that does not answer, as HF_DATASETS_OFFLINE does.

    Else it asks again and again for half a minute before it looks at what was fetched.
    """
    import datasets

    before = datasets.config.HF_HUB_OFFLINE
    datasets.config.HF_HUB_OFFLINE = True
    try:
        yield
    finally:
        datasets.config.HF_HUB_OFFLINE = before


def open_hub_source(
    request: HubRequest, *, options: RowOptions, is_reachable: bool = True
) -> ArrowSource:
    """Opens a data set as documents; its data is fetched when the first split is asked for.

    Args:
      request: Which data set.
      options: Which rows and columns.
      is_reachable: Whether the Hub may be asked.

    Returns:
      The source.

    Raises:
      InputError: There is no such data set, or it cannot be read.
      HubUnreachableError: The Hub cannot be asked, and nothing was fetched before.
    """
    check_library()
    if request.needs_files:
        raise errors.InputError(
            f"the reader {request.dataset_name} was asked for without files; wanted some to read; "
            "name them with data_files, or their folder with data_dir"
        )
    if request.revision is not None and not request.is_on_hub:
        raise errors.InputError(
            f"revision is {request.revision!r} for {request.where}, which is not on the Hub and "
            "has none; wanted files as they are; leave it out"
        )
    commit: str | None = None
    if not request.is_on_hub:
        builder = _make_builder(request, commit=None)
        parts = {"data_files_sha256": _hash_data_files(builder, request)}
    elif is_reachable:
        commit = resolve_revision(request)
        builder, parts = None, {"revision": commit}
    else:
        commit = find_fetched_revision(request)
        builder = _make_fetched_builder(request, commit=commit)
        parts = {"revision": builder.hash}
    named = {name: value for name, value in request.config.items() if name != "revision"}
    return ArrowSource(
        functools.partial(_open_files, request, commit=commit, builder=builder),
        options=options,
        where=request.where,
        fingerprint_parts={**(named if request.is_on_hub else _reader_parts(named)), **parts},
        config={**request.config, **parts, "requested_revision": request.revision},
    )


def _reader_parts(named: Mapping[str, Any]) -> dict[str, Any]:
    """Returns what stays the same when files are moved: their content is hashed beside it."""
    name = str(named["dataset_name"])
    is_reader = name in _FILE_READERS
    return {
        "source": "files",
        "dataset_name": name if is_reader else "folder",
        "dataset_config_name": named["dataset_config_name"],
    }


def _make_builder(request: HubRequest, *, commit: str | None) -> Any:
    import datasets

    # Later versions run no code of a data set, and do not know the argument.
    is_old = int(datasets.__version__.partition(".")[0]) < _FIRST_WITHOUT_CODE
    options = {"trust_remote_code": False} if is_old else {}
    try:
        return datasets.load_dataset_builder(
            str(request.dataset_name),
            request.dataset_config_name,
            data_dir=None if request.data_dir is None else str(request.data_dir),
            data_files=_as_json(request.data_files),
            revision=commit,
            **options,
        )
    except Exception as error:  # Each reader of `datasets` raises its own.
        raise _not_loaded(request, error) from error


def _make_fetched_builder(request: HubRequest, *, commit: str | None) -> Any:
    """Returns a builder of what was fetched before, of the wanted revision and no other."""
    try:
        with _offline():
            builder = _make_builder(request, commit=commit)
    except errors.InputError as error:
        raise _unreachable(request, one_line(error.__cause__ or error)) from error
    if (commit is None and request.revision is not None) or commit not in (None, builder.hash):
        raise _unreachable(
            request, f"revision {builder.hash} was fetched, not {request.revision or commit}"
        )
    return builder


def _not_loaded(request: HubRequest, error: BaseException) -> errors.CodeT5Error:
    if isinstance(error, errors.CodeT5Error):
        return error
    # `datasets` hides the reason behind an error of its own.
    reason = error.__cause__ or error
    return errors.InputError(
        f"{request.where} cannot be loaded: {one_line(reason)}; wanted one that datasets can read "
        "without code of its own; check dataset_name, dataset_config_name, data_dir and data_files"
    )


def _hash_data_files(builder: Any, request: HubRequest) -> str:
    """Returns one hash of the content of all files, and the splits that they belong to."""
    data_files = builder.config.data_files or {}
    total = sum(map(len, data_files.values()))
    found: dict[str, list[Any]] = {}
    bar = progress.progress_bar(description="hashing", unit="file", total=total)
    with bar:
        for split, paths in data_files.items():
            origins = getattr(paths, "origin_metadata", [()] * len(paths))
            found[str(split)] = []
            for path, origin in zip(paths, origins):
                if os.path.isfile(path):
                    found[str(split)].append(fingerprints.hash_file(path))
                elif origin:
                    found[str(split)].append([path, *map(str, origin)])
                else:
                    raise errors.InputError(
                        f"{request.where} reads {path}, whose server says nothing of its version; "
                        "wanted to know when it changes; download it first"
                    )
                bar.update(1)
    return fingerprints.hash_json(found)


def _open_files(
    request: HubRequest, *, commit: str | None, builder: Any | None
) -> dict[str, list[str]]:
    """Fetches and prepares the data; returns the Arrow files of each split."""
    builder = _make_builder(request, commit=commit) if builder is None else builder
    try:
        builder.download_and_prepare()
        splits = builder.as_dataset()
    except Exception as error:  # Each reader of `datasets` raises its own.
        if isinstance(error, OSError) and error.errno is not None:
            raise
        raise _not_loaded(request, error) from error
    return {str(name): list_files(rows) for name, rows in splits.items()}


def list_files(rows: Any) -> list[str]:
    """Returns the Arrow files of a `datasets.Dataset`, in order."""
    return [str(file["filename"]) for file in rows.cache_files]

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
from typing import Any, Callable, Union

from code_t5 import errors, library_errors
from code_t5.library_errors import one_line
from code_t5.token_cache.sources import file_readers
from code_t5.token_cache.sources.arrow_source import ArrowSource
from code_t5.token_cache.sources.row_options import RowOptions

DataFiles = Union[str, Sequence[str], Mapping[str, Union[str, Sequence[str]]], None]
# Readers of `datasets` that are asked for by name and find text.
_FILE_READERS = {"arrow", "csv", "json", "pandas", "parquet", "sql", "text", "webdataset", "xml"}
_COMMIT = re.compile(r"[0-9a-f]{40}")
_TIMEOUT_SECONDS = 30
# Version of `datasets`.
_FIRST_WITHOUT_CODE = 4


class HubUnreachableError(errors.CodeT5Error):
    """The Hub cannot be asked now: no network, offline mode, or it is out of order."""


class HubBrokenOffError(errors.CodeT5Error):
    """What the Hub began to give did not come whole."""


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
        """The request as JSON; what is secret in addresses is hashed."""
        fields = dataclasses.asdict(self)
        for name in ("dataset_name", "data_dir", "revision"):
            value = fields[name]
            fields[name] = None if value is None else library_errors.hash_secrets(str(value))
        fields["data_files"] = _as_json(self.data_files, shown=library_errors.hash_secrets)
        return {"source": "hub", **fields}

    @property
    def is_reader(self) -> bool:
        """Whether the name is one of a reader of `datasets`."""
        return str(self.dataset_name) in _FILE_READERS

    @property
    def is_on_hub(self) -> bool:
        """Whether the name is one of the Hub's."""
        return not self.is_reader and not os.path.isdir(str(self.dataset_name))

    @property
    def needs_files(self) -> bool:
        """Whether the name is a reader's, which would read whatever lies in this folder."""
        has_files = self.data_files is not None or self.data_dir is not None
        return not self.is_on_hub and not os.path.isdir(self.dataset_name) and not has_files

    @property
    def where(self) -> str:
        """The data set, for messages."""
        config = f" ({self.dataset_config_name})" if self.dataset_config_name else ""
        return f"the data set {library_errors.hide_secrets(str(self.dataset_name))}{config}"


def _as_json(data_files: DataFiles, *, shown: Callable[[str], str] = str) -> Any:
    if isinstance(data_files, Mapping):
        return {str(split): _as_json(files, shown=shown) for split, files in data_files.items()}
    if data_files is None or isinstance(data_files, (str, os.PathLike)):
        return None if data_files is None else shown(os.fspath(data_files))
    return [shown(os.fspath(path)) for path in data_files]


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
        endpoint = library_errors.hide_secrets(huggingface_hub.constants.ENDPOINT)
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

    Raises:
      InputError: No data set can have such a name.
    """
    import huggingface_hub
    from huggingface_hub import errors as hub_errors

    for name in ("README.md", ".gitattributes"):
        try:
            path = huggingface_hub.try_to_load_from_cache(
                str(request.dataset_name), name, repo_type="dataset", revision=request.revision
            )
        except hub_errors.HFValidationError as error:
            raise _refused(request, one_line(error)) from error
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
    decisive = {name: value for name, value in request.config.items() if name != "revision"}
    if not request.is_on_hub:
        builder = _make_builder(request, commit=None)
        parts = {"data_files_sha256": file_readers.hash_data_files(builder, where=request.where)}
        # Files may be moved: where they lie decides on nothing.
        decisive = {
            "source": "files",
            "dataset_name": str(request.dataset_name) if request.is_reader else "folder",
            "dataset_config_name": request.dataset_config_name,
            "reader": file_readers.describe_reader(builder),
        }
    elif is_reachable:
        commit = resolve_revision(request)
        builder, parts = None, {"revision": commit}
    else:
        commit = find_fetched_revision(request)
        builder = _make_fetched_builder(request, commit=commit)
        parts = {"revision": builder.hash}
    return ArrowSource(
        functools.partial(_open_files, request, commit=commit, builder=builder),
        options=options,
        where=request.where,
        fingerprint_parts={**decisive, **parts},
        config={**request.config, **parts, "requested_revision": request.revision},
    )


def _make_builder(request: HubRequest, *, commit: str | None) -> Any:
    import datasets

    # Later versions run no code of a data set, and do not know the argument.
    is_old = int(datasets.__version__.partition(".")[0]) < _FIRST_WITHOUT_CODE
    options = {"trust_remote_code": False} if is_old else {}
    try:
        builder = datasets.load_dataset_builder(
            str(request.dataset_name),
            request.dataset_config_name,
            data_dir=None if request.data_dir is None else str(request.data_dir),
            data_files=_as_json(request.data_files),
            revision=commit,
            **options,
        )
    except Exception as error:  # Each reader of `datasets` raises its own.
        raise _not_loaded(request, error) from error
    found = str(builder.hash)
    if commit is not None and _COMMIT.fullmatch(found) and found != commit:
        # Where the Hub fails it takes what was fetched before, of whatever revision.
        raise _broken_off(request, f"it gave revision {found} in place of {commit}")
    return builder


def _make_fetched_builder(request: HubRequest, *, commit: str | None) -> Any:
    """Returns a builder of what was fetched before, of the wanted revision and no other."""
    try:
        with _offline():
            builder = _make_builder(request, commit=commit)
    except (errors.InputError, HubBrokenOffError) as error:
        raise _unreachable(request, one_line(error.__cause__ or error)) from error
    if (commit is None and request.revision is not None) or commit not in (None, builder.hash):
        raise _unreachable(
            request, f"revision {builder.hash} was fetched, not {request.revision or commit}"
        )
    return builder


def _not_loaded(request: HubRequest, error: BaseException) -> errors.CodeT5Error:
    if isinstance(error, errors.CodeT5Error):
        return error
    passing = library_errors.find_passing_error(error)
    if passing is not None:
        return _broken_off(request, one_line(passing))
    # `datasets` hides the reason behind an error of its own.
    reason = error.__cause__ or error
    return errors.InputError(
        f"{request.where} cannot be loaded: {one_line(reason)}; wanted one that datasets can read "
        "without code of its own; check dataset_name, dataset_config_name, data_dir and data_files"
    )


def _broken_off(request: HubRequest, found: str) -> HubBrokenOffError:
    return HubBrokenOffError(
        f"{request.where} could not be fetched whole ({found}); wanted all of its files; run the "
        "same command again: files that came whole are kept"
    )


def _open_files(
    request: HubRequest, *, commit: str | None, builder: Any | None
) -> dict[str, list[str]]:
    """Fetches and prepares the data; returns the Arrow files of each split."""
    builder = _make_builder(request, commit=commit) if builder is None else builder
    try:
        builder.download_and_prepare()
        splits = builder.as_dataset()
    except Exception as error:  # Each reader of `datasets` raises its own.
        is_of_disk = isinstance(error, OSError) and error.errno is not None
        if is_of_disk and library_errors.find_passing_error(error) is None:
            raise
        raise _not_loaded(request, error) from error
    return {str(name): list_files(rows) for name, rows in splits.items()}


def list_files(rows: Any) -> list[str]:
    """Returns the Arrow files of a `datasets.Dataset`, in order."""
    return [str(file["filename"]) for file in rows.cache_files]

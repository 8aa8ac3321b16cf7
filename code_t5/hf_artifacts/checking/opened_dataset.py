"""Opens a data set for a check: from a root without a network, or as streams of the Hub.

Nothing is written to the root. What lies there as Arrow files is mapped into memory, Parquet files
of a snapshot are numbered where they lie, and all other files of a snapshot are streams.
"""

from __future__ import annotations

import atexit
import contextlib
import dataclasses
import logging
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from code_t5 import errors, library_errors, network_fence
from code_t5.hf_artifacts import cache_root
from code_t5.hf_artifacts.checking import cache_naming, opened_splits
from code_t5.hf_artifacts.requests import ArtefactRequest, DataFiles
from code_t5.storage import manifest

if TYPE_CHECKING:
    from code_t5.hf_artifacts.loading import load

# What a README may say of Parquet files, and `ParquetRows` does not do.
_READ_IN_PART = {"columns", "filters"}


@dataclasses.dataclass(frozen=True)
class OpenRequest:
    """Which data set, and how.

    Attributes:
      name: As a program asks for it.
      config: Its configuration; None for the only one.
      revision: Branch, tag, `refs/...` or commit; None for what is cached.
      data_dir: Folder in it.
      data_files: Files of it, by split or not.
      is_streaming: Whether streams are wanted.
      splits: The only splits that are there, of a data set of which patterns chose files; else
        none, for all that it has.
    """

    name: str
    config: str | None = None
    revision: str | None = None
    data_dir: str | None = None
    data_files: DataFiles = None
    is_streaming: bool = False
    splits: tuple[str, ...] = ()

    def arguments(self) -> dict[str, Any]:
        """Returns the arguments of `load_dataset` behind its first."""
        files: Any = self.data_files
        if isinstance(files, Mapping):
            files = {name: x if isinstance(x, str) else list(x) for name, x in files.items()}
        elif isinstance(files, tuple):
            files = list(files)
        return {
            "name": self.config,
            "revision": self.revision,
            "data_dir": self.data_dir,
            "data_files": files,
        }


def enter(root: cache_root.CacheRoot, *, is_streaming: bool) -> bool:
    """Points this process at a root, and closes its way to the network unless it may stream.

    The offline flags that are set stay the only ones; where none is, all are set. A stream of the
    Hub leaves the root alone: it is kept nowhere, and half a repository in it would be in the way.

    Args:
      root: The root.
      is_streaming: Whether a stream of the Hub will do.

    Returns:
      Whether the process may ask the Hub.
    """
    is_offline = cache_root.is_offline()
    is_online = is_streaming and not is_offline
    if is_online:
        scratch = tempfile.mkdtemp(prefix="code_t5_stream_")
        atexit.register(shutil.rmtree, scratch, ignore_errors=True)
        # The token lies in HF_HOME, which stays as it is.
        settings = cache_root.CacheRoot(scratch).environment(is_offline=False)
        del settings["HF_HOME"]
    else:
        settings = root.environment(is_offline=True)
    if is_offline:
        settings = {k: v for k, v in settings.items() if k not in cache_root.OFFLINE_FLAGS}
    os.environ.update(settings)
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    # While it is imported it says which frameworks it found.
    logging.getLogger("datasets").setLevel(logging.WARNING)
    if not is_online:
        network_fence.block_network()
    return is_online


def open_dataset(root: cache_root.CacheRoot, request: OpenRequest) -> opened_splits.OpenedDataset:
    """Opens a data set; it changes the process as `enter` says.

    Args:
      root: The root.
      request: What.

    Raises:
      CodeT5Error: It is not there, or not whole, or the Hub does not give it.
      InputError: It cannot be opened.
    """
    if enter(root, is_streaming=request.is_streaming):
        return _open_online(request)
    from code_t5.hf_artifacts.loading import load

    arguments = {**request.arguments(), "cache_dir": str(root.path)}
    if request.splits:
        arguments["split"] = {name: name for name in request.splits}
    with _quiet():
        found = load.find_dataset(request.name, streaming=request.is_streaming, **arguments)
    _check_built(found)
    # What lies there as the Hub has it would be written again, as Arrow files.
    is_stream = request.is_streaming or found.place == load.SNAPSHOT
    try:
        loaded = load.load_dataset(request.name, streaming=is_stream, **arguments)
    except errors.CodeT5Error:
        raise
    except Exception as error:  # of local folders, the libraries' own
        raise errors.InputError(
            f"{request.name} cannot be opened ({library_errors.one_line(error)}); wanted a data "
            "set that is cached, or a folder that `datasets` reads; change --dataset"
        ) from error
    splits = _as_splits(loaded)
    if found.place == load.SNAPSHOT:
        with _quiet():
            files = _parquet_paths(root, request, found)
        for name, split in splits.items():
            numbered = opened_splits.number(split, files.get(name, ()))
            # A stream stays one, but need not be walked to be counted.
            counted = dataclasses.replace(split, num_rows=numbered.num_rows)
            splits[name] = counted if request.is_streaming else numbered
    return opened_splits.OpenedDataset(
        name=request.name,
        config=found.config or "",
        commit=found.commit or "",
        place=found.place,
        directory=str(found.directory),
        splits=splits,
    )


def _check_built(found: load.Found) -> None:
    """Reads what build_dataset.py wrote, and compares it with its hashes: no other check does."""
    from code_t5.hf_artifacts.built import built_record
    from code_t5.hf_artifacts.loading import tried

    if found.place in (tried.BUILT, tried.SAVED) and manifest.is_complete(found.directory):
        built_record.read_record(found.directory).check_content()


def _as_splits(
    loaded: Mapping[Any, Any], *, is_remote: bool = False
) -> dict[str, opened_splits.OpenedSplit]:
    return {
        str(name): opened_splits.as_split(str(name), rows=rows, is_remote=is_remote)
        for name, rows in loaded.items()
    }


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keeps back what looking for a place says: loading says it again."""
    log = logging.getLogger("code_t5.hf_artifacts.loading")
    log.setLevel(logging.ERROR)
    try:
        yield
    finally:
        # The place is printed.
        log.setLevel(logging.WARNING)


def _open_online(request: OpenRequest) -> opened_splits.OpenedDataset:
    """Opens the streams of the Hub.

    Raises:
      InputError: The Hub does not serve it.
    """
    import datasets

    try:
        # As `load_dataset` does; of files in a repository, the builder's hash is the commit.
        builder = datasets.load_dataset_builder(request.name, **request.arguments())
        streams = builder.as_streaming_dataset()
    except Exception as error:  # the libraries' own are of a dozen kinds
        raise _why_not(request, error) from error
    found = str(builder.hash or "")
    return opened_splits.OpenedDataset(
        name=request.name,
        config=str(builder.config.name or ""),
        commit=found if cache_naming.COMMIT.fullmatch(found) else "",
        place="the Hub",
        directory="",
        splits=_as_splits(streams, is_remote=True),
    )


def _why_not(request: OpenRequest, error: Exception) -> errors.CodeT5Error:
    """Returns why the Hub does not give a data set, and what to do."""
    import datasets

    from code_t5.hf_artifacts.fetching import hub_errors, hub_listing

    asked = ArtefactRequest("dataset", request.name, revision=request.revision)
    told = hub_errors.as_hub_error(error, request=asked)
    if told is None and isinstance(error, datasets.exceptions.DatasetNotFoundError):
        # It does not say what the Hub answered.
        try:
            hub_listing.ask_hub(asked)
        except errors.CodeT5Error as answer:
            told = answer
    return told or errors.InputError(
        f"{request.name} cannot be streamed ({hub_errors.describe(error)}); wanted a data set that "
        "the Hub serves; check its name, configuration and files"
    )


def _parquet_paths(
    root: cache_root.CacheRoot, request: OpenRequest, found: load.Found
) -> dict[str, list[str]]:
    """Returns the files of each split; none if they are not all Parquet, or read in part."""
    from code_t5.hf_artifacts.loading import dataset_request, places, snapshot_place

    asked = dataset_request.DatasetRequest(
        request.name,
        config=found.config,
        data_dir=request.data_dir,
        data_files=dataset_request.patterns_by_split(
            request.arguments()["data_files"], path=request.name
        ),
        revision=found.commit,
    )
    source = snapshot_place.find_source(
        places.look_up(asked, cache_dir=str(root.path)),
        name=request.name,
        snapshot=found.directory,
        config=str(found.config),
    )
    files = {str(split): list(map(str, held)) for split, held in source.chosen.data_files.items()}
    is_in_part = not _READ_IN_PART.isdisjoint(source.card.parameters(found.config))
    is_plain = all(os.path.isabs(path) for held in files.values() for path in held)
    return files if source.chosen.module == "parquet" and is_plain and not is_in_part else {}

"""Lets `datasets` make of fetched files what it reads offline.

A data set is *prepared*: its rows are written to Arrow files below `datasets/`, in a process of its
own, for `datasets` reads its settings when it is imported.
"""

from __future__ import annotations

import contextlib
import glob
import os
import pathlib
import re
import shutil
from collections.abc import Collection, Mapping
from typing import Any, Callable

from code_t5 import errors
from code_t5.hf_artifacts.cache_root import CacheRoot
from code_t5.hf_artifacts.fetching import (
    file_hashes,
    hub_errors,
    leftover_locks,
    repository_links,
)
from code_t5.hf_artifacts.fetching.child_process import PreparingChild, child_environment
from code_t5.hf_artifacts.fetching.hub_listing import HubFile
from code_t5.hf_artifacts.records import PreparedConfig, StoredFile
from code_t5.hf_artifacts.requests import ArtefactRequest

__all__ = ["PreparingChild", "child_environment", "prepare_dataset"]

_SCRIPT_ERROR = re.compile(r"Dataset scripts are no longer supported|trust_remote_code", re.I)


def prepare_dataset(
    root: CacheRoot,
    *,
    request: ArtefactRequest,
    commit: str,
    allowed: Collection[str] | None = None,
    child: PreparingChild | None = None,
    say: Callable[[str], object] = lambda text: None,
) -> tuple[PreparedConfig, ...]:
    """Prepares the configurations of a data set, and hashes what came of it.

    What an interrupted run finished is used; what it did not finish is removed by `datasets`.

    Args:
      root: Where its files have been fetched to.
      request: Which configurations; none means the only one, or all.
      commit: Of its repository.
      allowed: The only files that may be read of the repository; None for all. A split some of
        whose files are not among them is left out, and so is a configuration without splits.
      child: That prepares it; where there is none, or it died, one is started.
      say: Is told of each configuration that was left out.

    Returns:
      What was prepared.

    Raises:
      InputError: It needs a script, has no such configuration, or cannot be read.
      HubUnreachableError: Something was missing, and the Hub did not answer.
      ArtifactError: The files were written somewhere else.
      CodeT5Error: The child died.
      OSError: There is no room, or no permission to write.
    """
    fields = {**request.as_json(), "commit": commit, "where": request.where}
    fields["allowed"] = None if allowed is None else sorted(allowed)
    present = repository_links.present_name(root, request)
    repository_links.link_datasets_folder(root, request=request, repository=present)
    try:
        answer = _ask(root, fields, child=child)
    finally:
        leftover_locks.remove_locks(root, names={request.name, present}, folders=[])
    if "error" in answer:
        number = answer["error"]["errno"]
        if number in hub_errors.DISK_ERRORS:
            raise OSError(number, os.strerror(number), os.fspath(root.datasets_dir))
        raise _refused(answer["error"], request)
    repository_links.link_prepared(root, request=request, repository=present)
    prepared = []
    for one in answer["result"]:
        if "fault" in one:
            what = f"{request.name}: {one['config']} is not prepared"
            say(f"{what}: {one['fault']}; name those wanted as data_files to have them prepared")
        else:
            prepared.append(_hash_prepared(root, one))
    return tuple(prepared)


def _ask(root: CacheRoot, fields: Mapping[str, Any], *, child: PreparingChild | None) -> Any:
    """Returns what the child made; it is started here if there is none.

    Raises:
      CodeT5Error: It died.
    """
    where = str(fields["where"])
    if child is not None and child.is_alive():
        return child.ask(fields, where=where)
    with PreparingChild(root) as own:
        return own.ask(fields, where=where)


def _refused(error: Mapping[str, Any], request: ArtefactRequest) -> errors.CodeT5Error:
    message = hub_errors.without_tokens(f"{error['type']}: {error['message']}")[:400]
    if _SCRIPT_ERROR.search(error["message"]):
        return hub_errors.needs_script(request, has_conversion=True)
    if error["is_passing"]:
        return hub_errors.HubUnreachableError(
            f"{hub_errors.endpoint()} did not answer while {request.where} was prepared "
            f"({message}); wanted what was not fetched before; run the command again: it goes on"
        )
    return errors.InputError(
        f"`datasets` cannot prepare {request.where} ({message}); wanted a data set that it reads; "
        "mend the request (configs, data_dir, data_files, revision)"
    )


def _hash_prepared(root: CacheRoot, answer: Mapping[str, Any]) -> PreparedConfig:
    """Returns the record of one configuration.

    Raises:
      ArtifactError: It lies outside of the root.
    """
    folder = pathlib.Path(answer["arrow_dir"])
    real = pathlib.Path(os.path.realpath(folder))
    if pathlib.Path(os.path.realpath(root.datasets_dir)) not in real.parents:
        raise errors.ArtifactError(
            f"`datasets` wrote to {folder}; wanted {root.datasets_dir}; unset what sends it there "
            "(HF_DATASETS_...) and run the command again"
        )
    _remove_leftovers(folder)
    files = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            files[path.relative_to(folder).as_posix()] = _hash_file(path)
    relative = os.path.relpath(real, os.path.realpath(root.path))
    return PreparedConfig(str(answer["config"]), relative, dict(answer["splits"]), files)


def _hash_file(path: pathlib.Path) -> StoredFile:
    size = path.stat().st_size
    # As an LFS file: SHA-256 alone.
    stored = file_hashes.hash_content(os.fspath(path), wanted=HubFile(size, "", True))
    return StoredFile(stored.size_bytes, stored.sha256)


def _remove_leftovers(folder: pathlib.Path) -> None:
    """Removes what `datasets` leaves beside a finished directory."""
    for lock in folder.parent.glob(f"{glob.escape(folder.name)}*.lock"):
        with contextlib.suppress(OSError):
            lock.unlink()
    shutil.rmtree(folder.with_name(f"{folder.name}.incomplete"), ignore_errors=True)

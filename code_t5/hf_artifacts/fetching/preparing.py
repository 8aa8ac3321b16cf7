"""Lets `datasets` make of fetched files what it reads offline.

A data set is *prepared*: its rows are written to Arrow files below `datasets/`, in a process of its
own, for `datasets` reads its settings when it is imported.
"""

from __future__ import annotations

import contextlib
import errno
import glob
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from typing import Any

from code_t5 import errors
from code_t5.hf_artifacts.cache_root import CacheRoot
from code_t5.hf_artifacts.fetching import file_hashes, hub_errors, repository_links
from code_t5.hf_artifacts.fetching.hub_listing import HubFile
from code_t5.hf_artifacts.records import PreparedConfig, StoredFile
from code_t5.hf_artifacts.requests import ArtefactRequest

_CHILD = "code_t5.hf_artifacts.fetching.prepare_child"
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EACCES, errno.EROFS, errno.EPERM)
_MAX_STDERR_BYTES = 64 << 10
_CHECKOUT = pathlib.Path(__file__).resolve().parents[3]
_SCRIPT_ERROR = re.compile(r"Dataset scripts are no longer supported|trust_remote_code", re.I)


def prepare_dataset(
    root: CacheRoot, *, request: ArtefactRequest, commit: str, num_workers: int | None = None
) -> tuple[PreparedConfig, ...]:
    """Prepares the configurations of a data set, and hashes what came of it.

    What an interrupted run finished is used; what it did not finish is removed by `datasets`.

    Args:
      root: Where its files have been fetched to.
      request: Which configurations; none means the only one, or all.
      commit: Of its repository.
      num_workers: Processes that write; None for one.

    Returns:
      What was prepared.

    Raises:
      InputError: It needs a script, has no such configuration, or cannot be read.
      HubUnreachableError: Something was missing, and the Hub did not answer.
      ArtifactError: The files were written somewhere else.
    """
    fields = {**request.as_json(), "commit": commit, "num_proc": num_workers}
    present = repository_links.present_name(root, request)
    repository_links.link_datasets_folder(root, request=request, repository=present)
    try:
        answer = _run_child(root, request, fields)
    finally:
        _remove_locks(root, request)
    repository_links.link_prepared(root, request=request, repository=present)
    return tuple(_hash_prepared(root, one) for one in answer)


def child_environment(root: CacheRoot, *, is_offline: bool) -> dict[str, str]:
    """Returns the environment of a child process that works on a root.

    The user's token stays where it was, and so does what only this machine wants.

    Args:
      root: Which.
      is_offline: Whether the child may ask the Hub.
    """
    from huggingface_hub import constants

    ours = {
        "HF_TOKEN_PATH": constants.HF_TOKEN_PATH,
        "HF_XET_CACHE": str(getattr(constants, "HF_XET_CACHE", "")),
        "HF_MODULES_CACHE": str(root.path / "modules"),
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "HF_HUB_DISABLE_PROGRESS_BARS": "1",
        "HF_DATASETS_DISABLE_PROGRESS_BARS": "1",
        "TOKENIZERS_PARALLELISM": "false",
    }
    kept = {name: value for name, value in os.environ.items() if name not in _NOT_FOR_CHILDREN}
    path = os.pathsep.join(part for part in (str(_CHECKOUT), kept.get("PYTHONPATH", "")) if part)
    shown = {name: value for name, value in ours.items() if value}
    return {**kept, **shown, **root.environment(is_offline=is_offline), "PYTHONPATH": path}


# Old names of the same settings, which would win.
_NOT_FOR_CHILDREN = {
    "HUGGINGFACE_HUB_CACHE", "PYTORCH_TRANSFORMERS_CACHE", "PYTORCH_PRETRAINED_BERT_CACHE",
    "HF_DATASETS_DOWNLOADED_DATASETS_PATH", "HF_DATASETS_EXTRACTED_DATASETS_PATH",
    "HF_DATASETS_IN_MEMORY_MAX_SIZE",
}  # fmt: skip


def _run_child(root: CacheRoot, request: ArtefactRequest, fields: Mapping[str, Any]) -> Any:
    """Returns the child's answer.

    Raises:
      InputError: It says that it cannot do what is asked for.
      HubUnreachableError: It says that the Hub does not answer.
      CodeT5Error: It died.
      OSError: There is no room, or no permission to write.
    """
    child = subprocess.Popen(
        [sys.executable, "-m", _CHILD],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=child_environment(root, is_offline=False),
        # Not the caller's: a folder there may have the data set's name.
        cwd=root.path,
    )
    try:
        told, written = child.communicate(json.dumps(fields).encode())
    except BaseException:
        child.kill()
        child.wait()
        raise
    try:
        answer = json.loads(told)
    except ValueError:
        raise _died(child.returncode, written, request) from None
    if "error" in answer:
        number = answer["error"]["errno"]
        if number in _FULL:
            raise OSError(number, os.strerror(number), os.fspath(root.datasets_dir))
        raise _refused(answer["error"], request)
    return answer["result"]


def _died(status: int, written: bytes, request: ArtefactRequest) -> errors.CodeT5Error:
    text = written[-_MAX_STDERR_BYTES:].decode("utf-8", errors="replace")
    lines = [line for line in text.splitlines() if line.strip()]
    last = hub_errors.without_tokens(lines[-1])[:300] if lines else "it said nothing"
    how = f"was killed by signal {-status}" if status < 0 else f"ended with status {status}"
    return errors.CodeT5Error(
        f"the process that prepared {request.where} {how} ({last}); wanted it to finish; run the "
        "command again, with more memory if it was killed"
    )


def _refused(error: Mapping[str, Any], request: ArtefactRequest) -> errors.CodeT5Error:
    message = hub_errors.without_tokens(f"{error['type']}: {error['message']}")[:400]
    if _SCRIPT_ERROR.search(error["message"]):
        return errors.InputError(
            f"{request.where} needs a script of its own, which nobody runs any more; wanted data "
            "files; ask for the Hub's conversion with revision refs/convert/parquet"
        )
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


def _remove_locks(root: CacheRoot, request: ArtefactRequest) -> None:
    """Removes the locks that `datasets` leaves behind; they bear absolute paths."""
    folder = root.datasets_dir / repository_links.dataset_folder_name(request.name)
    name = os.fspath(folder).replace(os.sep, "_")
    for lock in root.datasets_dir.glob(f"{glob.escape(name)}_*.lock"):
        with contextlib.suppress(OSError):
            lock.unlink()


def _remove_leftovers(folder: pathlib.Path) -> None:
    """Removes what `datasets` leaves beside a finished directory."""
    for lock in folder.parent.glob(f"{glob.escape(folder.name)}*.lock"):
        with contextlib.suppress(OSError):
            lock.unlink()
    shutil.rmtree(folder.with_name(f"{folder.name}.incomplete"), ignore_errors=True)

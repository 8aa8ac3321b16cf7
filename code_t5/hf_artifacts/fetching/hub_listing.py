"""What the Hub has of a repository: its commit, and every file with its size and hash.

A *blob* is the content of a file under the name that huggingface_hub keeps it by: of files that the
Hub holds apart (LFS) their SHA-256, of all others git's SHA-1.
"""

from __future__ import annotations

import dataclasses
import pathlib
import re
from collections.abc import Collection, Mapping
from typing import Any, NamedTuple

from code_t5 import errors
from code_t5.hf_artifacts.fetching import hub_errors, retries, wanted_files
from code_t5.hf_artifacts.fetching.hub_errors import (
    GatedError,
    HubUnreachableError,
    NotFoundError,
)
from code_t5.hf_artifacts.requests import ArtefactRequest

__all__ = [
    "GatedError", "HubFile", "HubListing", "HubUnreachableError", "NotFoundError", "ask_hub",
]  # fmt: skip

_COMMIT = re.compile(r"[0-9a-f]{40}")
_BLOB = {True: re.compile(r"[0-9a-f]{64}"), False: re.compile(r"[0-9a-f]{40}")}
# Above it the Hub's short answer may leave files out.
_MAX_SHORT_LIST = 10_000
_TIMEOUT_SECONDS = 10.0
# What file systems hold, with room for what stands in front of a path.
_MAX_PART_BYTES = 255
_MAX_PATH_LENGTH = 2048


class HubFile(NamedTuple):
    """One file of a commit.

    Attributes:
      size_bytes: Its length.
      blob: The name of its content.
      is_lfs: Whether that is a SHA-256; else git's SHA-1.
    """

    size_bytes: int
    blob: str
    is_lfs: bool


@dataclasses.dataclass(frozen=True)
class HubListing:
    """One commit of a repository.

    Attributes:
      repository: The repository's present name.
      commit: 40 hexadecimal digits.
      files: Every file that is wanted, by its path.
      others: The files that are not.
    """

    repository: str
    commit: str
    files: Mapping[str, HubFile]
    others: Mapping[str, HubFile] = dataclasses.field(default_factory=dict)

    @property
    def size_bytes(self) -> int:
        """Bytes of the files that are wanted; content that two of them share counts once."""
        return sum({file.blob: file.size_bytes for file in self.files.values()}.values())


def ask_hub(request: ArtefactRequest, *, say: retries.Say | None = None) -> HubListing:
    """Asks the Hub for the commit of a request, and chooses the files that loading it takes.

    Args:
      request: What is wanted.
      say: Is told what is waited for.

    Returns:
      The commit; its names and hashes are checked to be such.

    Raises:
      InputError: The Hub has no such repository or revision (`NotFoundError`), it is gated
        (`GatedError`), it has nothing that is asked for, or a name in it leads out of the cache.
      HubUnreachableError: The Hub gives no answer.
    """
    check_name(request)

    def ask() -> HubListing:
        listing = _ask(request)
        _check_script(request, listing)
        card = _read_card(request, listing)
        chosen = wanted_files.choose(request, files=listing.files, card=card)
        others = {path: file for path, file in listing.files.items() if path not in chosen}
        files = {path: listing.files[path] for path in sorted(chosen)}
        return dataclasses.replace(listing, files=files, others=others)

    try:
        return retries.call(ask, what=request.where, policy=retries.QUESTIONS, say=say)
    except Exception as error:
        told = hub_errors.as_hub_error(error, request=request)
        if told is None:
            raise
        raise told from error


def check_name(request: ArtefactRequest) -> None:
    """Refuses names that cannot be a repository's or a revision's.

    Args:
      request: What is wanted.

    Raises:
      InputError: They cannot be.
    """
    from huggingface_hub import utils

    try:
        utils.validate_repo_id(request.name)
    except ValueError as error:
        raise errors.InputError(
            f"{request.name!r} cannot be the name of a {request.kind}; wanted `name` or "
            "`owner/name`; mend the name"
        ) from error
    if request.revision is not None and not _is_safe(request.revision):
        raise errors.InputError(
            f"{request.revision!r} cannot be a revision of {request.name}; wanted a branch, a "
            "tag, refs/... or a commit; mend it"
        )


def _ask(request: ArtefactRequest) -> HubListing:
    import huggingface_hub

    hub = huggingface_hub.HfApi()
    found = hub.repo_info(
        request.name,
        repo_type=request.repository_type,
        revision=request.revision,
        files_metadata=True,
        timeout=_TIMEOUT_SECONDS,
    )
    commit, siblings = str(found.sha), found.siblings or []
    if siblings and len(siblings) <= _MAX_SHORT_LIST:
        files = {file.rfilename: _hub_file(file) for file in siblings}
    else:
        listed = hub.list_repo_tree(
            request.name, repo_type=request.repository_type, revision=commit, recursive=True
        )
        # Folders are listed as well; they have no size.
        files = {file.path: _hub_file(file) for file in listed if hasattr(file, "size")}
    return _checked(HubListing(str(found.id), commit, files), request=request)


def _read_card(request: ArtefactRequest, listing: HubListing) -> bytes:
    """Returns the README of a data set, which says what its configurations are; or nothing."""
    name = wanted_files.CARD_NAME
    card = listing.files.get(name)
    if not wanted_files.needs_card(request) or card is None:
        return b""
    if card.size_bytes > wanted_files.MAX_CARD_BYTES:
        return b""
    import huggingface_hub
    from huggingface_hub import utils

    # By the present name: no detour over a redirection.
    url = huggingface_hub.hf_hub_url(
        listing.repository, name, repo_type=request.repository_type, revision=listing.commit
    )
    answer = utils.get_session().get(
        url, headers=utils.build_hf_headers(), timeout=_TIMEOUT_SECONDS
    )
    utils.hf_raise_for_status(answer)
    return answer.content


def _check_script(request: ArtefactRequest, listing: HubListing) -> None:
    """Refuses a data set that `datasets` would read by a script: before anything is fetched.

    Raises:
      InputError: It is one.
    """
    # By this name, and beside whatever else there is, `datasets` finds it.
    script = f"{request.name.rpartition('/')[2]}.py"
    if request.kind != "dataset" or not request.prepare or script not in listing.files:
        return
    import huggingface_hub

    try:
        huggingface_hub.HfApi().repo_info(
            request.name,
            repo_type=request.repository_type,
            revision=hub_errors.CONVERSION,
            timeout=_TIMEOUT_SECONDS,
        )
        has_conversion = True
    except Exception as error:
        if retries.find_passing(error) is not None:
            raise
        has_conversion = False
    raise hub_errors.needs_script(request, has_conversion=has_conversion)


def _hub_file(file: Any) -> HubFile:
    """Returns a file of one of both listings, which name the hash of LFS files differently."""
    lfs = file.lfs
    if not lfs:
        return HubFile(int(file.size or 0), str(file.blob_id), False)
    held = lfs if isinstance(lfs, dict) else vars(lfs)
    size = held.get("size")
    return HubFile(int(file.size if size is None else size), str(held["sha256"]), True)


def _checked(listing: HubListing, *, request: ArtefactRequest) -> HubListing:
    from huggingface_hub import utils

    slips = [path for path in listing.files if not _is_safe(path)]
    for path, file in listing.files.items():
        if not _BLOB[file.is_lfs].fullmatch(file.blob) or file.size_bytes < 0:
            slips.append(path)
    try:
        utils.validate_repo_id(listing.repository)
    except ValueError:
        slips.append(listing.repository)
    if not _COMMIT.fullmatch(listing.commit):
        slips.append(listing.commit)
    slips = slips or _clashes(listing.files)
    if slips:
        raise errors.InputError(
            f"{hub_errors.endpoint()} lists {slips[0]!r} in {request.name}; wanted names and "
            "hashes that stay inside of the cache and that a disk can hold; do not use this "
            "repository"
        )
    return listing


def _clashes(paths: Collection[str]) -> list[str]:
    """Returns the paths that a file has as well whose name is a folder's."""
    folders = {str(parent) for path in paths for parent in pathlib.PurePosixPath(path).parents}
    return [path for path in paths if path in folders]


def _is_safe(path: str) -> bool:
    parts = pathlib.PurePosixPath(path).parts
    bad = ("\0", "\\", "\n", "\r")
    return (
        bool(parts)
        and not path.startswith("/")
        and not path.endswith("/")
        and not {"..", ".", ""} & set(path.split("/"))
        and not any(character in path for character in bad)
        and all(len(part.encode("utf-8", "replace")) <= _MAX_PART_BYTES for part in parts)
        and len(path) <= _MAX_PATH_LENGTH
        and not any("\ud800" <= character <= "\udfff" for character in path)
    )

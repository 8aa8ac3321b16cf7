"""What can go wrong with a Hub, in one line each, without a token.

A *gated* repository is one that is given only to those whom its authors let in.
"""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Iterator

from code_t5 import errors, library_errors, visible_text
from code_t5.hf_artifacts.requests import ArtefactRequest

_DEFAULT_ENDPOINT = "https://huggingface.co"
_PAGE_FOLDERS = {"model": "", "dataset": "datasets/", "metric": "spaces/"}
_TOKEN = re.compile(r"\bhf_[A-Za-z0-9]{16,}|\b[Bb]earer\s+[^\s'\"]+")


# What a disk says that takes no more: it is full, or not ours.
FULL_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
DISK_ERRORS = (*FULL_DISK, errno.EACCES, errno.EROFS, errno.EPERM)
# Where the Hub keeps Parquet files that it made of data sets.
CONVERSION = "refs/convert/parquet"
_LONG_WAIT_SECONDS = 300
_PASSING_STATUSES = (408, 429)

# What the system says, inside of what libraries make of it.
_SYSTEM_REASON = re.compile(r"\[Errno -?\d+\] ([^'\")\]]+)")
_SILENCES = {
    "IncompleteRead": "the connection was cut",
    "ChunkedEncodingError": "the connection was cut",
    "ConnectionReset": "the connection was cut",
    "RemoteDisconnected": "the connection was cut",
    "Consistency check failed": "the connection was cut",
    "SSLError": "its certificate is not trusted",
    "timed out": "no answer in time",
    "Timeout": "no answer in time",
}


class NotFoundError(errors.InputError):
    """The Hub has no such repository or revision, or does not show it to this user."""


class GatedError(errors.InputError):
    """The repository is gated, and this user is not let in."""


class HubUnreachableError(errors.CodeT5Error):
    """The Hub is silent or does not answer as it should."""


def endpoint(address: str | None = None) -> str:
    """Returns the address of the Hub that is asked, without secrets.

    Args:
      address: In place of `HF_ENDPOINT`.
    """
    given = address or os.environ.get("HF_ENDPOINT") or _DEFAULT_ENDPOINT
    return library_errors.hide_secrets(given.rstrip("/"))


def page(request: ArtefactRequest) -> str:
    """Returns the address of a repository's page."""
    return f"{endpoint()}/{_PAGE_FOLDERS[request.kind]}{request.name}"


def without_tokens(text: str) -> str:
    """Returns a text of a library in one line, with addresses' secrets and tokens cut out.

    Args:
      text: Any.

    >>> without_tokens("no entry for hf_abcdefghijklmnop12")
    'no entry for ***'
    """
    shown = library_errors.hide_secrets(" ".join(text.split()))
    for token in _own_tokens():
        shown = shown.replace(token, "***")
    return visible_text.one_line(_TOKEN.sub("***", shown))


def _own_tokens() -> Iterator[str]:
    for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"):
        token = os.environ.get(name, "").strip()
        if token:
            yield token
    for path in _token_paths():
        try:
            with open(path, encoding="utf-8") as file:
                token = file.read(4096).strip()
        except (OSError, ValueError):
            continue
        if token:
            yield token


def _token_paths() -> Iterator[str]:
    home = os.environ.get("HF_HOME") or "~/.cache/huggingface"
    for path in (os.environ.get("HF_TOKEN_PATH"), os.path.join(home, "token")):
        if path:
            yield os.path.expanduser(path)


def describe(error: BaseException) -> str:
    """Returns an error of a library as part of a message.

    Args:
      error: Of huggingface_hub, requests or the like.
    """
    text = " ".join(str(error).split()) or type(error).__name__
    return without_tokens(text)[:300]


def describe_silence(error: BaseException) -> str:
    """Returns why a server gave no answer, in few words.

    Args:
      error: Of the network.

    >>> describe_silence(OSError("pool(...): Caused by X('[Errno 111] Connection refused'))"))
    'Connection refused'
    """
    text = str(error)
    reason = _SYSTEM_REASON.search(text)
    if reason:
        return without_tokens(reason[1].strip())
    for sign, words in _SILENCES.items():
        if sign in text or sign in type(error).__name__:
            return words
    return describe(error)


def as_hub_error(error: BaseException, *, request: ArtefactRequest) -> errors.CodeT5Error | None:
    """Returns what to tell the user of an error; None where it is not the Hub's.

    Args:
      error: What a library raised.
      request: What was asked for.
    """
    if isinstance(error, errors.CodeT5Error):
        return error
    for one in library_errors.causes(error, with_hidden=True):
        told = _told(one, request)
        if told is not None:
            return told
    passing = library_errors.find_passing_error(error)
    return None if passing is None else unreachable(passing, request=request)


def unreachable(error: BaseException, *, request: ArtefactRequest) -> HubUnreachableError:
    """Returns what to tell of a Hub that gives no answer.

    Args:
      error: The last that was met.
      request: What was asked for.
    """
    status = _status(error)
    seconds = retry_after(error)
    if seconds is not None and seconds > _LONG_WAIT_SECONDS:
        return HubUnreachableError(
            f"{endpoint()} answers with status {status}, and asks to wait for {seconds:.0f} s; "
            f"wanted {request.where}; run the command again after that: what was fetched is kept"
        )
    silence = f"does not answer ({describe_silence(error)})"
    found = f"answers with status {status}" if status else silence
    return HubUnreachableError(
        f"{endpoint()} {found}; wanted {request.where}; run the command where there is a network, "
        "or later: what was fetched is kept, and it goes on from there"
    )


def retry_after(error: BaseException) -> float | None:
    """Returns how many seconds a server asks to wait, where it says so by a number.

    Args:
      error: With or without the server's answer.
    """
    headers = getattr(getattr(error, "response", None), "headers", None) or {}
    value = str(headers.get("Retry-After", "")).strip()
    return float(value) if value.isascii() and value.isdigit() else None


def needs_script(request: ArtefactRequest, *, has_conversion: bool) -> errors.InputError:
    """Returns what to tell of a data set that is read by a script of its own.

    Args:
      request: What was asked for.
      has_conversion: Whether the Hub has Parquet files of it.
    """
    todo = "name another data set, or fetch its files alone with prepare: false"
    if has_conversion:
        todo = f"ask for the Hub's conversion with revision: {CONVERSION}"
    return errors.InputError(
        f"{request.where} needs a script of its own, which nobody runs any more; wanted data "
        f"files; {todo}"
    )


def _status(error: BaseException) -> int | None:
    status = getattr(getattr(error, "response", None), "status_code", None)
    return status if isinstance(status, int) else None


def _told(error: BaseException, request: ArtefactRequest) -> errors.CodeT5Error | None:
    from huggingface_hub import errors as hub_errors

    status = _status(error)
    if isinstance(error, hub_errors.OfflineModeIsEnabled):
        return HubUnreachableError(
            f"HF_HUB_OFFLINE is set; wanted to ask {endpoint()} for {request.where}; run the "
            "command again with HF_HUB_OFFLINE=0 in front of it"
        )
    if isinstance(error, hub_errors.GatedRepoError):
        return _gated(request, has_token=status == 403)
    if isinstance(error, hub_errors.RevisionNotFoundError):
        return NotFoundError(
            f"{request.name} has no revision {request.revision!r} at {endpoint()}; wanted a "
            f"branch, a tag, refs/... or a commit; see {page(request)}/tree/main for those there"
        )
    if isinstance(error, hub_errors.HFValidationError):
        return errors.InputError(
            f"{request.name!r} cannot be the name of a repository; wanted `name` or `owner/name`; "
            "mend the name"
        )
    if isinstance(error, hub_errors.RepositoryNotFoundError) or status == 404:
        return _not_found(request)
    if status in (401, 403):
        return _refused(request, status=status)
    if status is not None and 400 <= status < 500 and status not in _PASSING_STATUSES:
        return errors.InputError(
            f"{endpoint()} answers with status {status} ({describe(error)}); wanted "
            f"{request.where}; correct the request, HF_ENDPOINT or the proxy"
        )
    return None


def _gated(request: ArtefactRequest, *, has_token: bool) -> GatedError:
    if has_token:
        return GatedError(
            f"{request.where} is gated, and the owner of the token that is set is not let in; "
            f"wanted access to it; ask for it at {page(request)} with the same account, and run "
            "the command again when it is granted"
        )
    return GatedError(
        f"{request.where} is gated, and no token that opens it was found; wanted access to it; "
        f"ask for it at {page(request)}, then log in with `hf auth login` (or set HF_TOKEN) and "
        "run the command again"
    )


def _not_found(request: ArtefactRequest) -> NotFoundError:
    return NotFoundError(
        f"{endpoint()} shows no {request.kind} {request.name}; wanted a repository that is public "
        "or that your token opens; correct the name, or log in with `hf auth login` (or set "
        "HF_TOKEN) if it is private"
    )


def _refused(request: ArtefactRequest, *, status: int | None) -> GatedError:
    return GatedError(
        f"{endpoint()} refuses {request.where} (status {status}); wanted a token that is valid "
        f"and may read it; log in again with `hf auth login` (or set HF_TOKEN), and see "
        f"{page(request)} for who is let in"
    )

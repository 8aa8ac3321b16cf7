"""Fetches the files of a tokenizer on the Hub that decide on its ids: all of them, of one commit.

transformers passes over a file that the Hub fails to give, and makes a tokenizer of the others:
without `tokenizer.json` one of `vocab.json` and `merges.txt`, which may give other ids. So what the
repository lists is fetched first. One request says whether the Hub can be asked at all: where it
cannot, transformers would ask again and again for each file, and wait longer each time.
"""

from __future__ import annotations

from typing import Any

from code_t5 import errors

_TIMEOUT_SECONDS = 30
_DECIDING_NAMES = ("special_tokens_map.json", "added_tokens.json")
# Statuses below 500 that pass by themselves: a time that was too short, and too many requests.
_PASSING = (408, 429)


class HubSilentError(errors.CodeT5Error):
    """The Hub cannot be asked now: no network, offline mode, or it is out of order."""


def fetch_tokenizer(name: str) -> str | None:
    """Fetches the files that decide on the ids of a tokenizer, unless they are here already.

    Args:
      name: On the Hub.

    Returns:
      The commit that they are of; None if the Hub has nothing of this name for the caller.

    Raises:
      HubSilentError: The Hub cannot be asked now.
      InputError: It can, and does not give one of the files.
    """
    import huggingface_hub
    from huggingface_hub import errors as hub_errors

    try:
        info = huggingface_hub.HfApi().model_info(name, timeout=_TIMEOUT_SECONDS)
    except hub_errors.HFValidationError:
        return None
    except Exception as error:  # Of requests or httpx, by the version.
        status = _status(error)
        if status is not None and status < 500 and status not in _PASSING:
            return None
        raise HubSilentError(f"{_describe(error)}; wanted its answer; connect") from error
    commit = str(info.sha)
    for sibling in info.siblings or ():
        if _decides(sibling.rfilename):
            _fetch_file(name, sibling.rfilename, commit=commit)
    return commit


def _decides(file_name: str) -> bool:
    """Says whether a file decides on ids; those in folders are of other tools."""
    is_numbered = file_name.startswith("tokenizer") and file_name.endswith(".json")
    return "/" not in file_name and (is_numbered or file_name in _DECIDING_NAMES)


def _fetch_file(name: str, file_name: str, *, commit: str) -> None:
    import huggingface_hub

    try:
        # Of the branch: so the libraries remember which commit it is, for when there is no Hub.
        huggingface_hub.hf_hub_download(name, file_name)
        # It takes what was fetched before if the Hub does not answer.
        is_here = isinstance(
            huggingface_hub.try_to_load_from_cache(name, file_name, revision=commit), str
        )
        cause, found = None, f"not of commit {commit}"
    except Exception as error:  # Of requests or httpx, by the version.
        is_here, cause, found = False, error, _describe(error.__cause__ or error)
    if not is_here:
        raise errors.InputError(
            f"the Hub does not give {file_name} of the tokenizer {name!r} ({found}); wanted all of "
            "its files, for the others alone may give other ids; run the same command again"
        ) from cause


def _status(error: BaseException) -> int | None:
    response: Any = getattr(error, "response", None)
    return getattr(response, "status_code", None)


def _describe(error: BaseException) -> str:
    """Says in few words why the Hub was of no use."""
    from huggingface_hub import constants

    if constants.HF_HUB_OFFLINE:
        return "offline mode is on"
    status = _status(error)
    return f"{f'status {status}' if status else type(error).__name__} at {constants.ENDPOINT}"

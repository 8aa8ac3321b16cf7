"""Errors of other libraries as part of our own messages: short, on one line, without secrets.

A *secret* is what an address may carry beside the place: `user:password@` in front of the host, and
everything behind the path (`?token=...`), as signed addresses have it.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator

_MAX_SHOWN = 300
_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://[^\s'\"<>]+")
_USER = re.compile(r"(?<=://)[^/?#@]*(?:@[^/?#@]*)*@")
_BEHIND_PATH = re.compile(r"[?#].*")
_HASH_LENGTH = 16


def one_line(error: BaseException) -> str:
    """Returns an error of another library as part of a message.

    Args:
      error: The error.

    Returns:
      At most some hundred characters without line ends or secrets; its type if it says nothing.
    """
    text = hide_secrets(" ".join(str(error).split()))
    return text[:_MAX_SHOWN] or type(error).__name__


def hide_secrets(text: str) -> str:
    """Returns a text with the secrets cut out of its addresses.

    Args:
      text: Any.

    >>> hide_secrets("no answer at https://me:word@host/data.json?token=1, gone")
    'no answer at https://host/data.json gone'
    """
    return _ADDRESS.sub(lambda found: _without_secrets(found.group()), text)


def hash_secrets(text: str) -> str:
    """Returns an address whose secrets are replaced by a hash, so that two can be compared.

    Args:
      text: An address, a path or a pattern of these.

    Returns:
      The text itself if there is nothing to hide in it.

    >>> hash_secrets("https://host/data.json?token=1")
    'https://host/data.json?hidden=181d849ccdd87ca9'
    """
    shown = hide_secrets(text)
    if shown == text:
        return text
    # Of the text as JSON: caches that are there hold these hashes.
    digest = hashlib.sha256(json.dumps(text).encode("ascii")).hexdigest()
    return f"{shown}?hidden={digest[:_HASH_LENGTH]}"


def _without_secrets(address: str) -> str:
    # Addresses in archives are chained: zip://file.json::https://host/archive.zip
    parts = (_BEHIND_PATH.sub("", _USER.sub("", part)) for part in address.split("::"))
    return "::".join(parts)


def causes(error: BaseException, *, with_hidden: bool = False) -> Iterator[BaseException]:
    """Yields an error and what it came from, the newest first.

    Args:
      error: Any.
      with_hidden: Whether what its raiser hides (`raise ... from None`) counts as well.
    """
    seen: set[int] = set()
    found: BaseException | None = error
    while found is not None and id(found) not in seen:
        seen.add(id(found))
        yield found
        is_hidden = found.__suppress_context__ and not with_hidden
        found = found.__cause__ or (None if is_hidden else found.__context__)


# Libraries that speak to servers; their errors have no common class but Exception.
_CLIENTS = {"aiohttp", "http", "httpcore", "httpx", "huggingface_hub", "requests", "urllib3"}
_STATUSES_OF_THE_MOMENT = (408, 429)


def find_passing_error(error: BaseException) -> BaseException | None:
    """Returns the error of the network or a server that may be gone at the next try, if it is one.

    Args:
      error: Of any library; what it came from counts as well.
    """
    for one in causes(error):
        response = getattr(one, "response", None)
        status = getattr(response, "status_code", None) or getattr(one, "status", None)
        if isinstance(status, int):
            return one if status >= 500 or status in _STATUSES_OF_THE_MOMENT else None
        if _is_of_the_network(one):
            return one
    return None


def _is_of_the_network(error: BaseException) -> bool:
    if isinstance(error, (ConnectionError, TimeoutError)):
        return True
    if type(error) is OSError and "Consistency check failed" in str(error):
        # huggingface_hub, of a file that ended before its end.
        return True
    is_client = type(error).__module__.partition(".")[0] in _CLIENTS
    # Addresses and names that cannot be are ValueErrors there.
    return is_client and not isinstance(error, ValueError)

"""Addresses of archives, without the secrets that they may carry.

A *public address* is what may be printed and stored: no user, no password, no query, no fragment.
A *download key* tells two addresses apart for the folder of downloads: it ignores what signs a
request (tokens, signatures, expiry dates), so that a newly signed address goes on with an old
download.
"""

from __future__ import annotations

import posixpath
import re
import urllib.parse

from code_t5 import errors
from code_t5.storage import fingerprints
from preprocessing.inputs import flcc_tree

_SIGNING_PARAMETER = re.compile(
    r"x-|amz|goog|sig|sv$|se$|sp$|sr$|st$|spr$|token|key|expir|cred|policy|pass|auth|secret",
    re.IGNORECASE,
)


def is_address(text: str) -> bool:
    """Says whether the text is an address rather than a file's path.

    >>> is_address("https://host/a.tar.gz"), is_address("folder/a.tar.gz")
    (True, False)
    """
    return "://" in text


def _split(address: str) -> urllib.parse.SplitResult:
    """Splits an address.

    Raises:
      InputError: It is no http or https address.
    """
    try:
        parts = urllib.parse.urlsplit(address)
        parts.port  # noqa: B018 - reading it checks it
    except ValueError as error:
        raise errors.InputError(
            "the archive's address cannot be understood; wanted https://host/path/name.tar.gz; "
            "check --archive"
        ) from error
    if parts.scheme.lower() not in ("http", "https") or not parts.hostname:
        raise errors.InputError(
            f"the archive's address starts with {parts.scheme[:20]!r}; wanted http:// or "
            "https:// and a host; fetch the file in another way and give its path"
        )
    return parts


def public_address(address: str) -> str:
    """Returns the address without its secrets.

    Args:
      address: Starts with `http://` or `https://`.

    Returns:
      Scheme, host, port and path.

    Raises:
      InputError: It is no http or https address.

    >>> public_address("https://me:pw@host/a.tar.gz?token=1")
    'https://host/a.tar.gz'
    """
    parts = _split(address)
    host = parts.netloc.rpartition("@")[2]
    return urllib.parse.urlunsplit((parts.scheme, host, parts.path, "", ""))


def download_key(address: str) -> str:
    """Returns 12 hexadecimal digits that stand for the file at an address.

    Args:
      address: Starts with `http://` or `https://`.

    Returns:
      Part of a hash of the public address and of the query's parameters that do not sign it.
    """
    query = urllib.parse.parse_qsl(_split(address).query, keep_blank_values=True)
    kept = sorted(pair for pair in query if not _SIGNING_PARAMETER.search(pair[0]))
    return fingerprints.hash_json([public_address(address), kept])[:12]


def file_name(address: str) -> str:
    """Returns a name for the file at an address.

    >>> file_name("https://host/sets/top%205k.tar.gz?x=1")
    'top_5k.tar.gz'
    """
    name = posixpath.basename(urllib.parse.unquote(_split(address).path))
    return flcc_tree.safe_component(name or "archive", unique=False)

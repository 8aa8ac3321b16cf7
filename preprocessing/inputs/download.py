"""Fetches an archive over HTTP and goes on where an earlier try stopped.

In the *downloads folder* every address has a folder of its own, named by its key. There the file
stands under its own name once it is whole; before that as `<name>.part` beside `<name>.part.json`,
which holds what tells the server's file from a later one (its *validator*: the ETag or the time of
its last change) and its size. A file that someone puts there by hand is taken as it is.
"""

from __future__ import annotations

import dataclasses
import json
import os
import pathlib
import re
import shutil
import time
from typing import Any

import requests
import urllib3
from urllib3.util import retry as urllib3_retry

from code_t5 import errors, progress
from code_t5.storage import atomic
from preprocessing.inputs import addresses

_CHUNK_BYTES = 1 << 18
_TIMEOUT_SECONDS = (15, 60)
_LONGEST_WAIT_SECONDS = 60.0
# After this much news the connection counts as good, and the tries are counted anew.
_NEWS_BYTES = 1 << 20
_PASSING_STATUSES = frozenset({408, 425, 429, 500, 502, 503, 504})
_CONTENT_RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+|\*)")
DEFAULT_RETRY = urllib3_retry.Retry(total=4, backoff_factor=0.5)


class _TryAgain(Exception):
    """The transfer broke off and may be gone on with; its text is the reason.

    Attributes:
      wait_seconds: What the server asked for.
    """

    def __init__(self, reason: str, wait_seconds: float = 0.0) -> None:
        super().__init__(reason)
        self.wait_seconds = wait_seconds


class _GiveUp(Exception):
    """The transfer cannot work; its text is the reason."""


@dataclasses.dataclass
class _Part:
    """What is on the disk of an unfinished download.

    Attributes:
      path: The file of bytes.
      validator: Strong ETag or time of last change; "" if the server gave none.
      size_bytes: Of the whole file; None if the server does not say.
    """

    path: pathlib.Path
    validator: str = ""
    size_bytes: int | None = None

    @property
    def state_path(self) -> pathlib.Path:
        return self.path.with_name(self.path.name + ".json")

    @property
    def num_bytes(self) -> int:
        try:
            return self.path.stat().st_size
        except FileNotFoundError:
            return 0

    def load(self) -> None:
        """Reads the state; whatever cannot be trusted to be of one file is removed."""
        try:
            state = json.loads(self.state_path.read_bytes())
            self.validator, self.size_bytes = str(state["validator"]), state["size_bytes"]
        except (OSError, ValueError, KeyError, TypeError):
            self.validator, self.size_bytes = "", None
        if not isinstance(self.size_bytes, int):
            self.size_bytes = None
        if not self.validator and self.size_bytes is None:
            self.clear()

    def restart(self, *, validator: str, size_bytes: int | None) -> None:
        """Forgets the bytes and notes which file comes now."""
        self.clear()
        self.validator, self.size_bytes = validator, size_bytes
        state = {"validator": validator, "size_bytes": size_bytes}
        atomic.write_file(self.state_path, json.dumps(state).encode("ascii"))

    def clear(self) -> None:
        """Removes what is on the disk."""
        self.path.unlink(missing_ok=True)
        self.state_path.unlink(missing_ok=True)


def _validator(response: requests.Response) -> str:
    etag = response.headers.get("ETag", "")
    if etag and not etag.startswith("W/"):
        return etag
    return response.headers.get("Last-Modified", "")


def _content_length(response: requests.Response) -> int | None:
    text = response.headers.get("Content-Length", "")
    return int(text) if text.isdecimal() else None


def _wait_seconds(response: requests.Response) -> float:
    text = response.headers.get("Retry-After", "")
    return float(text) if text.isdecimal() else 0.0


def _check_status(response: requests.Response) -> None:
    """Sorts answers without content into those that may pass and those that do not."""
    status = response.status_code
    if status in (200, 206):
        return
    reason = f"the server answers {status}"
    if status in _PASSING_STATUSES:
        raise _TryAgain(reason, _wait_seconds(response))
    if status in (401, 403, 407):
        reason += ", which means that it does not let you"
    elif status in (404, 410):
        reason += ", which means that there is no such file"
    raise _GiveUp(reason)


def _check_room(folder: pathlib.Path, num_bytes: int) -> None:
    free = shutil.disk_usage(folder).free
    if num_bytes > free:
        raise errors.InputError(
            f"{folder} has {free / 1e6:,.0f} MB free and the archive takes {num_bytes / 1e6:,.0f} "
            "MB more; wanted room for it; free some or choose another directory"
        )


def _begins_where_we_are(response: requests.Response, part: _Part) -> bool:
    """Whether a partial answer goes on with the bytes on the disk."""
    found = _CONTENT_RANGE.fullmatch(response.headers.get("Content-Range", "").strip())
    if found is None or int(found.group(1)) != part.num_bytes:
        return False
    total = None if found.group(3) == "*" else int(found.group(3))
    return total == part.size_bytes and _validator(response) in ("", part.validator)


def _open_transfer(session: requests.Session, address: str, *, part: _Part) -> requests.Response:
    """Asks for the rest of the file, or for the whole if the server's file is another by now."""
    headers = {"Accept-Encoding": "identity"}
    if part.num_bytes:
        headers["Range"] = f"bytes={part.num_bytes}-"
        if part.validator:
            headers["If-Range"] = part.validator
    response = session.get(address, headers=headers, stream=True, timeout=_TIMEOUT_SECONDS)
    if "Range" in headers and (
        response.status_code == 416
        or (response.status_code == 206 and not _begins_where_we_are(response, part))
    ):
        response.close()
        part.clear()
        del headers["Range"]
        headers.pop("If-Range", None)
        response = session.get(address, headers=headers, stream=True, timeout=_TIMEOUT_SECONDS)
    return response


def _transfer(session: requests.Session, address: str, *, part: _Part, bar: Any) -> None:
    """Moves bytes until the file is whole."""
    if part.size_bytes is not None and part.num_bytes == part.size_bytes > 0:
        return
    with _open_transfer(session, address, part=part) as response:
        _check_status(response)
        if response.status_code == 206 and not part.num_bytes:
            raise _GiveUp("the server sends only a part of the file")
        if response.status_code == 200:
            part.restart(validator=_validator(response), size_bytes=_content_length(response))
        missing = (part.size_bytes or 0) - part.num_bytes
        _check_room(part.path.parent, missing)
        bar.total = part.size_bytes
        bar.n = bar.last_print_n = part.num_bytes
        with open(part.path, "ab") as file:
            for chunk in response.raw.stream(_CHUNK_BYTES, decode_content=False):
                file.write(chunk)
                bar.update(len(chunk))
            file.flush()
            os.fsync(file.fileno())
    found, wanted = part.num_bytes, part.size_bytes
    if wanted is not None and found > wanted:
        part.clear()
        raise _TryAgain("the server sent more than it had announced")
    if wanted is not None and found < wanted:
        raise _TryAgain("the connection broke off")


def _try_transfer(session: requests.Session, address: str, *, part: _Part, bar: Any) -> None:
    """Moves bytes; the network's errors become `_TryAgain` or `_GiveUp`, without the address."""
    try:
        _transfer(session, address, part=part, bar=bar)
    except requests.exceptions.SSLError as error:
        raise _GiveUp("the server's certificate is not trusted") from error
    except requests.exceptions.ProxyError as error:
        raise _TryAgain("the proxy does not answer") from error
    except (requests.exceptions.Timeout, urllib3.exceptions.TimeoutError) as error:
        raise _TryAgain("the server does not answer in time") from error
    except requests.exceptions.TooManyRedirects as error:
        raise _GiveUp("the server redirects without end") from error
    except (requests.exceptions.InvalidURL, requests.exceptions.InvalidSchema) as error:
        raise _GiveUp("the address leads nowhere") from error
    except requests.exceptions.ConnectionError as error:
        raise _TryAgain("no connection to the server") from error
    except (requests.exceptions.RequestException, urllib3.exceptions.HTTPError) as error:
        raise _TryAgain("the connection broke off") from error


def _download(address: str, *, part: _Part, retry: urllib3_retry.Retry) -> None:
    """Tries until the file is whole or the tries are used up.

    Raises:
      _GiveUp: It did not work.
    """
    tries, furthest = retry, part.num_bytes
    with (
        requests.Session() as session,
        progress.progress_bar(
            description="download", unit="B", unit_scale=True, initial=furthest
        ) as bar,
    ):
        while True:
            try:
                _try_transfer(session, address, part=part, bar=bar)
                return
            except _TryAgain as stopped:
                if part.num_bytes >= furthest + _NEWS_BYTES:
                    tries, furthest = retry, part.num_bytes
                try:
                    tries = tries.increment(method="GET", error=Exception(str(stopped)))
                except urllib3.exceptions.MaxRetryError as error:
                    raise _GiveUp(f"{stopped}, {retry.total} times over") from error
                wait = max(tries.get_backoff_time(), stopped.wait_seconds)
                time.sleep(min(wait, _LONGEST_WAIT_SECONDS))


def target_path(address: str, downloads_dir: pathlib.Path) -> pathlib.Path:
    """Returns where the file at an address stands once it is fetched.

    Args:
      address: Starts with `http://` or `https://`.
      downloads_dir: The downloads folder.
    """
    return downloads_dir / addresses.download_key(address) / addresses.file_name(address)


def fetch(
    address: str,
    *,
    downloads_dir: pathlib.Path,
    retry: urllib3_retry.Retry = DEFAULT_RETRY,
) -> pathlib.Path:
    """Fetches the file at an address, unless it is there already.

    Args:
      address: Starts with `http://` or `https://`.
      downloads_dir: The downloads folder; made if missing.
      retry: How often to try without news, and how long to wait.

    Returns:
      The file's path.

    Raises:
      InputError: It cannot be fetched; the message says where to put the file by hand.
      BusyError: Another process is fetching it.
    """
    target = target_path(address, downloads_dir)
    if target.is_file():
        return target
    public = addresses.public_address(address)
    with atomic.lock(target.with_name(".lock"), purpose=f"fetching {public}"):
        part = _Part(target.with_name(target.name + ".part"))
        part.load()
        try:
            _download(address, part=part, retry=retry)
        except _GiveUp as reason:
            kept = f" ({part.num_bytes / 1e6:,.1f} MB are here)" if part.num_bytes else ""
            raise errors.InputError(
                f"cannot fetch {public}: {reason}{kept}; fetch that file on a machine that can, "
                f"put it at {target} and run the same command again, or run it again later: it "
                "goes on where it stopped"
            ) from reason
        os.replace(part.path, target)
        part.state_path.unlink(missing_ok=True)
    return target

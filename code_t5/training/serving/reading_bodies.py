"""Reads what a client sends, no longer and no more than allowed, and notices when it goes away.

A client that sends too much is told so in words: what it has under way is read for a moment and
thrown away, because whoever is still sending does not listen.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping

from starlette.types import Message, Receive

from code_t5.training.serving.answers import RequestError, shown

# curl names a form where it is told nothing, and TensorFlow Serving's examples use curl.
_CONTENT_TYPES = ("", "application/json", "application/x-www-form-urlencoded")
_CHARSETS = frozenset({"utf-8", "utf8", "us-ascii"})
_LINGER_SECONDS = 2.0
_LINGER_BYTES = 16 << 20


def check_content(headers: Mapping[str, str], *, max_bytes: int) -> None:
    """Looks at what a request says of its body.

    Args:
      headers: Of the request, by names in lower case.
      max_bytes: Most bytes of a body.

    Raises:
      RequestError: It is no JSON in UTF-8 as it stands (415), or too large (413).
    """
    content_type, *parameters = headers.get("content-type", "").lower().split(";")
    named = [parameter.partition("=") for parameter in parameters]
    charsets = [value.strip(' "') for name, _, value in named if name.strip() == "charset"]
    if content_type.strip() not in _CONTENT_TYPES or not _CHARSETS.issuperset(charsets):
        raise RequestError(
            f"found a body of type {shown(headers['content-type'])}; wanted application/json in "
            "UTF-8",
            status=415,
        )
    encoding = headers.get("content-encoding", "identity").strip().lower()
    if encoding not in ("", "identity"):
        raise RequestError(
            f"found a body encoded as {shown(encoding)}; wanted it as it is", status=415
        )
    length = headers.get("content-length", "0")
    # The server's own parser takes digits only.
    if int(length) > max_bytes:
        raise _too_large(f"{length} bytes" if len(length) < 20 else "far more", max_bytes)


def _too_large(found: str, max_bytes: int) -> RequestError:
    return RequestError(
        f"found a body of {found}; wanted {max_bytes} at most; send fewer prompts at once",
        status=413,
        headers={"Connection": "close"},
    )


async def _read(receive: Receive, *, max_bytes: int) -> bytes:
    """Returns the body.

    Raises:
      RequestError: It is too large.
      ConnectionError: The client went away.
    """
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ConnectionError("the client went away")
        body += message.get("body", b"")
        if len(body) > max_bytes:
            raise _too_large("more bytes", max_bytes)
        if not message.get("more_body", False):
            return bytes(body)


async def _linger(receive: Receive) -> None:
    """Throws away what is under way."""
    left = _LINGER_BYTES
    while left > 0:
        message = await receive()
        left -= len(message.get("body", b""))
        if not message.get("more_body", False):
            return


async def read_body(
    receive: Receive, *, headers: Mapping[str, str], max_bytes: int, timeout_seconds: float
) -> bytes:
    """Reads the body of a request.

    Args:
      receive: Of the ASGI application.
      headers: Of the request, by names in lower case.
      max_bytes: Most bytes.
      timeout_seconds: How long it may take.

    Returns:
      The body.

    Raises:
      RequestError: It is too large (413), too slow (408) or of another type (415).
      ConnectionError: The client went away.
    """
    is_whole = False

    async def receive_noting_the_end() -> Message:
        nonlocal is_whole
        message = await receive()
        is_whole = not message.get("more_body", False)
        return message

    try:
        check_content(headers, max_bytes=max_bytes)
        reading = _read(receive_noting_the_end, max_bytes=max_bytes)
        return await asyncio.wait_for(reading, timeout_seconds)
    except RequestError:
        # Who asks before sending is answered before sending.
        if "expect" not in headers and not is_whole:
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(_linger(receive), _LINGER_SECONDS)
        raise
    except asyncio.TimeoutError as error:
        raise RequestError(
            f"the body did not come within {timeout_seconds:g} seconds; wanted it whole; send it "
            "at once",
            status=408,
            headers={"Connection": "close"},
        ) from error


@contextlib.asynccontextmanager
async def gone(receive: Receive) -> AsyncIterator[asyncio.Task[None]]:
    """Yields a task that ends when the client goes away; entered when the body is read."""

    async def watch() -> None:
        while (await receive())["type"] != "http.disconnect":
            pass

    task = asyncio.create_task(watch())
    try:
        yield task
    finally:
        task.cancel()

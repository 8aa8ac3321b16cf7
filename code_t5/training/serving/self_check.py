"""Asks a server that has just started, as its first client: does it answer as it should?"""

from __future__ import annotations

import contextlib
import http.client
import json
import urllib.parse

from code_t5 import errors

_PROMPT = "def main():\n    "
_TIMEOUT_SECONDS = 60


def _ask(address: str, method: str, *, path: str, body: str | None = None) -> tuple[int, str]:
    """Returns the status and the text that come back."""
    parts = urllib.parse.urlsplit(address)
    connection = http.client.HTTPConnection(
        str(parts.hostname), parts.port, timeout=_TIMEOUT_SECONDS
    )
    with contextlib.closing(connection):
        connection.request(method, path, body, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        return answer.status, answer.read().decode("utf-8")


def check_server(address: str, *, name: str) -> list[str]:
    """Asks for the page and for one prediction.

    Args:
      address: The server's, as a browser opens it.
      name: Of the model.

    Returns:
      What came back, in lines for a person.

    Raises:
      ArtifactError: It is not what it should be.
    """
    try:
        page_status, page = _ask(address, "GET", path="/")
        body = json.dumps({"instances": [{"prompt": _PROMPT}]})
        status, text = _ask(address, "POST", path=f"/v1/models/{name}:predict", body=body)
        found = json.loads(text)
        is_page = page_status == 200 and 'id="candidates"' in page
        candidates = found["predictions"][0]["candidates"] if status == 200 else None
    except (OSError, http.client.HTTPException, ValueError, LookupError, TypeError) as error:
        raise errors.ArtifactError(
            f"the server at {address} failed its check: {error!r}; wanted a page and a "
            "prediction; export the model again"
        ) from error
    if not is_page or candidates is None:
        raise errors.ArtifactError(
            f"the server at {address} answered {page_status} for its page and {status} for a "
            "prediction; wanted both; export the model again"
        )
    lines = [f"checked: the page has {len(page):,} characters"]
    lines += [f"checked: {_PROMPT!r} -> {one['text']!r} ({one['score']:.2f})" for one in candidates]
    return lines

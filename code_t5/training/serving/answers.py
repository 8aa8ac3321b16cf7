"""What the server answers: JSON always, and an error in one short sentence.

An error is `{"error": "..."}`, as TensorFlow Serving writes it, with a status that says whose fault
it is: 4xx the request's, 5xx the server's. Nothing of the server's inside (paths, tracebacks) is in
it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from starlette.responses import Response

from code_t5 import errors

_MAX_ECHO_CHARACTERS = 80


class RequestError(errors.CodeT5Error):
    """A request that is not answered with a prediction.

    Attributes:
      status: The HTTP status that says so.
      headers: Headers that go with it.
    """

    def __init__(
        self, message: str, *, status: int = 400, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.headers = dict(headers or {})


def json_response(
    content: object, *, status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    """Returns an answer in JSON, in ASCII: it looks the same in every terminal.

    Args:
      content: What to write; holds no NaN.
      status: The HTTP status.
      headers: More headers.
    """
    text = json.dumps(content, allow_nan=False, separators=(", ", ": "))
    return Response(text, status_code=status, headers=headers, media_type="application/json")


def error_response(
    message: str, *, status: int, headers: Mapping[str, str] | None = None
) -> Response:
    """Returns an error in JSON.

    Args:
      message: What was found, what was wanted.
      status: The HTTP status.
      headers: More headers.
    """
    return json_response({"error": message}, status=status, headers=headers)


def shown(value: object) -> str:
    """Returns a value out of a request for an error message: short, in one line.

    >>> shown("a" * 100)[-6:]
    'aaa...'
    """
    text = repr(value[: _MAX_ECHO_CHARACTERS + 1] if isinstance(value, str) else value)
    text = text.encode("ascii", "backslashreplace").decode("ascii")
    cut = text[:_MAX_ECHO_CHARACTERS]
    return cut if cut == text else f"{cut}..."

"""What stands before every route: who may ask, what every answer carries, what is counted.

A page of another site that a person's browser shows can send requests to this machine. Two looks
keep it out: the *host* that a request names must be this server's (or a number, which no site can
take over: DNS rebinding needs a name), and an *origin*, where a browser names one, must be the
same.
"""

from __future__ import annotations

import ipaddress
import re
import time
import urllib.parse
from collections.abc import Collection
from typing import Protocol

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from code_t5.training.serving import failures
from code_t5.training.serving.answers import RequestError, error_response, shown
from code_t5.training.serving.limits import Limits

# What every answer carries.
HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Frame-Options": "DENY",
    "Cache-Control": "no-store",
}


# All of it is looked at: what a reader of addresses drops could be another host's name.
_HOST = re.compile(r"(?:\[([0-9A-Fa-f:.]+)\]|([0-9A-Za-z_.-]+))(?::(\d*))?")
# A request to a proxy names the whole address, and a server has to understand it.
_WHOLE_TARGET = re.compile(rb"(?i:https?)://([^/]*)(/.*)?")


class RequestObserver(Protocol):
    """Whoever counts requests."""

    def observe_request(self, *, route: str, method: str, status: int, seconds: float) -> None:
        """Counts one request that was answered."""

    def observe_cut(self, *, while_waiting_for: str) -> None:
        """Counts one connection that was cut."""


def host_name(host: str) -> str | None:
    """Returns the name in a `Host` header, without its port; None if it is none.

    >>> host_name("[::1]:8501"), host_name("LocalHost.:80"), host_name("[::1]evil.example")
    ('::1', 'localhost', None)
    """
    found = _HOST.fullmatch(host)
    if found is None:
        return None
    number, name, port = found.groups()
    if port and not (len(port) < 6 and 0 < int(port) < 65536):
        return None
    # The dot at the end of a name only says that it is whole.
    return (number or name.removesuffix(".")).lower() or None


def is_number(name: str) -> bool:
    """Says whether a host is written as an address.

    >>> is_number("127.0.0.1"), is_number("example.com")
    (True, False)
    """
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _refused(message: str, *, status: int) -> RequestError:
    """Returns a refusal after which nothing more is read of a connection."""
    return RequestError(message, status=status, headers={"Connection": "close"})


class Guard:
    """An ASGI application around another one.

    Attributes:
      observer: Is told of each request.
    """

    def __init__(
        self,
        application: ASGIApp,
        *,
        host_names: Collection[str],
        observer: RequestObserver,
        limits: Limits,
    ) -> None:
        """Puts the guard up.

        Args:
          application: What answers those who may ask.
          host_names: Names of this server, beside `localhost`.
          observer: Is told of each request.
          limits: What is taken.
        """
        self.observer = observer
        self._application = application
        self._host_names = {"localhost", *(name.lower() for name in host_names)}
        self._max_head_bytes = limits.max_head_bytes

    def refusal(self, scope: Scope) -> RequestError | None:
        """Says why a request is not let through.

        Args:
          scope: The request's; one for a whole address is made one for its path.

        Returns:
          What to answer; None if it may pass.
        """
        headers = Headers(scope=scope)
        head_bytes = sum(len(name) + len(value) + 4 for name, value in scope["headers"])
        head_bytes += len(scope["raw_path"]) + len(scope["query_string"])
        if head_bytes > self._max_head_bytes:
            return _refused(
                f"found a head of {head_bytes} bytes; wanted {self._max_head_bytes} at most",
                status=431,
            )
        if "transfer-encoding" in headers and "content-length" in headers:
            # Whoever stands between may see the end of the body at another place.
            return _refused(
                "found both Content-Length and Transfer-Encoding; wanted one length of the body",
                status=400,
            )
        hosts = headers.getlist("host")
        if len(hosts) == 1 and (whole := _WHOLE_TARGET.fullmatch(scope["raw_path"])):
            hosts = [whole[1].decode("ascii", "replace")]
            scope["raw_path"] = whole[2] or b"/"
            scope["path"] = urllib.parse.unquote(scope["raw_path"].decode("ascii"))
        if b"%2f" in scope["raw_path"].lower():
            # It would be read as a slash between two names.
            return RequestError("Not Found", status=404)
        return self._refusal_of_sender(hosts, headers.get("origin"))

    def _refusal_of_sender(self, hosts: list[str], origin: str | None) -> RequestError | None:
        """Says why one who names these hosts and this origin may not ask."""
        name = host_name(hosts[0]) if len(hosts) == 1 else None
        if name is None:
            return RequestError(
                "found no Host header that names one host; wanted this server's address"
            )
        if name not in self._host_names and not is_number(name):
            return RequestError(
                f"found the host {shown(name)}; wanted localhost, an address in numbers, or a "
                "name that the server was given by --allowed_hosts"
            )
        # Something before this server may have taken the encryption off.
        own = {f"{scheme}://{hosts[0]}".lower() for scheme in ("http", "https")}
        if origin is not None and origin.lower() not in own:
            return RequestError(
                f"found the origin {shown(origin)}; wanted this server's own page", status=403
            )
        return None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request."""
        if scope["type"] != "http":
            await self._application(scope, receive, send)
            return
        began, status = time.monotonic(), 0

        async def send_with_headers(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        try:
            refusal = self.refusal(scope)
            if refusal is not None:
                answer = error_response(
                    str(refusal), status=refusal.status, headers=refusal.headers
                )
                await answer(scope, receive, send_with_headers)
            else:
                await self._application(scope, receive, send_with_headers)
        except ConnectionError:
            # Nobody listens any more.
            status = 499
        except Exception:  # noqa: BLE001 - whatever it is, the next request is answered
            failures.log_failure("a request failed")
            if not status:
                answer = error_response("the server failed; its log says how", status=500)
                await answer(scope, receive, send_with_headers)
        finally:
            route = getattr(scope.get("endpoint"), "__name__", "other")
            seconds = time.monotonic() - began
            self.observer.observe_request(
                route=route, method=scope["method"], status=status or 499, seconds=seconds
            )

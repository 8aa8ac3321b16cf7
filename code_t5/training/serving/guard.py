"""What stands before every route: who may ask, what every answer carries, what is counted.

A page of another site that a person's browser shows can send requests to this machine. Two looks
keep it out: the *host* that a request names must be this server's (or a number, which no site can
take over: DNS rebinding needs a name), and an *origin*, where a browser names one, must be the
same.
"""

from __future__ import annotations

import ipaddress
import time
import urllib.parse
from collections.abc import Collection
from typing import Protocol

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from code_t5.training.serving import failures
from code_t5.training.serving.answers import error_response, shown

_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Frame-Options": "DENY",
    "Cache-Control": "no-store",
}


class RequestObserver(Protocol):
    """Whoever counts requests."""

    def observe_request(self, *, route: str, method: str, status: int, seconds: float) -> None:
        """Counts one request that was answered."""


def host_name(host: str) -> str | None:
    """Returns the name in a `Host` header, without its port; None if it is none.

    >>> host_name("[::1]:8501"), host_name("LocalHost:80"), host_name("a b")
    ('::1', 'localhost', None)
    """
    if not host or any(character in host for character in " /\\?#@,"):
        return None
    try:
        parts = urllib.parse.urlsplit(f"//{host}")
        # Reading it refuses what is no number.
        return parts.hostname if parts.port != 0 else None
    except ValueError:
        return None


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


class Guard:
    """An ASGI application around another one."""

    def __init__(
        self, application: ASGIApp, *, host_names: Collection[str], observer: RequestObserver
    ) -> None:
        """Puts the guard up.

        Args:
          application: What answers those who may ask.
          host_names: Names of this server, beside `localhost`.
          observer: Is told of each request.
        """
        self._application = application
        self._host_names = {"localhost", *(name.lower() for name in host_names)}
        self._observer = observer

    def refusal(self, headers: Headers) -> tuple[int, str] | None:
        """Says why a request is not let through.

        Args:
          headers: The request's.

        Returns:
          The status and the reason; None if it may pass.
        """
        hosts = headers.getlist("host")
        name = host_name(hosts[0]) if len(hosts) == 1 else None
        if name is None:
            return 400, "found no Host header that names one host; wanted this server's address"
        if name not in self._host_names and not is_number(name):
            return 400, (
                f"found the host {shown(name)}; wanted localhost, an address in numbers, or a "
                "name that the server was given by --allowed_hosts"
            )
        origin = headers.get("origin")
        # Something before this server may have taken the encryption off.
        own = {f"{scheme}://{hosts[0]}".lower() for scheme in ("http", "https")}
        if origin is not None and origin.lower() not in own:
            return 403, f"found the origin {shown(origin)}; wanted this server's own page"
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
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        try:
            refusal = self.refusal(Headers(scope=scope))
            if refusal is not None:
                answer = error_response(refusal[1], status=refusal[0])
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
            self._observer.observe_request(
                route=route, method=scope["method"], status=status or 499, seconds=seconds
            )

"""HTTP connections that end: uvicorn's own protocol, with limits on their time and number.

A client may open a connection and say nothing, or one letter a minute, or never read its answer.
Each connection here has one clock: for the head of a request, for the request until its answer is
made, for the answer to be taken away. When it has run out, the connection is cut. Where there are
too many connections, the one that has been *quiet* longest is: open, and not being answered.

What is no HTTP never reaches the application; it is answered here as the application would.
"""

from __future__ import annotations

import asyncio
import json
import logging
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from code_t5.training.serving import guard
from code_t5.training.serving.limits import Limits

_LOGGER = logging.getLogger(__name__)


class TimedProtocol(H11Protocol):
    """One connection. Subclasses set the attributes.

    Attributes:
      limits: What it may take.
      observer: Is told of what the application does not see.
    """

    limits: Limits
    observer: guard.RequestObserver
    _clock: asyncio.TimerHandle | None = None
    _timed_cycle: object | None = None
    _head_begun = False
    _quiet_since = 0.0
    _has_warned = False

    def _allow(self, seconds: float, *, waiting_for: str) -> None:
        """Starts the clock anew."""
        if self._clock is not None:
            self._clock.cancel()
        self._clock = self.loop.call_later(seconds, self._cut, waiting_for)

    def _cut(self, waiting_for: str) -> None:
        self.observer.observe_cut(while_waiting_for=waiting_for)
        # It ends with the next turn of the loop, and is one too many no longer.
        self.connections.discard(self)
        self.transport.abort()

    def _is_answering(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def connection_made(self, transport: Any) -> None:
        """Starts the clock; if it is one too many, a quiet connection is cut, or this one."""
        super().connection_made(transport)
        self._quiet_since = self.loop.time()
        self._allow(self.limits.head_seconds, waiting_for="head")
        if len(self.connections) > self.limits.max_connections:
            self._warn_once()
            self._quietest()._cut("place")

    @classmethod
    def _warn_once(cls) -> None:
        """Says that there are too many; a flood of them is no flood of lines."""
        if not cls._has_warned:
            cls._has_warned = True
            _LOGGER.warning(
                "more than %d connections: the quietest are cut, and /metrics counts them",
                cls.limits.max_connections,
            )

    def _quietest(self) -> TimedProtocol:
        """Returns the connection that has been quiet longest; this one is the youngest."""
        others = [one for one in self.connections if isinstance(one, TimedProtocol)]
        quiet = [one for one in others if one is not self and not one._is_answering()]
        return min(quiet, key=lambda one: one._quiet_since, default=self)

    def connection_lost(self, exc: Exception | None) -> None:
        """Stops the clock."""
        if self._clock is not None:
            self._clock.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Gives a request that begins its time; more bytes of one give it no more."""
        if not self._is_answering() and not self._head_begun:
            self._head_begun = True
            self._allow(self.limits.head_seconds, waiting_for="head")
        super().data_received(data)
        self._time_request()

    def _time_request(self) -> None:
        if self.cycle is not self._timed_cycle and self._is_answering():
            self._timed_cycle = self.cycle
            self._head_begun = False
            self._allow(self.limits.request_seconds, waiting_for="request")

    def on_response_complete(self) -> None:
        """Gives the answer time to be taken away; a request that came with it begins now."""
        self._quiet_since = self.loop.time()
        self._allow(self.limits.idle_seconds, waiting_for="reader")
        super().on_response_complete()
        self._time_request()

    def send_400_response(self, msg: str) -> None:
        """Answers what is no request in JSON, and ends the connection.

        Args:
          msg: What uvicorn would say.
        """
        del msg
        if self.conn.our_state not in (h11.IDLE, h11.SEND_RESPONSE):
            # An answer is under way: nothing can be put into it.
            self._cut("request")
            return
        if not self._is_answering():
            # The application counts those that it sees.
            self.observer.observe_request(route="other", method="other", status=400, seconds=0.0)
        message = (
            "found no HTTP request that can be read; wanted HTTP/1.1 with a head of "
            f"{self.limits.max_head_bytes} bytes at most"
        )
        body = json.dumps({"error": message}).encode("ascii")
        headers = {
            **guard.HEADERS,
            "Content-Type": "application/json",
            "Content-Length": str(len(body)),
            "Connection": "close",
        }
        answer = h11.Response(status_code=400, headers=list(headers.items()), reason=b"Bad Request")
        for event in (answer, h11.Data(data=body), h11.EndOfMessage()):
            self.transport.write(self.conn.send(event))
        self.transport.close()


def timed_protocol(limits: Limits, *, observer: guard.RequestObserver) -> type[TimedProtocol]:
    """Returns the protocol with limits of its own.

    Args:
      limits: What a connection may take.
      observer: Is told of what the application does not see.
    """
    members: dict[str, Any] = {"limits": limits, "observer": observer}
    return type("LimitedProtocol", (TimedProtocol,), members)

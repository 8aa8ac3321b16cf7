"""HTTP connections that end: uvicorn's own protocol, with limits on their time and number.

A client may open a connection and say nothing, or one letter a minute, or never read its answer.
Each connection here has one clock: for the head of a request, for the request until its answer is
made, for the answer to be taken away. When it has run out, the connection is cut.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

from code_t5.training.serving.limits import Limits

_LOGGER = logging.getLogger(__name__)


class TimedProtocol(H11Protocol):
    """One connection. Subclasses set `limits`.

    Attributes:
      limits: What it may take.
    """

    limits = Limits()
    _clock: asyncio.TimerHandle | None = None
    _timed_cycle: object | None = None
    _head_begun = False

    def _allow(self, seconds: float) -> None:
        """Starts the clock anew."""
        if self._clock is not None:
            self._clock.cancel()
        self._clock = self.loop.call_later(seconds, self._cut)

    def _cut(self) -> None:
        self._clock = None
        self.transport.abort()

    def _is_answering(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def connection_made(self, transport: Any) -> None:
        """Starts the clock, or cuts a connection that is one too many."""
        super().connection_made(transport)
        self._allow(self.limits.head_seconds)
        if len(self.connections) > self.limits.max_connections:
            _LOGGER.warning("more than %d connections: cut one", self.limits.max_connections)
            self.transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stops the clock."""
        if self._clock is not None:
            self._clock.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Gives a request that begins its time; more bytes of one give it no more."""
        if not self._is_answering() and not self._head_begun:
            self._head_begun = True
            self._allow(self.limits.head_seconds)
        super().data_received(data)
        self._time_request()

    def _time_request(self) -> None:
        if self.cycle is not self._timed_cycle and self._is_answering():
            self._timed_cycle = self.cycle
            self._head_begun = False
            self._allow(self.limits.request_seconds)

    def on_response_complete(self) -> None:
        """Gives the answer time to be taken away; a request that came with it begins now."""
        self._allow(self.limits.idle_seconds)
        super().on_response_complete()
        self._time_request()


def timed_protocol(limits: Limits) -> type[TimedProtocol]:
    """Returns the protocol with limits of its own.

    Args:
      limits: What a connection may take.
    """
    members: dict[str, Any] = {"limits": limits}
    return type("LimitedProtocol", (TimedProtocol,), members)

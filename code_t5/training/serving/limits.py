"""What the server takes from those who ask, in one place."""

from __future__ import annotations

import dataclasses


@dataclasses.dataclass(frozen=True)
class Limits:
    """What the server takes.

    Attributes:
      max_batch_wait_seconds: How long the first prompt of a batch waits for others.
      max_queue: Most prompts that wait; more are refused with 429.
      max_request_bytes: Most bytes of a body; more are refused with 413.
      max_head_bytes: Most bytes of a request's head; more are refused with 431.
      body_seconds: How long a body may take; a slower one is refused with 408.
      timeout_seconds: How long an answer may take; then it is 504.
      max_connections: Most connections at once; a further one takes the place of the one that
        has been quiet longest, or is cut where each is being answered.
      head_seconds: How long the head of a request may take; then its connection is cut.
      idle_seconds: From an answer until it is taken away or the next request begins; then too.
      grace_seconds: What a request may take beside its body and its answer; then too.
    """

    max_batch_wait_seconds: float = 0.004
    max_queue: int = 256
    max_request_bytes: int = 1 << 20
    max_head_bytes: int = 16 << 10
    body_seconds: float = 10.0
    timeout_seconds: float = 30.0
    max_connections: int = 512
    head_seconds: float = 10.0
    idle_seconds: float = 20.0
    grace_seconds: float = 5.0

    @property
    def request_seconds(self) -> float:
        """How long a request may take from its head to the end of its answer."""
        return self.body_seconds + self.timeout_seconds + self.grace_seconds

"""What the server counts, in Prometheus' form: `/metrics` shows it.

All names begin with `code_t5_`. Labels come from a fixed set, so no request can make new ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Callable

import prometheus_client

from code_t5.training.serving.predictions import Prediction, ServedModel

CONTENT_TYPE = prometheus_client.CONTENT_TYPE_LATEST
_SECONDS = (0.005, 0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.5, 1, 2, 5, 10, 30)
_METHODS = {"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"}


class Metrics:
    """The counters of one server."""

    def __init__(self, model: ServedModel, *, num_waiting: Callable[[], int]) -> None:
        """Sets all to nought.

        Args:
          model: What is served.
          num_waiting: Says how many prompts wait now.
        """
        self._registry = prometheus_client.CollectorRegistry()
        self._requests = prometheus_client.Counter(
            "code_t5_requests",
            "Requests answered, by route, method and status.",
            ("route", "method", "code"),
            registry=self._registry,
        )
        self._seconds = prometheus_client.Histogram(
            "code_t5_request_seconds",
            "From a request's head to the end of its answer, by route.",
            ("route",),
            buckets=_SECONDS,
            registry=self._registry,
        )
        self._cut = prometheus_client.Counter(
            "code_t5_connections_cut",
            "Connections cut by the server, by what it waited for.",
            ("waiting_for",),
            registry=self._registry,
        )
        self._batch_size = prometheus_client.Histogram(
            "code_t5_batch_size",
            "Prompts that were run at once.",
            buckets=sorted({1, 2, 4, 8, 16, 32, model.batch_size}),
            registry=self._registry,
        )
        self._batch_seconds = prometheus_client.Histogram(
            "code_t5_batch_seconds",
            "Time that the model took for a batch.",
            buckets=_SECONDS,
            registry=self._registry,
        )
        self._tokens = prometheus_client.Counter(
            "code_t5_tokens",
            "Tokens read (prompt) and written (new; all candidates together).",
            ("kind",),
            registry=self._registry,
        )
        waiting = prometheus_client.Gauge(
            "code_t5_queue", "Prompts that wait for a batch.", registry=self._registry
        )
        waiting.set_function(num_waiting)
        served = prometheus_client.Info("code_t5_model", "What is served.", registry=self._registry)
        served.info({"name": model.name, "version": str(model.version)})

    def observe_request(self, *, route: str, method: str, status: int, seconds: float) -> None:
        """Counts one request that was answered.

        Args:
          route: The name of the route, out of a fixed set.
          method: As the request names it.
          status: The answer's.
          seconds: From its head to the end of its answer.
        """
        known = method if method in _METHODS else "other"
        self._requests.labels(route, known, str(status)).inc()
        self._seconds.labels(route).observe(seconds)

    def observe_cut(self, *, while_waiting_for: str) -> None:
        """Counts one connection that was cut.

        Args:
          while_waiting_for: What did not come, out of a fixed set.
        """
        self._cut.labels(while_waiting_for).inc()

    def observe_batch(
        self, predictions: Sequence[Prediction], *, size: int, seconds: float
    ) -> None:
        """Counts one batch.

        Args:
          predictions: What came out.
          size: Of the batch, prompts on which the model failed included.
          seconds: How long it ran.
        """
        self._batch_size.observe(size)
        self._batch_seconds.observe(seconds)
        self._tokens.labels("prompt").inc(sum(one.num_prompt_tokens for one in predictions))
        self._tokens.labels("new").inc(sum(one.num_new_tokens for one in predictions))

    def text(self) -> bytes:
        """Returns all counters in Prometheus' text form."""
        return prometheus_client.generate_latest(self._registry)

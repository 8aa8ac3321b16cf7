"""The routes: TensorFlow Serving's REST form for one model, health, metrics and the page.

`POST /v1/models/NAME[/versions/N]:predict` asks, `GET` of the same without `:predict` tells the
state, with `/metadata` the signatures. `/healthz` says that the server lives, `/readyz` that it can
answer now. Paths, bodies and errors are TensorFlow Serving's as far as it has them.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from code_t5.training.serving import predict_requests, reading_bodies
from code_t5.training.serving.answers import RequestError, error_response, json_response, shown
from code_t5.training.serving.batching import Batcher
from code_t5.training.serving.guard import Guard
from code_t5.training.serving.limits import Limits
from code_t5.training.serving.metrics import CONTENT_TYPE, Metrics
from code_t5.training.serving.page import Page
from code_t5.training.serving.predictions import Prediction, ServedModel

_MAX_PROMPTS_PER_REQUEST = 64
_METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]


class ModelApplication:
    """The routes of one model.

    Attributes:
      batcher: The queue before the model.
      metrics: What is counted.
    """

    def __init__(self, model: ServedModel, *, limits: Limits) -> None:
        """Sets up the routes; the queue starts with the server.

        Args:
          model: What is served.
          limits: What is taken.
        """
        self._model = model
        self._limits = limits
        self._request_limits = predict_requests.RequestLimits(
            max_prompts=min(_MAX_PROMPTS_PER_REQUEST, limits.max_queue),
            max_prompt_tokens=model.max_prompt_tokens,
            vocab_size=model.vocab_size,
        )
        self.metrics = Metrics(model, num_waiting=lambda: self.batcher.num_waiting)
        self.batcher = Batcher(
            model.predict,
            batch_size=model.batch_size,
            max_wait_seconds=limits.max_batch_wait_seconds,
            max_queue=limits.max_queue,
            observer=self.metrics,
        )
        self._page = Page(model)

    def routes(self) -> list[Route]:
        """Returns the routes; the endpoints' names are the labels in the metrics."""
        found = [
            Route("/", self.page, methods=["GET"]),
            Route("/healthz", self.healthz, methods=["GET"]),
            Route("/readyz", self.readyz, methods=["GET"]),
            Route("/metrics", self.show_metrics, methods=["GET"]),
        ]
        for base in ("/v1/models/{name}", "/v1/models/{name}/versions/{version}"):
            found += [
                Route(f"{base}:predict", self.predict, methods=["POST"]),
                Route(f"{base}:{{verb}}", self.other_verb, methods=_METHODS),
                Route(f"{base}/metadata", self.metadata, methods=["GET"]),
                Route(base, self.status, methods=["GET"]),
            ]
        return found

    @contextlib.asynccontextmanager
    async def lifespan(self, application: Starlette) -> AsyncIterator[None]:
        """Starts the queue with the server and ends it with it."""
        del application
        self.batcher.start()
        yield
        await self.batcher.close()

    def _check_name(self, request: Request, *, missing: str) -> None:
        """Compares the model and version of a path with what is served.

        Raises:
          RequestError: Another one is asked for.
        """
        name, version = request.path_params["name"], request.path_params.get("version")
        path = name if version is None else f"{name}/versions/{version}"
        served = f"{self._model.name}/versions/{self._model.version}"
        if path not in (self._model.name, served):
            raise RequestError(f"{missing} {shown(path)}; wanted {served}", status=404)

    async def other_verb(self, request: Request) -> Response:
        """Refuses what is asked of a model and is no prediction.

        Raises:
          RequestError: Always.
        """
        self._check_name(request, missing="Servable not found for request:")
        verb = request.path_params["verb"]
        if verb == "predict":
            raise RequestError(
                f"found {request.method}; wanted POST", status=405, headers={"Allow": "POST"}
            )
        raise RequestError(
            f"Malformed request: {request.method} of the model's {shown(verb)}; wanted POST and "
            "predict"
        )

    async def predict(self, request: Request) -> Response:
        """Answers a prediction request.

        Raises:
          RequestError: It is refused.
        """
        self._check_name(request, missing="Servable not found for request:")
        body = await reading_bodies.read_body(
            request.receive,
            headers=request.headers,
            max_bytes=self._limits.max_request_bytes,
            timeout_seconds=self._limits.body_seconds,
        )
        asked = predict_requests.read_request(body, self._request_limits)
        predictions = await self._run(request, asked)
        return json_response(predict_requests.answer_to(asked, predictions))

    async def _run(
        self, request: Request, asked: predict_requests.PredictRequest
    ) -> list[Prediction]:
        """Waits for the predictions; whatever ends the wait takes the rest out of the queue.

        Raises:
          RequestError: It took too long (504), or the queue refuses.
          ConnectionError: The client went away.
        """
        futures = self.batcher.submit(asked.prompts)
        # Ends whatever becomes of them, so it needs no end of its own.
        together = asyncio.gather(*futures, return_exceptions=True)
        try:
            async with reading_bodies.gone(request.receive) as gone:
                awaited: set[asyncio.Future[Any]] = {together, gone}
                done, _ = await asyncio.wait(
                    awaited,
                    timeout=self._limits.timeout_seconds,
                    return_when=asyncio.FIRST_COMPLETED,
                )
            if together in done:
                return [future.result() for future in futures]
            if gone in done:
                raise ConnectionError("the client went away")
            raise RequestError(
                f"no answer within {self._limits.timeout_seconds:g} seconds; ask again when there "
                "is less to do",
                status=504,
            )
        finally:
            for future in futures:
                future.cancel()

    async def status(self, request: Request) -> Response:
        """Tells the state of the model.

        Raises:
          RequestError: Another model is asked for.
        """
        self._check_name(request, missing="Could not find any versions of model")
        one = {
            "version": str(self._model.version),
            "state": "AVAILABLE",
            "status": {"error_code": "OK", "error_message": ""},
        }
        return json_response({"model_version_status": [one]})

    async def metadata(self, request: Request) -> Response:
        """Tells the signatures of the model.

        Raises:
          RequestError: Another model is asked for.
        """
        self._check_name(request, missing="Could not find any versions of model")
        version = str(self._model.version)
        spec = {"name": self._model.name, "signature_name": "", "version": version}
        signatures = {"signature_def": {"signature_def": self._model.signature_def}}
        return json_response({"model_spec": spec, "metadata": signatures})

    async def healthz(self, request: Request) -> Response:
        """Says that the server lives."""
        del request
        return json_response({"status": "ok"})

    async def readyz(self, request: Request) -> Response:
        """Says whether the model answers; one that is stuck in a batch does not."""
        del request
        since = self.batcher.busy_since
        if since is not None and time.monotonic() - since > self._limits.timeout_seconds:
            return error_response("the model does not come to an end", status=503)
        return json_response({"status": "ready"})

    async def show_metrics(self, request: Request) -> Response:
        """Shows what was counted."""
        del request
        return Response(self.metrics.text(), media_type=CONTENT_TYPE)

    async def page(self, request: Request) -> Response:
        """Shows the page."""
        del request
        headers = {"Content-Security-Policy": self._page.policy}
        return Response(self._page.body, media_type="text/html", headers=headers)


async def _refused(request: Request, error: Exception) -> Response:
    """Answers with an error."""
    del request
    if isinstance(error, RequestError):
        return error_response(str(error), status=error.status, headers=error.headers)
    if isinstance(error, HTTPException):
        return error_response(error.detail, status=error.status_code, headers=error.headers)
    return error_response("the server failed; its log says how", status=500)


def build_application(
    model: ServedModel, *, limits: Limits | None = None, host_names: tuple[str, ...] = ()
) -> Guard:
    """Returns the ASGI application that serves a model.

    Args:
      model: What is served.
      limits: What is taken; None for the defaults.
      host_names: Names of this server, beside `localhost`.
    """
    limits = limits or Limits()
    served = ModelApplication(model, limits=limits)
    application = Starlette(
        routes=served.routes(),
        lifespan=served.lifespan,
        exception_handlers={RequestError: _refused, HTTPException: _refused},
    )
    # A path with one slash too many is another path.
    application.router.redirect_slashes = False
    return Guard(application, host_names=host_names, observer=served.metrics, limits=limits)

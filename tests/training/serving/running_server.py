"""A server of ours, listening on a free port of this machine, while a test runs."""

from __future__ import annotations

import contextlib
import http.client
import json
import queue
import threading
from typing import Any, NamedTuple

from code_t5.training.serving import listening, server
from code_t5.training.serving.limits import Limits


class Answer(NamedTuple):
    """What came back."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class RunningServer(NamedTuple):
    """Where it listens."""

    host: str
    port: int

    @property
    def address(self) -> str:
        return f"http://{self.host}:{self.port}/"

    def ask(self, method, path, body=None, **headers) -> Answer:
        """Sends one request on a connection of its own."""
        connection = http.client.HTTPConnection(self.host, self.port, timeout=20)
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        with contextlib.closing(connection):
            connection.request(method, path, body=body, headers=named)
            answer = connection.getresponse()
            return Answer(answer.status, dict(answer.getheaders()), answer.read())

    def predict(self, content, *, name="toy", **headers) -> Answer:
        """Asks for a prediction; `content` is bytes, or what is written as JSON."""
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        headers = {"Content_Type": "application/json", **headers}
        return self.ask("POST", f"/v1/models/{name}:predict", body, **headers)


@contextlib.contextmanager
def running(model, **limits):
    """Runs a server until the block ends; it must end by itself then."""
    started: queue.Queue[Any] = queue.Queue()
    taken = listening.take_port("127.0.0.1", 0)
    host, port = taken.getsockname()
    thread = threading.Thread(
        target=server.run_server,
        args=(model,),
        kwargs={"taken": taken, "limits": Limits(**limits), "on_start": started.put},
    )
    thread.start()
    uvicorn_server = started.get(timeout=20)
    try:
        yield RunningServer(host, port)
    finally:
        uvicorn_server.should_exit = True
        thread.join(20)
    assert not thread.is_alive()

"""Serves an exported model until it is interrupted.

The port is taken before the model is loaded, so a port in use is told at once; who connects in the
meantime waits. One version is served, the one named at the start; a newer one that is exported
later is not picked up until the next start.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import os
import pathlib
import signal
import socket
import threading
import webbrowser
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Callable

from code_t5 import errors
from code_t5.training.serving import listening, self_check
from code_t5.training.serving.limits import Limits

if TYPE_CHECKING:
    from code_t5.training.serving.predictions import ServedModel

NEWEST = "newest"
_GRACE_SECONDS = 5
_DISPLAYS = ("DISPLAY", "WAYLAND_DISPLAY")


@dataclasses.dataclass(frozen=True)
class ServeConfig:
    """What is served, and where.

    Attributes:
      model_dir: An export's folder, `EXPORT_DIR/<name>`, with numbered versions in it.
      version: A number, or `newest`.
      host: Address to listen on.
      port: Its port; 0 for any that is free.
      allowed_hosts: Names of this machine, beside `localhost`, that requests may use.
      open_page: Whether to show the page in the person's browser.
      check: Whether to ask the page and one prediction, and then to end.
      max_batch_wait_ms: How long the first prompt of a batch waits for others.
      max_queue: Most prompts that wait.
      max_request_bytes: Most bytes of a request's body.
      timeout_s: How long an answer may take.
    """

    model_dir: pathlib.Path
    version: str = NEWEST
    host: str = listening.LOOPBACK
    port: int = 8501
    allowed_hosts: tuple[str, ...] = ()
    open_page: bool = False
    check: bool = False
    max_batch_wait_ms: float = 4.0
    max_queue: int = 256
    max_request_bytes: int = 1 << 20
    timeout_s: float = 30.0

    def limits(self) -> Limits:
        """Returns what the server takes."""
        return Limits(
            max_batch_wait_seconds=self.max_batch_wait_ms / 1000,
            max_queue=self.max_queue,
            max_request_bytes=self.max_request_bytes,
            body_seconds=min(10.0, self.timeout_s),
            timeout_seconds=self.timeout_s,
        )


def choose_version(model_dir: pathlib.Path, *, version: str, found: Sequence[int]) -> int:
    """Returns the version to serve.

    Args:
      model_dir: The export's folder.
      version: A number, or `newest`.
      found: The versions that are there and whole, oldest first.

    Raises:
      InputError: It is not there.
    """
    if not found:
        inside = " (it is itself a version: name the folder above)" * model_dir.name.isdigit()
        raise errors.InputError(
            f"found no exported version in {model_dir}{inside}; wanted numbered folders, such as "
            f"{model_dir}/300; export one: python scripts/export.py MODEL_DIR --format=saved_model"
        )
    if version == NEWEST:
        return found[-1]
    if version not in map(str, found):
        raise errors.InputError(
            f"found the versions {', '.join(map(str, found))} in {model_dir}; wanted {version}; "
            f"give --version one of them, or {NEWEST}"
        )
    return int(version)


def _open_page(address: str, *, say: Callable[[str], None]) -> None:
    """Shows the page, where there is a screen: a browser in the terminal would keep it."""
    if any(os.environ.get(name) for name in _DISPLAYS):
        threading.Thread(target=webbrowser.open, args=(address,), daemon=True).start()
    else:
        say("there is no screen here: open the page in a browser yourself")


@contextlib.contextmanager
def _own_signals() -> Iterator[None]:
    """Has the signals that end the server end nothing else: uvicorn raises them once more."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(number, lambda *_: None) for number in numbers]
    try:
        yield
    finally:
        for number, handler in zip(numbers, before):
            signal.signal(number, handler)


def run_server(
    model: ServedModel,
    *,
    taken: socket.socket,
    limits: Limits,
    host_names: tuple[str, ...] = (),
    on_start: Callable[[Any], None],
) -> None:
    """Answers requests until a signal ends it, or `should_exit` of the server is set.

    Args:
      model: What is served.
      taken: The socket to listen on.
      limits: What is taken.
      host_names: Names of this server, beside `localhost`.
      on_start: Called with uvicorn's server when it answers.
    """
    import uvicorn

    from code_t5.training.serving import app, connections

    class Server(uvicorn.Server):
        """A server that says when it answers."""

        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            """Starts, then says so."""
            await super().startup(sockets=sockets)
            on_start(self)

    application = app.build_application(model, limits=limits, host_names=host_names)
    config = uvicorn.Config(
        application,
        http=connections.timed_protocol(limits, observer=application.observer),
        ws="none",
        loop="asyncio",
        lifespan="on",
        log_config=None,
        log_level="error",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        backlog=listening.BACKLOG,
        h11_max_incomplete_event_size=limits.max_head_bytes,
        timeout_graceful_shutdown=_GRACE_SECONDS,
    )
    with _own_signals():
        Server(config).run(sockets=[taken])


def serve(config: ServeConfig, *, say: Callable[[str], None]) -> None:
    """Loads a model and serves it until it is interrupted.

    Args:
      config: What and where.
      say: Is told line by line what a person wants to know.

    Raises:
      InputError: There is no such version, or the port cannot be taken.
      ArtifactError: The export is not whole, or the check failed.
    """
    from code_t5.training.saved_model import exported

    found = exported.list_versions(config.model_dir)
    version = choose_version(config.model_dir, version=config.version, found=found)
    version_dir = config.model_dir / str(version)
    exported.read_info(version_dir)
    with listening.take_port(config.host, config.port) as taken:
        from code_t5.training.serving.exported_model import ExportedModel

        say(f"loading {version_dir} ...")
        model = ExportedModel(version_dir)
        others = [str(one) for one in found if one != version]
        failures: list[errors.CodeT5Error] = []

        def started(running: Any) -> None:
            beside = f" (also there: {', '.join(others)})" if others else ""
            say(f"serving {model.name}, version {version}{beside}; a newer one needs a new start")
            _announce(config, listening.address_of(taken), name=model.name, say=say)
            if config.check:
                work = functools.partial(
                    _check,
                    running,
                    listening.address_of(taken),
                    name=model.name,
                    say=say,
                    failures=failures,
                )
                threading.Thread(target=work, daemon=True).start()

        run_server(
            model,
            taken=taken,
            limits=config.limits(),
            host_names=(config.host, *config.allowed_hosts),
            on_start=started,
        )
    if failures:
        raise failures[0]
    say("the server has ended")


def _announce(config: ServeConfig, address: str, *, name: str, say: Callable[[str], None]) -> None:
    """Says where to ask, and shows the page."""
    say(f"page:    {address}")
    say(f"predict: {address}v1/models/{name}:predict")
    if not listening.is_loopback(config.host):
        say(
            f"warning: {config.host} can be reached from other machines, and whoever reaches it "
            "can ask: there is no password"
        )
    if config.open_page:
        _open_page(address, say=say)


def _check(
    running: Any,
    address: str,
    *,
    name: str,
    say: Callable[[str], None],
    failures: list[errors.CodeT5Error],
) -> None:
    """Asks the server, and ends it."""
    try:
        for line in self_check.check_server(address, name=name):
            say(line)
    except errors.CodeT5Error as error:
        failures.append(error)
    finally:
        running.should_exit = True

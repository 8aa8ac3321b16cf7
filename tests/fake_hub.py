"""A Hugging Face Hub on loopback: what huggingface_hub, datasets and transformers ask for.

`with fake_hub.serve() as hub:` starts it; `hub.add("dataset", "org/name", files)`
puts a repository there. A child process that is started with `hub.environment(home)`
asks it in place of the real one, by the libraries' own `HF_ENDPOINT`. It remembers
every request, and misbehaves when told to (`hub.fail`, `hub.cut`, `hub.limit`). There is
no xet, no search and no writing. `python tests/fake_hub.py FOLDER` serves what lies in
`FOLDER/{models,datasets,spaces}/org/name/` from a process of its own: for benchmarks, where a
Hub in the same process would take time from what is measured.
"""

from __future__ import annotations

import collections
import contextlib
import dataclasses
import http.server
import json
import math
import os
import pathlib
import re
import socket
import subprocess
import sys
import threading
import time
import urllib.parse
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import fake_hub_answers
from fake_hub_answers import Answer, Asked, Stretch
from fake_hub_store import Content, HubFile, HubRepository

_VIEWER = "datasets-server."


class Request(NamedTuple):
    """What was asked, and the status of the answer (0: hung up)."""

    method: str
    path: str
    status: int
    headers: dict[str, str]


@dataclasses.dataclass
class _Fault:
    matching: str
    times: int
    status: int = 0
    headers: Mapping[str, str] = dataclasses.field(default_factory=dict)
    cut_after: int | None = None
    seconds: float = 0.0


class FakeHub:
    """The repositories, what was asked of them, and the address.

    Attributes:
      url: For `HF_ENDPOINT`.
      requests: Every request, in order.
      viewed: Every request to the data set viewer, which is another host.
      page_size: Most entries that a listing answers at once.
    """

    def __init__(self) -> None:
        self.url = ""
        self.requests: list[Request] = []
        self.viewed: list[Request] = []
        self.page_size = 1000
        self._repositories: dict[tuple[str, str], HubRepository] = {}
        self._aliases: dict[tuple[str, str], str] = {}
        self._faults: list[_Fault] = []
        self._strangers: set[str] = set()
        self._limit: tuple[int, float] | None = None
        self._answered_at: collections.deque[float] = collections.deque()
        self._lock = threading.Lock()

    def add(
        self,
        kind: str,
        name: str,
        files: Mapping[str, Content],
        *,
        aliases: tuple[str, ...] = (),
        token: str | None = None,
        is_private: bool = False,
    ) -> HubRepository:
        """Makes a repository with one commit on `main`.

        Args:
          kind: "dataset", "model" or "space".
          name: As `org/name`.
          files: Path -> content, or where it lies on the disk.
          aliases: Earlier names, from which the Hub sends requests on (`glue`).
          token: Makes it gated: contents go only to requests with this token, listings to all.
          is_private: Whether requests without the token hear that there is no such repository.
        """
        repository = HubRepository(kind, name, token=token, is_private=is_private)
        repository.commit(files, title="First files")
        self._repositories[kind, name] = repository
        self._aliases.update({(kind, alias): name for alias in aliases})
        return repository

    def admit(self, token: str) -> None:
        """Knows the token of a user without access to anything gated; unknown ones are refused."""
        self._strangers.add(token)

    def tokens(self) -> set[str]:
        """Returns the tokens of all users."""
        known = {repository.token for repository in self._repositories.values()}
        return {*self._strangers, *known} - {None}

    def limit(self, requests: int, *, seconds: float) -> None:
        """Answers 429 with `Retry-After` to more than so many requests in so many seconds.

        Contents (`/lfs/`) are not counted: they lie on another host.
        """
        self._limit = (requests, seconds)

    def fail(
        self,
        matching: str,
        *,
        status: int,
        times: int = 1,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """Answers the next `times` requests whose path holds `matching` with a status."""
        self._faults.append(_Fault(matching, times, status=status, headers=headers or {}))

    def cut(self, matching: str, *, after_bytes: int, times: int = 1) -> None:
        """Hangs up after so many bytes of the next `times` bodies of paths with `matching`."""
        self._faults.append(_Fault(matching, times, cut_after=after_bytes))

    def delay(self, matching: str, *, seconds: float, times: int = 1) -> None:
        """Waits before it answers the next `times` requests whose path holds `matching`."""
        self._faults.append(_Fault(matching, times, seconds=seconds))

    def forget_faults(self) -> None:
        """Answers as it should from now on."""
        with self._lock:
            self._faults.clear()
            self._limit = None
            self._answered_at.clear()

    def paths(self, matching: str = "", *, method: str = "") -> list[str]:
        """Returns the paths of the requests so far that hold `matching`."""
        with self._lock:
            held = [r.path for r in self.requests if method in ("", r.method)]
        return [path for path in held if matching in path]

    def environment(self, home: pathlib.Path | str) -> dict[str, str]:
        """Returns the environment of a child process that asks this Hub.

        Proxies are a closed door, and only addresses of this machine go past it: no
        other server is asked. The data set viewer is another host, `datasets-server.` before
        the Hub's own: the Hub stands in as its proxy, and hangs up on requests for any other.

        Args:
          home: The libraries' cache, `HF_HOME`.
        """
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("HF_", "TRANSFORMERS_"))}
        closed = "http://127.0.0.1:9"
        return {
            **kept,
            "HF_ENDPOINT": self.url,
            "HF_HOME": str(home),
            "HF_HUB_DISABLE_TELEMETRY": "1",
            "http_proxy": self.url,
            "https_proxy": closed,
            "no_proxy": "127.0.0.0/8",
        }

    def find_repository(self, kind: str, name: str) -> HubRepository | None:
        """Returns a repository by its present name."""
        return self._repositories.get((kind, name))

    def present_name(self, kind: str, name: str) -> str:
        """Returns what a repository is called now."""
        return self._aliases.get((kind, name), name)

    def find_file(self, sha256: str) -> HubFile | None:
        """Returns an LFS file by its hash."""
        for repository in self._repositories.values():
            for commit in repository.commits.values():
                for file in commit.files.values():
                    if file.is_lfs and file.sha256 == sha256:
                        return file
        return None

    def take_limit(self) -> int:
        """Counts a request; returns after how many seconds it may be asked again, 0: now."""
        with self._lock:
            if self._limit is None:
                return 0
            (most, seconds), now = self._limit, time.monotonic()
            while self._answered_at and self._answered_at[0] <= now - seconds:
                self._answered_at.popleft()
            if len(self._answered_at) < most:
                self._answered_at.append(now)
                return 0
            return max(1, math.ceil(self._answered_at[0] + seconds - now))

    def take_fault(self, path: str) -> _Fault | None:
        """Returns the fault that the request meets, and counts it."""
        with self._lock:
            for fault in self._faults:
                if fault.matching in path and fault.times > 0:
                    fault.times -= 1
                    return fault
        return None

    def remember(self, request: Request) -> None:
        """Adds to `requests` or to `viewed`."""
        with self._lock:
            is_viewed = request.path.startswith("http://")
            (self.viewed if is_viewed else self.requests).append(request)


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    hub: FakeHub

    def do_GET(self) -> None:
        self._respond()

    def do_HEAD(self) -> None:
        self._respond()

    def do_POST(self) -> None:
        self._respond()

    def log_message(self, *arguments: object) -> None:
        """Says nothing."""

    def _form(self) -> dict[str, Any]:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if "json" in self.headers.get("Content-Type", ""):
            return json.loads(body or b"{}")
        return urllib.parse.parse_qs(body.decode())

    def _respond(self) -> None:
        form = self._form()
        fault = self.hub.take_fault(self.path)
        if fault and fault.seconds:
            time.sleep(fault.seconds)
        if fault and fault.status:
            answer = fake_hub_answers.error(fault.status, "The test asked for this.")
            answer = answer._replace(headers={**answer.headers, **fault.headers})
        else:
            answer = self._find_answer(form)
        if answer is None:
            self.close_connection = True
            return
        self._send(self._part(answer), None if fault is None else fault.cut_after)

    def _find_answer(self, form: dict[str, Any]) -> Answer | None:
        """Returns what to say; None for hanging up on whoever wants another host."""
        split = urllib.parse.urlsplit(self.path)
        token = self.headers.get("Authorization", "").partition("Bearer ")[2]
        asked = Asked(self.hub, split.path, urllib.parse.parse_qs(split.query), token, form)
        if split.netloc:
            own = self.hub.url.replace("://", f"://{_VIEWER}")
            return fake_hub_answers.view(asked) if self.path.startswith(f"{own}/") else None
        seconds = 0 if split.path.startswith("/lfs/") else self.hub.take_limit()
        if seconds:
            return fake_hub_answers.error(429, "Too many requests", Retry_After=str(seconds))
        return fake_hub_answers.answer(asked)

    def _part(self, answer: Answer) -> Answer:
        """Answers a request for a stretch of a content."""
        wanted = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        if not wanted or answer.status != 200 or "Accept-Ranges" not in answer.headers:
            return answer
        start, total = int(wanted[1]), len(answer.body)
        stop = min(total, int(wanted[2]) + 1) if wanted[2] else total
        if start >= stop:
            return Answer(416, {"Content-Range": f"bytes */{total}"})
        headers = {**answer.headers, "Content-Range": f"bytes {start}-{stop - 1}/{total}"}
        return Answer(206, headers, answer.cut(start, stop))

    def _send(self, answer: Answer, cut_after: int | None) -> None:
        asked = dict(self.headers.items())
        self.hub.remember(Request(self.command, self.path, answer.status, asked))
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        if self.command != "HEAD":
            self._send_body(answer if cut_after is None else answer.shorten(cut_after))
        if cut_after is not None and self.command != "HEAD":
            self.wfile.flush()
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)

    def _send_body(self, answer: Answer) -> None:
        body = answer.body
        if not isinstance(body, Stretch):
            self.wfile.write(body)
        elif len(body):
            with open(body.path, "rb") as file:
                self.connection.sendfile(file, body.start, len(body))


class _Server(http.server.ThreadingHTTPServer):
    """Threads end with the server, and so do connections that are kept open."""

    daemon_threads = True

    def __init__(self, handler: type[_Handler]) -> None:
        super().__init__(("127.0.0.1", 0), handler)
        self._open: set[socket.socket] = set()

    def process_request(self, request, client_address) -> None:
        self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request) -> None:
        self._open.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request, client_address) -> None:
        """A client that hung up is no news."""

    def stop(self) -> None:
        self.shutdown()
        self.server_close()
        for connection in list(self._open):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)


@contextlib.contextmanager
def serve() -> Iterator[FakeHub]:
    """Runs a Hub until the block ends; then its address answers nobody."""
    hub = FakeHub()
    server = _Server(type("_HubHandler", (_Handler,), {"hub": hub}))
    hub.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        server.stop()
        thread.join()


def _add_folder(hub: FakeHub, folder: pathlib.Path) -> None:
    """Adds the repositories that lie in a folder, as `{models,datasets,spaces}/org/name/`."""
    for kind in ("model", "dataset", "space"):
        for place in sorted(folder.glob(f"{kind}s/*/*")):
            files = {
                str(path.relative_to(place)): path
                for path in sorted(place.rglob("*"))
                if path.is_file()
            }
            hub.add(kind, "/".join(place.parts[-2:]), files)


@contextlib.contextmanager
def serve_elsewhere(folder: pathlib.Path | str) -> Iterator[str]:
    """Serves the repositories in a folder from a process of its own; gives the Hub's address."""
    command = [sys.executable, __file__, str(folder)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as it:
        try:
            yield it.stdout.readline().strip()
        finally:
            # It ends with its input, so also where whoever started it is killed.
            it.stdin.close()
            it.wait()


def main(folder: str) -> None:
    """Serves a folder until the input ends; prints the address."""
    with serve() as hub:
        _add_folder(hub, pathlib.Path(folder))
        print(hub.url, flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main(sys.argv[1])

"""A Hugging Face Hub on loopback: what huggingface_hub, datasets and transformers ask for.

`with fake_hub.serve() as hub:` starts it; `hub.add("dataset", "org/name", files)`
puts a repository there. A child process that is started with `hub.environment(home)`
asks it in place of the real one, by the libraries' own `HF_ENDPOINT`. It remembers
every request, and misbehaves when told to (`hub.fail`, `hub.cut`). There is no xet,
no search and no writing.
"""

from __future__ import annotations

import contextlib
import dataclasses
import http.server
import json
import os
import pathlib
import re
import socket
import threading
import time
import urllib.parse
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from fake_hub_store import (
    DATE,
    HubCommit,
    HubFile,
    HubRepository,
    add_last_commit,
    describe_file,
    describe_folder,
    describe_repository,
    list_tree,
)

_KINDS = {"models": "model", "datasets": "dataset", "spaces": "space"}
_API_WORDS = ("revision", "tree", "paths-info", "refs", "commits")


class Request(NamedTuple):
    """What was asked, and the status of the answer (0: hung up)."""

    method: str
    path: str
    status: int
    headers: dict[str, str]


class _Answer(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes = b""


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
      page_size: Most entries that a listing answers at once.
    """

    def __init__(self) -> None:
        self.url = ""
        self.requests: list[Request] = []
        self.page_size = 1000
        self._repositories: dict[tuple[str, str], HubRepository] = {}
        self._aliases: dict[tuple[str, str], str] = {}
        self._faults: list[_Fault] = []
        self._lock = threading.Lock()

    def add(
        self,
        kind: str,
        name: str,
        files: Mapping[str, bytes | str],
        *,
        aliases: tuple[str, ...] = (),
        token: str | None = None,
    ) -> HubRepository:
        """Makes a repository with one commit on `main`.

        Args:
          kind: "dataset", "model" or "space".
          name: As `org/name`.
          files: Path -> content.
          aliases: Earlier names, from which the Hub sends requests on (`glue`).
          token: Only requests with this token are answered, as for a gated repository.
        """
        repository = HubRepository(kind, name, token=token)
        repository.commit(files, title="First files")
        self._repositories[kind, name] = repository
        self._aliases.update({(kind, alias): name for alias in aliases})
        return repository

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

    def paths(self, matching: str = "", *, method: str = "") -> list[str]:
        """Returns the paths of the requests so far that hold `matching`."""
        with self._lock:
            held = [r.path for r in self.requests if method in ("", r.method)]
        return [path for path in held if matching in path]

    def environment(self, home: pathlib.Path | str) -> dict[str, str]:
        """Returns the environment of a child process that asks this Hub.

        Proxies are a closed door, and only addresses of this machine go past it: no
        other server is asked, the Hub's data set viewer (another host) neither.

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
            "http_proxy": closed,
            "https_proxy": closed,
            "no_proxy": "127.0.0.0/8",
        }

    def find_repository(self, kind: str, name: str) -> HubRepository | None:
        """Returns a repository by its present name."""
        return self._repositories.get((kind, name))

    def present_name(self, kind: str, name: str) -> str:
        """Returns what a repository is called now."""
        return self._aliases.get((kind, name), name)

    def find_content(self, sha256: str) -> bytes | None:
        """Returns the content of an LFS file."""
        for repository in self._repositories.values():
            for commit in repository.commits.values():
                for file in commit.files.values():
                    if file.is_lfs and file.sha256 == sha256:
                        return file.data
        return None

    def take_fault(self, path: str) -> _Fault | None:
        """Returns the fault that the request meets, and counts it."""
        with self._lock:
            for fault in self._faults:
                if fault.matching in path and fault.times > 0:
                    fault.times -= 1
                    return fault
        return None

    def remember(self, request: Request) -> None:
        """Adds to `requests`."""
        with self._lock:
            self.requests.append(request)


def _json(content: Any, status: int = 200, **headers: str) -> _Answer:
    told = {name.replace("_", "-"): value for name, value in headers.items()}
    body = json.dumps(content).encode()
    return _Answer(status, {"Content-Type": "application/json", **told}, body)


def _error(status: int, message: str, *, code: str = "", **headers: str) -> _Answer:
    told = {"X_Error_Message": message, **({"X_Error_Code": code} if code else {}), **headers}
    return _json({"error": message}, status, **told)


class _Asked(NamedTuple):
    """A request, taken apart."""

    hub: FakeHub
    path: str
    query: dict[str, list[str]]
    token: str
    form: dict[str, Any]

    def is_set(self, name: str) -> bool:
        given = self.query.get(name) or self.form.get(name) or ["false"]
        return str(given if isinstance(given, bool) else given[0]).lower() in ("true", "1")


def _answer(asked: _Asked) -> _Answer:
    parts = [urllib.parse.unquote(part) for part in asked.path.strip("/").split("/")]
    if parts[0] == "lfs" and len(parts) == 2:
        data = asked.hub.find_content(parts[1])
        return _error(404, "Not found") if data is None else _content(data, f'"{parts[1]}"')
    if parts[:2] == ["api", "whoami-v2"]:
        return _error(401, "Invalid username or password.")
    if parts[0] == "api" and len(parts) > 2 and parts[1] in _KINDS:
        rest = parts[2:]
        length = 1 if len(rest) == 1 or rest[1] in _API_WORDS else 2
        return _of_repository(asked, parts[1], "/".join(rest[:length]), ["api", *rest[length:]])
    kind, rest = (parts[0], parts[1:]) if parts[0] in _KINDS else ("models", parts)
    for length in (1, 2):
        if len(rest) > length + 2 and rest[length] in ("resolve", "raw"):
            return _of_repository(asked, kind, "/".join(rest[:length]), rest[length:])
    return _error(404, "Sorry, we can't find the page you are looking for.")


def _of_repository(asked: _Asked, kinds: str, name: str, rest: list[str]) -> _Answer:
    kind = _KINDS[kinds]
    present = asked.hub.present_name(kind, name)
    repository = asked.hub.find_repository(kind, present)
    if repository is None:
        # What the Hub answers whoever is not logged in, also of private repositories.
        return _error(401, "Invalid username or password.", code="RepoNotFound")
    if present != name:
        query = urllib.parse.urlencode(asked.query, doseq=True)
        place = asked.path.replace(f"/{name}", f"/{present}", 1) + (f"?{query}" if query else "")
        return _json(f"Temporary Redirect. Redirecting to {place}", 307, Location=place)
    if repository.token not in (None, asked.token):
        message = f"Access to {kind} {name} is restricted."
        return _error(401, message, code="GatedRepo")
    word = rest[0]
    if word in ("resolve", "raw"):
        return _with_commit(asked, repository, rest[1], "/".join(rest[2:]), answer=_resolve)
    if len(rest) == 1 or rest[1] == "revision":
        return _with_commit(asked, repository, _second(rest), "", answer=_info)
    if rest[1] == "refs":
        return _json(_refs(repository))
    answer = {"tree": _tree, "paths-info": _paths_info, "commits": _commits}[rest[1]]
    return _with_commit(asked, repository, _second(rest), "/".join(rest[3:]), answer=answer)


def _second(rest: list[str]) -> str:
    return rest[2] if len(rest) > 2 else "main"


def _with_commit(asked: _Asked, repository: HubRepository, revision: str, path: str, *, answer):
    try:
        commit = repository.find(revision)
    except KeyError:
        return _error(404, f"Invalid rev id: {revision}", code="RevisionNotFound")
    return answer(asked, repository, commit, path)


def _missing(commit: HubCommit, path: str) -> _Answer:
    message = f"{path} does not exist on {commit.sha}" if path else "Entry not found"
    return _error(404, message, code="EntryNotFound", X_Repo_Commit=commit.sha)


def _content(data: bytes, etag: str, **headers: str) -> _Answer:
    told = {name.replace("_", "-"): value for name, value in headers.items()}
    fixed = {"Content-Type": "application/octet-stream", "Accept-Ranges": "bytes", "ETag": etag}
    return _Answer(200, {**fixed, **told}, data)


def _resolve(asked: _Asked, repository: HubRepository, commit: HubCommit, path: str) -> _Answer:
    file: HubFile | None = commit.files.get(path)
    if file is None:
        return _missing(commit, "")
    if not file.is_lfs:
        return _content(file.data, f'"{file.blob_id}"', X_Repo_Commit=commit.sha)
    headers = {
        "X-Repo-Commit": commit.sha, "ETag": f'"{file.blob_id}"',
        "X-Linked-Size": str(len(file.data)), "X-Linked-ETag": f'"{file.sha256}"',
        "Location": f"{asked.hub.url}/lfs/{file.sha256}",
    }  # fmt: skip
    return _Answer(302, headers, b"Found. Redirecting")


def _info(asked: _Asked, repository: HubRepository, commit: HubCommit, _: str) -> _Answer:
    return _json(describe_repository(repository, commit, blobs=asked.is_set("blobs")))


def _tree(asked: _Asked, repository: HubRepository, commit: HubCommit, path: str) -> _Answer:
    entries = list_tree(commit, path, recursive=asked.is_set("recursive"))
    if entries is None:
        return _missing(commit, path)
    if asked.is_set("expand"):
        entries = [add_last_commit(entry, commit) for entry in entries]
    start, size = int(asked.query.get("cursor", ["0"])[0]), asked.hub.page_size
    if start + size >= len(entries):
        return _json(entries[start:])
    query = urllib.parse.urlencode({**asked.query, "cursor": start + size}, doseq=True)
    link = f'<{asked.hub.url}{asked.path}?{query}>; rel="next"'
    return _json(entries[start : start + size], Link=link)


def _paths_info(asked: _Asked, repository: HubRepository, commit: HubCommit, _: str) -> _Answer:
    folders, entries = commit.folders(), []
    for path in asked.form.get("paths", []):
        if path in commit.files:
            entries.append(describe_file(path, commit.files[path]))
        elif path in folders:
            entries.append(describe_folder(path, commit))
    if asked.is_set("expand"):
        entries = [add_last_commit(entry, commit) for entry in entries]
    return _json(entries)


def _commits(asked: _Asked, repository: HubRepository, commit: HubCommit, _: str) -> _Answer:
    known = list(repository.commits.values())
    until = known[: known.index(commit) + 1]
    return _json(
        [
            {"id": held.sha, "title": held.title, "message": "", "authors": [], "date": DATE}
            for held in reversed(until)
        ]
    )


def _refs(repository: HubRepository) -> dict[str, list[dict[str, str]]]:
    listed: dict[str, list[dict[str, str]]] = {"branches": [], "converts": [], "tags": []}
    folders = {"heads": "branches", "convert": "converts", "tags": "tags"}
    for ref, sha in repository.refs.items():
        _, folder, name = ref.split("/", 2)
        if folder in folders:
            listed[folders[folder]].append({"name": name, "ref": ref, "targetCommit": sha})
    return listed


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
            answer = _error(fault.status, "The test asked for this.")
            answer = answer._replace(headers={**answer.headers, **fault.headers})
        else:
            split = urllib.parse.urlsplit(self.path)
            token = self.headers.get("Authorization", "").partition("Bearer ")[2]
            query = urllib.parse.parse_qs(split.query)
            answer = _answer(_Asked(self.hub, split.path, query, token, form))
        self._send(self._part(answer), None if fault is None else fault.cut_after)

    def _part(self, answer: _Answer) -> _Answer:
        """Answers a request for a stretch of a content."""
        wanted = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        if not wanted or answer.status != 200 or "Accept-Ranges" not in answer.headers:
            return answer
        start, total = int(wanted[1]), len(answer.body)
        stop = min(total, int(wanted[2]) + 1) if wanted[2] else total
        if start >= stop:
            return _Answer(416, {"Content-Range": f"bytes */{total}"})
        headers = {**answer.headers, "Content-Range": f"bytes {start}-{stop - 1}/{total}"}
        return _Answer(206, headers, answer.body[start:stop])

    def _send(self, answer: _Answer, cut_after: int | None) -> None:
        asked = dict(self.headers.items())
        self.hub.remember(Request(self.command, self.path, answer.status, asked))
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer.body if cut_after is None else answer.body[:cut_after])
        if cut_after is not None and self.command != "HEAD":
            self.wfile.flush()
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)


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

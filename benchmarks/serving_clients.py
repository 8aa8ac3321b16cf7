"""Clients of a server: honest ones that time their answers, hostile ones that are told off."""

from __future__ import annotations

import contextlib
import http.client
import json
import math
import pathlib
import random
import socket
import sysconfig
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import NamedTuple

_TIMEOUT_SECONDS = 120
_CHARACTERS = 400
WANTED_P95_MS = 100


class Load(NamedTuple):
    """What honest clients saw.

    Attributes:
      seconds: Of each answer that was right, sorted.
      num_lost: Requests without a right answer.
      elapsed_seconds: Of all together.
    """

    seconds: list[float]
    num_lost: int
    elapsed_seconds: float

    def percentile(self, percent: float) -> float:
        """Returns the least time in ms that so many per cent of the answers did not exceed."""
        rank = math.ceil(percent / 100 * len(self.seconds)) - 1
        return 1000 * self.seconds[max(0, rank)] if self.seconds else math.nan


def verdict(load: Load, *, clients: int) -> tuple[str, bool]:
    """Compares what honest clients saw with what a person who types puts up with.

    Args:
      load: What they saw.
      clients: How many they were.

    Returns:
      A line that says so, and whether it is good enough.
    """
    found = load.percentile(95)
    is_good = found < WANTED_P95_MS and load.num_lost == 0
    return (
        f"verdict: with {clients} clients 95 per cent of the answers came within {found:.1f} ms "
        f"and {load.num_lost} were lost; wanted less than {WANTED_P95_MS} ms and none lost: "
        f"{'reached' if is_good else 'missed'}"
    ), is_good


def prompts(number: int, *, seed: int = 0) -> list[str]:
    """Returns beginnings of code out of Python's own library, each cut behind a word.

    Args:
      number: How many.
      seed: Of the choice.
    """
    choice = random.Random(seed)
    files = sorted(pathlib.Path(sysconfig.get_path("stdlib")).glob("*.py"))
    texts = [path.read_text(encoding="utf-8", errors="replace") for path in files]
    texts = [text for text in texts if len(text) > 2 * _CHARACTERS]
    found = []
    for _ in range(number):
        text = choice.choice(texts)
        end = choice.randrange(_CHARACTERS, len(text))
        found.append(text[end - _CHARACTERS : end].rstrip() + " ")
    return found


def _is_right(answer: http.client.HTTPResponse, body: bytes) -> bool:
    if answer.status != 200:
        return False
    (prediction,) = json.loads(body)["predictions"]
    return all(math.isfinite(one["score"]) for one in prediction["candidates"])


def run_load(address: tuple[str, int], *, name: str, asked: Sequence[str], clients: int) -> Load:
    """Sends prompts, each client the next one as soon as it has its answer.

    Args:
      address: The server's host and port.
      name: Of the model.
      asked: The prompts, one per request.
      clients: How many at once.

    Returns:
      What they saw.
    """
    waiting, seconds, lock = iter(asked), list[float](), threading.Lock()
    path = f"/v1/models/{name}:predict"

    def work() -> None:
        connection = http.client.HTTPConnection(*address, timeout=_TIMEOUT_SECONDS)
        while True:
            with lock:
                prompt = next(waiting, None)
            if prompt is None:
                return
            body = json.dumps({"instances": [{"prompt": prompt}]})
            began = time.perf_counter()
            try:
                connection.request("POST", path, body, {"Content-Type": "application/json"})
                answer = connection.getresponse()
                is_right = _is_right(answer, answer.read())
            except (OSError, http.client.HTTPException, ValueError):
                connection.close()
                continue
            if is_right:
                seconds.append(time.perf_counter() - began)

    threads = [threading.Thread(target=work) for _ in range(clients)]
    began = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return Load(sorted(seconds), len(asked) - len(seconds), time.perf_counter() - began)


def _hostile_requests(name: str) -> list[tuple[str, bytes]]:
    """Returns what hostile clients send, by kind."""
    head = f"POST /v1/models/{name}:predict HTTP/1.1\r\nHost: localhost\r\n".encode()

    def with_body(body: bytes, more: bytes = b"") -> bytes:
        length = b"Content-Length: %d\r\n" % len(body)
        return head + more + length + b"Connection: close\r\n\r\n" + body

    return [
        ("malformed JSON", with_body(b'{"instances": [')),
        ("wrong types", with_body(b'{"instances": [[1.5, null]]}')),
        ("NaN", with_body(b'{"instances": [[NaN]]}')),
        ("too deep", with_body(b"[" * 500_000)),
        ("huge", with_body(b" " * (8 << 20))),
        ("compressed", with_body(bytes(100), b"Content-Encoding: gzip\r\n")),
        ("another model", with_body(b"{}").replace(name.encode(), b"no_such_model", 1)),
        ("another site's page", with_body(b"{}", b"Origin: http://evil.example\r\n")),
        ("no HTTP", bytes(range(256)) * 4),
        ("slow", head + b"Content-Length: 1000\r\n\r\n{"),
    ]


def _send(address: tuple[str, int], data: bytes) -> str:
    """Returns the status that comes back, or that the connection was cut."""
    found = b""
    with socket.create_connection(address, timeout=_TIMEOUT_SECONDS) as connection:
        with contextlib.suppress(ConnectionError):
            connection.sendall(data)
        with contextlib.suppress(ConnectionError):
            while piece := connection.recv(65536):
                found += piece
    return found[9:12].decode("ascii", "replace") if found.startswith(b"HTTP/") else "cut"


@contextlib.contextmanager
def hostile_clients(address: tuple[str, int], *, name: str) -> Iterator[dict[str, Counter[str]]]:
    """Sends hostile requests, one after the other per kind, until the block ends.

    Args:
      address: The server's host and port.
      name: Of the model.

    Yields:
      How often which status came back, by kind; whole when the block has ended.
    """
    stop = threading.Event()
    found: dict[str, Counter[str]] = {}

    def work(kind: str, data: bytes) -> None:
        found[kind] = Counter()
        while True:
            found[kind][_send(address, data)] += 1
            if stop.wait(0.1):
                return

    threads = [threading.Thread(target=work, args=one) for one in _hostile_requests(name)]
    for thread in threads:
        thread.start()
    try:
        yield found
    finally:
        stop.set()
        for thread in threads:
            thread.join()

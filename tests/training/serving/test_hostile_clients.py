"""Clients that speak slowly, endlessly, wrongly or not at all: the server answers the next one."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import socket
import time

import pytest
from training.serving.fake_served_model import FakeServedModel
from training.serving.running_server import running

from code_t5.training.serving.predictions import Prompt

_HEAD = b"POST /v1/models/toy:predict HTTP/1.1\r\nHost: localhost\r\n"
_HEALTH = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
_BODY = b'{"instances": ["a"]}'
_QUICK = {
    "head_seconds": 0.3,
    "body_seconds": 0.3,
    "idle_seconds": 0.3,
    "timeout_seconds": 1.0,
    "grace_seconds": 0.2,
}


@pytest.fixture(scope="module")
def served():
    with running(FakeServedModel(), max_request_bytes=4096, **_QUICK) as server:
        yield server


@pytest.fixture(autouse=True)
def _still_answers(request):
    """After every attack an honest client is served."""
    yield
    if "served" in request.fixturenames:
        served = request.getfixturevalue("served")
        assert served.predict({"instances": ["a"]}).status == 200


def _connect(served):
    return socket.create_connection((served.host, served.port), timeout=15)


def _all(connection):
    """What comes until the other side ends the connection."""
    found = b""
    with contextlib.suppress(ConnectionError):
        while piece := connection.recv(65536):
            found += piece
    return found


def _ask_on(connection, request=_HEALTH):
    """Sends a request on a connection that stays open; returns the status and the body."""
    connection.sendall(request)
    answer = http.client.HTTPResponse(connection)
    answer.begin()
    return answer.status, answer.read()


def _drip(connection, data):
    """Sends a byte now and then, until the other side has enough; returns how many it took."""
    for number, byte in enumerate(data):
        try:
            connection.send(bytes([byte]))
        except ConnectionError:
            return number
        time.sleep(0.02)
    return len(data)


def test_a_connection_that_says_nothing_is_cut(served):
    with _connect(served) as connection:
        assert _all(connection) == b""


def test_a_head_that_comes_letter_by_letter_is_cut(served):
    with _connect(served) as connection:
        assert _drip(connection, _HEAD * 2) < len(_HEAD * 2)
        assert _all(connection) == b""


def test_the_second_head_of_a_connection_has_no_more_time(served):
    with _connect(served) as connection:
        connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert connection.recv(65536).startswith(b"HTTP/1.1 200")
        assert _drip(connection, _HEAD * 3) < len(_HEAD * 3)


def test_a_body_that_comes_letter_by_letter_is_told_so(served):
    with _connect(served) as connection:
        connection.sendall(_HEAD + b"Content-Length: 1000\r\n\r\n{")
        answer = _all(connection)
    assert answer.startswith(b"HTTP/1.1 408")
    assert b"did not come within 0.3 seconds" in answer


def test_a_body_shorter_than_it_said_ends_with_its_client(served):
    with _connect(served) as connection:
        connection.sendall(_HEAD + b"Content-Length: 1000\r\n\r\n{")
        connection.shutdown(socket.SHUT_WR)
        answer = _all(connection)
    assert b"200 OK" not in answer


def test_a_huge_body_is_told_so_while_it_is_still_sent(served):
    with _connect(served) as connection:
        connection.sendall(_HEAD + b"Content-Length: 8000000\r\n\r\n")
        with contextlib.suppress(ConnectionError):
            connection.sendall(b" " * 8_000_000)
        answer = _all(connection)
    assert answer.startswith(b"HTTP/1.1 413")
    assert b"found a body of 8000000 bytes; wanted 4096 at most" in answer


def test_a_client_that_listens_only_when_it_has_sent_all_hears_why(served):
    assert served.predict(b" " * 8_000_000).status == 413


def test_who_asks_before_sending_is_answered_before_sending(served):
    with _connect(served) as connection:
        connection.sendall(_HEAD + b"Content-Length: 8000000\r\nExpect: 100-continue\r\n\r\n")
        answer = _all(connection)
    assert answer.startswith(b"HTTP/1.1 413")


def test_a_body_without_an_end_is_cut(served):
    with _connect(served) as connection:
        connection.sendall(_HEAD + b"Transfer-Encoding: chunked\r\n\r\n")
        sent = 0
        with contextlib.suppress(ConnectionError):
            while sent < 1 << 30:
                connection.sendall(b"10000\r\n" + b" " * 0x10000 + b"\r\n")
                sent += 0x10000
        # A little is read for politeness, and no more.
        assert sent < 256 << 20


@pytest.mark.parametrize(
    "sent",
    [
        b"\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(100),
        b"GET / HTTP/1.1\r\nHost: localhost\r\n" + b"X: " + b"y" * 1_000_000 + b"\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 200_000,
        b"GET " + b"/" * 1_000_000 + b" HTTP/1.1\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET /\xff\xfe HTTP/1.1\r\nHost: localhost\r\n\r\n",
        _HEAD + b"Content-Length: -1\r\n\r\n",
        _HEAD + b"Content-Length: " + b"9" * 5000 + b"\r\n\r\n",
        _HEAD + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\n",
        _HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        os.urandom(4096),
    ],
    ids=range(15),
)
def test_what_is_no_request_gets_a_4xx_or_nothing(served, sent):
    with _connect(served) as connection:
        with contextlib.suppress(ConnectionError):
            connection.sendall(sent)
        with contextlib.suppress(OSError):
            connection.shutdown(socket.SHUT_WR)
        answer = _all(connection)
    assert answer == b"" or answer.startswith(b"HTTP/1.1 4"), answer[:200]


_LOCAL = b"Host: localhost\r\n"


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"\x16\x03\x01\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\n" + _LOCAL * 2 + b"\r\n", 400),
        (_HEAD + b"Content-Length: -1\r\n\r\n", 400),
        (_HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n", 400),
        # Longer than what is read at once, and not.
        (b"GET / HTTP/1.1\r\n" + _LOCAL + b"X: " + b"y" * 500_000, 400),
        (b"GET /healthz HTTP/1.1\r\n" + _LOCAL + b"X: " + b"y" * 40_000 + b"\r\n\r\n", 431),
        (b"GET /healthz?" + b"y" * 40_000 + b" HTTP/1.1\r\n" + _LOCAL + b"\r\n", 431),
        (_HEAD + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    ],
    ids=range(8),
)
def test_what_is_no_request_is_told_so_once_in_json_and_ends_its_connection(served, sent, status):
    with _connect(served) as connection:
        with contextlib.suppress(ConnectionError):
            # What comes behind it is not read as a request.
            connection.sendall(sent + _HEALTH)
        answer = _all(connection)
    head, _, body = answer.partition(b"\r\n\r\n")
    assert (head.count(b"HTTP/1.1 "), head[:12]) == (1, b"HTTP/1.1 %d" % status)
    assert b"connection: close" in head.lower()
    assert b"cache-control: no-store" in head.lower()
    assert list(json.loads(body)) == ["error"]


def test_what_the_application_does_not_see_is_counted():
    with running(FakeServedModel(), **_QUICK) as server:
        for sent in (b"\r\n\r\n", b"GET / HT"):
            with _connect(server) as connection:
                connection.sendall(sent)
                _all(connection)
        metrics = server.ask("GET", "/metrics").body.decode()
    assert 'code_t5_requests_total{code="400",method="other",route="other"} 1.0' in metrics
    assert 'code_t5_connections_cut_total{waiting_for="head"} 1.0' in metrics


def test_a_target_that_names_the_whole_address_is_its_path_there(served):
    def ask(target):
        with _connect(served) as connection:
            return _ask_on(connection, _HEALTH.replace(b"/healthz", target))

    status, body = ask(b"http://localhost:80/v1/models/toy?x=1")
    assert (status, b'"AVAILABLE"' in body) == (200, True)
    assert b"<html" in ask(b"HTTP://127.0.0.1")[1]
    # The target's host counts.
    status, body = ask(b"http://evil.example/healthz")
    assert (status, b"evil.example" in body) == (400, True)


def test_an_upgrade_to_something_else_is_not_followed(served):
    with _connect(served) as connection:
        connection.sendall(
            b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade, close\r\n"
            b"Upgrade: websocket\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
            b"Sec-WebSocket-Version: 13\r\n\r\n"
        )
        assert _all(connection).startswith(b"HTTP/1.1 200")


def test_requests_sent_all_at_once_are_answered_in_order(served):
    bodies = [b'{"instances": ["%d"]}' % number for number in range(50)]
    requests = [_HEAD + b"Content-Length: %d\r\n\r\n" % len(body) + body for body in bodies]
    end = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    with _connect(served) as connection:
        connection.sendall(b"".join(requests) + end)
        answer = _all(connection)
    assert answer.count(b"HTTP/1.1 200 OK") == 51
    places = [answer.index(b'"%d<0>' % number) for number in range(50)]
    assert places == sorted(places)


def test_who_never_reads_its_answers_is_cut():
    with running(FakeServedModel(), **_QUICK) as server, _connect(server) as connection:
        ask = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"
        # More than the kernel keeps for one who does not read.
        connection.settimeout(5)
        with pytest.raises(OSError):
            for _ in range(100_000):
                connection.sendall(ask * 100)


def test_a_client_that_goes_away_is_not_worked_for():
    model = FakeServedModel()
    with running(model) as server:
        with _connect(server) as holding, _connect(server) as leaving:
            hold = b'{"instances": ["hold"]}'
            holding.sendall(_HEAD + b"Content-Length: %d\r\n\r\n" % len(hold) + hold)
            assert model.started.wait(10)
            leaving.sendall(_HEAD + b"Content-Length: %d\r\n\r\n" % len(_BODY) + _BODY)
            _wait_for(server, "code_t5_queue 1.0")
            leaving.close()
            _wait_for(server, "code_t5_queue 0.0")
            model.release.set()
            assert holding.recv(65536).startswith(b"HTTP/1.1 200")
        metrics = server.ask("GET", "/metrics").body.decode()
        assert 'code_t5_requests_total{code="499",method="POST",route="predict"} 1.0' in metrics
    assert model.batches == [[Prompt("hold")]]


def _wait_for(server, line):
    end = time.monotonic() + 10
    while line not in server.ask("GET", "/metrics").body.decode():
        assert time.monotonic() < end, line
        time.sleep(0.01)


def test_a_connection_too_many_takes_the_place_of_the_quietest():
    with running(FakeServedModel(), max_connections=3) as server:
        with contextlib.ExitStack() as stack:
            held = []
            for _ in range(3):
                held.append(stack.enter_context(_connect(server)))
                assert _ask_on(held[-1])[0] == 200
            # No longer the one that was quiet longest.
            assert _ask_on(held[0])[0] == 200
            more = [stack.enter_context(_connect(server)) for _ in range(2)]
            assert [_ask_on(one)[0] for one in more] == [200, 200]
            assert [_all(one) for one in held[1:]] == [b"", b""]
            assert _ask_on(held[0])[0] == 200
            metrics = _ask_on(more[0], _HEALTH.replace(b"healthz", b"metrics"))[1]
            assert b'code_t5_connections_cut_total{waiting_for="place"} 2.0' in metrics
        _wait_until_free(server)
        assert server.predict({"instances": ["a"]}).status == 200


def test_connections_that_come_all_at_once_are_no_more_than_there_may_be(caplog):
    with running(FakeServedModel(), max_connections=3) as server, contextlib.ExitStack() as stack:
        held = [stack.enter_context(_connect(server)) for _ in range(40)]
        assert _ask_on(held[-1])[0] == 200
        for connection in held[:-3]:
            assert _all(connection) == b""
        assert [_ask_on(one)[0] for one in held[-3:]] == [200] * 3
    # One line in the log, whatever the number.
    assert caplog.text.count("more than 3 connections") == 1


def test_a_connection_too_many_is_cut_where_all_others_are_answered():
    model = FakeServedModel()
    with running(model, max_connections=2) as server, contextlib.ExitStack() as stack:
        held = [stack.enter_context(_connect(server)) for _ in range(2)]
        hold = b'{"instances": ["hold"]}'
        request = _HEAD + b"Content-Length: %d\r\n\r\n" % len(hold) + hold
        held[0].sendall(request)
        assert model.started.wait(10)
        # It waits behind the other one.
        held[1].sendall(request)
        time.sleep(0.1)
        assert _all(stack.enter_context(_connect(server))) == b""
        model.release.set()
        assert [one.recv(65536)[:12] for one in held] == [b"HTTP/1.1 200"] * 2


def _wait_until_free(server):
    end = time.monotonic() + 10
    while time.monotonic() < end:
        with contextlib.suppress(ConnectionError):
            if server.ask("GET", "/healthz").status == 200:
                return

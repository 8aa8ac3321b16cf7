from __future__ import annotations

import dataclasses
import threading

import pytest
import requests

from code_t5.hf_artifacts.fetching import retries

_QUICK = retries.RetryPolicy(
    attempts=5, first_wait_seconds=0.001, max_wait_seconds=0.002, total_seconds=5
)


class OfflineModeIsEnabled(ConnectionError):
    """By its name, the one that huggingface_hub raises."""


def _answer(status, **headers):
    response = requests.Response()
    response.status_code = status
    response.headers.update(headers)
    return requests.HTTPError(f"status {status}", response=response)


def _failing(*raised):
    left = list(raised)

    def call():
        call.count += 1
        if left:
            raise left.pop(0)
        return "done"

    call.count = 0
    return call


@pytest.mark.parametrize(
    "error",
    [
        _answer(429),
        _answer(503),
        _answer(500),
        requests.ConnectionError("cut"),
        TimeoutError("late"),
        requests.exceptions.ChunkedEncodingError("half"),
    ],
)
def test_passing_errors_are_tried_again(error):
    call, said = _failing(error, error), []
    assert retries.call(call, what="a file", policy=_QUICK, say=said.append) == "done"
    assert call.count == 3
    assert len(said) == 2
    assert all(line.startswith("a file: ") and "trying again in" in line for line in said)


@pytest.mark.parametrize(
    "error", [_answer(401), _answer(403), _answer(404), ValueError("x"), OfflineModeIsEnabled("x")]
)
def test_other_errors_are_raised_at_once(error):
    call = _failing(error, error)
    with pytest.raises(type(error)):
        retries.call(call, what="a file", policy=_QUICK)
    assert call.count == 1


def test_it_gives_up_at_last():
    busy = _failing(*[_answer(503)] * 9)
    with pytest.raises(requests.HTTPError):
        retries.call(busy, what="a file", policy=_QUICK)
    assert busy.count == 5
    # A server that says nothing at all is not asked as often.
    silent = _failing(*[requests.ConnectionError("refused")] * 9)
    with pytest.raises(requests.ConnectionError):
        retries.call(silent, what="a file", policy=_QUICK)
    assert silent.count == 4


def test_a_server_that_asks_for_too_long_a_wait_is_not_waited_for():
    call = _failing(_answer(429, **{"Retry-After": "3600"}))
    with pytest.raises(requests.HTTPError):
        retries.call(call, what="a file", policy=retries.DOWNLOADS)
    assert call.count == 1


def test_a_wait_that_is_longer_than_a_server_may_ask_for_is_refused_alone():
    # There would be time for it.
    policy = dataclasses.replace(_QUICK, max_asked_seconds=0.5, total_seconds=1000)
    call = _failing(_answer(429, **{"Retry-After": "1"}))
    with pytest.raises(requests.HTTPError):
        retries.call(call, what="a file", policy=policy)
    assert call.count == 1


def test_a_wait_that_ends_after_all_the_time_is_not_begun():
    # A server may ask for it.
    policy = dataclasses.replace(_QUICK, max_asked_seconds=1000, total_seconds=0.5)
    call = _failing(_answer(429, **{"Retry-After": "1"}))
    with pytest.raises(requests.HTTPError):
        retries.call(call, what="a file", policy=policy)
    assert call.count == 1


def test_retry_after_is_waited_for():
    call, said = _failing(_answer(429, **{"Retry-After": "1"})), []
    assert retries.call(call, what="a file", policy=_QUICK, say=said.append) == "done"
    assert said == ["a file: the Hub has been asked too often (429); trying again in 1 s"]


def test_waiting_ends_when_it_is_told_to_stop():
    stop = threading.Event()
    call = _failing(_answer(429, **{"Retry-After": "200"}), _answer(503))
    threading.Timer(0.05, stop.set).start()
    with pytest.raises(requests.HTTPError):
        retries.call(call, what="a file", policy=retries.DOWNLOADS, stop=stop)
    assert call.count <= 2


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("7", 7.0),
        ("Wed, 21 Oct 2015 07:28:10 GMT", 10.0),
        ("Wed, 21 Oct 2015 07:00:00 GMT", 0.0),
        ("soon", None),
        ("", None),
        ("-5", None),
    ],
)
def test_retry_after_is_read(value, seconds):
    error = _answer(429, **{"Retry-After": value})
    assert retries.asked_seconds(error, now=1445412480.0) == seconds


def test_a_cause_that_a_library_hides_counts():
    try:
        try:
            raise _answer(429)
        except requests.HTTPError:
            raise FileNotFoundError("no such data set") from None
    except FileNotFoundError as error:
        found = retries.find_passing(error)
    assert found.response.status_code == 429

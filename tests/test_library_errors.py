"""Errors of other libraries in our own messages."""

from __future__ import annotations

import aiohttp
import pytest
import requests
from huggingface_hub import errors as hub_errors

from code_t5 import library_errors


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("GET https://host/a/b.json?token=S&x=1 failed", "GET https://host/a/b.json failed"),
        ("(http://me:S@host:80/a#S)", "(http://host:80/a"),
        ("s3://key:S@bucket/x", "s3://bucket/x"),
        ("http://me:S@S@host/x", "http://host/x"),
        ("zip://a.json::https://me:S@host/a.zip?sig=S", "zip://a.json::https://host/a.zip"),
        ("'https://host/a?S' and \"ftp://S@b\"", "'https://host/a' and \"ftp://b\""),
        ("https://host/pkg@1/x and me@host", "https://host/pkg@1/x and me@host"),
        ("data/part?.json", "data/part?.json"),
    ],
)
def test_secrets_of_addresses_are_not_shown(text, wanted):
    assert library_errors.hide_secrets(text) == wanted


def test_hashed_addresses_can_be_compared():
    first, other = (library_errors.hash_secrets(f"https://host/a?token={x}") for x in "ST")
    assert first != other
    assert first.startswith("https://host/a?hidden=")
    assert library_errors.hash_secrets("https://host/a") == "https://host/a"


def test_an_error_is_short_and_on_one_line():
    assert library_errors.one_line(ValueError("a\nb  c")) == "a b c"
    assert library_errors.one_line(ValueError()) == "ValueError"
    assert len(library_errors.one_line(ValueError("x" * 999))) == 300
    assert library_errors.one_line(OSError("no http://S@host/x?S")) == "no http://host/x"


def _http(kind, status):
    response = requests.Response()
    response.status_code = status
    return kind("said", response=response)


def _from(error, cause):
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    "error",
    [
        requests.ConnectionError("gone"),
        requests.exceptions.ChunkedEncodingError("cut"),
        TimeoutError("slow"),
        aiohttp.ClientPayloadError("cut"),
        OSError("Consistency check failed: file should be of size 9 but has size 5"),
        _http(hub_errors.HfHubHTTPError, 500),
        _http(hub_errors.HfHubHTTPError, 429),
        _from(RuntimeError("generating"), _http(requests.HTTPError, 503)),
    ],
)
def test_what_may_be_gone_at_the_next_try_is_known(error):
    assert library_errors.find_passing_error(error) is not None


@pytest.mark.parametrize(
    "error",
    [
        ValueError("no such config"),
        FileNotFoundError("no such file"),
        OSError(28, "No space left on device"),
        requests.exceptions.InvalidURL("http://"),
        hub_errors.HFValidationError("a//b"),
        _http(hub_errors.RepositoryNotFoundError, 404),
        _from(_http(hub_errors.HfHubHTTPError, 403), TimeoutError("slow")),
    ],
)
def test_what_stays_is_told_from_it(error):
    assert library_errors.find_passing_error(error) is None


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (ValueError("a\n  b\tc"), "a b c"),
        (KeyError(), "KeyError"),
        (OSError("x" * 1000), "x" * 300),
    ],
)
def test_errors_of_others_become_a_line(error, line):
    assert library_errors.one_line(error) == line

"""The routes, asked over HTTP on loopback; the model behind them is a stand-in."""

from __future__ import annotations

import base64
import hashlib
import re
import threading

import pytest
from training.serving.fake_served_model import FakeServedModel
from training.serving.running_server import running

from code_t5.training.serving.predictions import Prompt

_SERVED = "; wanted toy/versions/300"
_VERB = "the model's 'classify'; wanted POST and predict"


@pytest.fixture(scope="module")
def served():
    with running(FakeServedModel(), max_request_bytes=4096) as server:
        yield server


def test_texts_and_ids_are_answered_in_both_forms(served):
    answer = served.predict({"instances": ["x = ", {"input_ids": [5, 6, 0]}]})
    assert answer.status == 200
    text, ids = answer.json["predictions"]
    assert text == {
        "candidates": [
            {"text": "x = <0>\n", "score": -0.5},
            {"text": "x = <1>\n", "score": -1.5},
            {"text": "x = <2>\n", "score": -2.5},
        ]
    }
    assert ids["output_ids"] == [[6, 7, 0, 0]] * 3
    # A score that is no number is none.
    assert ids["scores"] == [-0.5, -1.5, None]
    columns = served.predict({"inputs": {"input_ids": [[5, 6, 0]]}}, name="toy/versions/300").json
    assert columns == {"outputs": {name: [value] for name, value in ids.items()}}


@pytest.mark.parametrize("path", ["/v1/models/toy", "/v1/models/toy/versions/300"])
def test_the_state_is_told_as_tensorflow_serving_tells_it(served, path):
    answer = served.ask("GET", path)
    status = {"error_code": "OK", "error_message": ""}
    one = {"version": "300", "state": "AVAILABLE", "status": status}
    assert (answer.status, answer.json) == (200, {"model_version_status": [one]})
    metadata = served.ask("GET", f"{path}/metadata").json
    assert metadata["model_spec"] == {"name": "toy", "signature_name": "", "version": "300"}
    signatures = metadata["metadata"]["signature_def"]["signature_def"]
    assert list(signatures) == ["serving_default"]


@pytest.mark.parametrize(
    ("method", "path", "status", "error"),
    [
        ("GET", "/v1/models/x", 404, f"Could not find any versions of model 'x'{_SERVED}"),
        ("GET", "/v1/models/toy/versions/299", 404, None),
        ("GET", "/v1/models/toy/versions/300/metadata/", 404, "Not Found"),
        ("GET", "/v1/models/toy:classify", 400, None),
        ("POST", "/v1/models/toy:classify", 400, f"Malformed request: POST of {_VERB}"),
        ("POST", "/v1/models/x:classify", 404, f"Servable not found for request: 'x'{_SERVED}"),
        ("POST", "/v1/models/toy%2fversions%2f300:predict", 404, "Not Found"),
        ("POST", "/v1/models/toy%2Fversions%2F300:predict?x=%2f", 404, "Not Found"),
        ("GET", "/v1/models/toy:predict", 405, "found GET; wanted POST"),
        ("DELETE", "/v1/models/toy", 405, "Method Not Allowed"),
        ("POST", "/healthz", 405, "Method Not Allowed"),
        ("POST", "/v1/models/x:predict", 404, f"Servable not found for request: 'x'{_SERVED}"),
        ("POST", "/v1/models/..%2f..%2fetc:predict", 404, None),
        ("GET", "/page.js", 404, "Not Found"),
        ("GET", "/%00%ff", 404, "Not Found"),
    ],
)
def test_what_is_not_there_is_an_error_in_json(served, method, path, status, error):
    answer = served.ask(method, path)
    assert answer.status == status
    assert answer.headers["content-type"] == "application/json"
    assert error is None or answer.json == {"error": error}


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Content_Type": "application/json; charset=UTF-8"}, 200),
        # What curl says of -d.
        ({"Content_Type": "application/x-www-form-urlencoded"}, 200),
        ({"Content_Type": ""}, 200),
        ({"Content_Type": "text/plain"}, 415),
        ({"Content_Type": "multipart/form-data; boundary=x"}, 415),
        ({"Content_Type": "application/json; charset=utf-16"}, 415),
        ({"Content_Type": 'application/json; x=y; charset="utf-8"'}, 200),
        ({"Content_Type": "application/json; x=y; charset=latin-1"}, 415),
        ({"Content_Type": "application/json; charset=utf-8; charset=latin-1"}, 415),
        ({"Content_Encoding": "gzip"}, 415),
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Host": "evil.example"}, 400),
        ({"Host": "evil.example:80@127.0.0.1"}, 400),
        ({"Host": ""}, 400),
        ({"Host": "localhost:1"}, 200),
        ({"Host": "[::1]:8501"}, 200),
        ({"Host": "LOCALHOST.:8501"}, 200),
        ({"Host": "[::1]evil.example"}, 400),
        ({"Host": "[::1]evil.example:80"}, 400),
        ({"Host": "[fe80::1%25evil]"}, 400),
        ({"Host": "localhost:0"}, 400),
        ({"Host": "localhost:65536"}, 400),
        ({"Host": "localhost:" + "9" * 5000}, 400),
        ({"Host": "."}, 400),
    ],
)
def test_who_may_ask_and_in_what(served, headers, status):
    answer = served.predict({"instances": ["a"]}, **headers)
    assert answer.status == status
    assert ("error" in answer.json) == (status != 200)


def test_the_page_of_this_server_may_ask_it(served):
    host = f"{served.host}:{served.port}"
    for scheme in ("http", "https"):
        assert served.predict({"instances": ["a"]}, Origin=f"{scheme}://{host}").status == 200


@pytest.mark.parametrize("length", [4096, 4097])
def test_a_body_may_have_so_many_bytes_and_no_more(served, length):
    body = b'{"instances": ["a"]}'.ljust(length)
    assert served.predict(body).status == (200 if length == 4096 else 413)
    # In pieces it does not say how long it is.
    chunked = served.ask("POST", "/v1/models/toy:predict", iter([body[:4000], body[4000:]]))
    assert chunked.status == (200 if length == 4096 else 413)


def test_a_failure_says_nothing_of_the_inside_but_in_the_log(served, caplog):
    answer = served.predict({"instances": ["raise \x1b[31m"]})
    assert (answer.status, answer.json) == (500, {"error": "the model failed"})
    assert "RuntimeError: the secret inside" in caplog.text
    # Nothing that a terminal would obey.
    assert "of raise \u241b[31m" in caplog.text
    assert served.predict({"instances": ["a"]}).status == 200


def test_every_answer_tells_browsers_to_be_careful(served):
    for answer in (served.ask("GET", "/"), served.ask("GET", "/nope"), served.predict(b"")):
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["x-frame-options"] == "DENY"
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert answer.headers["cross-origin-resource-policy"] == "same-origin"
        assert not [name for name in answer.headers if name.startswith("access-control")]
        assert "server" not in answer.headers


def test_the_page_may_run_its_own_script_only_and_loads_nothing(served):
    answer = served.ask("GET", "/")
    policy = answer.headers["content-security-policy"]
    text = answer.body.decode()
    for kind, tag in (("script-src", "script"), ("style-src", "style")):
        (inline,) = re.findall(f"<{tag}>(.*?)</{tag}>", text, re.S)
        digest = base64.b64encode(hashlib.sha256(inline.encode()).digest()).decode()
        assert f"{kind} 'sha256-{digest}';" in policy
    assert policy.startswith("default-src 'none'")
    assert "unsafe" not in policy
    assert re.findall(r"""(?:src|href)=["']([^"']*)""", text) == ["data:,"]


def test_metrics_count_what_was_done():
    with running(FakeServedModel()) as server:
        server.predict({"instances": ["a b", [1, 2, 3]]})
        server.predict(b"")
        server.ask("GET", "/no/such/path/1")
        server.ask("BREW", "/healthz")
        found = dict(
            line.rsplit(" ", 1)
            for line in server.ask("GET", "/metrics").body.decode().splitlines()
            if not line.startswith("#")
        )
    assert found['code_t5_requests_total{code="200",method="POST",route="predict"}'] == "1.0"
    assert found['code_t5_requests_total{code="400",method="POST",route="predict"}'] == "1.0"
    assert found['code_t5_requests_total{code="404",method="GET",route="other"}'] == "1.0"
    assert found['code_t5_requests_total{code="405",method="other",route="healthz"}'] == "1.0"
    assert found['code_t5_request_seconds_count{route="predict"}'] == "2.0"
    assert found['code_t5_tokens_total{kind="prompt"}'] == "5.0"
    assert found['code_t5_tokens_total{kind="new"}'] == "12.0"
    assert found["code_t5_batch_size_sum"] == "2.0"
    assert found["code_t5_queue"] == "0.0"
    assert found['code_t5_model_info{name="toy",version="300"}'] == "1.0"


def test_too_many_and_too_slow_are_told_so_and_the_server_gets_over_it():
    model = FakeServedModel()
    with running(model, timeout_seconds=0.5, max_queue=1) as server:
        statuses = []
        ask = threading.Thread(
            target=lambda: statuses.append(server.predict({"instances": ["hold"]}).status)
        )
        ask.start()
        assert model.started.wait(10)
        assert server.ask("GET", "/readyz").status == 200
        waiting = threading.Thread(
            target=lambda: statuses.append(server.predict({"instances": ["late"]}).status)
        )
        waiting.start()
        while "code_t5_queue 1.0" not in server.ask("GET", "/metrics").body.decode():
            pass
        refused = server.predict({"instances": ["more"]})
        assert (refused.status, refused.headers["retry-after"]) == (429, "1")
        ask.join()
        waiting.join()
        assert statuses == [504, 504]
        stuck = server.ask("GET", "/readyz")
        assert (stuck.status, stuck.json) == (503, {"error": "the model does not come to an end"})
        assert server.ask("GET", "/healthz").json == {"status": "ok"}
        model.release.set()
        assert server.predict({"instances": ["a"]}).status == 200
        assert server.ask("GET", "/readyz").json == {"status": "ready"}
    # What nobody waits for any more was not run.
    assert model.batches == [[Prompt("hold")], [Prompt("a")]]

"""A model that the trainer trained, exported by it, served by the program, used in a browser."""

from __future__ import annotations

import math
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import urllib.parse

import numpy as np
import pytest
from training.serving import page_in_browser
from training.serving.running_server import RunningServer

from code_t5.training.saved_model import export
from code_t5.training.saved_model.text_runner import TextRunner

_PROMPT = "def read(path):\n    "
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def version_dir(trained_small, tmp_path_factory):
    patch = pytest.MonkeyPatch()
    patch.setenv("PYTHONPATH", os.pathsep.join([os.getcwd(), os.environ.get("PYTHONPATH", "")]))
    config = export.ExportConfig(name="small", num_candidates=3, max_new_tokens=8)
    found = export.export_saved_model(
        trained_small.model_dir,
        config=config,
        output_dir=tmp_path_factory.mktemp("exports"),
        data_dir=trained_small.data_dir,
    )
    patch.undo()
    return found


@pytest.fixture(scope="module")
def expected(version_dir):
    """What the export itself says, without a server."""
    (candidates,) = TextRunner(version_dir).complete([_PROMPT])
    return {one.text: one.score for one in reversed(candidates)}


def _start(version_dir, log_path, *flags):
    command = [sys.executable, "scripts/serve.py", f"--model={version_dir.parent}", "--port=0"]
    with open(log_path, "wb") as log_file:
        child = subprocess.Popen([*command, *flags], stdout=log_file, stderr=subprocess.STDOUT)
    end = time.monotonic() + 120
    while not (found := re.search(r"^page: +(\S+)", log_path.read_text(), re.M)):
        assert child.poll() is None and time.monotonic() < end, log_path.read_text()
        time.sleep(0.05)
    parts = urllib.parse.urlsplit(found[1])
    return child, RunningServer(parts.hostname, parts.port)


@pytest.fixture(scope="module")
def served(version_dir, tmp_path_factory):
    log_path = tmp_path_factory.mktemp("log") / "log"
    child, server = _start(version_dir, log_path)
    yield server
    child.send_signal(signal.SIGTERM)
    assert child.wait(30) == 0
    assert log_path.read_text().endswith("the server has ended\n")


def test_a_prediction_is_what_the_export_says(served, expected):
    answer = served.predict({"instances": [_PROMPT] * 6}, name="small")
    assert answer.status == 200
    assert len(answer.json["predictions"]) == 6
    for prediction in answer.json["predictions"]:
        found = {one["text"]: one["score"] for one in prediction["candidates"]}
        assert list(found) == sorted(expected, key=lambda text: -expected[text])
        np.testing.assert_allclose(
            [found[text] for text in expected], list(expected.values()), rtol=1e-4
        )


def test_ids_are_answered_with_the_outputs_of_the_signature(served, version_dir):
    signature = served.ask("GET", "/v1/models/small/metadata").json
    signature = signature["metadata"]["signature_def"]["signature_def"]["serving_default"]
    assert signature["method_name"] == "tensorflow/serving/predict"
    assert signature["inputs"]["input_ids"]["dtype"] == "DT_INT32"
    sizes = [one["size"] for one in signature["inputs"]["input_ids"]["tensor_shape"]["dim"]]
    texts = TextRunner(version_dir)
    assert sizes == ["-1", str(texts.runner.max_prompt_tokens)]
    ids = texts.encode(_PROMPT)
    answer = served.predict({"inputs": {"input_ids": [ids, ids[1:]]}}, name="small").json
    wanted = texts.runner.predict(np.array([ids]))
    assert answer["outputs"]["output_ids"][0] == wanted.output_ids[0].tolist()
    np.testing.assert_allclose(answer["outputs"]["scores"][0], wanted.scores[0], rtol=1e-4)
    assert set(signature["outputs"]) == {"output_ids", "scores"}


def test_prompts_of_any_length_and_kind_are_answered(served):
    texts = ["a", "\0", "\U0001f600\u202e", "x" * 500_000, "\n" * 5000, "<extra_id_0></s><pad>"]
    answer = served.predict({"instances": texts}, name="small")
    assert answer.status == 200
    assert len(answer.json["predictions"]) == len(texts)


def test_one_types_code_and_accepts_a_completion(served, browser, expected):
    from selenium.webdriver.common.keys import Keys

    browser.get(served.address)
    assert "small" in browser.title
    page_in_browser.type_code(browser, "def read(path):\n    ")
    page_in_browser.wait_for_state(browser, "ready")
    # The page does not indent by itself, so this is the prompt.
    assert page_in_browser.code_of(browser) == _PROMPT
    shown = page_in_browser.candidates(browser)
    best = max(expected, key=expected.get)
    assert len(shown) == len(expected)
    score = float(shown[0][1].replace("\u2212", "-").replace(" nats", ""))
    assert math.isclose(score, expected[best], abs_tol=0.006)
    assert shown[0][2].endswith(" %")
    page_in_browser.type_code(browser, Keys.TAB)
    assert page_in_browser.code_of(browser) == _PROMPT + best
    page_in_browser.wait_for_state(browser, "ready")
    assert page_in_browser.candidates(browser)


def test_a_newer_version_is_not_picked_up_and_the_check_ends_by_itself(
    served, version_dir, tmp_path
):
    newer = shutil.copytree(version_dir, version_dir.parent / "21")
    try:
        status = served.ask("GET", "/v1/models/small").json["model_version_status"]
        assert [one["version"] for one in status] == ["20"]
        assert served.predict({"instances": ["a"]}, name="small/versions/21").status == 404
        child, _ = _start(version_dir, tmp_path / "log", "--version=20", "--check")
        assert child.wait(60) == 0
    finally:
        shutil.rmtree(newer)
    said = (tmp_path / "log").read_text()
    assert "serving small, version 20 (also there: 21); a newer one needs a new start" in said
    assert "checked: the page has" in said
    assert r"checked: 'def main():\n    ' -> " in said


def test_a_port_in_use_and_a_version_that_is_not_there_are_told_at_once(served, version_dir):
    def run(*flags):
        command = [sys.executable, "scripts/serve.py", f"--model={version_dir.parent}", *flags]
        ran = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        assert ran.returncode == 1
        assert ran.stdout == ""
        return ran.stderr

    assert run(f"--port={served.port}").startswith(f"error: cannot listen on port {served.port}")
    assert "wanted 7; give --version one of them" in run("--version=7")
    assert run("more").startswith("error: found 'more' after the flags")

"""The page in a browser: Chromium without a window, driven by chromedriver over loopback."""

from __future__ import annotations

import json
import time

import pytest
from training.serving.fake_served_model import FakeServedModel
from training.serving.page_in_browser import (
    all_of,
    candidates,
    code_of,
    one_of,
    type_code,
    wait_for_state,
)
from training.serving.running_server import running

_HOSTILE = "</script><img src=x onerror=window.ran=1>"


@pytest.fixture
def served():
    with running(FakeServedModel(), max_queue=1) as server:
        yield server


def test_one_types_sees_candidates_and_accepts_one(browser, served):
    from selenium.webdriver.common.keys import Keys

    browser.get(served.address)
    assert "toy" in browser.title
    assert wait_for_state(browser, "empty") == "Type some code."
    type_code(browser, "for x")
    assert wait_for_state(browser, "ready") == "3 candidates."
    # exp(-0.5), exp(-1.5), exp(-2.5), in per cent.
    assert candidates(browser) == [
        ("for x<0>", "\u22120.50 nats", "60.7 %"),
        ("for x<1>", "\u22121.50 nats", "22.3 %"),
        ("for x<2>", "\u22122.50 nats", "8.2 %"),
    ]
    widths = [one.size["width"] for one in all_of(browser, ".bar .part")]
    assert widths == sorted(widths, reverse=True)
    assert len(set(widths)) == 3
    type_code(browser, Keys.TAB)
    assert code_of(browser) == "for xfor x<0>\n"
    # What was accepted is the next prompt.
    wait_for_state(browser, "ready")
    type_code(browser, Keys.ALT, Keys.ARROW_DOWN)
    chosen = one_of(browser, "#candidates li[aria-current]")
    assert chosen is not None
    assert all_of(browser, "#candidates li").index(chosen) == 1
    all_of(browser, "#candidates button")[2].click()
    assert code_of(browser).endswith("x<0>\n<2>\n")
    assert browser.switch_to.active_element == one_of(browser, "#code")


def test_the_text_before_the_cursor_counts(browser, served):
    from selenium.webdriver.common.keys import Keys

    browser.get(served.address)
    type_code(browser, "abcdef", Keys.ARROW_LEFT * 3)
    time.sleep(0.3)
    wait_for_state(browser, "ready")
    assert candidates(browser)[0][0] == "abc<0>"
    type_code(browser, Keys.TAB)
    assert code_of(browser) == "abcabc<0>\ndef"


def test_tab_leaves_the_field_when_nothing_is_offered(browser, served):
    from selenium.webdriver.common.keys import Keys

    browser.get(served.address)
    type_code(browser, "a")
    wait_for_state(browser, "ready")
    type_code(browser, Keys.ESCAPE)
    assert wait_for_state(browser, "away").startswith("Put away")
    assert all_of(browser, "#candidates li") == []
    type_code(browser, Keys.TAB)
    assert browser.switch_to.active_element != one_of(browser, "#code")
    assert code_of(browser) == "a"
    one_of(browser, "#code").click()
    type_code(browser, Keys.CONTROL, " ")
    wait_for_state(browser, "ready")
    assert len(all_of(browser, "#candidates li")) == 3


def test_what_the_model_writes_is_text(browser, served):
    browser.get("about:blank")
    browser.get_log("performance")
    browser.get_log("browser")
    browser.get(served.address)
    # The stand-in goes on with a prompt's last twelve characters.
    for part in ("<b>x</b>", _HOSTILE[-12:], "&amp;<i>"):
        one_of(browser, "#code").clear()
        type_code(browser, part)
        wait_for_state(browser, "ready")
        assert candidates(browser)[0][0] == part + "<0>"
    assert browser.execute_script("return window.ran") is None
    events = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    asked = {
        event["params"]["request"]["url"]
        for event in events
        if event["method"] == "Network.requestWillBeSent"
    }
    assert asked <= {served.address, f"{served.address}v1/models/toy:predict", "data:,"}
    assert browser.get_log("browser") == []


def test_an_error_is_said_and_can_be_tried_again(browser, served):
    browser.get(served.address)
    type_code(browser, "raise")
    assert wait_for_state(browser, "error") == "No candidates: the model failed"
    assert all_of(browser, "#candidates li") == []
    one_of(browser, "#retry").click()
    assert wait_for_state(browser, "error") == "No candidates: the model failed"
    type_code(browser, "\b\b")
    wait_for_state(browser, "ready")
    assert not one_of(browser, "#retry").is_displayed()


def test_a_slow_model_is_said_and_typing_on_asks_anew(browser):
    model = FakeServedModel()
    with running(model) as served:
        browser.get(served.address)
        type_code(browser, "hold")
        assert wait_for_state(browser, "asking") == "Asking the model \u2026"
        assert wait_for_state(browser, "slow").startswith("Still waiting")
        browser.execute_script("document.getElementById('code').value = ''")
        type_code(browser, "b")
        model.release.set()
        wait_for_state(browser, "ready")
        # The answer to what was typed first is not shown.
        assert candidates(browser)[0][0] == "b<0>"
    type_code(browser, "c")
    assert wait_for_state(browser, "error") == "No candidates: the server does not answer"


@pytest.mark.parametrize(("width", "columns"), [(1280, 2), (390, 1)])
def test_the_page_fits_wide_and_narrow_screens_in_both_themes(browser, served, width, columns):
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    seen = set()
    for theme in ("light", "dark"):
        features = [{"name": "prefers-color-scheme", "value": theme}]
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
        browser.get(served.address)
        type_code(browser, "x" * 300)
        wait_for_state(browser, "ready")
        inner, outer = browser.execute_script(
            "return [document.documentElement.scrollWidth, window.innerWidth]"
        )
        assert (outer, inner <= outer) == (width, True)
        left = {one.location["x"] for one in all_of(browser, "main > section")}
        assert len(left) == columns
        seen.add(one_of(browser, "body").value_of_css_property("background-color"))
    assert len(seen) == 2

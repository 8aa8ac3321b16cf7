"""The page in a browser: Chromium without a window, driven by chromedriver over loopback."""

from __future__ import annotations

import json
import shutil
import time

import pytest
from training.serving.fake_served_model import FakeServedModel
from training.serving.running_server import running

_HOSTILE = "</script><img src=x onerror=window.ran=1>"


def _find(*names):
    return next(filter(None, map(shutil.which, names)), None)


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    """A browser, or a skip that says what to install."""
    chromium, driver = _find("chromium", "chromium-browser", "google-chrome"), _find("chromedriver")
    if not chromium or not driver:
        pytest.skip(
            "no Chromium and chromedriver on this machine: "
            "apt-get install --no-install-recommends chromium chromium-driver"
        )
    webdriver = pytest.importorskip("selenium.webdriver", reason="pip install selenium")
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    profile = tmp_path_factory.mktemp("profile")
    for option in (
        *("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"),
        *("--no-first-run", "--disable-background-networking", f"--user-data-dir={profile}"),
    ):
        options.add_argument(option)
    options.set_capability("goog:loggingPrefs", {"performance": "ALL", "browser": "ALL"})
    service = webdriver.chrome.service.Service(executable_path=driver)
    started = webdriver.Chrome(options=options, service=service)
    started.set_page_load_timeout(60)
    yield started
    started.quit()


@pytest.fixture
def served():
    with running(FakeServedModel(), max_queue=1) as server:
        yield server


def _all(browser, selector):
    return browser.find_elements("css selector", selector)


def _one(browser, selector):
    (found,) = _all(browser, selector)
    return found


def _wait_for_state(browser, *kinds):
    end = time.monotonic() + 20
    while (found := _one(browser, "#state").get_attribute("data-state")) not in kinds:
        assert time.monotonic() < end, (found, _one(browser, "#state").text)
        time.sleep(0.01)
    return _one(browser, "#state").text


def _code(browser):
    return browser.execute_script("return document.getElementById('code').value")


def _type(browser, *keys):
    _one(browser, "#code").send_keys(*keys)


def _candidates(browser):
    return [
        tuple(one.find_element("css selector", part).text for part in ("pre", ".score", ".percent"))
        for one in _all(browser, "#candidates li")
    ]


def test_one_types_sees_candidates_and_accepts_one(browser, served):
    from selenium.webdriver.common.keys import Keys

    browser.get(served.address)
    assert "toy" in browser.title
    assert _wait_for_state(browser, "empty") == "Type some code."
    _type(browser, "for x")
    assert _wait_for_state(browser, "ready") == "3 candidates."
    # exp(-0.5), exp(-1.5), exp(-2.5), in per cent.
    assert _candidates(browser) == [
        ("for x<0>", "\u22120.50 nats", "60.7 %"),
        ("for x<1>", "\u22121.50 nats", "22.3 %"),
        ("for x<2>", "\u22122.50 nats", "8.2 %"),
    ]
    widths = [one.size["width"] for one in _all(browser, ".bar .part")]
    assert widths == sorted(widths, reverse=True)
    assert len(set(widths)) == 3
    _type(browser, Keys.TAB)
    assert _code(browser) == "for xfor x<0>\n"
    # What was accepted is the next prompt.
    _wait_for_state(browser, "ready")
    _type(browser, Keys.ALT, Keys.ARROW_DOWN)
    chosen = _one(browser, "#candidates li[aria-current]")
    assert chosen is not None
    assert _all(browser, "#candidates li").index(chosen) == 1
    _all(browser, "#candidates button")[2].click()
    assert _code(browser).endswith("x<0>\n<2>\n")
    assert browser.switch_to.active_element == _one(browser, "#code")


def test_the_text_before_the_cursor_counts(browser, served):
    from selenium.webdriver.common.keys import Keys

    browser.get(served.address)
    _type(browser, "abcdef", Keys.ARROW_LEFT * 3)
    time.sleep(0.3)
    _wait_for_state(browser, "ready")
    assert _candidates(browser)[0][0] == "abc<0>"
    _type(browser, Keys.TAB)
    assert _code(browser) == "abcabc<0>\ndef"


def test_tab_leaves_the_field_when_nothing_is_offered(browser, served):
    from selenium.webdriver.common.keys import Keys

    browser.get(served.address)
    _type(browser, "a")
    _wait_for_state(browser, "ready")
    _type(browser, Keys.ESCAPE)
    assert _wait_for_state(browser, "away").startswith("Put away")
    assert _all(browser, "#candidates li") == []
    _type(browser, Keys.TAB)
    assert browser.switch_to.active_element != _one(browser, "#code")
    assert _code(browser) == "a"
    _one(browser, "#code").click()
    _type(browser, Keys.CONTROL, " ")
    _wait_for_state(browser, "ready")
    assert len(_all(browser, "#candidates li")) == 3


def test_what_the_model_writes_is_text(browser, served):
    browser.get("about:blank")
    browser.get_log("performance")
    browser.get_log("browser")
    browser.get(served.address)
    # The stand-in goes on with a prompt's last twelve characters.
    for part in ("<b>x</b>", _HOSTILE[-12:], "&amp;<i>"):
        _one(browser, "#code").clear()
        _type(browser, part)
        _wait_for_state(browser, "ready")
        assert _candidates(browser)[0][0] == part + "<0>"
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
    _type(browser, "raise")
    assert _wait_for_state(browser, "error") == "No candidates: the model failed"
    assert _all(browser, "#candidates li") == []
    _one(browser, "#retry").click()
    assert _wait_for_state(browser, "error") == "No candidates: the model failed"
    _type(browser, "\b\b")
    _wait_for_state(browser, "ready")
    assert not _one(browser, "#retry").is_displayed()


def test_a_slow_model_is_said_and_typing_on_asks_anew(browser):
    model = FakeServedModel()
    with running(model) as served:
        browser.get(served.address)
        _type(browser, "hold")
        assert _wait_for_state(browser, "asking") == "Asking the model \u2026"
        assert _wait_for_state(browser, "slow").startswith("Still waiting")
        browser.execute_script("document.getElementById('code').value = ''")
        _type(browser, "b")
        model.release.set()
        _wait_for_state(browser, "ready")
        # The answer to what was typed first is not shown.
        assert _candidates(browser)[0][0] == "b<0>"
    _type(browser, "c")
    assert _wait_for_state(browser, "error") == "No candidates: the server does not answer"


@pytest.mark.parametrize(("width", "columns"), [(1280, 2), (390, 1)])
def test_the_page_fits_wide_and_narrow_screens_in_both_themes(browser, served, width, columns):
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    seen = set()
    for theme in ("light", "dark"):
        features = [{"name": "prefers-color-scheme", "value": theme}]
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
        browser.get(served.address)
        _type(browser, "x" * 300)
        _wait_for_state(browser, "ready")
        inner, outer = browser.execute_script(
            "return [document.documentElement.scrollWidth, window.innerWidth]"
        )
        assert (outer, inner <= outer) == (width, True)
        left = {one.location["x"] for one in _all(browser, "main > section")}
        assert len(left) == columns
        seen.add(_one(browser, "body").value_of_css_property("background-color"))
        browser.save_screenshot(f"/tmp/w8_{width}_{theme}.png")
    assert len(seen) == 2

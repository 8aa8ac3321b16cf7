"""The report in a browser: Chromium without a window, driven by chromedriver over loopback."""

from __future__ import annotations

import base64
import json
import re

import pytest

from preprocessing.html_report import render, samples

_WIDTHS = {"wide": 1280, "phone": 390}


@pytest.fixture(scope="module")
def address(built, tmp_path_factory):
    chosen = samples.choose_samples(built.ledger_path, built.texts.get)
    page = render.render_report(built.report, ledger_path=built.ledger_path, samples=chosen)
    path = tmp_path_factory.mktemp("page") / render.HTML_NAME
    path.write_bytes(page)
    return path.as_uri()


def _open(browser, address, *, width="wide", theme="light"):
    size = {"width": _WIDTHS[width], "height": 900, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    features = [{"name": "prefers-color-scheme", "value": theme}]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
    browser.get(address)


def _all(browser, selector):
    return browser.find_elements("css selector", selector)


def _number(text):
    return int(re.sub(r"[^0-9]", "", text))


def _background(browser):
    script = "return getComputedStyle(document.body).backgroundColor"
    return browser.execute_script(script)


def test_the_funnel_has_the_numbers_of_the_ledger_and_opens(browser, address, built):
    _open(browser, address)
    steps = _all(browser, "#funnel details[data-verdict]")
    found = {}
    for step in steps:
        summary = step.find_element("css selector", "summary")
        summary.click()
        verdict = step.get_attribute("data-verdict")
        found[verdict] = _number(summary.find_element("css selector", ".files").text)
        opened = _all(browser, "#funnel details[open]")
        assert [one.get_attribute("data-verdict") for one in opened] == [verdict]
        examples = step.find_elements("css selector", ".examples li")
        assert len(examples) == min(found[verdict], 8)
        known = {
            f"{row['repository']}/{row['path']}" for row in built.rows if row["verdict"] == verdict
        }
        for example in examples:
            assert example.is_displayed()
            assert example.find_element("css selector", "code").text in known
    ends = [_number(one.text) for one in _all(browser, "#funnel .ends .files")]
    counts = built.report["files_by_verdict"]
    assert found == {verdict: files for verdict, files in counts.items() if verdict != "kept"}
    assert ends == [len(built.rows), counts["kept"]]
    assert ends[0] - sum(found.values()) == ends[1]


def test_one_turns_the_pages_of_clusters_and_samples(browser, address):
    _open(browser, address)
    for viewer, number in (("#clusters", samples.MAX_CLUSTERS), ("#kept", samples.MAX_KEPT)):
        back, forth = _all(browser, f"{viewer} button[data-step]")
        place = _all(browser, f"{viewer} [data-place]")[0]
        pages = _all(browser, f"{viewer} [data-page]")
        assert len(pages) == number
        for button, expected in ((forth, 2), (forth, 3), (back, 2), (back, 1), (back, number)):
            browser.execute_script("arguments[0].scrollIntoView({block: 'center'})", button)
            button.click()
            assert place.text == str(expected)
            assert [page.is_displayed() for page in pages].index(True) == expected - 1
            assert sum(page.is_displayed() for page in pages) == 1


def test_differing_lines_are_marked_for_the_eye(browser, address):
    _open(browser, address)
    mark = _all(browser, "#clusters [data-page]:not(.away) tr.changed td.left mark")[0]
    assert mark.text
    assert mark.value_of_css_property("background-color") != "rgba(0, 0, 0, 0)"


@pytest.mark.parametrize("width", _WIDTHS)
def test_the_page_does_not_scroll_sideways(browser, address, width):
    _open(browser, address, width=width)
    script = """
        for (const one of document.querySelectorAll("details")) {
            one.removeAttribute("name");
            one.open = true;
        }
        document.querySelectorAll(".away").forEach(one => one.classList.remove("away"));
        return [document.documentElement.scrollWidth, window.innerWidth];
    """
    inner, outer = browser.execute_script(script)
    assert outer == _WIDTHS[width]
    assert inner <= outer
    too_small = browser.execute_script(
        "return [...document.querySelectorAll('svg.chart text')]"
        ".filter(t => t.getBoundingClientRect().height < 8).length"
    )
    assert too_small == 0


def test_both_themes_and_the_button_between_them(browser, address):
    seen = {}
    for theme in ("light", "dark"):
        _open(browser, address, theme=theme)
        bar = _all(browser, "#chart, svg.chart path[style*='--accent']")[0]
        seen[theme] = (_background(browser), bar.value_of_css_property("fill"))
        _all(browser, "#theme")[0].click()
        seen[theme + " turned"] = (_background(browser), bar.value_of_css_property("fill"))
    assert seen["light"] == seen["dark turned"]
    assert seen["dark"] == seen["light turned"]
    assert seen["light"][0] != seen["dark"][0]
    assert seen["light"][1] != seen["dark"][1]


def test_nothing_is_loaded_and_no_script_of_the_data_set_runs(browser, address):
    browser.get("about:blank")
    browser.get_log("performance")
    browser.get_log("browser")
    _open(browser, address)
    for link in _all(browser, "nav a"):
        browser.execute_script("arguments[0].click()", link)
    events = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    requested = {
        event["params"]["request"]["url"].split("#")[0]
        for event in events
        if event["method"] == "Network.requestWillBeSent"
    }
    assert requested == {address}
    assert browser.get_log("browser") == []
    assert len(browser.find_elements("css selector", "script")) == 1


def test_the_policy_stops_what_is_put_into_the_page(browser, address):
    _open(browser, address)
    browser.execute_script(
        "const s = document.createElement('script'); s.textContent = 'window.ran = 1';"
        "document.body.append(s); const i = new Image(); i.src = 'https://example.invalid/x.png';"
    )
    assert browser.execute_script("return window.ran") is None
    stopped = [entry["message"] for entry in browser.get_log("browser")]
    assert any("script-src" in one for one in stopped)
    assert any("img-src" in one or "default-src" in one for one in stopped)


def test_on_paper_everything_is_open(browser, address):
    _open(browser, address)
    browser.execute_script(
        "window.open_on_paper = -1; window.addEventListener('beforeprint', () => {"
        "window.open_on_paper = document.querySelectorAll('details:not([open])').length })"
    )
    paper = {"paperWidth": 8.27, "paperHeight": 11.69, "printBackground": True}
    printed = base64.b64decode(browser.execute_cdp_cmd("Page.printToPDF", paper)["data"])
    assert printed.startswith(b"%PDF")
    assert browser.execute_script("return window.open_on_paper") == 0
    assert _all(browser, "details[open]") == []

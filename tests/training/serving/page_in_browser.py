"""What a person does on the page and sees there."""

from __future__ import annotations

import time


def all_of(browser, selector):
    return browser.find_elements("css selector", selector)


def one_of(browser, selector):
    (found,) = all_of(browser, selector)
    return found


def wait_for_state(browser, kind):
    """Waits until the page says what it is at; returns its words."""
    end = time.monotonic() + 20
    while (found := one_of(browser, "#state").get_attribute("data-state")) != kind:
        assert time.monotonic() < end, (found, one_of(browser, "#state").text)
        time.sleep(0.01)
    return one_of(browser, "#state").text


def code_of(browser):
    return browser.execute_script("return document.getElementById('code').value")


def type_code(browser, *keys):
    one_of(browser, "#code").send_keys(*keys)


def candidates(browser):
    """Returns text, score and per cent of each candidate, as they are shown."""
    return [
        tuple(one.find_element("css selector", part).text for part in ("pre", ".score", ".percent"))
        for one in all_of(browser, "#candidates li")
    ]

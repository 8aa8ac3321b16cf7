"""Chromium without a window, driven by chromedriver over loopback, for the tests of pages."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import pytest


def _find(*names):
    return next(filter(None, map(shutil.which, names)), None)


def started(profile) -> Iterator:
    """Yields a browser, or skips the test and says what to install.

    Args:
      profile: A folder for what the browser keeps.
    """
    chromium, driver = _find("chromium", "chromium-browser", "google-chrome"), _find("chromedriver")
    if not chromium or not driver:
        pytest.skip(
            "no Chromium and chromedriver on this machine: "
            "apt-get install --no-install-recommends chromium chromium-driver"
        )
    webdriver = pytest.importorskip("selenium.webdriver", reason="pip install selenium")
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for option in (
        *("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"),
        *("--no-first-run", "--disable-background-networking", f"--user-data-dir={profile}"),
    ):
        options.add_argument(option)
    options.set_capability("goog:loggingPrefs", {"performance": "ALL", "browser": "ALL"})
    service = webdriver.chrome.service.Service(executable_path=driver)
    browser = webdriver.Chrome(options=options, service=service)
    browser.set_page_load_timeout(60)
    yield browser
    browser.quit()

"""Load a page in Chromium, measure the load, and collect the page's errors.

It needs Debian's packages `chromium` and `chromium-driver`, or Chrome and its driver. Nothing is
downloaded.
"""

import json
import shutil
import time
from base64 import b64decode
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from tempfile import TemporaryDirectory
from typing import Any, Literal
from urllib.parse import urlsplit

from selenium.webdriver import Chrome, ChromeOptions
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By

Theme = Literal["light", "dark"]

DESKTOP, PHONE = (1280, 800), (390, 844)
"""Width and height, CSS pixels."""

BROWSERS = ("chromium", "google-chrome")
DRIVER = "chromedriver"
FLAGS = (
    "--headless=new",
    # CI runs as root, which Chromium's sandbox refuses.
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    # No requests to Google's servers.
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-default-apps",
    "--no-proxy-server",
    "--force-color-profile=srgb",
    "--hide-scrollbars",
)
STEADY_S = 0.02
PATIENCE_S = 60
DRAWN_S = 5
"""Longest wait for charts, seconds; they are drawn as soon as a page is loaded."""


@dataclass(frozen=True)
class Visit:
    """One load of a page: its time, its requests and its errors."""

    seconds: float
    """From the request until the page is loaded and its charts are drawn."""
    requests: int
    encoded_bytes: int
    """Bytes on the wire, headers included."""
    hosts: frozenset[str]
    """Hosts with ports, to which requests were sent."""
    errors: tuple[str, ...]
    """Charts that were not drawn, and errors of the console: failed scripts, missing files, what
    the CSP blocked."""


class Browser:
    """One window of Chromium."""

    def __init__(self, driver: Chrome) -> None:
        self.driver = driver
        driver.set_page_load_timeout(PATIENCE_S)
        driver.set_script_timeout(PATIENCE_S)
        self._do("Network.enable")

    def look(self, size: tuple[int, int], theme: Theme = "light") -> None:
        """Set the window size and the theme for the next pages."""
        width, height = size
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1}
        self._do("Emulation.setDeviceMetricsOverride", **metrics, mobile=size == PHONE)
        scheme = {"name": "prefers-color-scheme", "value": theme}
        self._do("Emulation.setEmulatedMedia", features=[scheme])

    def keep_files(self, *, kept: bool) -> None:
        """Turn the browser's cache on or off for the next pages."""
        self._do("Network.setCacheDisabled", cacheDisabled=not kept)

    def visit(self, url: str) -> Visit:
        """Load a page, and return its load time, its requests and its errors."""
        self._new_entries("browser")
        self._new_entries("performance")
        started = time.perf_counter()
        self.driver.get(url)
        missing = () if self._charts_are_drawn() else ("a chart is not drawn",)
        return self._visit(time.perf_counter() - started, missing)

    def width(self) -> tuple[int, int]:
        """Return the widths of the page and of the window, CSS pixels."""
        wide: list[int] = self.driver.execute_script(
            "const root = document.documentElement; return [root.scrollWidth, root.clientWidth]"
        )
        return wide[0], wide[1]

    def read(self, url: str) -> str:
        """Load a page with scripts disabled, and return its visible text."""
        self._do("Emulation.setScriptExecutionDisabled", value=True)
        try:
            self.driver.get(url)
            return self.driver.find_element(By.TAG_NAME, "body").text
        finally:
            self._do("Emulation.setScriptExecutionDisabled", value=False)

    def picture(self, *, whole: bool) -> bytes:
        """Return a PNG of the whole page or, unless `whole`, of the part in the window."""
        answer = self.driver.execute_cdp_cmd(
            "Page.captureScreenshot", {"captureBeyondViewport": whole}
        )
        return b64decode(answer["data"])

    def _charts_are_drawn(self) -> bool:
        """Wait until every chart of the page is drawn; return False after `DRAWN_S` seconds."""
        deadline = time.perf_counter() + DRAWN_S
        while not self.driver.execute_script(CHARTS_ARE_DRAWN):
            if time.perf_counter() > deadline:
                return False
            time.sleep(STEADY_S)
        return True

    def _visit(self, seconds: float, missing: tuple[str, ...]) -> Visit:
        entries = self._new_entries("performance")
        events = [json.loads(entry["message"])["message"] for entry in entries]
        urls = [
            urlsplit(event["params"]["request"]["url"])
            for event in events
            if event["method"] == "Network.requestWillBeSent"
        ]
        urls = [url for url in urls if url.scheme not in ("data", "blob")]
        return Visit(
            seconds=seconds,
            requests=len(urls),
            encoded_bytes=sum(
                round(event["params"]["encodedDataLength"])
                for event in events
                if event["method"] == "Network.loadingFinished"
            ),
            hosts=frozenset(url.netloc for url in urls),
            errors=(*missing, *(entry["message"] for entry in self._new_entries("browser"))),
        )

    def _new_entries(self, log: str) -> list[dict[str, Any]]:
        """Return the entries of a browser log that were added since the last call."""
        entries: list[dict[str, Any]] = self.driver.get_log(log)  # type: ignore[no-untyped-call]
        return entries

    def _do(self, command: str, **parameters: Any) -> None:
        self.driver.execute_cdp_cmd(command, parameters)


CHARTS_ARE_DRAWN = """
return document.readyState === "complete" &&
    [...document.querySelectorAll("figure.chart")].every(chart => chart.querySelector("svg"))
"""


def missing() -> str:
    """Return what must be installed before a browser can run; empty if nothing is missing."""
    if not _program() or not shutil.which(DRIVER):
        return "needs a browser and its driver: apt-get install chromium chromium-driver"
    return ""


@contextmanager
def opened() -> Iterator[Browser]:
    """Open a browser with an empty profile and a window of desktop size."""
    with TemporaryDirectory(prefix="chromium-", ignore_cleanup_errors=True) as profile:
        options = ChromeOptions()
        options.binary_location = str(_program())
        for flag in (*FLAGS, f"--user-data-dir={profile}"):
            options.add_argument(flag)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
        driver = Chrome(options, Service(shutil.which(DRIVER)))
        try:
            browser = Browser(driver)
            browser.look(DESKTOP)
            yield browser
        finally:
            driver.quit()


def _program() -> str | None:
    return next(filter(None, map(shutil.which, BROWSERS)), None)

"""The review page in headless Chromium: how much comes over the wire, how soon spans are painted,
how soon a key shows. Needs Playwright's Python package and a Chromium."""

from __future__ import annotations

import contextlib
import os
import shutil
import statistics
from collections.abc import Iterator
from dataclasses import dataclass

from playwright.sync_api import Browser, Page, ViewportSize, sync_playwright

from webapp.bench.client import HOST, Annotator

CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome")
ARGUMENTS = ("--disable-background-networking", "--disable-component-update", "--no-first-run")
SIZE = ViewportSize(width=1440, height=900)
KEYS = "ja"

# A task that a frame's callback posts runs after the frame was painted.
WATCH = """(() => {
  const afterPaint = (then) => requestAnimationFrame(() => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => then(performance.now());
    port2.postMessage(null);
  });
  const watch = () => {
    if (!document.querySelector(".mention")) return requestAnimationFrame(watch);
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => (window.paintedAt = performance.now());
    port2.postMessage(null);
  };
  requestAnimationFrame(watch);
  window.keyTimes = [];
  addEventListener("keydown", ({ timeStamp }) => {
    afterPaint((now) => window.keyTimes.push(now - timeStamp));
  }, true);
})()"""


class NoBrowser(Exception):
    """There is no Chromium; the message says how to get one."""


@dataclass(frozen=True)
class Load:
    """One load of a page with an empty cache: bytes that came, heads too, and requests, both until
    nothing more comes, the icon's included; and seconds from the start of the navigation until the
    first mention was painted."""

    size: int
    requests: int
    painted: float


@dataclass(frozen=True)
class Pressed:
    """Seconds from each press of a key to the paint after it."""

    seconds: list[float]

    @property
    def median(self) -> float:
        return statistics.median(self.seconds)

    @property
    def worst(self) -> float:
        return max(self.seconds)


@contextlib.contextmanager
def chromium() -> Iterator[Browser]:
    """That of the machine, else Playwright's. Raises `NoBrowser`."""
    with sync_playwright() as playwright:
        path = next(filter(None, map(shutil.which, CHROMIUM_NAMES)), None)
        path = path or playwright.chromium.executable_path
        if not os.path.exists(path):  # noqa: PTH110  (Playwright says it as a string)
            raise NoBrowser("install Chromium, or run .venv/bin/playwright install chromium")
        # Chromium's sandbox refuses to start for root, which is who works in most containers.
        arguments = [*ARGUMENTS, *(["--no-sandbox"] if os.geteuid() == 0 else [])]
        browser = playwright.chromium.launch(executable_path=path, args=arguments)
        yield browser
        browser.close()


@contextlib.contextmanager
def signed_in(browser: Browser, annotator: Annotator) -> Iterator[Page]:
    """A page of a fresh profile with the session of `annotator`."""
    url = f"http://{HOST}:{annotator.port}/"
    context = browser.new_context(base_url=url, viewport=SIZE)
    cookies = annotator.cookies.items()
    context.add_cookies([{"name": name, "value": value, "url": url} for name, value in cookies])
    context.add_init_script(WATCH)
    yield context.new_page()
    context.close()


def loads(browser: Browser, annotator: Annotator, address: str, count: int) -> list[Load]:
    """`count` loads of the page at `address`, each in a fresh profile."""
    found = []
    for _ in range(count):
        with signed_in(browser, annotator) as page:
            found.append(_load(page, address))
    return found


def _load(page: Page, address: str) -> Load:
    sizes: list[int] = []
    requests: list[str] = []
    network = page.context.new_cdp_session(page)
    network.on("Network.loadingFinished", lambda said: sizes.append(said["encodedDataLength"]))
    network.on("Network.requestWillBeSent", lambda said: requests.append(said["requestId"]))
    network.send("Network.enable")
    network.send("Network.setCacheDisabled", {"cacheDisabled": True})
    page.goto(address)
    painted = _painted(page)
    page.wait_for_load_state("networkidle")
    return Load(round(sum(sizes)), len(requests), painted)


def _painted(page: Page) -> float:
    page.wait_for_function("window.paintedAt")
    return float(page.evaluate("window.paintedAt")) / 1000


def pressed(browser: Browser, annotator: Annotator, address: str, times: int) -> Pressed:
    """Opens the page at `address` and presses all of `KEYS` so many `times`, each when the paint
    after the one before is seen."""
    with signed_in(browser, annotator) as page:
        page.goto(address)
        _painted(page)
        page.wait_for_load_state("networkidle")
        for count, key in enumerate(KEYS * times, 1):
            page.keyboard.press(key)
            page.wait_for_function("(count) => window.keyTimes.length >= count", arg=count)
        took: list[float] = page.evaluate("window.keyTimes")
    return Pressed([milliseconds / 1000 for milliseconds in took])

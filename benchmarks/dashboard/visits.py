"""One visit of a page in Chromium: what was painted when, when all of it was there, and how much came over the wire."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext

WIDTH, HEIGHT = 1280, 900
CHROMIUM_ARGS = ("--no-sandbox", "--disable-gpu")

TIMES = """() => new Promise(told => {
  const paint = performance.getEntriesByName('first-contentful-paint')[0];
  const arrived = performance.getEntriesByType('resource').map(each => each.responseEnd);
  const loaded = performance.getEntriesByType('navigation')[0].loadEventEnd;
  const tell = largest => told({
    painted: paint ? paint.startTime : null, complete: Math.max(loaded, largest, ...arrived),
    server: performance.getEntriesByType('navigation')[0].responseStart,
  });
  new PerformanceObserver(list => tell(list.getEntries().at(-1).startTime))
    .observe({ type: 'largest-contentful-paint', buffered: true });
  setTimeout(() => tell(0), 500);
})"""
"""Milliseconds since the navigation began: the first paint with content in it; and the last of load event, arrival of any file, and the
largest paint."""


@dataclass(frozen=True, slots=True)
class Visit:
    """One page, opened once.

    Attributes:
        painted_s: Seconds until the first paint with content in it; None: Chromium told none.
        complete_s: Seconds until everything was there: all files, the load event, the largest paint.
        server_s: Seconds until the first byte of the page.
        wire_bytes: Bytes of all answers as they came over the wire: compressed, with their headers.
        requests: How many.
    """

    painted_s: float | None
    complete_s: float
    server_s: float
    wire_bytes: int
    requests: int


@contextmanager
def chromium(path: str) -> Iterator["Browser"]:
    """A browser of its own, ended at the end."""
    from playwright import sync_api

    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(CHROMIUM_ARGS))
        yield browser
        browser.close()


def visits(browser: "Browser", addresses: list[str]) -> list[Visit]:
    """Open addresses one after the other in a profile of its own: only the first finds nothing in the browser's cache.

    Raises:
        SystemExit: A page answered with an error.
    """
    context = browser.new_context(viewport={"width": WIDTH, "height": HEIGHT})
    try:
        return [_visit(context, address) for address in addresses]
    finally:
        context.close()


def _visit(context: "BrowserContext", address: str) -> Visit:
    page = context.new_page()
    wire = context.new_cdp_session(page)
    wire.send("Network.enable")
    sizes: list[int] = []
    wire.on("Network.loadingFinished", lambda event: sizes.append(int(event["encodedDataLength"])))
    answer = page.goto(address, wait_until="load")
    if answer is None or answer.status != 200:
        raise SystemExit(f"{address}: answered {None if answer is None else answer.status}")
    page.wait_for_load_state("networkidle")
    times = page.evaluate(TIMES)
    page.close()
    painted = times["painted"]
    return Visit(
        None if painted is None else painted / 1000, times["complete"] / 1000, times["server"] / 1000, sum(sizes), len(sizes)
    )  # fmt: skip

"""The page of a calibration in a real browser: it loads nothing, runs nothing of the log's, and fits a phone."""

import shutil
from collections.abc import Iterator

import pytest

from conftest import require
from undertow.reports.calibration_html import render_calibration
from unit.reports.calibration_factory import EVERY

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)

FAULTS = """() => {
  const faults = [];
  for (const svg of document.querySelectorAll('svg')) {
    const frame = svg.getBoundingClientRect();
    if (frame.width === 0) continue;
    const boxes = [...svg.querySelectorAll('text')].map(t => [t.textContent, t.getBoundingClientRect()]);
    boxes.forEach(([text, b], i) => {
      if (b.left < frame.left - 3 || b.right > frame.right + 3) faults.push('leaves: ' + text);
      for (const [other, o] of boxes.slice(i + 1)) {
        const across = Math.min(b.right, o.right) - Math.max(b.left, o.left);
        const down = Math.min(b.bottom, o.bottom) - Math.max(b.top, o.top);
        if (across > 1 && down > 6) faults.push('meet: ' + text + ' / ' + other);
      }
    });
  }
  return faults;
}"""


@pytest.fixture(scope="module")
def browser() -> Iterator:
    require(CHROMIUM is not None, "no chromium on this machine (apt-get install chromium)")
    from playwright import sync_api

    with sync_api.sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        yield running
        running.close()


@pytest.mark.parametrize("name", EVERY)
def test_it_loads_nothing_complains_of_nothing_fits_and_is_legible(browser, name, tmp_path):
    file = tmp_path / f"{name}.html"
    file.write_text(render_calibration(EVERY[name]()), encoding="utf-8")
    for width in (360, 1280):
        context = browser.new_context(viewport={"width": width, "height": 900}, offline=True)
        page = context.new_page()
        requests, complaints = [], []
        page.on("request", lambda request, seen=requests: seen.append(request.url))
        page.on("console", lambda message, seen=complaints: seen.append(message.text))
        page.on("pageerror", lambda error, seen=complaints: seen.append(str(error)))
        page.goto(file.as_uri())
        assert [url for url in requests if url != file.as_uri() and not url.startswith("data:")] == []
        assert complaints == []
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert page.evaluate("window.pwned") is None
        assert page.evaluate(FAULTS) == []
        context.close()


def test_it_is_dark_where_the_system_is_and_switches(browser, tmp_path):
    file = tmp_path / "page.html"
    file.write_text(render_calibration(EVERY["single"]()), encoding="utf-8")
    context = browser.new_context(offline=True, color_scheme="dark")
    page = context.new_page()
    page.goto(file.as_uri())
    dark = page.evaluate("getComputedStyle(document.body).backgroundColor")
    page.click("#theme")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") != dark
    context.close()

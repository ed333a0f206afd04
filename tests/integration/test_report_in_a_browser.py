"""The HTML report in a real browser: it loads nothing, runs nothing of the log's, and fits a phone."""

import shutil
from collections.abc import Iterator

import pytest

from conftest import require
from undertow.reports.html import render_html
from unit.reports.factory import EVERY

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


@pytest.fixture(scope="module")
def browser() -> Iterator:
    require(CHROMIUM is not None, "no chromium on this machine (apt-get install chromium)")
    from playwright import sync_api

    with sync_api.sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        yield running
        running.close()


@pytest.fixture
def open_page(browser, tmp_path):
    """Opens a report in a context without network; returns the page and lists of requests and of complaints."""
    contexts = []

    def opened(name, *, width=1280, **options):
        file = tmp_path / f"{name}.html"
        file.write_text(render_html(EVERY[name]()), encoding="utf-8")
        context = browser.new_context(viewport={"width": width, "height": 900}, offline=True, **options)
        contexts.append(context)
        page = context.new_page()
        requests, complaints = [], []
        page.on("request", lambda request: requests.append(request.url))
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("dialog", lambda dialog: (complaints.append(dialog.message), dialog.dismiss()))
        page.goto(file.as_uri())
        return page, [url for url in requests if url != file.as_uri()], complaints

    yield opened
    for context in contexts:
        context.close()


@pytest.mark.parametrize("name", EVERY)
@pytest.mark.parametrize("width", [360, 760, 1280])
def test_it_loads_nothing_complains_of_nothing_and_fits(open_page, name, width):
    page, requests, complaints = open_page(name, width=width)
    assert [url for url in requests if not url.startswith("data:")] == []
    assert complaints == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.evaluate("window.pwned") is None


@pytest.mark.parametrize("width", [360, 1280])
@pytest.mark.parametrize("name", EVERY)
def test_labels_of_charts_neither_meet_nor_leave_the_page(open_page, name, width):
    page, _, _ = open_page(name, width=width)
    faults = page.evaluate(
        """() => {
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
    )
    assert faults == []


def test_the_theme_follows_the_system_and_the_button(open_page):
    page, _, complaints = open_page("pareto_trap", color_scheme="dark")
    ground = "getComputedStyle(document.body).backgroundColor"
    dark = page.evaluate(ground)
    page.get_by_role("button", name="Switch to light colours").click()
    light = page.evaluate(ground)
    assert dark != light
    page.get_by_role("button", name="Switch to dark colours").click()
    assert page.evaluate(ground) == dark
    assert complaints == []


def test_without_script_everything_is_there(open_page):
    page, _, _ = open_page("pareto_trap", java_script_enabled=False)
    assert page.get_by_role("button").count() == 0
    assert page.locator("h1").inner_text().startswith("Pareto trap")
    page.get_by_text("Ledger as a table").click()
    assert page.get_by_role("row", name="tokens saved").is_visible()


def test_a_phone_gets_the_narrow_drawing_and_a_desk_the_wide_one(open_page):
    for width, visible, hidden in ((360, ".slim svg", ".wide svg"), (1280, ".wide svg", ".slim svg")):
        page, _, _ = open_page("pareto_trap", width=width)
        assert page.locator(visible).first.is_visible()
        assert not page.locator(hidden).first.is_visible()


def test_it_prints_light_with_the_wide_drawings(open_page):
    page, _, _ = open_page("pareto_trap", color_scheme="dark")
    page.emulate_media(media="print", color_scheme="dark")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert page.locator(".wide svg").first.is_visible()
    assert not page.get_by_role("navigation").is_visible()


def test_charts_have_names_for_those_who_do_not_see_them(open_page):
    page, _, _ = open_page("pareto_trap")
    assert page.get_by_role("img", name="Loss by segment with intervals").count() == 1
    assert page.get_by_role("img", name="Quality over time, all tiers together and tier by tier").count() == 1

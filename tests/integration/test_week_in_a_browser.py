"""The week's page in a real browser: it loads nothing, runs nothing of the log's, and fits a phone."""

import shutil

import pytest

from conftest import require
from undertow.reports.weekly_html import week_html
from unit.reports.factory import EVERY
from week_factory import week

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


@pytest.fixture(scope="module")
def browser():
    require(CHROMIUM is not None, "no chromium on this machine (apt-get install chromium)")
    from playwright import sync_api

    with sync_api.sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        yield running
        running.close()


@pytest.mark.parametrize("name", EVERY)
@pytest.mark.parametrize(("width", "scheme"), [(360, "dark"), (1180, "light")])
def test_it_loads_nothing_complains_of_nothing_and_fits(browser, tmp_path, name, width, scheme):
    file = tmp_path / "week.html"
    file.write_text(week_html(week(name, text="intent=<script>window.pwned=1</script>" + "x" * 300)), encoding="utf-8")
    context = browser.new_context(viewport={"width": width, "height": 900}, offline=True, color_scheme=scheme)
    page = context.new_page()
    requests, complaints = [], []
    page.on("request", lambda request: requests.append(request.url))
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto(file.as_uri())
    assert [url for url in requests if url != file.as_uri() and not url.startswith("data:")] == []
    assert complaints == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.evaluate("window.pwned") is None
    ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
    page.get_by_role("button").click()
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") != ground
    context.close()

"""The dashboard in a real browser: every view in both colours and widths, and what people do with it."""

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime

import pytest

from conftest import PROJECT, require
from review_factory import write_drawn_store
from undertow.dashboard.pages import VIEWS

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
SHOTS = PROJECT / "build" / "screenshots"
UNDERTOW = [sys.executable, "-m", "undertow.cli.main"]
SETTINGS = """
[tiers.cheap]
[tiers.capable]
[guard]
failure_usd = 12.0
"""


@contextlib.contextmanager
def dashboard(folder):
    """`undertow ui` over a folder, once it has read it; gives the address."""
    process = subprocess.Popen(
        [*UNDERTOW, "ui", str(folder), "--port", "0"],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env={**os.environ, "PYTHONUNBUFFERED": "1"}, cwd=PROJECT,
    )  # fmt: skip
    try:
        yield re.search(r"(http://[^/]+)/ui/", process.stdout.readline())[1]
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:  # a page of an earlier day is still being made, on a machine that is busy
            process.kill()
            process.wait(10)
        process.stdout.close()


@pytest.fixture(scope="module")
def incident(tmp_path_factory):
    """The support incident, looked at once by `undertow watch`, so that there is a suggestion."""
    store = tmp_path_factory.mktemp("ui") / "store"
    simulated = ["simulate", "support", "--out", str(store), "--weeks", "10", "--queries-per-day", "3000", "--quiet"]
    subprocess.run([*UNDERTOW, *simulated], check=True, cwd=PROJECT)
    (store / "undertow.toml").write_text(SETTINGS, encoding="utf-8")
    subprocess.run([*UNDERTOW, "watch", str(store), "--once"], check=True, cwd=PROJECT, stdout=subprocess.DEVNULL)
    with dashboard(store) as address:
        yield address


@pytest.fixture(scope="module")
def browser():
    require(CHROMIUM is not None, "no chromium on this machine (apt-get install chromium)")
    from playwright import sync_api

    with sync_api.sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        yield running
        running.close()


@pytest.fixture
def opened(browser):
    """Opens pages; whatever a page complains of, or asks of another host, fails the test."""
    contexts, complaints = [], []

    def page(address, **options):
        context = browser.new_context(**{"viewport": {"width": 1280, "height": 900}, **options})
        context.set_default_timeout(90_000)  # an earlier day is audited anew, which takes long on a busy machine
        contexts.append(context)
        made = context.new_page()
        made.on("console", lambda message: complaints.append(message.text))
        made.on("pageerror", lambda error: complaints.append(str(error)))
        made.on("dialog", lambda dialog: (complaints.append(dialog.message), dialog.dismiss()))
        made.on("request", lambda asked: None if asked.url.startswith((address, "data:", "blob:")) else complaints.append(asked.url))  # fmt: skip
        return made

    yield page
    for context in contexts:
        context.close()
    assert complaints == []


def full(page, address, path="/ui/"):
    """The page once the log was read."""
    until = time.monotonic() + 90
    page.goto(address + path)
    while page.locator(".waiting").count():
        assert time.monotonic() < until
        page.wait_for_timeout(300)
    return page


@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 390)])
def test_every_view_fits_complains_of_nothing_and_can_be_used_by_everybody(opened, incident, scheme, width):
    from axe_playwright_python.sync_playwright import Axe

    SHOTS.mkdir(parents=True, exist_ok=True)
    page = opened(incident, color_scheme=scheme, viewport={"width": width, "height": 900})
    full(page, incident)
    for view in VIEWS:
        page.goto(incident + view.path)
        page.wait_for_load_state("networkidle")
        assert page.locator("nav a[aria-current=page]").inner_text() == view.title
        assert page.evaluate("document.documentElement.scrollWidth") <= width, view.name
        page.screenshot(path=SHOTS / f"{view.name}-{scheme}.png", full_page=True)
        found = Axe().run(page).response["violations"]
        serious = {each["id"]: each["nodes"][0]["html"] for each in found if each["impact"] in {"serious", "critical"}}
        assert serious == {}, view.name


def test_without_javascript_every_page_has_its_content(opened, incident):
    full(opened(incident), incident)
    plain = opened(incident, java_script_enabled=False)
    for view in VIEWS:
        plain.goto(incident + view.path)
        assert plain.locator("main h1, main h2").count() > 0, view.name
    plain.goto(f"{incident}/ui/quality")
    plain.fill("input[name=as_of]", "2026-02-10")
    plain.click("#as-of button")
    assert "As it looked on 2026-02-10" in plain.inner_text("main")
    assert "No alarm by then" in plain.inner_text("main")


def test_an_earlier_day_by_the_slider_and_back(opened, incident):
    page = full(opened(incident), incident, "/ui/quality")
    page.locator("label.slider input").focus()
    for _ in range(3):
        page.keyboard.press("PageDown")
    page.wait_for_url("**as_of=*")
    assert "As it looked on" in page.inner_text("main")
    page.get_by_role("link", name="Segments").click()
    assert "as_of=" in page.url
    page.get_by_role("link", name="Back to now").click()
    assert "as_of=" not in page.url


def test_colours_are_kept_and_charts_taken_away(opened, incident):
    page = full(opened(incident, color_scheme="light"), incident)
    page.click("#theme")
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"
    page.reload()
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"
    for kind in ("SVG", "PNG"):
        with page.expect_download() as download:
            page.locator(".takeaway button", has_text=kind).first.click()
        assert download.value.suggested_filename.endswith(kind.lower())
    assert "UTC" in page.locator("footer time").get_attribute("title")


def test_an_alarm_is_answered_through_the_page_as_a_person_would(opened, incident):
    page = full(opened(incident), incident)
    assert "has lost" in page.inner_text(".verdict")
    page.locator("#alarms").get_by_role("link", name="Actions").click()
    page.locator("#asked input[name=why]").fill("seen in the tickets")
    page.get_by_role("button", name="Approve").click()
    page.wait_for_url("**note=approve")
    assert "1 restriction in force" in page.inner_text("h1")
    page.goto(f"{incident}/ui/")
    assert "route back (done" in page.inner_text("#alarms")
    page.goto(f"{incident}/ui/actions")
    page.locator("#held form.inline input[name=why]").fill("mended")
    page.get_by_role("button", name="Release").click()
    page.wait_for_url("**note=release")
    assert "Nothing is restricted" in page.inner_text("h1")


def test_reviewing_by_keys_in_two_tabs_with_the_back_button(opened, tmp_path):
    store = tmp_path / "store"
    write_drawn_store(store, now=datetime.now(UTC))
    with dashboard(store) as address:
        page = opened(address)
        page.goto(f"{address}/ui/review")
        first = page.get_attribute("#sheet", "data-item")
        page.keyboard.press("y")
        page.wait_for_url("**note=kept")
        assert page.get_attribute("#sheet", "data-item") != first
        page.keyboard.press("u")
        page.wait_for_url("**note=undone")
        assert page.get_attribute("#sheet", "data-item") == first
        other = page.context.new_page()
        other.goto(f"{address}/ui/review")
        assert other.get_attribute("#sheet", "data-item") == first, "one person, one item, however many tabs"
        other.keyboard.press("5")
        other.wait_for_url("**note=kept")
        page.keyboard.press("n")
        page.wait_for_url("**note=already")
        page.keyboard.press("s")
        page.keyboard.type("yes or no, who knows")
        page.reload()
        assert page.input_value("#skip input[name=why]") == "yes or no, who knows"
        page.locator("#skip button").click()
        page.wait_for_url("**note=skipped")
        assert "1 of 200 today" in page.inner_text("main")

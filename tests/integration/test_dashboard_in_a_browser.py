"""The dashboard in a real browser: every view in both colours and widths, and what people do with it."""

import base64
import subprocess
from datetime import UTC, datetime, timedelta

import pytest

from conftest import PROJECT
from dashboard_browser import BUILT, UNDERTOW, chromium, dashboard, full, overflow, pages
from review_factory import write_drawn_store

SHOTS = PROJECT / "build" / "screenshots"
SETTINGS = """
[guard]
failure_usd = 12.0
"""
GROUND = "getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number)"
PIXELS = """async source => {
  const picture = new Image();
  picture.src = source;
  await picture.decode();
  const canvas = document.createElement('canvas');
  [canvas.width, canvas.height] = [picture.width, picture.height];
  const context = canvas.getContext('2d');
  context.drawImage(picture, 0, 0);
  const all = context.getImageData(0, 0, canvas.width, canvas.height).data;
  return [picture.width, [...all.slice(0, 3)], new Set(new Uint32Array(all.buffer)).size];
}"""
"""Width of a picture, the colour of its corner, and how many colours it has."""


@pytest.fixture(scope="module")
def incident(tmp_path_factory):
    """The support incident, looked at once by `undertow watch`, so that there is a suggestion."""
    store = tmp_path_factory.mktemp("ui") / "store"
    simulated = ["simulate", "support", "--out", str(store), "--weeks", "10", "--queries-per-day", "3000", "--quiet"]
    subprocess.run([*UNDERTOW, *simulated], check=True, cwd=PROJECT)
    with (store / "undertow.toml").open(
        "a", encoding="utf-8"
    ) as settings:  # beside the prices that the simulation wrote
        settings.write(SETTINGS)
    subprocess.run([*UNDERTOW, "watch", str(store), "--once"], check=True, cwd=PROJECT, stdout=subprocess.DEVNULL)
    with dashboard(store) as address:
        yield address


@pytest.fixture(scope="module")
def browser():
    with chromium() as running:
        yield running


@pytest.fixture
def opened(browser):
    with pages(browser) as opens:
        yield opens


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_view_fits_complains_of_nothing_and_can_be_used_by_everybody(opened, incident, scheme, width):
    from axe_playwright_python.sync_playwright import Axe

    SHOTS.mkdir(parents=True, exist_ok=True)
    page = opened(incident, color_scheme=scheme, viewport={"width": width, "height": 900})
    full(page, incident)
    for view in BUILT:
        page.goto(incident + view.path)
        assert page.locator("nav a[aria-current=page]").inner_text() == view.title
        assert overflow(page) <= 0, view.name
        page.screenshot(path=SHOTS / f"{view.name}-{scheme}-{width}.png", full_page=True)
        if (scheme, width) in {("light", 1280), ("dark", 390)}:  # each colour and each width once
            found = Axe().run(page).response["violations"]
            grave = {
                each["id"]: each["nodes"][0]["html"] for each in found if each["impact"] in {"serious", "critical"}
            }
            assert grave == {}, view.name


def test_without_javascript_every_page_has_its_content(opened, incident):
    full(opened(incident), incident)
    plain = opened(incident, java_script_enabled=False)
    for view in BUILT:
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
    taken = {}
    for kind in ("SVG", "PNG"):
        with page.expect_download() as download:
            page.locator(".takeaway button", has_text=kind).first.click()
        assert download.value.suggested_filename.endswith(kind.lower())
        taken[kind] = download.value.path().read_bytes()
    assert taken["SVG"].lstrip().startswith(b"<svg")
    picture = "data:image/png;base64," + base64.b64encode(taken["PNG"]).decode()
    width, ground, colours = page.evaluate(PIXELS, picture)
    assert width > 1280, "twice as fine as on the screen"
    assert ground == page.evaluate(GROUND), "the colours that the reader chose"
    assert colours > 20


def test_times_are_those_of_the_reader_with_utc_on_hover(opened, incident):
    page = full(opened(incident, timezone_id="Asia/Kolkata", locale="en-GB"), incident)
    for moment in page.locator("time").all():
        utc = datetime.fromisoformat(moment.get_attribute("datetime"))
        assert moment.get_attribute("title") == f"{utc:%Y-%m-%d %H:%M} UTC"
        there = utc + timedelta(hours=5, minutes=30)
        assert f"{there:%H:%M}" in moment.text_content()
        assert f"{there.day} {there:%b %Y}" in moment.text_content()


def test_the_back_button_brings_back_what_the_address_said(opened, incident):
    page = full(opened(incident), incident, "/ui/segments")
    page.locator("main th a").first.click()
    page.wait_for_url("**sort=*")
    page.locator("main th[aria-sort]").wait_for()
    page.go_back()
    page.locator("main th[aria-sort]").wait_for(state="detached")
    assert "sort=" not in page.url
    page.go_forward()
    page.locator("main th[aria-sort]").wait_for()
    assert "sort=" in page.url


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

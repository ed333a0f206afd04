"""The dashboard in a real browser over what it should never meet: names and texts that are code, logs that grow, shrink, or go away."""

import shutil
from datetime import UTC, datetime, timedelta

import pytest

from dashboard_browser import BUILT, chromium, dashboard, full, overflow, pages, served
from explorer_factory import record, some, text, write_store
from review_factory import sampled, write_texts
from undertow.bootstrap.audit import AuditRequest
from undertow.bootstrap.dashboard import LogView
from unit.dashboard.conftest import FixedLog, made_ui
from unit.reports.factory import EVERY, HOSTILE

NAMES = tuple(name for name in HOSTILE if "\ud800" not in name)
"""Without the lone surrogate, which cannot be written down."""

MARKUP = (
    "<img src=x onerror='window.pwned=1'><script>window.pwned=1</script></pre></textarea><svg onload='window.pwned=1'>"
)

RAN = """() => [
  window.pwned === undefined ? '' : 'something of the log ran',
  ...[...document.querySelectorAll('script:not([src^="/ui/static/"])')].map(each => each.outerHTML),
  ...[...document.querySelectorAll('main *')].filter(each => [...each.attributes].some(a =>
    a.name.startsWith('on') || /^(srcdoc|formaction)$/.test(a.name) || /^\\s*javascript:/i.test(a.value) && a.name === 'href')).map(each => each.outerHTML.slice(0, 200)),
  ...[...document.querySelectorAll('main img, main iframe, main object, main embed, main style')].map(each => each.outerHTML.slice(0, 200)),
].filter(Boolean)"""
"""What of a page is code that is not ours, or has been run."""


@pytest.fixture(scope="module")
def browser():
    with chromium() as running:
        yield running


@pytest.fixture
def opened(browser):
    with pages(browser) as opens:
        yield opens


def drawn_by_hand(name, folder):
    """A dashboard of a report made by hand, over a small store."""
    log = FixedLog(EVERY[name]())
    log.request = AuditRequest((str(write_store(folder / "store", *some(20))),))
    return served(made_ui(log))


@pytest.mark.parametrize("width", [1280, 390])
def test_a_report_of_nothing_but_hostile_names_runs_nothing_and_fits(opened, tmp_path, width):
    with drawn_by_hand("hostile", tmp_path) as address:
        page = opened(address, viewport={"width": width, "height": 900})
        for view in BUILT:
            page.goto(address + view.path)
            assert page.evaluate(RAN) == [], view.name
            assert overflow(page) <= 0, view.name


@pytest.mark.parametrize("name", ["sparse", "many_segments"])
def test_a_log_without_labels_or_with_many_segments_fits_a_phone(opened, tmp_path, name):
    with drawn_by_hand(name, tmp_path) as address:
        page = opened(address, color_scheme="dark", viewport={"width": 390, "height": 900})
        for view in BUILT:
            page.goto(address + view.path)
            assert overflow(page) <= 0, view.name


def test_a_log_whose_names_and_texts_are_code_runs_none_of_it(opened, tmp_path):
    now = datetime.now(UTC)
    records = [
        record(
            number, now - timedelta(hours=number + 1), segment={NAMES[number % len(NAMES)] or "k": NAMES[number % len(NAMES)], "intent": MARKUP},
            tier=MARKUP if number % 3 else "capable", reason=MARKUP, policy=MARKUP, policy_version=MARKUP, requested_model=MARKUP,
            model=MARKUP, prompt=MARKUP, response=MARKUP, error=MARKUP,
        )
        for number in range(240)
    ]  # fmt: skip
    signals = tuple(
        {"decision_id": f"d{number:04d}", "event_time": text(now), "value": float(number % 4 > 0), "source": MARKUP, "name": MARKUP}
        for number in range(200)
    )  # fmt: skip
    store = write_store(tmp_path / "store", *records, signals=signals)
    write_texts(store, *(sampled(f"d{n:04d}", prompt=MARKUP, answer=MARKUP, tier=MARKUP, event_time=text(now)) for n in range(3)))  # fmt: skip
    with dashboard(store) as address:
        page = full(opened(address), address)
        within = []
        for view in BUILT:
            page.goto(address + view.path)
            assert page.evaluate(RAN) == [], view.name
            assert overflow(page) <= 0, view.name
            links = page.locator("main a").evaluate_all("all => all.map(each => each.getAttribute('href'))")
            within += [link for link in links if link.startswith(("/ui/decisions/", "/ui/segments/"))][:2]
        assert len(within) > 2, "a decision and a segment were followed"
        for link in within:
            page.goto(address + link)
            assert page.evaluate(RAN) == [], link
            assert overflow(page) <= 0, link
        page.goto(f"{address}/ui/review")
        assert "<script>window.pwned=1</script>" in page.inner_text("main"), "shown to who reviews it, as text"


def test_rows_that_come_in_are_shown_without_a_reload_and_a_log_that_goes_away_stays(opened, tmp_path):
    store = write_store(tmp_path / "store", *some(120))
    log = LogView(AuditRequest((str(store),)), refresh_s=0.2)
    log.start()
    try:
        with served(made_ui(log, store=store)) as address:
            page = opened(address)
            page.clock.install()  # half a minute of the page's, not of ours
            full(page, address, "/ui/health")
            page.evaluate("window.stayed = true")
            assert "120" in page.inner_text("main")
            write_store(store, *(record(1000 + n, datetime(2026, 3, 11, tzinfo=UTC)) for n in range(33)))
            assert shows(page, log, "153")
            assert page.evaluate("window.stayed"), "news came without a reload"
            shutil.rmtree(store)
            page.clock.fast_forward(15_000)
            page.reload()
            assert "153" in page.inner_text("main"), "the last reading stays"
    finally:
        log.stop()


def shows(page, log, what):
    """Whether a page shows something by itself within half a minute of its own after the log was read again."""
    before = log.seen
    for _ in range(300):
        if log.seen is not before:
            break
        page.wait_for_timeout(100)
    for _ in range(2):
        page.clock.fast_forward(15_000)
        page.wait_for_timeout(1_000)
        if what in page.inner_text("main"):
            return True
    return False


def test_a_folder_without_a_log_says_so_in_every_view(opened, tmp_path):
    with dashboard(tmp_path) as address:
        page = opened(address, viewport={"width": 390, "height": 900})
        page.goto(f"{address}/ui/")
        page.get_by_role("heading", name="There is nothing to show yet").wait_for()
        for view in BUILT:
            assert page.goto(address + view.path).status == 200, view.name
            assert page.locator("main h1").count() == 1, view.name
            assert overflow(page) <= 0, view.name

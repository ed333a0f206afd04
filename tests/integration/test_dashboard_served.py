"""The dashboard under `/ui` of a running `undertow serve`: people with keys review what its callers asked, and answer an alarm through the page."""

import http.client
import itertools
import json
import os
import re
import select
import signal
import socket
import subprocess
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest

from conftest import PROJECT
from dashboard_browser import chromium, full, overflow, pages
from gateway_fakes.reply import Reply
from gateway_fakes.upstream import FakeUpstream
from gateway_stub.gateway_process import UNDERTOW, Gateway, gateway
from undertow.adapters.store.row_log import SAMPLED, VOTES, read_rows
from undertow.records.watched import SampledText, Vote

WEEKS = 14
DRAWN = 3
SHOTS = PROJECT / "build" / "screenshots"
ROLES = {"vera": "viewer", "walt": "viewer", "rita": "reviewer", "otto": "operator", "web": None}
"""Keys and what they open; the last one only calls."""
SETTINGS = """
[tiers.cheap]
model = "small"
base_url = "{url}"
[tiers.capable]
model = "large"
base_url = "{url}"
[policy]
kind = "cascade"
threshold = 0.0
[holdout]
share = 0.0
[review]
per_day = 5000
[shadow]
share = 0.0
[store]
segment_s = 1
[monitors]
every_minutes = 0.2
[guard]
failure_usd = 12.0
[gateway]
workers = 2
[ui]
refresh_s = 1
public_hosts = ["undertow.example.org"]
user_header = "X-Remote-User"
trusted_proxies = ["127.0.0.2"]
roles = {{ "pia@example.org" = "operator" }}
"""


@dataclass
class Place:
    """A gateway with a log in which billing has lost quality, and the keys of people.

    Attributes:
        running: The gateway.
        keys: By name.
    """

    running: Gateway
    keys: dict[str, str]

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.running.port}"

    @property
    def store(self):
        return self.running.folder / "undertow-data"

    def drawn(self):
        """How many decisions wait to be judged."""
        return len(read_rows(self.store, SAMPLED, SampledText).rows)

    def ask(self, intent, question="question 0 about my account"):
        """A caller's request; the tier and the reason that its record has."""
        body = {
            "model": "auto", "messages": [{"role": "user", "content": question}], "logprobs": True, "metadata": {"intent": intent},
        }  # fmt: skip
        status, headers, _ = self.http("POST", "/v1/chat/completions", json.dumps(body), {"content-type": "application/json"})  # fmt: skip
        assert status == 200
        found = self.http("GET", f"/v1/undertow/decisions/{headers['x-undertow-decision-id']}")
        record = json.loads(found[2])
        return record["tier"], record["reason"]

    def http(self, method, path, body=None, headers=None, *, source="127.0.0.1"):
        """Status, headers and body of an answer, from an address of this machine."""
        given = {"authorization": f"Bearer {self.keys['web']}"} if path.startswith("/v1") else {}
        connection = http.client.HTTPConnection("127.0.0.1", self.running.port, timeout=30, source_address=(source, 0))
        try:
            connection.request(method, path, body, {**given, **(headers or {})})
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read()
        finally:
            connection.close()


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    folder = tmp_path_factory.mktemp("served")
    start = datetime.now(UTC).date() - timedelta(weeks=WEEKS)
    undertow(
        folder, "simulate", "support", "--out", "undertow-data", "--start", str(start), "--pre-weeks", "4", "--weeks", str(WEEKS - 4),
        "--queries-per-day", "3000", "--quiet",
    )  # fmt: skip
    with FakeUpstream() as upstream:
        upstream.answer("small", Reply(text="On the first of the month.", confidence=0.97))
        settings = folder / "undertow.toml"
        settings.write_text(SETTINGS.format(url=upstream.base_url))
        keys = {
            name: undertow(folder, "key", "new", name, "--append", *(() if role is None else ("--ui", role))).strip()
            for name, role in ROLES.items()
        }
        with gateway(folder, settings.read_text()) as running:
            running.wait_for("dashboard_started", timeout_s=60)
            found = Place(running, keys)
            number = itertools.count()
            until(lambda: found.ask("account", f"question {next(number)} about my account") and found.drawn() >= DRAWN, 90, "nothing was drawn")  # fmt: skip
            yield found
            running.stop(timeout_s=60)  # a busy machine takes its time


@pytest.fixture(scope="module")
def browser():
    with chromium() as running:
        yield running


@pytest.fixture
def opened(browser):
    with pages(browser) as opens:
        yield opens


def undertow(folder, *arguments):
    done = subprocess.run([UNDERTOW, *arguments], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def until(is_so, within_s, what):
    end = time.monotonic() + within_s
    while not is_so():
        assert time.monotonic() < end, what
        time.sleep(0.2)


def log_in(page, place, who, path="/ui/"):
    """Come to a page as somebody who has no login yet, and give his key."""
    page.goto(place.address + path)
    assert "/ui/login" in page.url
    give_key(page, place, who)
    return page


def give_key(page, place, who):
    page.fill("#key", place.keys[who])
    page.get_by_role("button", name="Log in").click()
    page.wait_for_url(lambda url: "/ui/login" not in url)


def shot(page, name):
    SHOTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=SHOTS / f"served-{name}.png", full_page=True)


def test_nobody_sees_anything_before_a_login_and_each_role_what_is_its(opened, place):
    page = opened(place.address)
    page.goto(f"{place.address}/ui/ledger?by=tier")
    shot(page, "login")
    assert overflow(page) <= 0
    assert page.locator("nav").count() == 0
    give_key(page, place, "vera")
    assert page.url == f"{place.address}/ui/ledger?by=tier", "where he wanted to go"
    full(page, place.address)
    assert "vera" in page.inner_text("header.bar")
    assert page.locator("nav a", has_text="Review").count() == 0, "judging is for reviewers"
    (cookie,) = page.context.cookies()
    assert (cookie["httpOnly"], cookie["sameSite"], cookie["path"]) == (True, "Strict", "/ui")
    page.goto(f"{place.address}/ui/actions")
    assert page.locator("main button", has_text=re.compile("Approve|Route back|Release")).count() == 0
    page.get_by_role("button", name="Log out").click()
    page.wait_for_url("**/ui/login")
    page.goto(f"{place.address}/ui/")
    assert "/ui/login" in page.url
    worn = {"cookie": f"{cookie['name']}={cookie['value']}"}
    assert place.http("GET", "/ui/", headers=worn)[0] == 303, (
        "a login that was ended does not come back with its cookie"
    )


def test_a_key_that_only_calls_and_a_wrong_one_open_nothing(browser, place):
    context = browser.new_context()
    page = context.new_page()
    page.goto(f"{place.address}/ui/")
    for key, said in ((place.keys["web"], "does not open the dashboard"), ("ut_nothing", "no key of this gateway")):
        page.fill("#key", key)
        page.get_by_role("button", name="Log in").click()
        page.locator(".refused", has_text=said).wait_for()
        assert key not in page.content()
    assert context.cookies() == []
    context.close()


def test_a_proxy_that_is_believed_names_its_user_and_nobody_else_does(place):
    pia = {"host": "undertow.example.org", "x-remote-user": "pia@example.org", "x-forwarded-for": "203.0.113.9"}
    status, _, page = place.http("GET", "/ui/actions", headers=pia, source="127.0.0.2")
    assert status == 200
    assert "pia@example.org" in page.decode()
    assert place.http("GET", "/ui/actions", headers=pia)[0] == 303, "127.0.0.1 is no proxy here"
    eve = pia | {"x-remote-user": "eve@example.org"}
    assert place.http("GET", "/ui/actions", headers=eve, source="127.0.0.2")[0] == 403
    assert place.http("GET", "/ui/login", headers={"host": "evil.example"})[0] == 421


def test_a_reviewer_judges_what_was_asked_and_loses_nothing_when_the_login_ends(browser, place):
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    page = log_in(context.new_page(), place, "rita", "/ui/review")
    until(lambda: page.reload() and page.locator("#sheet").count(), 30, "nothing was drawn for review")
    shot(page, "review")
    item = page.get_attribute("#sheet", "data-item")
    assert re.search(r"question \d+ about my account", page.inner_text("#sheet"))
    assert "small" not in page.inner_text("#sheet")
    page.fill("#skip input[name=why]", "it depends on the contract")
    context.clear_cookies()  # as it is when the login has run out
    page.locator("#skip button").click()
    page.get_by_role("heading", name="Log in again").wait_for()
    shot(page, "over")
    assert skipped(place) == []
    page.get_by_role("link", name="Log in").click()
    give_key(page, place, "rita")
    assert page.get_attribute("#sheet", "data-item") == item, "the item was kept for her"
    assert page.input_value("#skip input[name=why]") == "it depends on the contract"
    page.locator("#skip button").click()
    page.wait_for_url("**note=skipped")
    assert skipped(place) == [("rita", "it depends on the contract")]
    page.keyboard.press("y")
    page.wait_for_url("**note=kept")
    assert [vote.rater for vote in votes(place) if vote.skipped is None] == ["rita"]
    page.fill("#skip input[name=why]", "half a thought")
    page.get_by_role("button", name="Log out").click()
    page.wait_for_url("**/ui/login")
    assert "half a thought" not in page.evaluate("JSON.stringify(sessionStorage)"), (
        "the next one at this desk reads nothing of it"
    )
    context.close()


def votes(place):
    return read_rows(place.store, VOTES, Vote).rows


def skipped(place):
    return [(vote.rater, vote.skipped) for vote in votes(place) if vote.skipped is not None]


def test_an_operator_answers_an_alarm_and_the_gateway_does_what_the_page_says(opened, place):
    assert place.ask("billing")[0] == "cheap"
    page = full(log_in(opened(place.address), place, "otto"), place.address)
    page.locator("#alarms", has_text="billing").wait_for()
    assert "has lost" in page.inner_text(".verdict")
    shot(page, "alarm")
    waits = page.locator("#asked article", has_text="intent=billing")
    until(lambda: page.goto(f"{place.address}/ui/actions") and waits.count(), 60, "nothing was suggested")
    shot(page, "suggestion")
    waits.locator("input[name=why]").fill("tickets say the same")
    waits.get_by_role("button", name="Approve").click()
    page.wait_for_url("**note=approve")
    until(lambda: place.ask("billing") == ("capable", "routed_back"), 15, "billing was not routed back")
    assert place.ask("account")[0] == "cheap", "what is worth its savings stays"
    held = page.locator("#held article", has_text="intent=billing")
    assert "by otto" in held.inner_text()
    lines = page.locator("#trail tbody tr", has_text="tickets say the same").all_inner_texts()
    assert [("otto" in line, "approved" in line, "done" in line) for line in lines] == [
        (True, False, True),
        (True, True, False),
    ]
    shot(page, "routed-back")
    listed = json.loads(undertow(place.running.folder, "guard", "list", "--json"))["trail"]
    his = {e["status"]: e["why"] for e in listed if e["who"] == "otto" and e["segment"] == "intent=billing"}
    assert his == {"approved": "tickets say the same", "done": "tickets say the same"}
    held.locator("input[name=why]").fill("the prompt was mended")
    held.get_by_role("button", name="Release").click()
    page.wait_for_url("**note=release")
    until(lambda: place.ask("billing")[0] == "cheap", 15, "the release took no effect")
    assert "the prompt was mended" in page.inner_text("#trail")
    shot(page, "released")


@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 390)])
def test_the_planners_sliders_answer_while_they_are_moved_and_the_address_keeps_them(opened, place, scheme, width):
    page = opened(place.address, color_scheme=scheme, viewport={"width": width, "height": 900})
    full(log_in(page, place, "vera"), place.address)
    page.goto(f"{place.address}/ui/power")
    page.get_by_label("Reviews a day, of all tiers", exact=True).wait_for()
    reviews = page.get_by_label("Reviews a day, of all tiers, slider")
    reviews.focus()
    page.keyboard.press("End")
    page.wait_for_url("**labels=1000**")
    assert page.get_by_label("Reviews a day, of all tiers", exact=True).input_value() == "1000"
    page.locator("#power svg:visible").wait_for()
    assert overflow(page) <= 0
    shot(page, f"power-{scheme}-{width}")
    page.reload()
    assert page.get_by_label("Reviews a day, of all tiers", exact=True).input_value() == "1000"


def test_without_javascript_people_log_in_plan_and_act(browser, place):
    context = browser.new_context(java_script_enabled=False)
    page = log_in(context.new_page(), place, "otto", "/ui/power?labels=300")
    page.get_by_label("Reviews a day, of all tiers", exact=True).fill("500")
    page.get_by_role("button", name="Work it out").click()
    page.wait_for_url("**labels=500**")
    page.goto(f"{place.address}/ui/actions")
    form = page.locator("#held form", has=page.locator("input[value=route_back]"))
    form.locator("input[name=segment]").fill("intent=refunds")
    form.locator("input[name=why]").fill("by hand")
    form.get_by_role("button", name="Route back").click()
    page.wait_for_url("**note=route_back")
    until(lambda: place.ask("refunds") == ("capable", "routed_back"), 15, "refunds were not routed back")
    page.get_by_role("button", name="Log out").click()
    page.wait_for_url("**/ui/login")
    context.close()


def test_the_dashboard_may_die_and_callers_notice_nothing_while_logins_go_on(browser, place):
    context = browser.new_context()
    page = full(log_in(context.new_page(), place, "vera"), place.address)
    (process,) = place.running.children("undertow.cli.ui_process")
    os.kill(process, signal.SIGKILL)
    assert place.ask("account")[0] == "cheap"
    until(lambda: place.running.children("undertow.cli.ui_process") not in ([], [process]), 30, "it did not come back")
    worn = {"cookie": "; ".join(f"{each['name']}={each['value']}" for each in context.cookies())}
    until(lambda: place.http("GET", "/ui/", headers=worn)[0] == 200, 90, "it does not answer again")
    page.goto(f"{place.address}/ui/login")
    assert "vera" in page.inner_text("header.bar"), "who is logged in goes on"
    context.close()


def test_a_dashboard_that_hangs_holds_no_request_up(place):
    (process,) = place.running.children("undertow.cli.ui_process")
    os.kill(process, signal.SIGSTOP)
    waiting = [socket.create_connection(("127.0.0.1", place.running.port)) for _ in range(100)]
    try:
        for connection in waiting:  # more than the workers pass on at a time
            connection.sendall(b"GET /ui/login HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n")
        until(
            lambda: sum(bool(select.select([each], [], [], 0)[0]) for each in waiting) >= 30, 20, "none was sent away"
        )
        began = time.monotonic()
        for _ in range(10):
            assert place.ask("account")[0] == "cheap"
        assert time.monotonic() - began < 10, "they wait for nobody"
    finally:
        for connection in waiting:
            connection.close()
        os.kill(process, signal.SIGCONT)
    until(lambda: place.http("GET", "/ui/login")[0] == 200, 30, "it does not go on")


def test_a_role_that_the_settings_take_away_ends_its_logins(browser, place):
    context = browser.new_context()
    page = log_in(context.new_page(), place, "walt")
    said = len(place.running.said)
    before, header, his = (place.running.folder / "undertow.toml").read_text().partition("[keys.walt]")
    assert 'ui = "viewer"' in his
    place.running.configure(before + header + his.replace('ui = "viewer"\n', "", 1))
    place.running.signal(signal.SIGHUP)
    place.running.wait_for("dashboard_started", after=said, timeout_s=60)
    page.goto(f"{place.address}/ui/")
    assert "/ui/login" in page.url
    context.close()

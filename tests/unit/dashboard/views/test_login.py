"""Logging in and out as a browser does it, and what somebody would try who has no key."""

import hashlib
import re
from dataclasses import replace
from urllib.parse import quote

import msgspec
import pytest

from undertow.dashboard.app import build_app
from undertow.dashboard.attempts import Attempts
from undertow.dashboard.hosts import LOCAL_NAMES
from undertow.dashboard.key_access import COOKIE, KeyAccess
from undertow.dashboard.sessions import Sessions
from undertow.records.serving import KeyPlan, UiPlan
from unit.dashboard.conftest import Client, made_ui

SECRET = "ut_abcdefgh_" + "s" * 43
KEY = KeyPlan(name="ada", key_id="abcdefgh", sha256=hashlib.sha256(SECRET.encode()).hexdigest(), ui="reviewer")
OTHER = "ut_zyxwvuts_" + "t" * 43
CALLER = KeyPlan(name="web", key_id="zyxwvuts", sha256=hashlib.sha256(OTHER.encode()).hexdigest())
PROXY = "10.0.0.5"


@pytest.fixture
def door():
    """A dashboard behind keys, asked from elsewhere."""

    def made(plan=UiPlan(trusted_proxies=(PROXY,)), keys=(KEY, CALLER), now=lambda: 1e6, most=3):  # noqa: B008 (frozen)
        sessions = Sessions(keys, b"s" * 32, 3600.0, now)
        ui = replace(
            made_ui(), access=KeyAccess(plan, keys, sessions, Attempts(most=most)), hosts=LOCAL_NAMES | {"undertow.example.org"},
            takes_addresses=True,
        )  # fmt: skip
        return Client(build_app(ui), host="10.0.0.1:4040", peer="203.0.113.9")

    return made


def logged_in(client, key=SECRET, **headers):
    answer = client.post("/ui/login", {"key": key}, csrf="", **headers)
    return answer, answer.headers.get("set-cookie", "").partition(";")[0]


def test_a_key_opens_the_dashboard_in_the_name_of_the_key(door):
    client = door()
    answer, cookie = logged_in(client)
    assert (answer.status, answer.headers["location"]) == (303, "/ui/")
    said = answer.headers["set-cookie"].lower()
    for part in ("httponly", "samesite=strict", "path=/ui", "max-age=3600"):
        assert part in said
    assert "secure" not in said, "it came by plain http"
    assert SECRET not in str(answer.headers)
    page = client.get("/ui/", cookie=cookie)
    assert page.status == 200
    assert re.search(r"ada</bdi>, reviewer", page.text)
    assert "Log out" in page.text
    assert client.get("/ui/login", cookie=cookie).headers["location"] == "/ui/"


def test_a_cookie_that_came_by_https_stays_there(door):
    client = door()
    client.peer = PROXY
    answer, _ = logged_in(client, x_forwarded_proto="https", x_forwarded_for="203.0.113.9")
    assert "secure" in answer.headers["set-cookie"].lower()
    client.peer = "203.0.113.9"
    answer, _ = logged_in(client, x_forwarded_proto="https")
    assert "secure" not in answer.headers["set-cookie"].lower(), "anybody could say so"


def test_without_a_login_there_is_the_form_and_nothing_of_the_log(door):
    client = door()
    for path in ("/ui/", "/ui", "/", "/ui/ledger", "/ui/review", "/ui/nothing-here"):
        answer = client.get(path)
        assert answer.status == 303, path
        assert answer.headers["location"].startswith("/ui/login"), path
    form = client.get("/ui/login")
    assert form.status == 200
    assert 'type="password"' in form.text
    assert "freshness" not in form.text
    assert client.get("/ui/static/app.css").status == 200


def test_the_page_that_was_asked_for_comes_after_the_login(door):
    client = door()
    where = client.get("/ui/quality?tier=cheap&segment=a%3Db").headers["location"]
    form = client.get(where).text
    asked = re.search(r'name="next" value="([^"]*)"', form)[1].replace("&amp;", "&")
    assert asked == "/ui/quality?tier=cheap&segment=a%3Db"
    answer = client.post("/ui/login", {"key": SECRET, "next": asked}, csrf="")
    assert answer.headers["location"] == asked


@pytest.mark.parametrize(
    "there",
    [
        "https://evil.example/",
        "//evil.example/ui/",
        "/ui/\\evil",
        "/ui/login",
        "javascript:x",
        "/ui/\nx",
        "/uix",
        "/ui/../v1/evil",
        "/ui/%2E%2e//evil.example",
        "/ui//evil.example",
    ],
)
def test_no_login_leads_elsewhere(door, there):
    answer = door().post("/ui/login", {"key": SECRET, "next": there}, csrf="")
    assert answer.headers["location"] == "/ui/"
    assert "evil" not in door().get(f"/ui/login?next={quote(there)}").text


def test_what_is_no_key_is_refused_and_never_shown_again(door):
    answer, cookie = logged_in(door(), "ut_abcdefgh_<script>")
    assert answer.status == 403
    assert not cookie
    assert "That is no key of this gateway." in answer.text
    assert "script&gt;" not in answer.text
    assert logged_in(door(), "x" * 5_000)[0].status == 403


def test_a_key_that_only_calls_opens_nothing_and_says_how_it_could(door):
    answer, cookie = logged_in(door(), OTHER)
    assert (answer.status, cookie) == (403, "")
    assert "does not open the dashboard" in answer.text


def test_where_no_key_opens_anything_the_page_says_what_to_do(door):
    text = door(keys=(CALLER,)).get("/ui/login").text
    assert "undertow key new NAME --ui viewer --append" in text
    assert "password" not in text


def test_after_some_failures_a_right_key_has_to_wait_too(door):
    client = door()
    for _ in range(3):
        assert logged_in(client, "guess")[0].status == 403
    answer, cookie = logged_in(client)
    assert (answer.status, cookie) == (429, "")
    assert int(answer.headers["retry-after"]) > 800
    client.peer = "203.0.113.10"
    assert logged_in(client)[0].status == 303, "somebody else need not wait"


def test_an_address_that_names_another_is_not_believed_unless_it_is_a_proxy(door):
    client = door()
    for number in range(3):
        logged_in(client, "guess", x_forwarded_for=f"1.2.3.{number}")
    assert logged_in(client, x_forwarded_for="1.2.3.99")[0].status == 429


def test_a_cookie_that_was_changed_or_is_over_asks_for_a_login(door):
    now = [1e6]
    client = door(now=lambda: now[0])
    _, cookie = logged_in(client)
    assert client.get("/ui/", cookie=cookie[:-1] + ("0" if cookie[-1] != "0" else "1")).status == 303
    now[0] += 3601
    assert client.get("/ui/", cookie=cookie).status == 303
    sent = client.post("/ui/review", {"verdict": "good"}, csrf="", cookie=cookie)
    assert sent.status == 401
    assert "your session is over" in sent.text


def test_who_logs_out_is_out_with_the_cookie_that_he_had(door):
    client = door()
    _, cookie = logged_in(client)
    csrf = re.search(r'name="csrf" value="([0-9a-f]+)"', client.get("/ui/", cookie=cookie).text)[1]
    assert client.post("/ui/logout", csrf="another", cookie=cookie).status == 403
    assert client.get("/ui/", cookie=cookie).status == 200
    answer = client.post("/ui/logout", csrf=csrf, cookie=cookie)
    assert answer.headers["location"] == "/ui/login"
    assert f'{COOKIE}="";' in answer.headers["set-cookie"]
    assert client.get("/ui/", cookie=cookie).status == 303


def test_the_token_of_one_login_is_none_of_another(door):
    client = door()
    (_, one), (_, other) = logged_in(client), logged_in(client)
    csrf = re.search(r'name="csrf" value="([0-9a-f]+)"', client.get("/ui/", cookie=one).text)[1]
    assert client.post("/ui/logout", csrf=csrf, cookie=other).status == 403


@pytest.mark.parametrize("headers", [{"sec-fetch-site": "cross-site"}, {"sec-fetch-site": "same-site"}])
def test_another_site_can_log_nobody_in(door, headers):
    assert door().post("/ui/login", {"key": SECRET}, csrf="", **headers).status == 403


def test_a_link_on_another_site_leads_to_the_page_and_not_to_the_form(door):
    """A browser keeps the cookie back from such a request; from the page that it gets it asks again, with it."""
    client = door()
    _, cookie = logged_in(client)
    first = client.get("/ui/ledger?x=1", sec_fetch_site="cross-site", sec_fetch_dest="document")
    assert first.status == 200
    assert '<meta http-equiv="refresh" content="0">' in first.text
    assert 'href="/ui/ledger?x=1"' in first.text
    assert client.get("/ui/ledger?x=1", sec_fetch_site="same-origin", cookie=cookie).status == 200
    assert client.get("/ui/ledger", sec_fetch_site="same-origin").status == 303, (
        "who is not logged in gets the form then"
    )


@pytest.mark.parametrize("headers", [{"hx-request": "true"}, {"sec-fetch-dest": "empty"}])
def test_a_script_of_a_page_that_is_open_gets_no_form_in_its_place(door, headers):
    assert door().get("/ui/read-at", **headers).status == 401


@pytest.mark.parametrize(
    ("host", "status"),
    [("evil.example:4040", 421), ("undertow.example.org", 200), ("10.0.0.1:4040", 200), ("localhost/ui/static/?", 421), ("", 421)],
)  # fmt: skip
def test_only_known_names_are_answered(door, host, status):
    client = door()
    client.host = host
    answer = client.get("/ui/login")
    assert answer.status == status
    if status == 421:
        assert "public_hosts" in answer.text


def test_a_host_header_makes_no_page_a_file_of_ours(door):
    """An address made from the host would begin with what the caller likes."""
    client = door()
    client.host = "10.0.0.1/ui/static/?"
    assert client.get("/ui/ledger").status == 421


def test_a_user_whom_the_proxy_names_without_a_role_is_told_so(door):
    plan = UiPlan(user_header="X-User", trusted_proxies=(PROXY,), roles={"ada": "viewer"})
    client = door(plan)
    client.peer = PROXY
    refused = client.get("/ui/", x_user="<b>eve</b>")
    assert refused.status == 403
    assert "&lt;b&gt;eve" in refused.text
    assert "freshness" not in refused.text
    assert client.get("/ui/", x_user="ada").status == 200
    assert "Log out" not in client.get("/ui/", x_user="ada").text


def test_over_a_log_on_ones_own_machine_there_is_no_login(client):
    assert client().get("/ui/login").headers["location"] == "/ui/"
    assert client().post("/ui/login", {"key": "x"}).headers["location"] == "/ui/"


def test_a_form_that_is_too_large_is_refused_without_a_word_of_the_log(door):
    answer = door().post("/ui/login", {"key": "x" * 200_000}, csrf="")
    assert answer.status == 413
    assert "freshness" not in answer.text


def test_the_role_is_that_of_the_key(door):
    client = door(keys=(msgspec.structs.replace(KEY, ui="viewer"),))
    _, cookie = logged_in(client)
    assert re.search(r"ada</bdi>, viewer", client.get("/ui/", cookie=cookie).text)


def test_after_a_login_that_ended_meanwhile_one_is_at_the_form_again(door):
    client = door()
    answer = client.post(
        "/ui/review/skip", {"why": "x"}, csrf="", referer="http://10.0.0.1:4040/ui/review?item=abc&note=kept"
    )
    assert answer.status == 401
    assert 'href="/ui/login?next=%2Fui%2Freview%3Fitem%3Dabc"' in answer.text
    for elsewhere in ("http://evil.example/ui/ledger", "", "nonsense"):
        assert 'href="/ui/login"' in client.post("/ui/review/skip", csrf="", referer=elsewhere).text


def test_a_viewer_is_not_led_where_he_may_not_go(door):
    client = door(keys=(msgspec.structs.replace(KEY, ui="viewer"),))
    _, cookie = logged_in(client)
    assert "/ui/review" not in client.get("/ui/", cookie=cookie).text
    refused = client.get("/ui/review", cookie=cookie)
    assert refused.status == 403
    assert "<h1>Not for you</h1>" in refused.text
    assert "this needs the role reviewer; yours is viewer" in refused.text

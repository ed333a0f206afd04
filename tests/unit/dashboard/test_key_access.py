"""Who is let in behind a gateway: every rule, and what somebody would try against it."""

import hashlib

import pytest

from undertow.dashboard.access import ForbiddenError
from undertow.dashboard.attempts import Attempts
from undertow.dashboard.key_access import COOKIE, KeyAccess, cookie_of
from undertow.dashboard.sessions import Sessions
from undertow.records.serving import KeyPlan, UiPlan
from unit.dashboard.asked import asked

SECRET = "ut_abcdefgh_" + "s" * 43
ADA = KeyPlan(name="ada", key_id="abcdefgh", sha256=hashlib.sha256(SECRET.encode()).hexdigest(), ui="reviewer")
PROXY = "10.0.0.5"
PROXIED = UiPlan(user_header="X-User", trusted_proxies=(PROXY,), roles={"ada@example.org": "operator", "Ærø": "viewer"})
OPEN_HERE = UiPlan(is_open_here=True)


def access(plan=UiPlan(), keys=(ADA,)):  # noqa: B008 (frozen)
    return KeyAccess(plan, keys, Sessions(keys, b"s" * 32, 3600.0, lambda: 1e6), Attempts())


def cookie(token):
    return ("cookie", f"a=b; {COOKIE}={token}; c=d")


def test_a_cookie_of_a_login_tells_who_asks():
    door = access()
    found = door.person(asked(cookie(door.sessions.begin(ADA)), peer="203.0.113.9"))
    assert (found.name, found.role, found.can_leave) == ("ada", "reviewer", True)
    assert found.csrf


@pytest.mark.parametrize(
    "headers", [(), (("cookie", ""),), (cookie("nonsense"),), (("authorization", f"Bearer {SECRET}"),)]
)
def test_nobody_is_let_in_without_one_from_this_machine_neither(headers):
    assert access().person(asked(*headers)) is None


def test_of_two_cookies_none_is_believed():
    door = access()
    token = door.sessions.begin(ADA)
    assert door.person(asked(("cookie", f"{COOKIE}={token}; {COOKIE}=other"))) is None
    assert door.person(asked(cookie("other"), cookie(token))) is None
    assert cookie_of(asked(("cookie", f"x{COOKIE}={token}"))) is None


def test_a_key_is_found_whole_and_nothing_else_is():
    assert access().find_key(SECRET) is ADA
    for wrong in ("", SECRET[:-1], SECRET + "x", "ut_abcdefgh_", "\udc80", "ut_zzzzzzzz_x"):
        assert access().find_key(wrong) is None


# -- a proxy that names users


def test_a_believed_proxy_names_users_and_their_roles_are_ours():
    door = access(PROXIED, ())
    found = door.person(asked(("x-user", "ada@example.org"), peer=PROXY))
    assert (found.name, found.role, found.can_leave) == ("ada@example.org", "operator", False)
    assert door.person(asked(("x-user", "Ærø"), peer=PROXY)).role == "viewer"
    assert found.csrf != door.person(asked(("x-user", "Ærø"), peer=PROXY)).csrf


@pytest.mark.parametrize("peer", ["10.0.0.6", "127.0.0.1", "::1", "203.0.113.9", "", None])
def test_nobody_else_is_believed(peer):
    """Whoever reaches the gateway without the proxy can send its header."""
    assert access(PROXIED, ()).person(asked(("x-user", "ada@example.org"), peer=peer)) is None


def test_a_proxy_on_this_machine_that_names_nobody_lets_nobody_in():
    plan = UiPlan(user_header="X-User", trusted_proxies=("127.0.0.1",), default_role="operator", is_open_here=False)
    assert access(plan, ()).person(asked()) is None


@pytest.mark.parametrize(
    "said",
    [("",), ("ada@example.org", "eve"), ("ada@example.org\x00",), ("\u202eada",), ("a" * 257,), ("\x1b[31mada",)],
)
def test_what_a_proxy_says_must_be_one_name(said):
    plan = UiPlan(user_header="X-User", trusted_proxies=(PROXY,), default_role="operator")
    with pytest.raises(ForbiddenError, match="names nobody"):
        access(plan, ()).person(asked(*(("x-user", each) for each in said), peer=PROXY))


def test_a_user_without_a_role_is_refused_by_name():
    with pytest.raises(ForbiddenError, match=r"eve@example\.org has no role here"):
        access(PROXIED, ()).person(asked(("x-user", "eve@example.org"), peer=PROXY))
    with pytest.raises(ForbiddenError):
        access(PROXIED, ()).person(asked(("x-user", "ADA@example.org"), peer=PROXY))


def test_the_word_of_a_proxy_counts_before_a_login():
    door = access(PROXIED)
    token = door.sessions.begin(ADA)
    assert door.person(asked(("x-user", "Ærø"), cookie(token), peer=PROXY)).name == "Ærø"
    assert door.person(asked(cookie(token), peer=PROXY)).name == "ada", "without its word a login is as good as any"


# -- neither keys nor a proxy


def test_where_nobody_has_a_name_this_machine_may_do_everything():
    found = access(OPEN_HERE, ()).person(asked())
    assert (found.name, found.role) == ("local", "operator")


@pytest.mark.parametrize(
    "request_",
    [
        asked(peer="10.0.0.7"),
        asked(peer="::ffff:10.0.0.7"),
        asked(peer=None),
        asked(("x-forwarded-for", "127.0.0.1")),
        asked(("forwarded", "for=127.0.0.1")),
        asked(("via", "1.1 proxy")),
        asked(host="evil.example"),
        asked(host="undertow.example.org"),
        asked(host=""),
    ],
)
def test_and_nobody_else(request_):
    assert access(OPEN_HERE, ()).person(request_) is None


def test_keys_close_what_is_open_here():
    assert access(OPEN_HERE).person(asked()) is None
    assert access(UiPlan(), ()).person(asked()) is None, "something may stand before the gateway"

"""What holds for every page: what it may not do in a browser, whose forms are taken, and errors that read as pages."""

import pytest

from unit.dashboard.conftest import FixedLog, made_ui


def test_pages_may_run_nothing_but_our_own_files(client):
    answer = client().get("/ui/")
    assert answer.status == 200
    policy = answer.headers["content-security-policy"]
    assert "script-src 'self'" in policy
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert " style=" not in answer.text
    assert "<script>" not in answer.text
    assert " onclick=" not in answer.text


def test_our_own_files_are_there_and_may_be_kept(client):
    for path in (
        "report.css",
        "app.css",
        "app.js",
        "theme.js",
        "vendor/htmx-2.0.11.min.js",
        "vendor/uplot-1.6.32.min.js",
    ):
        answer = client().get(f"/ui/static/{path}")
        assert answer.status == 200, path
        assert answer.headers["cache-control"] == "public, max-age=3600"
    assert client().get("/ui/static/../app.py").status == 404
    assert client().get("/ui/static/%2e%2e/app.py").status == 404


def test_the_root_leads_to_the_dashboard(client):
    assert client().get("/").headers["location"] == "/ui/"
    assert client().get("/ui").headers["location"] == "/ui/"


def test_what_is_not_there_is_said_on_a_page(client):
    answer = client().get("/ui/nothing-here")
    assert answer.status == 404
    assert "There is nothing at this address." in answer.text
    assert "content-security-policy" in answer.headers


def test_a_name_that_somebody_else_pointed_here_is_refused(client):
    """DNS rebinding: a page of a stranger whose name resolves to this machine must not read the dashboard."""
    mine = client(made_ui(hosts=frozenset({"localhost", "::1"})))
    assert mine.get("/ui/").status == 200
    mine.host = "[::1]:8484"
    assert mine.get("/ui/").status == 200
    mine.host = "evil.example:8484"
    assert mine.get("/ui/").status == 421


@pytest.mark.parametrize(
    "headers",
    [
        {"sec_fetch_site": "cross-site"},
        {"sec_fetch_site": "same-site"},
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {},
    ],
)
def test_a_form_of_another_site_is_not_taken(client, headers):
    answer = client().ask("POST", "/ui/", b"csrf=token-of-the-session", headers)
    assert answer.status == 403


def test_a_day_that_is_none_is_said(client):
    answer = client().get("/ui/?as_of=%3Cb%3Enever")
    assert answer.status == 400
    assert "expected a day such as 2026-03-01" in answer.text
    assert "<b>never" not in answer.text


def test_an_error_of_ours_shows_no_traceback(client):
    class Broken(FixedLog):
        def as_of(self, day):
            raise RuntimeError(f"secret-path {day}")

    asked = client(made_ui(Broken(made_ui().log.seen.report)))
    with pytest.raises(RuntimeError):  # Starlette answers first, and raises it again for the server to log
        asked.get("/ui/?as_of=2026-03-01")

"""What a worker does with `/ui`: it passes on what a browser says, with the caller's address, and never waits for a dashboard that is away."""

import contextlib
import socket
import threading

import pytest

from gateway_fakes.raw import RawConnection
from gateway_stub.served import served
from undertow.gateway import ui_proxy
from undertow.gateway.ui_proxy import MAX_BODY_BYTES, UiProxy, is_for_ui
from undertow.records.serving import UiPlan


class FakeDashboard:
    """Answers each connection on a Unix socket with the same bytes, and keeps what it was asked."""

    def __init__(self, path):
        self.asked, self.answer, self.is_cut, self.pauses = [], b"", False, threading.Event()
        self.pauses.set()
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self):
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        with connection:
            asked = b""
            while b"\r\n\r\n" not in asked:
                asked += connection.recv(65_536)
            head, _, body = asked.partition(b"\r\n\r\n")
            length = next(
                int(line.split(b":")[1]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")
            )
            while len(body) < length:
                body += connection.recv(65_536)
            self.asked.append((head, body))
            self.pauses.wait(10)
            with contextlib.suppress(OSError):
                connection.sendall(self.answer)

    def close(self):
        self.pauses.set()
        self._listener.close()


class ProxyApp:
    def __init__(self, proxy):
        self.proxy = proxy

    async def __call__(self, scope, receive, send):
        await self.proxy.pass_on(scope, receive, send)

    def record_refused(self, _status, _why):
        return None


@pytest.fixture
def dashboard(tmp_path):
    made = FakeDashboard(tmp_path / "ui.sock")
    made.answer = b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\nset-cookie: a=b; HttpOnly\r\ncontent-encoding: gzip\r\nserver: x\r\n\r\nhello"
    yield made
    made.close()


@pytest.fixture
def gateway(tmp_path):
    with served(app=ProxyApp(UiProxy(str(tmp_path / "ui.sock"), UiPlan(user_header="X-Remote-User")))) as server:
        yield server


def ask(server, *lines, body=b""):
    with RawConnection(server.port) as connection:
        connection.send("\r\n".join((*lines, "", "")).encode() + body)
        return connection.read_answer()


def lines_of(head):
    return [line.decode() for line in head.split(b"\r\n")]


def test_a_request_is_passed_on_with_what_matters_and_no_more(gateway, dashboard):
    answer = ask(
        gateway, "GET /ui/quality?tier=a%20b HTTP/1.1", "host: u.example", "cookie: c=1", "sec-fetch-site: same-origin", "hx-request: true",
        "x-remote-user: ada", "x-forwarded-proto: https", "authorization: Bearer ut_secret", "x-undertow-peer: 127.0.0.1", "x-other: 1",
    )  # fmt: skip
    assert (answer.status, answer.body) == (200, b"hello")
    assert answer.headers["set-cookie"] == "a=b; HttpOnly"
    assert answer.headers["content-encoding"] == "gzip"
    assert "server" not in answer.headers
    first, *others = lines_of(dashboard.asked[0][0])
    assert first == "GET /ui/quality?tier=a%20b HTTP/1.1"
    assert sorted(others) == sorted([
        "host: u.example", "cookie: c=1", "sec-fetch-site: same-origin", "hx-request: true", "x-remote-user: ada", "x-forwarded-proto: https",
        "x-undertow-peer: 127.0.0.1", "content-length: 0", "connection: close",
    ])  # fmt: skip


def test_the_callers_address_is_the_workers_word_alone(gateway, dashboard):
    ask(gateway, "GET /ui/ HTTP/1.1", "host: h", "x-undertow-peer: 10.0.0.5", "X-Undertow-Peer: 10.0.0.6")
    assert [line for line in lines_of(dashboard.asked[0][0]) if "peer" in line] == ["x-undertow-peer: 127.0.0.1"]


def test_a_form_is_passed_on_whole(gateway, dashboard):
    body = b"a=" + b"x" * 200_000
    answer = ask(gateway, "POST /ui/review HTTP/1.1", "host: h", f"content-length: {len(body)}", body=body)
    assert answer.status == 200
    assert dashboard.asked[0][1] == body


def test_a_form_in_chunks_becomes_one_with_a_length(gateway, dashboard):
    answer = ask(
        gateway, "POST /ui/review HTTP/1.1", "host: h", "transfer-encoding: chunked", body=b"3\r\na=b\r\n0\r\n\r\n"
    )
    assert answer.status == 200
    head, body = dashboard.asked[0]
    assert body == b"a=b"
    assert "content-length: 3" in lines_of(head)
    assert b"transfer-encoding" not in head


def test_what_is_too_large_is_refused_before_the_dashboard_sees_it(gateway, dashboard):
    body = b"x" * (MAX_BODY_BYTES + 1)
    answer = ask(gateway, "POST /ui/review HTTP/1.1", "host: h", f"content-length: {len(body)}", body=body)
    assert answer.status == 413
    assert dashboard.asked == []


def test_an_answer_of_unknown_length_is_streamed(gateway, dashboard):
    dashboard.answer = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n4\r\ndefg\r\n0\r\n\r\n"
    answer = ask(gateway, "GET /ui/ HTTP/1.1", "host: h")
    assert (answer.body, answer.is_whole) == (b"abcdefg", True)


@pytest.mark.parametrize("status", [b"304 Not Modified", b"204 No Content"])
def test_answers_without_a_body_end(gateway, dashboard, status):
    dashboard.answer = b"HTTP/1.1 " + status + b"\r\netag: x\r\n\r\n"
    assert ask(gateway, "GET /ui/static/app.css HTTP/1.1", "host: h").status == int(status[:3])


def test_a_head_request_gets_the_head(gateway, dashboard):
    with RawConnection(gateway.port) as connection:
        connection.send(b"HEAD /ui/ HTTP/1.1\r\nhost: h\r\nconnection: close\r\n\r\n")
        raw = connection.read_all()
    assert raw.startswith(b"HTTP/1.1 200")
    assert b"content-length: 5" in raw
    assert raw.endswith(b"\r\n\r\n")


def test_while_it_is_away_a_page_says_so_and_tries_again(gateway):
    answer = ask(gateway, "GET /ui/ HTTP/1.1", "host: h")
    assert answer.status == 503
    assert b'http-equiv="refresh"' in answer.body
    assert answer.headers["retry-after"] == "2"
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert answer.headers["cache-control"] == "no-store"


def test_a_form_is_not_sent_again_by_itself(gateway):
    answer = ask(gateway, "POST /ui/review HTTP/1.1", "host: h", "content-length: 3", body=b"a=b")
    assert answer.status == 503
    assert b"refresh" not in answer.body
    assert b"Not done" in answer.body


@pytest.mark.parametrize("answer", [b"", b"HTTP/1.1 200 OK\r\ncontent-", b"nonsense\r\n\r\n"])
def test_one_that_dies_before_it_answers_is_away(gateway, dashboard, answer):
    dashboard.answer = answer
    assert ask(gateway, "GET /ui/ HTTP/1.1", "host: h").status == 503


def test_one_that_dies_while_it_answers_leaves_an_answer_without_an_end(gateway, dashboard):
    dashboard.answer = b"HTTP/1.1 200 OK\r\ncontent-length: 500\r\n\r\nhalf"
    answer = ask(gateway, "GET /ui/ HTTP/1.1", "host: h")
    assert answer.status == 200
    assert not answer.is_whole


def test_one_that_hangs_is_away(gateway, dashboard, monkeypatch):
    monkeypatch.setattr(ui_proxy, "ANSWER_S", 0.2)
    dashboard.pauses.clear()
    assert ask(gateway, "GET /ui/ HTTP/1.1", "host: h").status == 503


def test_more_than_it_can_do_at_a_time_is_refused(gateway, dashboard, monkeypatch):
    monkeypatch.setattr(ui_proxy, "MAX_AT_ONCE", 1)
    dashboard.pauses.clear()
    with RawConnection(gateway.port) as first:
        first.send(b"GET /ui/ HTTP/1.1\r\nhost: h\r\n\r\n")
        gateway.wait_until(lambda: dashboard.asked)
        assert ask(gateway, "GET /ui/ HTTP/1.1", "host: h").status == 503
        dashboard.pauses.set()
        assert first.read_answer().status == 200
    assert ask(gateway, "GET /ui/ HTTP/1.1", "host: h").status == 200


def test_a_caller_that_goes_away_is_no_longer_worked_for(gateway, dashboard):
    dashboard.pauses.clear()
    with RawConnection(gateway.port) as first:
        first.send(b"GET /ui/ HTTP/1.1\r\nhost: h\r\n\r\n")
        gateway.wait_until(lambda: dashboard.asked)
    gateway.wait_until(lambda: gateway.server.in_flight == 0)


@pytest.mark.parametrize("method", ["PUT", "DELETE", "OPTIONS", "TRACE"])
def test_other_methods_are_refused(gateway, dashboard, method):
    answer = ask(gateway, f"{method} /ui/ HTTP/1.1", "host: h")
    assert answer.status == 405
    assert dashboard.asked == []


def test_only_paths_below_ui_are_its():
    assert [is_for_ui(path) for path in ("/ui", "/ui/", "/ui/a", "/uix", "/v1/ui/", "/", "")] == [True, True, True] + [
        False
    ] * 4


def test_an_escaped_path_is_passed_on_as_it_came(gateway, dashboard):
    ask(gateway, "GET /ui/segments/a%2Fb%0Ax HTTP/1.1", "host: h")
    assert lines_of(dashboard.asked[0][0])[0] == "GET /ui/segments/a%2Fb%0Ax HTTP/1.1"


def test_whoever_asks_as_only_proxies_do_is_said_to_come_through_one(gateway, dashboard):
    with RawConnection(gateway.port) as connection:
        connection.send(b"GET /ui/ HTTP/1.0\r\nhost: 127.0.0.1\r\n\r\n")
        connection.read_all()
    assert "via: 1.0 unnamed" in lines_of(dashboard.asked[0][0])


def test_forms_that_do_not_end_keep_no_more_than_some_places(gateway, dashboard, monkeypatch):
    monkeypatch.setattr(ui_proxy, "MAX_BODIES", 1)
    with RawConnection(gateway.port) as first:
        first.send(b"POST /ui/login HTTP/1.1\r\nhost: h\r\ncontent-length: 5\r\n\r\na=")
        gateway.wait_until(lambda: gateway.server.in_flight == 1)
        assert ask(gateway, "POST /ui/login HTTP/1.1", "host: h", "content-length: 3", body=b"a=b").status == 503
        first.send(b"bcd")
        assert first.read_answer().status == 200
    assert ask(gateway, "POST /ui/login HTTP/1.1", "host: h", "content-length: 3", body=b"a=b").status == 200


def test_an_answer_takes_no_longer_than_it_may_in_all(gateway, dashboard, monkeypatch):
    monkeypatch.setattr(ui_proxy, "WHOLE_ANSWER_S", 0.3)
    dashboard.answer = b"HTTP/1.1 200 OK\r\ncontent-length: 50000000\r\n\r\n" + b"x" * 50_000_000
    with RawConnection(gateway.port) as slow:
        slow.send(b"GET /ui/ HTTP/1.1\r\nhost: h\r\n\r\n")
        gateway.wait_until(lambda: dashboard.asked)
        gateway.wait_until(lambda: gateway.server.in_flight == 0)

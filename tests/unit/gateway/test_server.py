import pytest

from gateway_fakes.raw import RawConnection, post, request_bytes
from gateway_stub.served import served


def test_a_draining_server_answers_what_comes_on_open_connections_and_closes_them():
    with served() as server:
        busy, idle, later = (RawConnection(server.port) for _ in range(3))
        for connection in (idle, later):
            connection.send(request_bytes("/echo", b"x"))
            assert connection.read_answer().headers.get("connection") is None
        busy.send(request_bytes("/wait"))
        server.wait_until(lambda: server.server.in_flight == 1)
        draining = server.begin(server.server.drain(in_flight_s=5, idle_s=1))
        server.wait_until(lambda: server.server.is_draining)
        with pytest.raises(ConnectionError):
            post(server.port, "/echo", b"x")
        later.send(request_bytes("/echo", b"late"))
        answer = later.read_answer()
        assert (answer.body, answer.headers["connection"]) == (b"late", "close")
        server.release()
        assert busy.read_answer().headers["connection"] == "close"
        assert idle.read_all() == b""
        assert draining.result(10) is True
        for connection in (busy, idle, later):
            connection.__exit__()


def test_draining_answers_pipelined_requests_before_it_closes():
    with served() as server, RawConnection(server.port) as connection:
        connection.send(request_bytes("/wait") + request_bytes("/echo", b"second"))
        server.wait_until(lambda: server.server.in_flight == 1)
        draining = server.begin(server.server.drain(in_flight_s=5, idle_s=0))
        server.wait_until(lambda: server.server.is_draining)
        server.release()
        assert connection.read_answer().body == b"/wait"
        answer = connection.read_answer()
        assert (answer.body, answer.headers["connection"]) == (b"second", "close")
        assert draining.result(10) is True


def test_what_does_not_end_in_time_is_cut_off():
    with served() as server, RawConnection(server.port) as connection:
        connection.send(request_bytes("/wait"))
        server.wait_until(lambda: server.server.in_flight == 1)
        assert server.call(server.server.drain(in_flight_s=0.1, idle_s=0)) is False
        assert connection.read_answer().json["error"]["code"] == "stopping"
        assert connection.read_all() == b""
        assert server.server.connections == set()

"""What the ASGI application sees. How it looks on the wire is tested in test_connection.py."""

import asyncio
from types import SimpleNamespace

import pytest

from undertow.gateway.exchange import Exchange


class Wire:
    """A connection that keeps what is written."""

    date_line = b""
    is_write_paused = False
    is_last_response = False

    def __init__(self):
        self.written = []
        self.ended = []

    def write(self, data):
        self.written.append(data)

    def exchange_done(self, _exchange):
        self.ended.append("done")

    def exchange_failed(self, _exchange):
        self.ended.append("failed")

    def body_taken(self, _exchange):
        pass


def exchange_on(wire, **changes):
    scope = {"type": "http", "method": "POST", "http_version": "1.1", **changes}
    return Exchange(wire, scope, peer="10.0.0.1", keep_alive=True, expects_continue=False)


def start(*headers, status=200):
    return {"type": "http.response.start", "status": status, "headers": list(headers)}


def body(data, *, more=False):
    return {"type": "http.response.body", "body": data, "more_body": more}


def test_a_short_answer_is_written_at_once():
    async def check():
        wire = Wire()
        exchange = exchange_on(wire)
        exchange.end_body()
        await exchange.send(start((b"content-length", b"2")))
        await exchange.send(body(b"ok"))
        assert wire.written == [b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"]
        assert wire.ended == ["done"]

    asyncio.run(check())


@pytest.mark.parametrize("value", [b"a\r\nset-cookie: x", b"a\nb", b"a\rb", b"a\0b"])
def test_a_header_cannot_add_another(value):
    async def check():
        wire = Wire()
        exchange = exchange_on(wire)
        with pytest.raises(RuntimeError, match="line break"):
            await exchange.send(start((b"x-a", value)))
        assert wire.written == []
        assert not exchange.is_response_started

    asyncio.run(check())


def test_misuse_by_the_application_is_refused():
    async def check():
        exchange = exchange_on(Wire())
        exchange.end_body()
        with pytest.raises(RuntimeError, match="before"):
            await exchange.send(body(b"x"))
        with pytest.raises(RuntimeError, match="unknown message"):
            await exchange.send({"type": "websocket.send"})
        await exchange.send(start())
        with pytest.raises(RuntimeError, match="already started"):
            await exchange.send(start())
        await exchange.send(body(b""))
        with pytest.raises(RuntimeError, match="already complete"):
            await exchange.send(body(b""))

    asyncio.run(check())


def test_receive_hands_out_the_body_and_then_waits_for_the_caller_to_go():
    async def check():
        exchange = exchange_on(Wire())
        exchange.feed(b"one")
        assert await exchange.receive() == {"type": "http.request", "body": b"one", "more_body": True}
        waiting = asyncio.ensure_future(exchange.receive())
        await asyncio.sleep(0)
        exchange.feed(b"two")
        exchange.end_body()
        assert await waiting == {"type": "http.request", "body": b"two", "more_body": False}
        waiting = asyncio.ensure_future(exchange.receive())
        await asyncio.sleep(0)
        assert not waiting.done()
        exchange.disconnect()
        assert await waiting == {"type": "http.disconnect"}

    asyncio.run(check())


def test_a_disconnect_is_told_once_and_nothing_is_written_after_it():
    async def check():
        wire, told = Wire(), []
        exchange = exchange_on(wire)
        exchange.on_disconnect = lambda: told.append(1)
        exchange.disconnect()
        exchange.disconnect()
        await exchange.send(start())
        await exchange.send(body(b"x"))
        assert (told, wire.written, exchange.disconnected) == ([1], [], True)

    asyncio.run(check())


def test_the_last_response_of_a_draining_server_closes():
    async def check():
        wire = Wire()
        wire.is_last_response = True
        exchange = exchange_on(wire)
        exchange.end_body()
        await exchange.send(start(status=204))
        await exchange.send(body(b""))
        assert wire.written == [b"HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n"]
        assert not exchange.keeps_alive

    asyncio.run(check())


def test_a_whole_body_is_taken_at_once_and_only_once():
    connection = SimpleNamespace(body_taken=lambda _: None)
    exchange = Exchange(connection, {"method": "POST"}, peer="", keep_alive=True, expects_continue=False)
    exchange.feed(b"{")
    assert exchange.whole_body() is None, "the rest is still to come"
    exchange.feed(b"}")
    exchange.end_body()
    assert exchange.whole_body() == b"{}"
    assert exchange.whole_body() is None

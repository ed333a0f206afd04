import asyncio

import pytest

from scripted_http import Wire
from undertow.adapters.upstreams.exchange import MAX_UNREAD_BYTES
from undertow.ports.upstream import UpstreamFailedError

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: Text/Event-Stream; charset=utf-8\r\ncontent-length: 6\r\n\r\n"


async def reading(awaitable):
    """A task that has started to wait."""
    task = asyncio.ensure_future(awaitable)
    await asyncio.sleep(0)
    return task


async def kind_of(awaitable):
    with pytest.raises(UpstreamFailedError) as caught:
        await awaitable
    return caught.value.kind


def test_pieces_arrive_one_by_one_and_end_with_the_message():
    async def main():
        wire = Wire()
        exchange = wire.ask()
        head = await reading(exchange.head())
        wire.receive(HEAD)
        await head
        assert exchange.is_event_stream
        pieces = []
        for part in (b"ab", b"cd", b"ef"):
            piece = await reading(anext(exchange.chunks()))
            wire.receive(part)
            pieces.append(await piece)
        assert pieces == [b"ab", b"cd", b"ef"]
        with pytest.raises(StopAsyncIteration):
            await anext(exchange)

    asyncio.run(main())


def test_reading_waits_for_the_whole_body():
    async def main():
        wire = Wire()
        exchange = wire.ask()
        body = await reading(exchange.read())
        wire.receive(HEAD + b"abc")
        await asyncio.sleep(0)
        assert not body.done()
        wire.receive(b"def")
        assert await body == b"abcdef"

    asyncio.run(main())


def test_reading_late_resumes_a_paused_connection():
    async def main():
        wire = Wire()
        exchange = wire.ask()
        size = 2 * MAX_UNREAD_BYTES
        wire.receive(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % size, b"x" * (size - 1))
        assert wire.transport.is_paused
        body = await reading(exchange.read())
        assert not wire.transport.is_paused
        wire.receive(b"y")
        assert len(await body) == size

    asyncio.run(main())


def test_pieces_before_a_cut_are_given_and_then_the_cut():
    async def main():
        wire = Wire()
        exchange = wire.ask()
        exchange.tries = 3
        wire.receive(HEAD + b"abc")
        wire.lose()
        assert await anext(exchange) == b"abc"
        with pytest.raises(UpstreamFailedError) as caught:
            await anext(exchange)
        assert (caught.value.kind, caught.value.tries) == ("cut", 3)

    asyncio.run(main())


def test_the_whole_of_a_cut_answer_is_not_given():
    async def main():
        wire = Wire()
        exchange = wire.ask()
        wire.receive(HEAD + b"abc")
        wire.lose()
        assert await kind_of(exchange.read()) == "cut"

    asyncio.run(main())


@pytest.mark.parametrize("wait", [lambda exchange: exchange.head(), lambda exchange: exchange.read(), anext])
def test_abort_wakes_whoever_waits(wait):
    async def main():
        wire = Wire()
        exchange = wire.ask()
        if wait is anext:
            wire.receive(HEAD)
        waiting = await reading(wait(exchange))
        exchange.abort()
        assert await kind_of(waiting) == "aborted"
        assert wire.transport.is_closed
        assert wire.ended == [exchange]

    asyncio.run(main())


def test_abort_drops_what_is_unread():
    async def main():
        wire = Wire()
        exchange = wire.ask()
        wire.receive(HEAD + b"abc")
        exchange.abort()
        assert await kind_of(anext(exchange)) == "aborted"

    asyncio.run(main())


def test_abort_after_the_end_leaves_the_connection_to_its_next_request():
    async def main():
        wire = Wire()
        first = wire.ask()
        wire.receive(HEAD + b"abcdef")
        second = wire.ask()
        first.abort()
        assert not wire.transport.is_closed
        wire.receive(HEAD + b"ghijkl")
        assert (await first.read(), await second.read()) == (b"abcdef", b"ghijkl")

    asyncio.run(main())


@pytest.mark.parametrize("method", ["head", "read"])
def test_cancelling_a_wait_closes_the_connection(method):
    async def main():
        wire = Wire()
        exchange = wire.ask()
        waiting = await reading(getattr(exchange, method)())
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert wire.transport.is_closed
        assert exchange.failure == "aborted"

    asyncio.run(main())


def test_a_wait_for_the_next_piece_can_be_given_up_and_taken_up_again():
    async def main():
        wire = Wire()
        exchange = wire.ask()
        wire.receive(HEAD)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(anext(exchange), 0.01)
        wire.receive(b"abc")
        assert await anext(exchange) == b"abc"
        exchange.abort()

    asyncio.run(main())


@pytest.mark.parametrize(("sent", "expected"), [(b"abcdef", b"abcd"), (b"abcd", b"abcd"), (b"ab", b"ab")])
def test_a_bounded_read_takes_what_it_can_get(sent, expected):
    async def main():
        wire = Wire()
        exchange = wire.ask()
        wire.receive(HEAD + sent)
        assert await exchange.read_at_most(4, 0.02) == expected
        assert exchange.has_ended

    asyncio.run(main())


def test_a_slow_reader_is_not_the_peers_fault():
    async def main():
        wire = Wire()
        exchange = wire.ask(total_s=0.02)
        wire.receive(b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * (MAX_UNREAD_BYTES + 1))
        await asyncio.sleep(0.04)
        assert (exchange.failure, exchange.was_slow_reader) == ("timeout", True)

    asyncio.run(main())

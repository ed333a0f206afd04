import asyncio

import pytest

from scripted_http import JSON_200, LOOPS, ScriptedServer, answers, refused_port, run
from undertow.adapters.upstreams.exchange import Exchange
from undertow.adapters.upstreams.pool import Pool, PoolFullError

pytestmark = pytest.mark.parametrize("loop_name", LOOPS)


def pool_of(server, max_connections=2):
    return Pool("127.0.0.1", server.port, context=None, max_connections=max_connections)


async def take(pool, timeout_s=2.0):
    return pool.take_idle(asyncio.get_running_loop()) or await pool.connect(timeout_s)


def ask(connection, on_end=lambda _: None):
    exchange = Exchange(connection, max_body_bytes=100, on_end=on_end)
    connection.start(exchange, b"GET / HTTP/1.1\r\n\r\n", b"", first_byte_s=2, total_s=2)
    return exchange


async def settle():
    for _ in range(20):
        await asyncio.sleep(0.001)


def test_the_connection_used_last_is_used_next(loop_name):
    async def main():
        async with ScriptedServer(JSON_200) as server:
            pool = pool_of(server)
            first, second = await take(pool), await take(pool)
            await ask(first).read()
            await ask(second).read()
            assert await take(pool) is second
            assert await take(pool) is first
            assert len(pool) == server.connections == 2
            await pool.aclose()
            assert len(pool) == 0

    run(loop_name, main())


def test_a_connection_that_the_peer_closed_is_not_used(loop_name):
    async def main():
        async with ScriptedServer(answers(JSON_200, closes=True), JSON_200) as server:
            pool = pool_of(server)
            first = await take(pool)
            await ask(first).read()
            await settle()
            assert len(pool) == 0
            second = await take(pool)
            assert second is not first
            assert await ask(second).read() == b"{}"
            await pool.aclose()

    run(loop_name, main())


def test_beyond_the_bound_callers_queue_in_order(loop_name):
    async def main():
        async with ScriptedServer(JSON_200) as server:
            pool = pool_of(server, max_connections=1)
            order = []

            async def call(name):
                connection = await take(pool)
                await ask(connection).read()
                order.append(name)

            async with asyncio.TaskGroup() as group:
                for name in "abcdef":
                    group.create_task(call(name))
            assert order == list("abcdef")
            assert server.connections == 1
            await pool.aclose()

    run(loop_name, main())


def test_a_queue_that_is_too_slow_says_so(loop_name):
    async def main():
        async with ScriptedServer(JSON_200) as server:
            pool = pool_of(server, max_connections=1)
            busy = await take(pool)
            with pytest.raises(PoolFullError):
                await pool.connect(0.02)
            # Nobody waits any more, so the connection becomes idle.
            await ask(busy).read()
            assert await take(pool) is busy
            await pool.aclose()

    run(loop_name, main())


def test_a_connection_that_dies_hands_its_place_to_the_queue(loop_name):
    async def main():
        async with ScriptedServer(JSON_200) as server:
            pool = pool_of(server, max_connections=1)
            busy = await take(pool)
            waiting = asyncio.create_task(pool.connect(2.0))
            await asyncio.sleep(0)
            busy.close()
            assert await ask(await waiting).read() == b"{}"
            assert len(pool) == 1
            await pool.aclose()

    run(loop_name, main())


def test_a_place_granted_to_a_caller_that_gives_up_goes_to_the_next(loop_name):
    async def main():
        async with ScriptedServer(JSON_200) as server:
            pool = pool_of(server, max_connections=1)
            busy = await take(pool)
            given_up, patient = asyncio.create_task(pool.connect(2.0)), asyncio.create_task(pool.connect(2.0))
            await asyncio.sleep(0)
            # It is cancelled in the moment in which the connection was handed to it, before it could run.
            await ask(busy, on_end=lambda _: given_up.cancel()).read()
            assert await patient is busy
            with pytest.raises(asyncio.CancelledError):
                await given_up
            await pool.aclose()

    run(loop_name, main())


def test_a_new_connection_is_made_though_one_is_idle(loop_name):
    async def main():
        async with ScriptedServer(JSON_200) as server:
            pool = pool_of(server, max_connections=1)
            first = await take(pool)
            await ask(first).read()
            second = await pool.connect(2.0)
            assert second is not first
            assert not first.is_open
            assert len(pool) == 1
            await pool.aclose()

    run(loop_name, main())


def test_failing_to_connect_leaves_no_trace(loop_name):
    async def main():
        pool = Pool("127.0.0.1", refused_port(), context=None, max_connections=1)
        for _ in range(3):
            with pytest.raises(OSError):
                await take(pool)
        assert len(pool) == 0

    run(loop_name, main())


def test_closing_ends_what_is_under_way_and_the_pool_serves_on(loop_name):
    async def main():
        async with ScriptedServer(answers(b"HTTP/1.1 200 OK\r\n"), JSON_200) as server:
            pool = pool_of(server)
            exchange = ask(await take(pool))
            await pool.aclose()
            assert exchange.failure == "aborted"
            assert await ask(await take(pool)).read() == b"{}"
            await pool.aclose()

    run(loop_name, main())


def test_a_pool_moves_from_loop_to_loop(loop_name):
    pool = None

    async def main(closes):
        nonlocal pool
        async with ScriptedServer(JSON_200) as server:
            if pool is None:
                pool = pool_of(server)
            pool._port = server.port
            assert await ask(await take(pool)).read() == b"{}"
            assert len(pool) == 1
            if closes:
                await pool.aclose()

    for _ in range(3):
        run(loop_name, main(closes=True))

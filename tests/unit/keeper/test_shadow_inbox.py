import asyncio
import os
import stat
from collections import Counter

import pytest

import undertow.keeper.shadow_inbox
from shadow_requests import shadow_request
from undertow.keeper.shadow_inbox import ShadowInbox
from undertow.records.shadow_frame import MAX_FRAME_BYTES, encode_frame


@pytest.fixture
def path(tmp_path):
    return tmp_path / "s"


class Arrivals:
    def __init__(self, path, most=10, **limits):
        self.counts, self.shed = Counter(), []
        self.path = path
        self.inbox = ShadowInbox(path, most, lambda each: self.shed.append(each.decision_id), self._count, **limits)

    def _count(self, name):
        self.counts[name] += 1

    async def __aenter__(self):
        await self.inbox.start()
        return self

    async def __aexit__(self, *_):
        await self.inbox.close()

    async def send(self, *parts):
        """Send bytes, and wait until the inbox has hung up or read them."""
        reader, writer = await asyncio.open_unix_connection(self.path)
        for part in parts:
            writer.write(part)
        writer.write_eof()
        assert await reader.read() == b""
        writer.close()
        await writer.wait_closed()


def run(scenario):
    return asyncio.run(asyncio.wait_for(scenario, 20))


def frame(number, **changes):
    return encode_frame(shadow_request(number, **changes))


def test_requests_come_out_in_the_order_of_their_arrival(path):
    async def scenario():
        async with Arrivals(path) as arrivals:
            await arrivals.send(frame(1), frame(2))
            await arrivals.send(frame(3))
            return [await arrivals.inbox.take() for _ in range(3)]

    assert [each.decision_id for each in run(scenario())] == ["d1", "d2", "d3"]


def test_the_socket_is_its_owners_alone(path):
    async def scenario():
        async with Arrivals(path):
            return stat.S_IMODE(os.stat(path).st_mode)  # noqa: PTH116

    assert run(scenario()) == 0o600
    assert not path.exists()


def test_what_does_not_fit_is_shed_and_told(path):
    async def scenario():
        async with Arrivals(path, most=2) as arrivals:
            await arrivals.send(*(frame(number) for number in range(5)))
            return arrivals.inbox.waiting, list(arrivals.shed), dict(arrivals.counts)

    waiting, shed, counts = run(scenario())
    assert (waiting, shed) == (2, ["d2", "d3", "d4"])
    assert counts == {"shadow_received": 5, "shadow_shed": 3}


def test_bytes_are_bounded_too_and_taking_makes_room(path):
    async def scenario():
        async with Arrivals(path, most=100, max_bytes=250_000) as arrivals:
            await arrivals.send(*(frame(number, prompt="x" * 100_000) for number in range(3)))
            before = arrivals.inbox.waiting
            await arrivals.inbox.take()
            await arrivals.send(frame(3, prompt="x" * 100_000))
            return before, arrivals.inbox.waiting, list(arrivals.shed)

    assert run(scenario()) == (2, 2, ["d2"])


@pytest.mark.parametrize(
    "hostile",
    [
        b"\0\0\0\0",
        (MAX_FRAME_BYTES + 1).to_bytes(4, "big") + b"x",
        b"\xff\xff\xff\xff",
        b"GET / HTTP/1.1\r\n\r\n",
        b"\0\0\0\x05hello",
        frame(1)[:-1],
        b"\0\0",
        frame(1, inclusion_probability=2.0),
    ],
)
def test_what_is_no_frame_ends_its_connection_and_harms_no_other(path, hostile):
    async def scenario():
        async with Arrivals(path) as arrivals:
            await arrivals.send(hostile, frame(8) if len(hostile) > 4 and hostile[:1] == b"\xff" else b"")
            refused = arrivals.counts["shadow_refused"]
            await arrivals.send(frame(9))
            return refused, (await arrivals.inbox.take()).decision_id, arrivals.inbox.waiting

    assert run(scenario()) == (1, "d9", 0)


def test_a_frame_that_never_ends_is_given_up(path, monkeypatch):
    monkeypatch.setattr(undertow.keeper.shadow_inbox, "FRAME_S", 0.05)

    async def scenario():
        async with Arrivals(path) as arrivals:
            reader, writer = await asyncio.open_unix_connection(path)
            writer.write(frame(1)[:50])
            assert await reader.read() == b""
            writer.close()
            return arrivals.counts

    assert run(scenario())["shadow_refused"] == 1


def test_a_request_that_comes_twice_is_answered_once(path):
    async def scenario():
        async with Arrivals(path) as arrivals:
            await arrivals.send(frame(1))
            await arrivals.send(frame(1), frame(2))
            return arrivals.inbox.waiting, arrivals.counts["shadow_repeated"]

    assert run(scenario()) == (2, 1)


def test_connections_are_bounded(path, monkeypatch):
    monkeypatch.setattr(undertow.keeper.shadow_inbox, "MAX_CONNECTIONS", 2)

    async def scenario():
        async with Arrivals(path) as arrivals:
            held = [await asyncio.open_unix_connection(path) for _ in range(2)]
            await asyncio.sleep(0.05)
            reader, writer = await asyncio.open_unix_connection(path)
            assert await reader.read() == b""
            for each in (writer, *(writer for _, writer in held)):
                each.close()
            return arrivals.counts["shadow_refused"]

    assert run(scenario()) == 1


def test_what_waits_at_the_end_is_shed(path):
    async def scenario():
        async with Arrivals(path) as arrivals:
            await arrivals.send(frame(1), frame(2))
        return arrivals.shed

    assert run(scenario()) == ["d1", "d2"]

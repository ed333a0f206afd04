import asyncio
import contextlib
import time

import undertow.gateway.shadowing
from shadow_requests import shadow_request
from undertow.gateway.shadowing import ShadowSender
from undertow.keeper.shadow_inbox import ShadowInbox
from undertow.records.serving import ShadowPlan
from undertow.records.shadow_frame import MAX_FRAME_BYTES


def sender_to(path, shed, most=10, **limits):
    return ShadowSender(str(path), ShadowPlan(share=1.0, max_waiting=most), shed.append, **limits)


def inbox_at(path, most=1000):
    return ShadowInbox(path, most, lambda _request: None, lambda _name: None)


@contextlib.asynccontextmanager
async def running(sender):
    task = asyncio.create_task(sender.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        sender.close()


def run(scenario):
    return asyncio.run(asyncio.wait_for(scenario, 20))


def test_requests_reach_the_keeper_as_they_are(tmp_path):
    shed, given = [], [shadow_request(number, prompt="Où est-elle ? 🔘" * 1000) for number in range(20)]

    async def scenario():
        inbox = inbox_at(tmp_path / "s")
        await inbox.start()
        sender = sender_to(tmp_path / "s", shed, most=100)
        async with running(sender):
            for request in given:
                sender.take(request)
            found = [await inbox.take() for _ in given]
        await inbox.close()
        return found

    assert run(scenario()) == given
    assert shed == []


def test_while_the_keeper_is_away_requests_wait_up_to_the_bound(tmp_path, monkeypatch):
    monkeypatch.setattr(undertow.gateway.shadowing, "FIRST_PAUSE_S", 0.01)
    shed = []

    async def scenario():
        sender = sender_to(tmp_path / "s", shed, most=3)
        async with running(sender):
            for number in range(5):
                sender.take(shadow_request(number))
            await asyncio.sleep(0.05)
            waited = sender.waiting
            inbox = inbox_at(tmp_path / "s")
            await inbox.start()
            found = [(await inbox.take()).decision_id for _ in range(3)]
            await inbox.close()
        return waited, found

    assert run(scenario()) == (3, ["d0", "d1", "d2"])
    assert sum(shed) == 2


def test_a_keeper_that_was_started_anew_gets_the_rest(tmp_path, monkeypatch):
    monkeypatch.setattr(undertow.gateway.shadowing, "FIRST_PAUSE_S", 0.01)
    shed = []

    async def scenario():
        first, second = inbox_at(tmp_path / "s"), inbox_at(tmp_path / "s")
        await first.start()
        sender = sender_to(tmp_path / "s", shed)
        async with running(sender):
            sender.take(shadow_request(1))
            assert (await first.take()).decision_id == "d1"
            await first.close()
            await asyncio.sleep(0.02)
            sender.take(shadow_request(2))
            await second.start()
            found = (await second.take()).decision_id
            await second.close()
        return found

    assert run(scenario()) == "d2"
    assert sum(shed) == 0


def test_bytes_are_bounded(tmp_path):
    shed = []
    sender = sender_to(tmp_path / "s", shed, max_bytes=250_000)
    for number in range(4):
        sender.take(shadow_request(number, prompt="x" * 100_000))
    assert (sender.waiting, sum(shed)) == (2, 2)


def test_one_that_is_longer_than_a_frame_is_shed_at_once(tmp_path):
    shed = []
    sender = sender_to(tmp_path / "s", shed)
    sender.take(shadow_request(prompt="x" * MAX_FRAME_BYTES))
    assert (sender.waiting, shed) == (0, [1])


def test_what_the_keeper_does_not_read_stays_bounded_and_nobody_waits(tmp_path):
    """A keeper that hangs: taking goes on at once, the queue is as long as it may be, the rest is counted."""
    shed = []

    async def scenario():
        hanging = asyncio.Event()

        async def hang(_reader, writer):
            await hanging.wait()
            writer.transport.abort()

        server = await asyncio.start_unix_server(hang, str(tmp_path / "s"), limit=1000)
        sender = sender_to(tmp_path / "s", shed, most=5)
        slowest = 0.0
        async with running(sender):
            for number in range(200):
                began = time.perf_counter()
                sender.take(shadow_request(number, prompt="x" * 50_000))
                slowest = max(slowest, time.perf_counter() - began)
                await asyncio.sleep(0)
            waiting, lost = sender.waiting, sum(shed)
        hanging.set()
        await asyncio.sleep(0.01)
        server.close()
        return waiting, lost, slowest

    waiting, lost, slowest = run(scenario())
    assert waiting == 5
    assert 150 < lost < 200
    assert sum(shed) > lost  # what waited, and what was on its way, at the end
    assert slowest < 0.05


def test_what_waits_at_the_end_is_counted_and_nothing_more_is_taken(tmp_path):
    shed = []
    sender = sender_to(tmp_path / "s", shed)
    sender.take(shadow_request(1))
    sender.take(shadow_request(2))
    sender.close()
    sender.take(shadow_request(3))
    assert (sender.waiting, shed) == (0, [2, 1])


def test_without_a_keeper_all_is_shed():
    shed = []
    sender = sender_to("", shed)
    sender.take(shadow_request(1))
    assert shed == [1]
    run(sender.run())

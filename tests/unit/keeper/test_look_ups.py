import asyncio
import threading

import pytest

from undertow.keeper import look_ups
from undertow.keeper.look_ups import MAX_LINE_BYTES, LookUps


async def ask(path, *lines):
    reader, writer = await asyncio.open_unix_connection(str(path))
    answers = []
    try:
        for line in lines:
            writer.write(line)
            async with asyncio.timeout(10):
                answers.append(await reader.readline())
    finally:
        writer.close()
        await writer.wait_closed()
    return answers


def serve(tmp_path, find, use):
    async def go():
        server = LookUps(tmp_path / "k", find)
        await server.start()
        try:
            return await use(tmp_path / "k")
        finally:
            await server.close()

    return asyncio.run(go())


RECORDS = {"d1": b'{"decision_id":"d1"}'}


def test_a_known_decision_is_answered_and_an_unknown_one_with_an_empty_line(tmp_path):
    answers = serve(tmp_path, RECORDS.get, lambda path: ask(path, b"d1\n", b"d2\n", b"\n", b"d1\n"))
    assert answers == [b'{"decision_id":"d1"}\n', b"\n", b"\n", b'{"decision_id":"d1"}\n']
    assert not (tmp_path / "k").exists()


@pytest.mark.parametrize("line", [b"x" * (MAX_LINE_BYTES * 4) + b"\n", b"\xff\n"])
def test_what_is_no_id_is_hung_up_on_and_the_next_is_served(tmp_path, line):
    async def use(path):
        first = await asyncio.gather(ask(path, line), return_exceptions=True)
        return first[0], await ask(path, b"d1\n")

    first, second = serve(tmp_path, RECORDS.get, use)
    assert first == [b""] or isinstance(first, OSError)
    assert second == [b'{"decision_id":"d1"}\n']


def test_a_store_that_cannot_be_read_is_an_empty_answer(tmp_path, caplog):
    def find(_):
        raise OSError("cannot be read")

    assert serve(tmp_path, find, lambda path: ask(path, b"d1\n")) == [b"\n"]
    assert "look_up_failed" in caplog.messages


def test_searches_at_once_are_bounded(tmp_path, monkeypatch):
    monkeypatch.setattr(look_ups, "MAX_SEARCHES", 1)
    release, began = threading.Event(), threading.Event()

    def find(name):
        began.set()
        release.wait(20)
        return RECORDS.get(name)

    async def use(path):
        first = asyncio.create_task(ask(path, b"d1\n"))
        await asyncio.to_thread(began.wait, 10)
        second = await ask(path, b"d1\n")
        release.set()
        return await first, second

    assert serve(tmp_path, find, use) == ([b'{"decision_id":"d1"}\n'], [b"\n"])


def test_connections_at_once_are_bounded(tmp_path, monkeypatch):
    monkeypatch.setattr(look_ups, "MAX_CONNECTIONS", 1)

    async def use(path):
        reader, writer = await asyncio.open_unix_connection(str(path))
        writer.write(b"d1\n")
        await reader.readline()
        second = await asyncio.gather(ask(path, b"d1\n"), return_exceptions=True)
        writer.close()
        await writer.wait_closed()
        return second[0]

    refused = serve(tmp_path, RECORDS.get, use)
    assert refused == [b""] or isinstance(refused, OSError)

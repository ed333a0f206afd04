"""A reply in memory: what is sent can be read, whenever it comes."""

import asyncio
import gc

import pytest

from undertow.client.answer import AnswerError
from undertow.client.reply import AsyncStream, MemoryReply
from undertow.ports.reply import ServedBy

SERVED = ServedBy("d1", "cheap", "m", "auto", 0.9)


def event(text):
    return b'data: {"choices":[{"delta":{"content":"%s"}}]}\n\n' % text.encode()


async def stream_of(script):
    """A stream whose request does what `script` does with the reply."""
    reply = MemoryReply()

    async def work():
        reply.start(200, {}, SERVED, is_stream=True)
        await script(reply)

    reply.follow(asyncio.ensure_future(work()))
    await reply.began.wait()
    return reply, AsyncStream(reply)


def texts(chunks):
    return [chunk.choices[0].delta.content for chunk in chunks]


def test_chunks_come_one_by_one_however_the_bytes_were_cut():
    async def script(reply):
        for byte in event("a") + event("b"):
            reply.send(bytes([byte]))
            await asyncio.sleep(0)
        reply.end(event("c") + b"data: [DONE]\n\n")

    async def main():
        _, stream = await stream_of(script)
        assert stream.undertow == SERVED
        return texts([chunk async for chunk in stream])

    assert asyncio.run(main()) == ["a", "b", "c"]


@pytest.mark.parametrize("line_end", [b"\n", b"\r\n", b"\r"])
def test_lines_may_end_as_the_standard_allows(line_end):
    async def script(reply):
        reply.send((event("a") + event("b")).replace(b"\n", line_end))
        reply.end((event("c") + b"data: [DONE]\n\n").replace(b"\n", line_end))

    async def main():
        _, stream = await stream_of(script)
        return texts([chunk async for chunk in stream])

    assert asyncio.run(main()) == ["a", "b", "c"]


def test_an_error_event_is_raised_after_what_came_before_it():
    async def script(reply):
        reply.send(event("half"))
        reply.end(b'data: {"error": {"message": "the upstream was cut", "code": "upstream_cut"}}\n\n')

    async def main():
        _, stream = await stream_of(script)
        assert texts([await anext(stream)]) == ["half"]
        with pytest.raises(AnswerError, match="was cut") as caught:
            await anext(stream)
        assert caught.value.decision_id == "d1"

    asyncio.run(main())


def test_a_chunk_whose_error_is_null_is_a_chunk():
    async def script(reply):
        reply.end(b'data: {"id": "x", "error": null, "choices": []}\n\n')

    async def main():
        _, stream = await stream_of(script)
        return [chunk.id async for chunk in stream]

    assert asyncio.run(main()) == ["x"]


@pytest.mark.parametrize("how", ["close", "context", "garbage"])
def test_a_stream_that_is_not_read_to_its_end_tells_the_router(how):
    left = []

    async def script(reply):
        gone = asyncio.Event()
        reply.watch(lambda: (left.append(how), gone.set()))
        reply.send(event("a"))
        await gone.wait()

    async def main():
        reply, stream = await stream_of(script)
        await anext(stream)
        if how == "close":
            await stream.aclose()
        elif how == "context":
            async with stream:
                pass
        else:
            del stream
            gc.collect()
        await asyncio.wait_for(reply.task, 5)
        assert reply.disconnected

    asyncio.run(main())
    assert left == [how]


def test_a_request_that_ends_without_a_word_does_not_leave_its_reader_waiting():
    async def script(reply):
        raise asyncio.CancelledError

    async def main():
        _, stream = await stream_of(script)
        return [chunk async for chunk in stream]

    assert asyncio.run(main()) == []


@pytest.mark.parametrize(("status", "body"), [(502, b'{"error"'), (503, b"<html>"), (500, b"")])
def test_an_error_body_that_is_cut_is_an_error_with_its_status(status, body):
    async def main():
        reply = MemoryReply()
        reply.start(status, {}, SERVED, is_stream=False)
        reply.end(body)
        with pytest.raises(AnswerError, match=f"status {status}") as caught:
            reply.answer()
        assert caught.value.status == status

    asyncio.run(main())

"""The way back to an in-process caller: a whole answer in memory, or a stream that is read while it comes."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any, Self

from undertow.adapters.wire.sse import EventSplitter
from undertow.client.answer import Answer, AnswerError, Fields, decode_body, read_events
from undertow.ports.reply import ServedBy


class MemoryReply:
    """Implements `undertow.ports.reply.Reply`. What a caller does not take waits here, at most `limits.max_answer_bytes`.

    Attributes:
        began: It is settled whether this is a stream, or that there will be none.
        task: The request on its way.
    """

    def __init__(self) -> None:
        self.disconnected = False
        self._on_disconnect: Callable[[], None] | None = None
        self.began = asyncio.Event()
        self.arrived = asyncio.Event()
        self.status = 0
        self.served: ServedBy | None = None
        self.is_stream = False
        self.is_over = False
        self.body = bytearray()
        self.task: asyncio.Task[None] | None = None

    def watch(self, on_disconnect: Callable[[], None] | None) -> None:
        """Have a function called once when the caller leaves."""
        self._on_disconnect = on_disconnect

    @property
    def is_congested(self) -> bool:
        """Never: what is not taken waits in memory, which the bound on answers bounds."""
        return False

    async def room(self) -> None:
        """There is."""

    def start(self, status: int, upstream_headers: Mapping[bytes, bytes], served: ServedBy, *, is_stream: bool) -> None:
        """Take the head."""
        del upstream_headers  # for HTTP callers alone
        self.status, self.served, self.is_stream = status, served, is_stream
        if is_stream:
            self.began.set()

    def send(self, chunk: bytes) -> None:
        """Take a piece of a stream."""
        if not self.disconnected:
            self.body += chunk
            self.arrived.set()

    def end(self, chunk: bytes) -> None:
        """Take the last piece, or the whole body."""
        self.body += chunk
        self.is_over = True
        self.arrived.set()

    def follow(self, task: asyncio.Task[None]) -> None:
        """Watch the request's task."""
        self.task = task
        task.add_done_callback(self._ended)

    def leave(self) -> None:
        """The caller wants no more of it."""
        if self.disconnected or self.is_over:
            return
        self.disconnected = True
        callback, self._on_disconnect = self._on_disconnect, None
        if callback is not None:
            callback()

    async def give_up(self) -> None:
        """Stop the request, and see it recorded."""
        task = self.task
        if task is not None and not task.done():
            task.cancel()
            await asyncio.wait({task})

    def answer(self) -> Answer:
        """The whole answer.

        Raises:
            AnswerError: It is an error.
        """
        assert self.served is not None, "the router answers every request"
        document = decode_body(bytes(self.body))
        if self.status >= 400 or document is None:
            shown = document or {"error": {"message": f"the upstream answered with status {self.status}"}}
            raise AnswerError(self.status if self.status >= 400 else 502, shown, self.served.decision_id)
        return Answer(document, self.served)

    def _ended(self, _task: object) -> None:
        self.is_over = True
        self.began.set()
        self.arrived.set()


class AsyncStream:
    """The chunks of a streamed answer, each a JSON object. Read it to its end or close it: `async with` does.

    Attributes:
        undertow: Who serves it: decision_id, tier, model, policy, confidence.
    """

    def __init__(self, reply: MemoryReply) -> None:
        assert reply.served is not None, "a stream has a head"
        self.undertow = reply.served
        self._reply = reply
        self._documents: deque[dict[str, Any]] = deque()
        self._splitter = EventSplitter()
        self._loop = asyncio.get_running_loop()

    def __aiter__(self) -> AsyncIterator[Fields]:
        return self

    async def __anext__(self) -> Fields:
        await self._fill()
        chunk = self.take()
        if chunk is None:
            await self.aclose()
            raise StopAsyncIteration
        return chunk

    async def _fill(self) -> None:
        """Wait until there is a chunk, or none will come."""
        reply = self._reply
        while not self._documents:
            reply.arrived.clear()
            is_over = reply.is_over
            if reply.body:
                arrived = bytes(reply.body)
                reply.body.clear()
                self._documents.extend(read_events(self._splitter.feed(arrived)))
            if self._documents or is_over:
                return
            await reply.arrived.wait()

    def take(self) -> Fields | None:
        """The next chunk that has arrived, or None.

        Raises:
            AnswerError: The stream ended in an error; what came before it is no whole answer.
        """
        if not self._documents:
            return None
        document = self._documents.popleft()
        if document.get("error") and not document.get("choices"):
            raise AnswerError(502, document, self.undertow.decision_id)
        return Fields(document)

    async def filled(self) -> bool:
        """Wait for chunks to `take`; False: the stream is over."""
        await self._fill()
        if self._documents:
            return True
        await self.aclose()
        return False

    async def aclose(self) -> None:
        """Stop; what has not come is not asked for any more, and the record says `abandoned`."""
        reply = self._reply
        reply.leave()
        if reply.task is not None and not reply.task.done():
            await asyncio.wait({reply.task})

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    def __del__(self) -> None:
        reply = getattr(self, "_reply", None)
        if reply is not None and not reply.is_over and not self._loop.is_closed():
            # Nobody will read on: the upstream need not write on. May run in any thread.
            self._loop.call_soon_threadsafe(reply.leave)

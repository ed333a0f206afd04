"""`undertow.Client` and `undertow.AsyncClient`: the gateway's policies and records inside your own process, no server.

    import undertow

    client = undertow.Client("undertow.toml")
    answer = client.chat.completions.create(model="auto", messages=[{"role": "user", "content": "Where is my order?"}])
    print(answer.choices[0].message.content, answer.undertow.tier)
    client.feedback(answer.undertow.decision_id, value=1)
    client.flush()   # before a function freezes

Made for functions that freeze between calls (AWS Lambda): nothing runs in the background, and `flush` brings everything that
was recorded to where it is kept. A compiled plan (`undertow config compile`) starts quicker than TOML, which needs pydantic.
"""

import asyncio
import os
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, Protocol, Self, TypeVar

import msgspec

from undertow.bootstrap.gateway import Engine, build_engine, writer_name
from undertow.bootstrap.plan_file import read_plan
from undertow.client.answer import Answer, AnswerError, Fields, read_events
from undertow.client.sink import Sink, open_sink
from undertow.ports.reply import ServedBy
from undertow.ports.wire import Dialect, WireError
from undertow.records.serving import ServingPlan
from undertow.services.admit import Context, refused_record
from undertow.services.collect import SignalsError, read_signals, rfc3339

T = TypeVar("T")
PATHS = {"chat.completions": "/v1/chat/completions", "messages": "/v1/messages", "responses": "/v1/responses"}


class AsyncClient:
    """The gateway in this process, for asyncio.

    Args:
        config: `undertow.toml`, a compiled `plan.json`, a plan; None: `undertow.toml` in the current folder.
        sink: Where records go: a folder, `-` for standard output, a URL of object storage (`s3://bucket/prefix`), or a sink
            of your own; None: the store of the settings.
        sink_options: Options of the object storage's file system.
        env: Environment with the keys that the settings name; None: `os.environ`.

    Raises:
        ConfigError: The settings are wrong, or a key that they name is not set.
    """

    def __init__(
        self,
        config: str | os.PathLike[str] | ServingPlan | None = None,
        *,
        sink: "str | os.PathLike[str] | Sink | None" = None,
        sink_options: Mapping[str, Any] | None = None,
        env: Mapping[str, str] | None = None,
    ) -> None:
        env = os.environ if env is None else env
        plan = config if isinstance(config, ServingPlan) else read_plan(config, env)
        self.sink = open_sink(sink, plan.store, writer_name("client"), sink_options)
        self._engine: Engine = build_engine(
            plan, env, decisions=self.sink.decisions, signals=self.sink.signals, on_record=lambda *_: None
        )
        self.chat = _Chat(self._create)
        self.messages = _Endpoint(self._create, "messages")
        self.responses = _Endpoint(self._create, "responses")

    @property
    def models(self) -> tuple[str, ...]:
        """Model names that can be asked for, what is routed first."""
        return self._engine.admission.models

    async def feedback(self, decision_id: str | None = None, **fields: Any) -> bool:
        """Keep one signal: `value` in [0, 1], and any field of docs/reference/signals.md.

        Returns:
            Whether it was new; False: a signal of this id is kept already.

        Raises:
            ValueError: It cannot be meant; the message says why.
            OSError: It could not be kept.
        """
        return self._signal({"decision_id": decision_id, **fields}, "thumb")

    async def outcome(self, name: str, value: float, **fields: Any) -> bool:
        """Keep one business outcome; see `feedback`."""
        return self._signal({"name": name, "value": value, **fields}, "outcome")

    async def flush(self) -> None:
        """Bring everything that was recorded to where it is kept. Call it before a function freezes.

        Raises:
            OSError: It could not be written; it is tried again with the next flush.
        """
        self.sink.flush()

    async def aclose(self) -> None:
        """Flush and close."""
        await self._engine.aclose()
        self.sink.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    def _signal(self, row: Mapping[str, Any], kind: Any) -> bool:
        body = msgspec.json.encode({name: value for name, value in row.items() if value is not None})
        try:
            read = read_signals(
                body, default_kind=kind, at=datetime.now(UTC), new_id=lambda: os.urandom(16).hex(),
                pseudonym=self._engine.admission.pseudonym, source="client",
            )  # fmt: skip
        except SignalsError as error:
            raise ValueError(str(error)) from None
        if read.rejected:
            raise ValueError(read.rejected[0].reason)
        return all(self.sink.signals.add(read.signals))

    async def _create(self, endpoint: str, labels: Mapping[str, str], ids: "_Ids", body: Mapping[str, Any]) -> Any:
        dialect = self._engine.dialects[PATHS[endpoint]]
        reply = await self._begin(dialect, labels, ids, msgspec.json.encode(body))
        if body.get("stream"):
            await reply.began.wait()
            if reply.is_stream:
                return AsyncStream(reply)
        assert reply.task is not None
        await reply.task
        document = msgspec.json.decode(bytes(reply.body))
        assert reply.served is not None
        if reply.status >= 400:
            raise AnswerError(reply.status, document, reply.served.decision_id)
        return Answer(document, reply.served)

    async def _begin(self, dialect: Dialect, labels: Mapping[str, str], ids: "_Ids", body: bytes) -> "_MemoryReply":
        wall_s, began = time.time(), time.perf_counter()
        decision_id = f"{int(wall_s * 1000):012x}{os.urandom(10).hex()}"
        event_time = rfc3339(datetime.fromtimestamp(wall_s, UTC))
        context = Context(decision_id, event_time, began, labels, ids.conversation_id, ids.user_id)
        try:
            incoming = self._engine.admission.admit(dialect, body, context, keeps_prompt=self._engine.keeps_prompt)
        except WireError as error:
            code = error.code or "invalid_request"
            self.sink.decisions.finish(
                refused_record(decision_id=decision_id, event_time=event_time, error=code, endpoint=dialect.endpoint)
            )
            shaped = dialect.error_body(error.message, type_="invalid_request_error", code=code, param=error.param)
            raise AnswerError(error.status, msgspec.json.decode(shaped), decision_id) from None
        self._engine.refresh()
        reply = _MemoryReply()
        reply.task = asyncio.ensure_future(self._engine.router.route(incoming, reply))
        reply.task.add_done_callback(lambda _: reply.began.set())
        return reply


class _Ids(msgspec.Struct, frozen=True):
    """Ids given beside the body."""

    conversation_id: str | None
    user_id: str | None


class _Create(Protocol):
    def __call__(self, endpoint: str, labels: Mapping[str, str], ids: _Ids, body: Mapping[str, Any]) -> Any: ...


class _Endpoint:
    """One wire format."""

    def __init__(self, create: _Create, endpoint: str) -> None:
        self._create = create
        self._endpoint = endpoint

    def create(
        self,
        *,
        segment: Mapping[str, str] | None = None,
        conversation_id: str | None = None,
        user_id: str | None = None,
        **body: Any,
    ) -> Any:
        """Answer one request: the fields of the wire format, as its official client takes them.

        Args:
            segment: Labels of the decision.
            conversation_id: Its conversation.
            user_id: Its user; else what the body says.
            **body: `model`, `messages`, `stream` and so on.

        Returns:
            An `Answer`, or with `stream=True` an iterator of chunks; awaitable from `AsyncClient`.

        Raises:
            AnswerError: The request was refused, or no tier could answer.
        """
        given = {name: value for name, value in body.items() if value is not None}
        return self._create(self._endpoint, segment or {}, _Ids(conversation_id, user_id), given)


class _Chat:
    """`client.chat.completions`, as the official client has it."""

    def __init__(self, create: _Create) -> None:
        self.completions = _Endpoint(create, "chat.completions")


class _MemoryReply:
    """A `Reply` that a stream is read from, or a whole answer taken."""

    def __init__(self) -> None:
        self.disconnected = False
        self.on_disconnect: Callable[[], None] | None = None
        self.began = asyncio.Event()
        self.arrived = asyncio.Event()
        self.status = 0
        self.served: ServedBy | None = None
        self.is_stream = False
        self.is_over = False
        self.body = bytearray()
        self.task: asyncio.Task[None] | None = None

    def watch(self, on_disconnect: Callable[[], None] | None) -> None:
        self.on_disconnect = on_disconnect

    async def start(
        self, status: int, upstream_headers: Mapping[bytes, bytes], served: ServedBy, *, is_stream: bool
    ) -> None:
        del upstream_headers  # for HTTP callers alone
        self.status, self.served, self.is_stream = status, served, is_stream
        if is_stream:
            self.began.set()

    async def send(self, chunk: bytes) -> None:
        self.body += chunk
        self.arrived.set()

    async def end(self, chunk: bytes) -> None:
        self.body += chunk
        self.is_over = True
        self.arrived.set()

    def leave(self) -> None:
        """The caller wants no more of it."""
        self.disconnected = True
        if self.on_disconnect is not None:
            self.on_disconnect()


class AsyncStream:
    """The chunks of a streamed answer, each a JSON object.

    Attributes:
        undertow: Who serves it.
    """

    def __init__(self, reply: _MemoryReply) -> None:
        assert reply.served is not None
        self._reply = reply
        self._documents: list[dict[str, Any]] = []
        self.undertow = reply.served

    def __aiter__(self) -> AsyncIterator[Fields]:
        return self

    async def __anext__(self) -> Fields:
        reply = self._reply
        while not self._documents:
            if reply.body:
                self._documents, rest = read_events(bytes(reply.body))
                reply.body[:] = rest
            elif reply.is_over or (reply.task is not None and reply.task.done()):
                await self.aclose()
                raise StopAsyncIteration
            if not self._documents:
                reply.arrived.clear()
                if not (reply.is_over or (reply.task is not None and reply.task.done())):
                    await reply.arrived.wait()
                elif reply.body:
                    reply.body.clear()
        document = self._documents.pop(0)
        if "error" in document and "choices" not in document:
            raise AnswerError(502, document, self.undertow.decision_id)
        return Fields(document)

    async def aclose(self) -> None:
        """Stop; what was not read is not asked for any more, and the record says `abandoned`."""
        reply = self._reply
        if reply.task is not None and not reply.task.done():
            if not reply.is_over:
                reply.leave()
            await reply.task


class Client:
    """The gateway in this process, for plain calls; see `AsyncClient` for what it takes.

    Calls run on an event loop of its own in the calling thread, one at a time; nothing runs between them. Use one client a thread.
    """

    def __init__(self, config: str | os.PathLike[str] | ServingPlan | None = None, **options: Any) -> None:
        self._runner = asyncio.Runner()
        self._client = AsyncClient(config, **options)
        self.chat = _Chat(self._create)
        self.messages = _Endpoint(self._create, "messages")
        self.responses = _Endpoint(self._create, "responses")

    @property
    def models(self) -> tuple[str, ...]:
        """Model names that can be asked for, what is routed first."""
        return self._client.models

    @property
    def sink(self) -> "Sink":
        """Where records go."""
        return self._client.sink

    def feedback(self, decision_id: str | None = None, **fields: Any) -> bool:
        """Keep one signal; see `AsyncClient.feedback`."""
        return self._run(self._client.feedback(decision_id, **fields))

    def outcome(self, name: str, value: float, **fields: Any) -> bool:
        """Keep one business outcome; see `AsyncClient.outcome`."""
        return self._run(self._client.outcome(name, value, **fields))

    def flush(self) -> None:
        """Bring everything that was recorded to where it is kept; see `AsyncClient.flush`."""
        self._run(self._client.flush())

    def close(self) -> None:
        """Flush and close."""
        self._run(self._client.aclose())
        self._runner.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        return self._runner.run(work)

    def _create(self, endpoint: str, labels: Mapping[str, str], ids: _Ids, body: Mapping[str, Any]) -> Any:
        answer = self._run(self._client._create(endpoint, labels, ids, body))  # noqa: SLF001 (the same thing, in plain calls)
        return Stream(answer, self._run) if isinstance(answer, AsyncStream) else answer


class Stream:
    """The chunks of a streamed answer, for plain calls.

    Attributes:
        undertow: Who serves it.
    """

    def __init__(self, stream: AsyncStream, run: Callable[[Coroutine[Any, Any, Any]], Any]) -> None:
        self._stream = stream
        self._run = run
        self.undertow = stream.undertow

    def __iter__(self) -> Iterator[Fields]:
        while True:
            try:
                chunk = self._run(_next(self._stream))
            except StopAsyncIteration:
                return
            if chunk is None:
                return
            yield chunk

    def close(self) -> None:
        """Stop; see `AsyncStream.aclose`."""
        self._run(self._stream.aclose())


async def _next(stream: AsyncStream) -> Fields | None:
    async for chunk in stream:
        return chunk
    return None

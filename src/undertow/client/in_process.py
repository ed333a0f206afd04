"""`undertow.AsyncClient`: the gateway's policies and records inside your own process, no server.

    async with undertow.AsyncClient("undertow.toml") as client:
        answer = await client.chat.completions.create(
            model="auto", messages=[{"role": "user", "content": "Where is my order?"}]
        )
        print(answer.choices[0].message.content, answer.undertow.tier)
        await client.feedback(answer.undertow.decision_id, value=1)
        await client.flush()   # before a function freezes

Made for functions that freeze between calls (AWS Lambda): nothing has to run between them, and `flush` brings everything that
was recorded to where it is kept. A compiled plan (`undertow config compile`) starts quicker than TOML, which needs pydantic.
`undertow.Client` (`undertow.client.blocking`) is the same for plain calls.
"""

import asyncio
import os
import time
from collections.abc import Mapping
from typing import Any, Protocol, Self

import msgspec

from undertow.bootstrap.gateway import Engine, build_engine, writer_name
from undertow.bootstrap.plan_file import read_plan
from undertow.bootstrap.versions import Pins
from undertow.client.answer import Answer, AnswerError, encode_body
from undertow.client.reply import AsyncStream, MemoryReply
from undertow.client.sink import Sink, open_sink
from undertow.ports.wire import Dialect, WireError
from undertow.records.serving import ServingPlan
from undertow.services.admit import Context, refused_record

PATHS = {"chat.completions": "/v1/chat/completions", "messages": "/v1/messages", "responses": "/v1/responses"}
TRY_AGAIN_S = 0.06
"""A flush that failed is tried once more after this: a store that was unwritable is looked at again after 0.05 s."""
MAX_LABELS = 32
MAX_CHARS = 512
"""Most labels of a decision, and most characters of one, or of an id."""


class AsyncClient:
    """The gateway in this process, for asyncio. Calls may run side by side.

    It belongs to the process that made it. Under a new event loop it makes new connections.

    Args:
        config: `undertow.toml`, a compiled `plan.json`, a plan; None: `undertow.toml` in the current folder.
        sink: Where records go: a folder, `-` for standard output, a URL of object storage (`s3://bucket/prefix`), or a sink
            of your own; None: the store of the settings.
        sink_options: Options of the object storage's file system.
        env: Environment with the keys that the settings name; None: `os.environ`.

    Attributes:
        chat: `chat.completions.create`.
        messages: `messages.create`, Anthropic's format.
        responses: `responses.create`.
        sink: Where records go.

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
        self._env = os.environ if env is None else env
        plan = config if isinstance(config, ServingPlan) else read_plan(config, self._env)
        self._plan = Pins(self._env).pinned(plan).plan
        self.sink = open_sink(sink, self._plan.store, writer_name("client"), sink_options)
        self._engine = self._build()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._replies: set[MemoryReply] = set()
        self._process = os.getpid()
        self._is_closed = False
        self.chat = Chat(self._create)
        self.messages = Creator(self._create, "messages")
        self.responses = Creator(self._create, "responses")

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
        return await self._signal({"decision_id": decision_id, **fields}, "thumb")

    async def outcome(self, name: str, value: float, **fields: Any) -> bool:
        """Keep one business outcome; see `feedback`."""
        return await self._signal({"name": name, "value": value, **fields}, "outcome")

    async def flush(self) -> None:
        """Bring everything that was recorded to where it is kept. Call it before a function freezes.

        When it returns, `undertow audit` finds every decision that has ended. A stream ends when it was read or closed.

        Raises:
            OSError: It could not be written, twice; it is kept and tried again with the next flush.
        """
        self._check()
        self.sink.tick()
        try:
            await asyncio.to_thread(self.sink.flush)
        except OSError:
            await asyncio.sleep(TRY_AGAIN_S)
            self.sink.tick()
            await asyncio.to_thread(self.sink.flush)

    async def aclose(self) -> None:
        """Flush and close. What is still on its way is abandoned, and recorded so.

        Raises:
            OSError: Not all records could be written.
        """
        if self._is_closed:
            return
        self._is_closed = True
        if self._loop is asyncio.get_running_loop():
            for reply in tuple(self._replies):
                await reply.give_up()
            await self._engine.aclose()
        self.sink.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    def _build(self) -> Engine:
        sink = self.sink
        return build_engine(
            self._plan, self._env, decisions=sink.decisions, signals=sink.signals, on_record=lambda *_: None
        )

    def _check(self) -> None:
        """Refuse what cannot work, and follow the event loop."""
        if self._is_closed:
            raise RuntimeError("the client is closed")
        if os.getpid() != self._process:
            raise RuntimeError("the client was made before this process was forked; make one in each process")
        loop = asyncio.get_running_loop()
        if loop is not self._loop:
            if self._loop is not None:  # connections belong to the loop that made them
                self._engine = self._build()
                self._replies.clear()
            self._loop = loop

    async def _signal(self, row: Mapping[str, Any], kind: Any) -> bool:
        from datetime import UTC, datetime  # noqa: PLC0415 (a client that takes no signals need not load this)

        from undertow.services.collect import SignalsError, read_signals  # noqa: PLC0415

        self._check()
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
        return all(await asyncio.to_thread(self.sink.signals.add, read.signals))

    async def _create(self, asked: "Asked", body: Mapping[str, Any]) -> Answer | AsyncStream:
        self._check()
        async with asyncio.timeout(asked.timeout_s):
            reply = self._begin(self._engine.dialects[PATHS[asked.endpoint]], asked, encode_body(body))
            try:
                if body.get("stream"):
                    await reply.began.wait()
                    if reply.is_stream:
                        return AsyncStream(reply)
                assert reply.task is not None
                await reply.task
            except asyncio.CancelledError:
                await reply.give_up()
                if self._is_closed and _is_wanted():
                    raise RuntimeError("the client was closed before the answer came") from None
                raise
        return reply.answer()

    def _begin(self, dialect: Dialect, asked: "Asked", body: bytes) -> MemoryReply:
        wall_s, began = time.time(), time.perf_counter()
        ms = int(wall_s * 1000)
        decision_id = f"{ms:012x}{os.urandom(10).hex()}"
        event_time = f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(ms // 1000))}.{ms % 1000:03d}Z"
        context = Context(decision_id, event_time, began, asked.labels, asked.conversation_id, asked.user_id)
        self.sink.tick()
        self._engine.refresh()  # before anything is decided: the process may have been frozen for hours
        try:
            incoming = self._engine.admission.admit(dialect, body, context)
        except WireError as error:
            code = error.code or "invalid_request"
            self.sink.decisions.finish(
                refused_record(
                    decision_id=decision_id,
                    event_time=event_time,
                    error=code,
                    endpoint=dialect.endpoint,
                    latency_ms=round((time.perf_counter() - began) * 1000, 2),
                )
            )
            shaped = dialect.error_body(error.message, type_="invalid_request_error", code=code, param=error.param)
            raise AnswerError(error.status, msgspec.json.decode(shaped), decision_id) from None
        reply = MemoryReply()
        self._replies.add(reply)
        task = asyncio.ensure_future(self._engine.router.route(incoming, reply))
        task.add_done_callback(lambda _: self._replies.discard(reply))
        reply.follow(task)
        return reply


class Asked(msgspec.Struct, frozen=True):
    """What is asked for beside the body.

    Attributes:
        endpoint: Wire format.
        labels: Labels of the decision.
        conversation_id: As given, or None.
        user_id: As given, or None.
        timeout_s: Most seconds to wait, or None.
    """

    endpoint: str
    labels: dict[str, str]
    conversation_id: str | None
    user_id: str | None
    timeout_s: float | None


class Create(Protocol):
    """Carries out one request."""

    def __call__(self, asked: Asked, body: Mapping[str, Any]) -> Any:
        """Answer it."""
        ...


class Creator:
    """One wire format."""

    def __init__(self, create: Create, endpoint: str) -> None:
        self._create = create
        self._endpoint = endpoint

    def create(
        self,
        *,
        segment: Mapping[str, str] | None = None,
        conversation_id: str | None = None,
        user_id: str | None = None,
        timeout: float | None = None,
        **body: Any,
    ) -> Any:
        """Answer one request: the fields of the wire format, as its official client takes them.

        Args:
            segment: Labels of the decision, beside those of the body's `metadata`.
            conversation_id: Its conversation.
            user_id: Its user; else what the body says.
            timeout: Most seconds to wait for the answer, or for a stream to begin; None: the limits of the settings.
            **body: `model`, `messages`, `stream` and so on. What is None is left out.

        Returns:
            An `Answer`, or with `stream=True` an iterator of chunks; awaitable from `AsyncClient`.

        Raises:
            AnswerError: The request was refused, or no tier could answer.
            TimeoutError: `timeout` has passed; the record says `abandoned`.
            ValueError: A label or id cannot be kept.
        """
        asked = Asked(
            self._endpoint, read_segment(segment), _id("conversation_id", conversation_id), _id("user_id", user_id), timeout
        )  # fmt: skip
        return self._create(asked, {name: value for name, value in body.items() if value is not None})


class Chat:
    """`client.chat.completions`, as the official client has it."""

    def __init__(self, create: Create) -> None:
        self.completions = Creator(create, "chat.completions")


def read_segment(segment: Mapping[str, str] | None) -> dict[str, str]:
    r"""Labels as they can be kept.

    Raises:
        ValueError: There are too many, one is too long, or is no text.

    Examples:
        >>> read_segment({"intent": "billing", "cut": "\ud83d"})
        {'intent': 'billing', 'cut': '?'}
    """
    labels = dict(segment or {})
    if len(labels) > MAX_LABELS:
        raise ValueError(f"segment: expected at most {MAX_LABELS} labels, got {len(labels)}")
    for key, value in labels.items():
        if not (isinstance(key, str) and isinstance(value, str) and key):
            raise ValueError(f"segment: expected text, got {type(key).__name__} -> {type(value).__name__}")
        if len(key) > MAX_CHARS or len(value) > MAX_CHARS:
            raise ValueError(f"segment: a label is longer than {MAX_CHARS} characters")
    # Half a UTF-16 pair, as JavaScript leaves it where it cuts a text, is in no record's encoding.
    return {_mended(key): _mended(value) for key, value in labels.items()}


def _mended(text: str) -> str:
    return text.encode("utf-8", "replace").decode()


def _is_wanted() -> bool:
    """Whether nobody has cancelled the caller's own task."""
    task = asyncio.current_task()
    return task is None or task.cancelling() == 0


def _id(name: str, value: str | None) -> str | None:
    if value is not None and not (isinstance(value, str) and 0 < len(value) <= MAX_CHARS):
        raise ValueError(f"{name}: expected 1 to {MAX_CHARS} characters of text")
    return value

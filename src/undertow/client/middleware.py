"""`UndertowMiddleware`: decision records from a gateway of your own, as ASGI middleware.

    app = UndertowMiddleware(app, "undertow.toml")

It looks at `POST …/v1/chat/completions`, `/v1/messages` and `/v1/responses` as they pass: every message goes on untouched, and
goes on first. One record each is written with mode `observe`: labels, ids, tokens, cost, confidence where there are
log-probabilities, and how it ended. Whatever goes wrong here is logged and counted in `failed`, and the application never
notices.

Who served is read off, in this order: the function `tier`, the response header `x-tier`, the model that the answer names, as
`model` of `[tiers.NAME]` has it (a dated version of it too). A model that no tier has is a tier of its own in the log.
"""

import asyncio
import logging
import os
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from undertow.adapters.wire import dialects
from undertow.bootstrap.gateway import writer_name
from undertow.bootstrap.plan_file import read_plan
from undertow.client.observed import Observed, Surroundings
from undertow.client.sink import Sink, open_sink
from undertow.records.serving import ServingPlan

log = logging.getLogger("undertow.client")

Scope = dict[str, Any]
Message = dict[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]
TierOf = Callable[[Scope, str | None, Mapping[bytes, bytes]], str | None]

DECISION_ID = "undertow.decision_id"
"""Key of the ASGI scope that holds the decision's id, for feedback."""


class UndertowMiddleware:
    """Writes a decision record of each request to a model that passes through an ASGI application.

    Args:
        app: The application.
        config: `undertow.toml`, a compiled `plan.json`, a plan; None: `undertow.toml` in the current folder. Of it count the
            tiers' names, models and prices, `[constraints]`, `[store]` and `[retention]`; nothing is routed.
        sink: Where records go, as for `undertow.AsyncClient`.
        sink_options: Options of the object storage's file system.
        tier: (scope, model that answered, response headers) -> tier, or None: not known.
        tier_header: Response header that names the tier.
        most_bytes: Bodies and answers beyond so many bytes are not looked into; their record has no tokens.
        env: Environment; None: `os.environ`.

    Attributes:
        failed: Requests that no record, or no whole one, could be written of.

    Raises:
        ConfigError: The settings are wrong.
    """

    def __init__(
        self,
        app: App,
        config: str | os.PathLike[str] | ServingPlan | None = None,
        *,
        sink: "str | os.PathLike[str] | Sink | None" = None,
        sink_options: Mapping[str, Any] | None = None,
        tier: TierOf | None = None,
        tier_header: str = "x-tier",
        most_bytes: int = 4_000_000,
        env: Mapping[str, str] | None = None,
    ) -> None:
        env = os.environ if env is None else env
        self.app = app
        self.failed = 0
        self._plan = config if isinstance(config, ServingPlan) else read_plan(config, env)
        self._given_sink, self._sink_options = sink, sink_options
        self._sink: Sink | None = None
        self._process = 0
        self._dialects = dialects()
        key = env.get(self._plan.store.id_key_env) if self._plan.store.id_key_env is not None else None
        self._surroundings = Surroundings(
            self._plan, None if key is None else key.encode(), tier, tier_header.lower().encode(), most_bytes
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass one connection through."""
        if scope["type"] == "lifespan":
            try:
                await self.app(scope, receive, send)
            finally:
                self.close()
            return
        observed = self._observe(scope)
        if observed is None:
            await self.app(scope, receive, send)
            return
        try:
            await self.app(
                {**scope, DECISION_ID: observed.decision_id},
                _Receive(receive, observed, self._quietly),
                _Send(send, observed, self._quietly),
            )
        except asyncio.CancelledError:
            observed.fault = observed.fault or ("abandoned", "cancelled")
            raise
        except BaseException:
            observed.fault = observed.fault or ("error", "application")
            raise
        finally:
            self._quietly(observed.settle)

    async def flush(self) -> None:
        """Bring everything that was recorded to where it is kept.

        Raises:
            OSError: It could not be written.
        """
        if self._sink is not None:
            self._sink.tick()
            await asyncio.to_thread(self._sink.flush)

    def close(self) -> None:
        """Flush and close; a further request opens it again. Done by itself where the server speaks ASGI's lifespan."""
        sink, self._sink = self._sink, None
        if sink is not None:
            self._quietly(sink.close)

    def _observe(self, scope: Scope) -> Observed | None:
        """What watches this request, or None: it is none of ours, or we cannot."""
        if scope["type"] != "http" or scope["method"] != "POST":
            return None
        path: str = scope["path"]
        dialect = next((found for name, found in self._dialects.items() if path.endswith(name)), None)
        if dialect is None:
            return None
        wall_s = time.time()
        try:
            return Observed(self._surroundings, self._opened(), dialect, scope, wall_s, time.perf_counter())
        except Exception as error:  # noqa: BLE001 (the host's request goes on)
            self._note(error)
            return None

    def _opened(self) -> Sink:
        """The sink of this process."""
        sink = self._sink
        if sink is None or self._process != os.getpid():
            sink = open_sink(self._given_sink, self._plan.store, writer_name("asgi"), self._sink_options)
            self._sink, self._process = sink, os.getpid()
        return sink

    def _quietly(self, work: Callable[..., object], *given: Any) -> None:
        try:
            work(*given)
        except Exception as error:  # noqa: BLE001 (whatever it is, the host's request goes on)
            self._note(error)

    def _note(self, error: Exception) -> None:
        self.failed += 1
        # Without its message, which may hold what a caller sent.
        log.error("not_observed", extra={"cause": type(error).__name__})


Quietly = Callable[..., None]


class _Receive:
    """`receive` of the application."""

    __slots__ = ("_observed", "_quietly", "_receive")

    def __init__(self, receive: Receive, observed: Observed, quietly: Quietly) -> None:
        self._receive, self._observed, self._quietly = receive, observed, quietly

    async def __call__(self) -> Message:
        message = await self._receive()
        self._quietly(self._observed.arrived, message)
        return message


class _Send:
    """`send` of the application. A message goes on before it is looked at."""

    __slots__ = ("_observed", "_quietly", "_send")

    def __init__(self, send: Send, observed: Observed, quietly: Quietly) -> None:
        self._send, self._observed, self._quietly = send, observed, quietly

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.body" and not message.get("more_body", False):
            # The record comes before the last byte, as in the gateway; all of the answer is known now.
            self._quietly(self._observed.ending, message)
        try:
            await self._send(message)
        except OSError:
            self._observed.fault = ("abandoned", "client_closed")
            raise
        self._quietly(self._observed.sent, message)

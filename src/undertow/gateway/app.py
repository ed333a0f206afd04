"""The ASGI application: paths, keys, limits, bodies; everything about routing itself is `undertow.services.route`.

Every request under /v1 that is a decision leaves one record, refusals too. What a caller gets is an answer, an error in its own
wire format, or a stream that ends in an explicit error; never a traceback.
"""

import asyncio
import logging
import os
import time
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from undertow.adapters.store.log import StoreDecisionLog
from undertow.adapters.store.row_log import SAMPLED, SKETCHES, RowLog
from undertow.adapters.store.signal_log import StoreSignalLog
from undertow.adapters.store.syncing import sync_loop
from undertow.bootstrap.gateway import Engine, build_engine, writer_name
from undertow.bootstrap.judging import standings
from undertow.bootstrap.redaction import redaction_hook
from undertow.gateway.access import Access, CallerGoneError, Receive
from undertow.gateway.arrival import Arrival, ArrivalError, read_headers
from undertow.gateway.http_errors import CALLER_LEFT
from undertow.gateway.look_up import Lookup
from undertow.gateway.metrics import CONTENT_TYPE, Metrics
from undertow.gateway.passing import pass_through
from undertow.gateway.refusal import RefusedError
from undertow.gateway.reply import Headers, HttpReply, Send
from undertow.gateway.runtime import Runtime
from undertow.gateway.sampled import DrawnTexts
from undertow.gateway.shadowing import ShadowSender
from undertow.gateway.sidecars import sidecar_sockets
from undertow.gateway.signals import post_signals
from undertow.gateway.tallies import ALL, SEPARATOR, InForce, Restricted
from undertow.gateway.turns import TurnSender
from undertow.gateway.ui_proxy import UiProxy, is_for_ui
from undertow.ports.wire import Dialect, WireError
from undertow.records.answer import AnswerFacts
from undertow.records.decision import DecisionRecord, Intent
from undertow.records.moment import rfc3339
from undertow.records.serving import KeyPlan, ServingPlan
from undertow.records.watched import ShadowRequest
from undertow.services.admit import Context, refused_record
from undertow.services.routing import Incoming
from undertow.slices.keyed import SketchKey

log = logging.getLogger("undertow.gateway")

Scope = dict[str, Any]

TICK_S = 0.05
TICKS_PER_LOOK = 20
"""Turns go to the keeper every tick; gauges are looked at once a second."""
LOOPBACK = ("127.", "::1", "unix")


class GatewayApp:
    """One worker's application. Built by `build_app`; `startup` before the first request, `shutdown` after the last."""

    def __init__(self, plan: ServingPlan, env: Mapping[str, str], runtime: Runtime) -> None:
        self.plan = plan
        self.runtime = runtime
        self.metrics = Metrics(runtime, os.getpid())
        self.tallies = self.metrics.tallies
        writer = writer_name(f"w{runtime.worker_number}")
        self.decisions = StoreDecisionLog(plan.store, writer)
        self.signals = StoreSignalLog(plan.store, writer)
        self.shadow = ShadowSender(runtime.keeper_shadow_socket, plan.shadow, self._count_shed)
        self.drawn = self._drawn_texts(writer, env)
        self.engine: Engine = build_engine(
            plan,
            env,
            decisions=self.decisions,
            signals=self.signals,
            on_record=self._on_record,
            on_drawn=None if self.drawn is None else self.drawn.take,
            sidecars=sidecar_sockets(plan, runtime.runtime_dir, runtime.generation),
        )
        self.access = Access(plan, self.tallies)
        self.turns = TurnSender(runtime.keeper_turns_socket, plan.implicit.enabled, self._count_dropped_turns)
        self.lookup = Lookup(self.decisions, plan.store.path, runtime.keeper_lookup_socket)
        self.ui = UiProxy(runtime.ui_socket, plan.ui) if plan.ui.enabled and runtime.ui_socket else None
        self.in_flight = 0
        self.is_draining = False
        self._background: list[asyncio.Task[None]] = []
        self._loop: asyncio.AbstractEventLoop | None = None
        self._second, self._second_text = -1, ""
        self._models = self._model_list()
        self._dialects = self.engine.dialects
        self._gets: Mapping[str, Callable[[Scope, Send], Awaitable[None]]] = {
            "/v1/models": self._get_models,
            "/healthz": self._get_health,
            "/livez": self._get_health,
            "/readyz": self._get_ready,
            "/metrics": self._get_metrics,
            "/openapi.json": self._get_openapi,
        }

    async def startup(self) -> None:
        """Begin the background work: syncing the log, telling the keeper of turns, gauges."""
        loop = asyncio.get_running_loop()
        self._background = [
            loop.create_task(sync_loop(self.decisions, shy=(self.signals,))),
            loop.create_task(self._tick()),
        ]
        if self.drawn is not None:
            self._loop = loop
            # A thread of its own: the user's hook may take long, and the decision log is not to wait for it.
            self._background += [loop.create_task(sync_loop(shy=(self.drawn,))), loop.create_task(self.shadow.run())]

    async def shutdown(self) -> None:
        """Stop, with everything written and synced."""
        for task in self._background:
            task.cancel()
        await asyncio.gather(*self._background, return_exceptions=True)
        self.turns.flush()
        self.turns.close()
        self.decisions.sync()
        self.decisions.close()
        self.signals.close()
        if self.drawn is not None:  # after the records: the user's hook may take some seconds
            self.drawn.close()
        self.shadow.close()
        self._look()
        await self.engine.aclose()
        self.access.close()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one HTTP request."""
        if scope["type"] != "http":
            return
        path, method = scope["path"], scope["method"]
        dialect = self._dialects.get(path)
        if dialect is not None and method == "POST":
            self.in_flight += 1
            try:
                await self._routed(dialect, scope, receive, send)
            finally:
                self.in_flight -= 1
            return
        try:
            await self._other(path, method, scope, receive, send)
        except RefusedError as refused:
            await send_error(send, refused)
        except Exception:  # the edge of one request
            log.exception("request_failed", extra={"path": path[:100]})
            await send_error(send, RefusedError(500, "the gateway failed", code="internal_error", type_="api_error"))

    def record_refused(self, status: int, why: str) -> str:
        """Leave a record of a request that never became one: its head broke the protocol or a limit. Returns its id."""
        decision_id, event_time, _ = self._begin()
        kept = "abandoned" if status == CALLER_LEFT else "refused"
        self._write(refused_record(decision_id=decision_id, event_time=event_time, error=why, status=kept))
        return decision_id

    # -- routed requests

    async def _routed(self, dialect: Dialect, scope: Scope, receive: Receive, send: Send) -> None:
        decision_id, event_time, began = self._begin()
        reply = HttpReply(scope["extensions"]["undertow"])
        arrival, key = None, None
        try:
            self.access.check_load(self.in_flight)
            arrival = read_headers(scope["headers"])
            key = self.access.admit(arrival)
            body = await self.access.body(receive, arrival, scope["extensions"]["undertow"])
            incoming = self.engine.admission.admit(
                dialect, body, self._context(arrival, key, decision_id, event_time, began),
            )  # fmt: skip
        except CallerGoneError:
            self._write(
                self._refusal(decision_id, event_time, began, dialect, arrival, key, "client_closed", "abandoned")
            )
            return
        except (RefusedError, WireError, ArrivalError) as error:
            refused = _as_refused(error)
            self._write(self._refusal(decision_id, event_time, began, dialect, arrival, key, refused.code, "refused"))
            shaped = dialect.error_body(refused.message, type_=refused.type_, code=refused.code, param=refused.param)
            await send_json(
                send, refused.status, shaped, [(b"x-undertow-decision-id", decision_id.encode()), *refused.headers]
            )
            return
        await self.engine.router.route(incoming, reply)

    def _begin(self) -> tuple[str, str, float]:
        """Id, time and clock reading of a request that has just arrived."""
        wall = time.time()
        second = int(wall)
        if second != self._second:
            self._second = second
            self._second_text = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))
        ms = int((wall - second) * 1000)
        return f"{second * 1000 + ms:012x}{os.urandom(10).hex()}", f"{self._second_text}.{ms:03d}Z", time.perf_counter()

    def _context(
        self, arrival: Arrival, key: KeyPlan | None, decision_id: str, event_time: str, began: float
    ) -> Context:
        trace_id, span_id, forwarded = arrival.trace_id, None, arrival.forwarded
        if self.plan.telemetry.traces:
            trace_id = trace_id or os.urandom(16).hex()
            span_id = os.urandom(8).hex()
            forwarded.append((b"traceparent", f"00-{trace_id}-{span_id}-{arrival.flags}".encode()))
        elif trace_id is not None:
            forwarded.append((b"traceparent", f"00-{trace_id}-{arrival.parent_span_id}-{arrival.flags}".encode()))
        return Context(
            decision_id, event_time, began, arrival.labels, arrival.conversation_id, arrival.user_id, key, forwarded,
            arrival.client_retry, trace_id, span_id, arrival.parent_span_id, arrival.origin,
        )  # fmt: skip

    def _refusal(
        self,
        decision_id: str,
        event_time: str,
        began: float,
        dialect: Dialect,
        arrival: Arrival | None,
        key: KeyPlan | None,
        error: str,
        status: str,
    ) -> DecisionRecord:
        return refused_record(
            decision_id=decision_id,
            event_time=event_time,
            error=error,
            endpoint=dialect.endpoint,
            key_name=key.name if key is not None else None,
            latency_ms=round((time.perf_counter() - began) * 1000, 2),
            client_retry=arrival.client_retry if arrival is not None else None,
            status=status,
        )

    def _write(self, record: DecisionRecord) -> None:
        self.decisions.finish(record)
        self.tallies.add(record)

    def _on_record(self, record: DecisionRecord, incoming: Incoming, facts: AnswerFacts | None) -> None:
        self.tallies.add(record)
        if record.cost_usd and record.key_name is not None:
            self.access.spend(record.key_name, record.cost_usd)
        self.turns.take(record, incoming, facts)

    # -- everything else

    async def _other(self, path: str, method: str, scope: Scope, receive: Receive, send: Send) -> None:
        if self.ui is not None and is_for_ui(path):
            await self.ui.pass_on(scope, receive, send)
            return
        get = self._gets.get(path)
        if get is not None:
            if method not in {"GET", "HEAD"}:
                raise RefusedError(
                    405, f"{path} is read with GET", code="method_not_allowed", headers=((b"allow", b"GET"),)
                )
            await get(scope, send)
            return
        if path in {"/v1/feedback", "/v1/outcomes"}:
            if method != "POST":
                raise RefusedError(405, f"{path} takes POST", code="method_not_allowed", headers=((b"allow", b"POST"),))
            arrival, key = self._head(scope)
            body = await self.access.body(receive, arrival, scope["extensions"]["undertow"])
            status, document = await post_signals(self, path, body, arrival, key)
            await send_json(send, status, document)
            return
        if path.startswith("/v1/undertow/"):
            if not path.startswith("/v1/undertow/decisions/"):
                raise RefusedError(404, "there is nothing at this path", code="not_found")
            if method not in {"GET", "HEAD"}:
                raise RefusedError(
                    405, "decisions are read with GET", code="method_not_allowed", headers=((b"allow", b"GET"),)
                )
            _, key = self._head(scope)
            document = await self.lookup.find(path.rsplit("/", 1)[1], key)
            await send_json(send, 200, document)
            return
        if path in self._dialects:
            raise RefusedError(405, f"{path} takes POST", code="method_not_allowed", headers=((b"allow", b"POST"),))
        if path.startswith("/v1/"):
            await self._pass_through(path, method, scope, receive, send)
            return
        raise RefusedError(404, "there is nothing at this path; the API is under /v1", code="not_found")

    def _head(self, scope: Scope) -> tuple[Arrival, KeyPlan | None]:
        """The head of a request that is no decision; its key must be known where keys are set."""
        try:
            arrival = read_headers(scope["headers"])
        except ArrivalError as error:
            raise _as_refused(error) from None
        return arrival, self.access.identify(arrival)

    async def _pass_through(self, path: str, method: str, scope: Scope, receive: Receive, send: Send) -> None:
        decision_id, event_time, began = self._begin()
        key: KeyPlan | None = None
        is_recorded = False

        def leave_record(status: str, error: str | None = None) -> None:
            nonlocal is_recorded
            is_recorded = True
            self._write(
                refused_record(
                    decision_id=decision_id,
                    event_time=event_time,
                    error=error,
                    endpoint=path[:100],
                    key_name=key.name if key is not None else None,
                    latency_ms=round((time.perf_counter() - began) * 1000, 2),
                    status=status,
                    reason="refused" if status == "refused" else "passthrough",
                )
            )

        try:
            arrival, _ = self._head(scope)
            key = self.access.admit(arrival)
            if self.engine.passthrough is None:
                raise RefusedError(  # noqa: TRY301
                    404,
                    "this path is not routed; set base_url under [passthrough] to have it passed on",
                    code="not_found",
                )
            if key is not None and key.tiers:
                raise RefusedError(  # noqa: TRY301
                    403,
                    "this key is held to some tiers, and this path belongs to none of them",
                    code="tier_not_allowed",
                )
            # As it was sent: a slash or question mark that was escaped is no part of the path's form.
            raw_path = scope.get("raw_path", path.encode()).decode("latin-1")
            if not raw_path.startswith("/v1/"):
                raise RefusedError(400, "/v1 must stand in the path unescaped", code="invalid_path")  # noqa: TRY301
            body = await self.access.body(receive, arrival, scope["extensions"]["undertow"])
            self.decisions.begin(
                Intent(
                    decision_id=decision_id,
                    event_time=event_time,
                    origin="live",
                    endpoint=path[:100],
                    key_name=key.name if key is not None else None,
                )
            )
            error = await pass_through(
                self.engine.passthrough,
                method,
                raw_path.removeprefix("/v1"),
                scope.get("query_string", b""),
                scope["headers"],
                body,
                send,
                scope["extensions"]["undertow"],
                decision_id,
                on_end=lambda: leave_record("ok"),
            )
            if error:
                leave_record("abandoned" if error == "client_closed" else "error", error)
        except RefusedError as refused:
            leave_record("error" if refused.type_ == "upstream_error" else "refused", refused.code)
            refused.headers = (*refused.headers, (b"x-undertow-decision-id", decision_id.encode()))
            raise
        except CallerGoneError:
            leave_record("abandoned", "client_closed")
        finally:
            if not is_recorded:  # cancelled, or a fault of ours
                leave_record("abandoned", "cancelled")

    def _model_list(self) -> bytes:
        created = int(time.time())
        data = [
            {"id": name, "object": "model", "created": created, "owned_by": "undertow"}
            for name in self.engine.admission.models
        ]
        return msgspec.json.encode({"object": "list", "data": data})

    async def _get_models(self, scope: Scope, send: Send) -> None:
        self._head(scope)
        await send_json(send, 200, self._models)

    async def _get_health(self, scope: Scope, send: Send) -> None:  # noqa: ARG002 (anybody may ask)
        await send_json(send, 200, b'{"status":"ok"}')

    async def _get_ready(self, scope: Scope, send: Send) -> None:  # noqa: ARG002
        if self.is_draining:
            await send_json(send, 503, b'{"status":"draining"}')
            return
        decisions = self.decisions
        state = b"ok" if not decisions.waiting and not decisions.lost else b"log_degraded"
        if self.engine.controls.are_unreadable:
            state = b"controls_unreadable"
        # A log that cannot be written is an alarm, and no reason to turn traffic away; so are controls that cannot be read.
        document = b'{"status":"%s","records_waiting":%d,"records_lost":%d}' % (
            state,
            decisions.waiting,
            decisions.lost,
        )
        await send_json(send, 200, document)

    async def _get_openapi(self, scope: Scope, send: Send) -> None:  # noqa: ARG002 (anybody may ask)
        from undertow import __version__  # noqa: PLC0415 (hardly ever asked for)
        from undertow.gateway.openapi import openapi_document  # noqa: PLC0415

        await send_json(send, 200, openapi_document(self.engine.admission.models, __version__))

    async def _get_metrics(self, scope: Scope, send: Send) -> None:
        peer = scope["client"][0] if scope.get("client") else "unix"
        if not peer.startswith(LOOPBACK):
            self._head(scope)
        self._look()
        content = self.metrics.exposition()
        headers = [
            (b"content-type", CONTENT_TYPE),
            (b"content-length", b"%d" % len(content)),
        ]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": content})

    # -- background

    async def _tick(self) -> None:
        """Hand turns over, and now and then look at the gauges. Whatever fails is tried again."""
        ticks = 0
        while True:
            await asyncio.sleep(TICK_S)
            ticks += 1
            try:
                self.turns.flush()
                if ticks % TICKS_PER_LOOK == 0:
                    self._look()
                    self.engine.refresh()
            except Exception:
                log.exception("tick_failed")

    def _look(self) -> None:
        """Look at what holds at the moment, and write all counts down for the other workers."""
        gauges, decisions = self.tallies.gauges, self.decisions
        gauges.at = time.time()
        gauges.in_flight = self.in_flight
        gauges.log_lost = decisions.lost
        gauges.log_waiting = decisions.waiting
        gauges.log_unsettled = decisions.unsettled
        gauges.log_sync_errors = decisions.sync_errors
        self.tallies.in_force = {
            SEPARATOR.join((policy, tier, ALL if standing.value is None else standing.value)): InForce(
                None if standing.blocked else standing.threshold, is_void=standing.is_void, is_suspect=is_suspect
            )
            for policy, tier, standing, is_suspect in standings(self.engine.judges)
        }
        controls = self.engine.controls
        gauges.controls_version, gauges.controls_unreadable = controls.version, controls.are_unreadable
        self.tallies.restricted = {SEPARATOR.join((policy.name, ALL)): Restricted() for policy in self.plan.policies}
        for policy, restrictions in controls.restrictions.items():
            for label, found in restrictions.in_force():
                self.tallies.restricted[SEPARATOR.join((policy, label.replace(SEPARATOR, " ") or ALL))] = Restricted(
                    found.exposure, found.raised_by
                )
        self.metrics.write()

    def _count_dropped_turns(self, count: int) -> None:
        self.tallies.turns_dropped += count

    def _count_shed(self, count: int) -> None:
        self.tallies.shadows_shed += count

    def _drawn_texts(self, writer: str, env: Mapping[str, str]) -> DrawnTexts | None:
        """Where drawn decisions go; None where the plan has nothing drawn."""
        review, shadow = self.plan.review, self.plan.shadow
        if review.per_day <= 0 and (shadow.share <= 0 or shadow.budget_usd_day <= 0):
            return None
        has_texts = review.per_day > 0 and review.text_days > 0
        return DrawnTexts(
            RowLog(Path(self.plan.store.path), SAMPLED, writer) if has_texts else None,
            redaction_hook(self.plan.store.redact),
            self._hand_on,
            self.tallies.add_lost_text,
            sketches=self._sketches(writer, env),
        )

    def _sketches(self, writer: str, env: Mapping[str, str]) -> tuple[RowLog, SketchKey] | None:
        store = self.plan.store
        key = env.get(store.id_key_env or "")
        if not store.text_sketch or not key:
            return None
        return RowLog(Path(store.path), SKETCHES, writer), SketchKey(key.encode())

    def _hand_on(self, request: ShadowRequest) -> None:
        """Have a request answered again. Called in another thread."""
        assert self._loop is not None, "drawn decisions are written out from the start on"
        self._loop.call_soon_threadsafe(self.shadow.take, request)

    def now(self) -> datetime:
        """Now, UTC."""
        return datetime.now(UTC)

    def timestamp(self) -> str:
        """Now, as the log has it."""
        return rfc3339(self.now())


def build_app(plan: ServingPlan, env: Mapping[str, str], runtime: Runtime) -> GatewayApp:
    """The application of one worker.

    Args:
        plan: What to serve.
        env: Environment with the secrets that the plan names.
        runtime: Where the processes of this gateway meet.
    """
    return GatewayApp(plan, env, runtime)


def _as_refused(error: RefusedError | WireError | ArrivalError) -> RefusedError:
    match error:
        case RefusedError():
            return error
        case WireError():
            return RefusedError(error.status, error.message, code=error.code or "invalid_request", param=error.param)
    return RefusedError(400, str(error), code="invalid_header")


async def send_json(send: Send, status: int, body: bytes, headers: Headers | tuple[()] = ()) -> None:
    """Send a whole JSON answer."""
    head = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body)), *headers]
    await send({"type": "http.response.start", "status": status, "headers": head})
    await send({"type": "http.response.body", "body": body})


async def send_error(send: Send, refused: RefusedError) -> None:
    """Send an error in OpenAI's shape."""
    await send_json(send, refused.status, refused.body(), list(refused.headers))

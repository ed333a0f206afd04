"""One request that passes through somebody else's gateway: what is read off it, and the record that it leaves."""

import math
import os
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any
from urllib.parse import unquote

import msgspec

from undertow.client.sink import Sink
from undertow.policies.confidence import mean_log_probability
from undertow.policies.constraints import usable_tiers
from undertow.ports.wire import Dialect, ReadRequest, StreamReader, WireError
from undertow.records.answer import AnswerFacts
from undertow.records.decision import Call, DecisionRecord, Intent
from undertow.records.pricing import cost_usd
from undertow.records.pseudonym import pseudonym
from undertow.records.request import RequestFacts
from undertow.records.serving import ServingPlan, TierPlan
from undertow.services.admit import refused_record

SEGMENT = b"x-undertow-segment-"
CONVERSATION = (b"x-undertow-conversation-id", b"x-conversation-id", b"x-session-id", b"x-claude-code-session-id")
USER = b"x-undertow-user-id"
MAX_LABELS = 32
MAX_CHARS = 512
MAX_TIER_CHARS = 128


class Surroundings(msgspec.Struct, frozen=True):
    """What all requests have in common.

    Attributes:
        plan: Tiers, prices and constraints.
        id_key: Key of pseudonyms, or None.
        tier_of: The host's own word on the tier, or None.
        tier_header: Response header that names it.
        most_bytes: Longest body that is looked into.
    """

    plan: ServingPlan
    id_key: bytes | None
    tier_of: Callable[[dict[str, Any], str | None, Mapping[bytes, bytes]], str | None] | None
    tier_header: bytes
    most_bytes: int


class Observed:
    """Follows one request, and writes its intent and its record. May raise anything: the caller keeps that from the host.

    Attributes:
        decision_id: Its id.
        fault: Status and error that the host saw, or None.
    """

    def __init__(
        self, around: Surroundings, sink: Sink, dialect: Dialect, scope: dict[str, Any], wall_s: float, began: float
    ) -> None:
        ms = int(wall_s * 1000)
        self.decision_id = f"{ms:012x}{os.urandom(10).hex()}"
        self.fault: tuple[str, str] | None = None
        self._event_time = f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(ms // 1000))}.{ms % 1000:03d}Z"
        self._began = began
        self._around, self._sink, self._dialect, self._scope = around, sink, dialect, scope
        self._request: bytearray | None = bytearray()
        self._read: ReadRequest | None = None
        self._facts: RequestFacts | None = None
        self._eligible: bool | None = None
        self._status = 0
        self._headers: dict[bytes, bytes] = {}
        self._answer: bytearray | None = None
        self._reader: StreamReader | None = None
        self._stream_error: str | None = None
        self._ttft_ms: float | None = None
        self._is_over = False
        self._is_settled = False

    def arrived(self, message: Mapping[str, Any]) -> None:
        """A message from the caller, which the application gets next."""
        if message["type"] == "http.disconnect":
            if not self._is_over and self.fault is None:
                self.fault = ("abandoned", "client_closed")
            return
        request = self._request
        if request is None:
            return
        request += message.get("body", b"")
        if len(request) > self._around.most_bytes:
            self._request = None
        elif not message.get("more_body", False):
            self._request = None
            self._read_request(bytes(request))

    def sent(self, message: Mapping[str, Any]) -> None:
        """A message of the application, which is on its way already."""
        if message["type"] == "http.response.start":
            self._begin_answer(message)
        elif message["type"] == "http.response.body" and message.get("more_body", False):
            self._take(message.get("body", b""))

    def ending(self, message: Mapping[str, Any]) -> None:
        """The last message of the application, before it is sent."""
        self._take(message.get("body", b""))
        self._is_over = True
        self.settle()

    def settle(self) -> None:
        """Write the record, once."""
        if self._is_settled:
            return
        self._is_settled = True
        self._sink.tick()
        try:
            record = self._record(*self._read_answer())
        except Exception:
            # The request was there all the same; its intent must not look like that of a dead process.
            status, error = self._outcome(None, None)
            self._sink.decisions.finish(
                refused_record(
                    decision_id=self.decision_id,
                    event_time=self._event_time,
                    error=error or "not_observed",
                    endpoint=self._dialect.endpoint,
                    latency_ms=self._elapsed_ms(),
                    status=status,
                    reason="observed",
                )
            )
            raise
        self._sink.decisions.finish(record)

    # -- the request

    def _read_request(self, body: bytes) -> None:
        around, plan = self._around, self._around.plan
        try:
            read = self._dialect.read_request(body, max_nesting=plan.limits.max_nesting)
        except WireError:
            return  # the host may think otherwise; its answer tells
        labels, conversation_id, user_id = read_headers(self._scope["headers"])
        self._read = read
        self._facts = facts = msgspec.structs.replace(
            read.facts,
            segment={**read.facts.segment, **labels},
            conversation_id=pseudonym(conversation_id or read.facts.conversation_id, around.id_key),
            user_id=pseudonym(user_id or read.facts.user_id, around.id_key),
        )
        names = tuple(tier.name for tier in plan.tiers)
        tokens = {tier.name: tier.context_tokens for tier in plan.tiers}
        self._eligible = usable_tiers(facts, plan.constraints, names, tokens, frozenset(names)).eligible
        self._sink.decisions.begin(
            Intent(
                decision_id=self.decision_id,
                event_time=self._event_time,
                conversation_id=facts.conversation_id,
                user_id=facts.user_id,
                segment=dict(facts.segment) or None,
                mode="observe",
                origin="live",
                eligible=self._eligible,
                requested_model=facts.requested_model,
                prompt_hash=facts.prompt_hash,
                endpoint=self._dialect.endpoint,
            )
        )

    # -- the answer

    def _begin_answer(self, message: Mapping[str, Any]) -> None:
        self._status = message["status"]
        self._headers = {bytes(name).lower(): bytes(value) for name, value in message.get("headers", ())}
        is_readable = self._headers.get(b"content-encoding", b"identity") == b"identity"
        if self._read is None or self._status >= 300 or not is_readable:
            return
        if self._headers.get(b"content-type", b"").startswith(b"text/event-stream"):
            self._reader = self._dialect.stream_reader(self._read)
        else:
            self._answer = bytearray()

    def _take(self, body: bytes) -> None:
        if self._answer is not None:
            self._answer += body
            if len(self._answer) > self._around.most_bytes:
                self._answer = None
        elif self._reader is not None and self._stream_error is None:
            try:
                piece = self._reader.feed(bytes(body))
            except ValueError:
                self._stream_error = "garbage"
                return
            if piece.has_content and self._ttft_ms is None:
                self._ttft_ms = self._elapsed_ms()
            if piece.error is not None:
                self._stream_error = "upstream_error"

    def _read_answer(self) -> tuple[AnswerFacts | None, str | None]:
        """What is known of the answer, and what is wrong with it."""
        if self._reader is not None:
            problem = self._stream_error or (None if self._reader.is_complete else "cut")
            return self._reader.facts(), problem
        if self._answer is not None and self._read is not None and self._is_over:
            try:
                return self._dialect.read_answer(self._read, bytes(self._answer)).facts, None
            except ValueError:
                return None, "garbage"
        return None, None

    # -- the record

    def _elapsed_ms(self) -> float:
        return round((time.perf_counter() - self._began) * 1000, 2)

    def _outcome(self, facts: AnswerFacts | None, problem: str | None) -> tuple[str, str | None]:
        """Status and error."""
        if self.fault is not None and not (self._is_over and self.fault[0] == "abandoned"):
            return self.fault
        if self._status >= 400:
            return "refused" if self._status < 500 else "error", f"http_{self._status}"
        if problem is not None:
            return "error", problem
        if not self._is_over:
            return "error", "no_answer" if self._status == 0 else "cut"
        if facts is not None and facts.is_empty:
            return "error", "empty_answer"
        return "ok", None

    def _record(self, facts: AnswerFacts | None, problem: str | None) -> DecisionRecord:
        status, error = self._outcome(facts, problem)
        plan, asked = self._around.plan, self._facts
        has_begun = status == "ok" or error == "empty_answer" or self._ttft_ms is not None
        was_served = has_begun and 200 <= self._status < 300
        tier = self._tier(facts) if was_served else None
        known = next((found for found in plan.tiers if found.name == tier), None)
        usage = facts.usage if facts is not None else None
        cost = cost_usd(known.prices, usage) if known is not None and usage is not None else None
        model = (facts.model if facts is not None else None) or (known.model if known is not None else None)
        score = mean_log_probability(facts) if facts is not None else None
        latency_ms = self._elapsed_ms()
        call = None if tier is None else Call(
            tier=tier,
            model=model,
            input_tokens=usage.input_tokens if usage else None,
            cached_tokens=usage.cached_tokens if usage else None,
            output_tokens=usage.output_tokens if usage else None,
            reasoning_tokens=usage.reasoning_tokens if usage else None,
            cost_usd=cost,
            latency_ms=latency_ms,
            status="ok" if status == "ok" or error == "empty_answer" else error or status,
        )  # fmt: skip
        return DecisionRecord(
            decision_id=self.decision_id,
            event_time=self._event_time,
            conversation_id=asked.conversation_id if asked else None,
            user_id=asked.user_id if asked else None,
            segment=(dict(asked.segment) or None) if asked else None,
            mode="observe",
            origin="live",
            eligible=self._eligible,
            first_tier=tier,
            tier=tier,
            requested_model=asked.requested_model if asked else None,
            model=model if tier is not None else None,
            model_fingerprint=facts.fingerprint if facts is not None else None,
            reason="refused" if status == "refused" else "observed",
            score=score,
            confidence=None if score is None else math.exp(score),
            confidence_kind=None if score is None else "uncalibrated",
            input_tokens=usage.input_tokens if usage else None,
            output_tokens=usage.output_tokens if usage else None,
            calls=None if call is None else (call,),
            cost_usd=cost,
            baseline_cost_usd=cost if known is not None and known is plan.tiers[-1] else None,
            latency_ms=latency_ms,
            ttft_ms=self._ttft_ms if self._reader is not None else latency_ms if tier is not None else None,
            status=status,
            finish_reason=facts.finish_reason if facts is not None else None,
            prompt_hash=asked.prompt_hash if asked else None,
            endpoint=self._dialect.endpoint,
            error=error,
            delivered_chars=facts.chars if facts is not None and tier is not None else None,
        )

    def _tier(self, facts: AnswerFacts | None) -> str | None:
        model = facts.model if facts is not None else None
        if self._around.tier_of is not None:
            named = self._around.tier_of(self._scope, model, self._headers)
            if named:
                return named[:MAX_TIER_CHARS]
        header = self._headers.get(self._around.tier_header)
        if header is not None and header.isascii() and (text := header.decode().strip()) and text.isprintable():
            return text[:MAX_TIER_CHARS]
        asked = self._facts.requested_model if self._facts is not None else None
        tiers = self._around.plan.tiers
        found = tier_of_model(tiers, model) or tier_of_model(tiers, asked)
        return found or (model or asked or "unknown")[:MAX_TIER_CHARS]


def tier_of_model(tiers: Iterable[TierPlan], model: str | None) -> str | None:
    """The tier whose model this is, or of which it is a dated version; of several the longest name, then the dearest tier.

    Examples:
        >>> tiers = (TierPlan(name="cheap", model="m-mini", endpoints=()), TierPlan(name="capable", model="m", endpoints=()))
        >>> tier_of_model(tiers, "m-mini-2026-01-01"), tier_of_model(tiers, "vendor/m"), tier_of_model(tiers, "n")
        ('cheap', 'capable', None)
    """
    if model is None:
        return None
    best: tuple[int, str] | None = None
    for tier in tiers:
        for name in (model, model.rpartition("/")[2]):
            is_same = name == tier.model or name.startswith((f"{tier.model}-", f"{tier.model}@", f"{tier.model}:"))
            if is_same and (best is None or len(tier.model) >= best[0]):
                best = (len(tier.model), tier.name)
    return best[1] if best is not None else None


def read_headers(headers: Iterable[tuple[bytes, bytes]]) -> tuple[dict[str, str], str | None, str | None]:
    """Labels, conversation and user from the headers that the gateway knows, too. What cannot be kept is left out.

    Examples:
        >>> read_headers([(b"x-undertow-segment-intent", b"billing"), (b"x-session-id", b"s1")])
        ({'intent': 'billing'}, 's1', None)
    """
    labels: dict[str, str] = {}
    conversation: tuple[int, str] | None = None
    user = None
    for raw, value in headers:
        name = raw.lower()
        if name.startswith(SEGMENT):
            key, text = name[len(SEGMENT) :].decode("ascii", "replace"), _text(value)
            if key and text and len(labels) < MAX_LABELS:
                labels[key] = text
        elif name in CONVERSATION:
            rank = CONVERSATION.index(name)
            if (text := _text(value)) and (conversation is None or rank < conversation[0]):
                conversation = (rank, text)
        elif name == USER:
            user = _text(value) or user
    return labels, conversation[1] if conversation is not None else None, user


def _text(value: bytes) -> str | None:
    try:
        text = unquote(value.decode("utf-8"), errors="strict").strip()
    except UnicodeDecodeError:
        return None
    return text if 0 < len(text) <= MAX_CHARS and text.isprintable() else None

"""OpenTelemetry's GenAI conventions (`gen_ai.*` attributes) and the dialects that came before: spans and events -> rows.

A decision is one span of a model call (chat, text completion, content generation); agent, tool, retrieval and embedding spans are
none. User, session and labels often stand on a parent span and are taken from there. `gen_ai.evaluation.result` events become
signals, joined by their span, else by `gen_ai.response.id`. A gateway and a client library that both report one call (same trace,
same response id) count once.

The conventions name no tier, no policy and no cost. Undertow's own attributes (`undertow.tier`, `undertow.policy`,
`undertow.confidence`, ...) are read where they are set; cost is computed from tokens otherwise.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from undertow.adapters.importers.fields import first, milliseconds, stamp
from undertow.adapters.importers.importer import Reading
from undertow.adapters.importers.labels import labels, tag_labels, tier_label
from undertow.adapters.importers.otlp import LogRecord, Span
from undertow.adapters.importers.rows import Context, Decision, Rejected, Row
from undertow.adapters.importers.scores import signal

MODEL_OPERATIONS = frozenset(
    {"chat", "text_completion", "completion", "generate_content", "responses", "messages", "message", "streaming_chat"}
)
EVALUATION = "gen_ai.evaluation.result"
DETAILS = "gen_ai.client.inference.operation.details"
LABEL_PREFIXES = (
    "trace.metadata.", "metadata.", "gen_ai.request.metadata.", "traceloop.association.properties.", "langfuse.trace.metadata.",
    "langfuse.observation.metadata.", "undertow.segment.", "baggage.", "openrouter.metadata.", "llm.metadata.",
)  # fmt: skip
USER = (
    "user.id",
    "enduser.id",
    "gen_ai.user.id",
    "gen_ai.request.user",
    "llm.user",
    "langfuse.user.id",
    "traceloop.association.properties.user_id",
)
SESSION = (
    "gen_ai.conversation.id", "session.id", "langfuse.session.id", "traceloop.association.properties.session_id", "thread.id", "gen_ai.thread.id",
)  # fmt: skip
COST = (
    "undertow.cost_usd",
    "gen_ai.usage.cost",
    "gen_ai.usage.total_cost",
    "gen_ai.cost.total_cost",
    "gen_ai.usage.cost_usd",
    "llm.usage.cost",
    "llm.cost.total",
)
INPUT_TOKENS = (
    "gen_ai.usage.input_tokens",
    "gen_ai.usage.prompt_tokens",
    "llm.usage.prompt_tokens",
    "llm.token_count.prompt",
)
OUTPUT_TOKENS = (
    "gen_ai.usage.output_tokens",
    "gen_ai.usage.completion_tokens",
    "llm.usage.completion_tokens",
    "llm.token_count.completion",
)
CACHED_TOKENS = (
    "gen_ai.usage.cache_read.input_tokens",
    "gen_ai.usage.cache_read_input_tokens",
    "gen_ai.usage.input_tokens.cached",
    "gen_ai.usage.cached_tokens",
)
REQUEST_MODEL = ("gen_ai.request.model", "llm.request.model")
RESPONSE_MODEL = ("gen_ai.response.model", "llm.response.model")
FINGERPRINT = (
    "openai.response.system_fingerprint",
    "gen_ai.openai.response.system_fingerprint",
    "gen_ai.response.system_fingerprint",
)


def span_rows(span: Span, reading: Reading) -> Iterator[Row]:
    """Rows of one span that follows the GenAI conventions or an older dialect of them."""
    attributes = span.attributes
    for name, time, event in span.events:
        if name == EVALUATION or event.get("event.name") == EVALUATION:
            yield from _evaluation(
                event,
                time if time is not None else span.end,
                reading,
                trace_id=span.trace_id,
                span_id=span.span_id,
                parent_id=span.parent_id,
            )
    if not is_model_call(attributes):
        context = shared_context(span, reading)
        if context is not None:
            yield context
        yield Rejected("not_a_model_call")
        return
    yield _decision(span, reading)


def is_model_call(attributes: Mapping[str, Any]) -> bool:
    """Whether a span is one call of a text model, by its operation, else by what it bears."""
    operation = first(attributes, "gen_ai.operation.name", "llm.request.type")
    if operation is not None:
        return str(operation).lower() in MODEL_OPERATIONS
    if attributes.get("gen_ai.tool.name") or attributes.get("traceloop.span.kind"):
        return False
    return first(attributes, *REQUEST_MODEL, *RESPONSE_MODEL) is not None and (
        first(attributes, *INPUT_TOKENS, *OUTPUT_TOKENS) is not None or first(attributes, *REQUEST_MODEL) is not None
    )


def shared_context(span: Span, reading: Reading) -> Context | None:
    """What a span that is no model call knows of its whole trace: user, session and labels."""
    row = identity_columns(span, reading)
    return Context(f"trace:{span.trace_id}", row) if row and span.trace_id else None


def identity_columns(span: Span, reading: Reading) -> dict[str, Any]:
    """User, session and segment of a span."""
    attributes, fields = span.attributes, reading.fields
    segment = labels(fields.mapping(attributes.get("metadata")))
    for name, value in attributes.items():
        for prefix in LABEL_PREFIXES:
            if name.startswith(prefix):
                segment.update(labels({name.removeprefix(prefix): value}))
                break
    for name in ("tag.tags", "langfuse.trace.tags", "tags"):
        segment.update(tag_labels(fields.array(attributes.get(name))))
    segment.update(labels({"service": span.resource.get("service.name")}))
    if segment.get("service") in {"unknown_service", "openrouter"}:
        del segment["service"]
    segment.update(
        labels({"environment": first(span.resource, "deployment.environment.name", "deployment.environment")})
    )
    row = {
        "conversation_id": fields.text(first(attributes, *SESSION)),
        "user_id": fields.text(first(attributes, *USER)),
        "segment": segment,
    }
    return {name: value for name, value in row.items() if value}


def undertow_columns(attributes: Mapping[str, Any], reading: Reading) -> dict[str, Any]:
    """Columns from Undertow's own span attributes."""
    fields = reading.fields
    row = {
        "policy": fields.text(attributes.get("undertow.policy")),
        "policy_version": fields.text(attributes.get("undertow.policy_version")),
        "arm": fields.text(attributes.get("undertow.arm")),
        "arm_probability": fields.number(attributes.get("undertow.arm_probability"), "arm_probability"),
        "propensity": fields.number(attributes.get("undertow.propensity"), "propensity"),
        "eligible": fields.boolean(attributes.get("undertow.eligible"), "eligible"),
        "first_tier": fields.text(attributes.get("undertow.first_tier")),
        "escalated": fields.boolean(attributes.get("undertow.escalated"), "escalated"),
        "reason": fields.text(attributes.get("undertow.reason")),
        "confidence": fields.number(attributes.get("undertow.confidence"), "confidence"),
        "score": fields.number(attributes.get("undertow.score"), "score"),
        "threshold": fields.number(attributes.get("undertow.threshold"), "threshold"),
        "baseline_cost_usd": fields.number(attributes.get("undertow.baseline_cost_usd"), "baseline_cost_usd"),
    }
    return {name: value for name, value in row.items() if value is not None}


def tier_of(attributes: Mapping[str, Any], reading: Reading) -> str | None:
    """The tier that a span names: Undertow's own attribute, or a metadata entry that is surely a tier."""
    flat = {name.rpartition("metadata.")[2]: value for name, value in attributes.items() if "metadata." in name}
    return (
        tier_label({"undertow.tier": attributes.get("undertow.tier")})
        or tier_label(reading.fields.mapping(attributes.get("metadata")), reading.tier_names)
        or tier_label(flat, reading.tier_names)
    )


def _decision(span: Span, reading: Reading) -> Row:
    attributes, fields = span.attributes, reading.fields
    started = reading.moment(span.start)
    if isinstance(started, Rejected):
        return started
    ended = fields.time_or_none(span.end, "end_time")
    response_id = fields.text(attributes.get("gen_ai.response.id"))
    identity = fields.text(attributes.get("undertow.decision.id")) or span.span_id or response_id
    if identity is None:
        return Rejected("missing_id")
    requested = fields.text(first(attributes, *REQUEST_MODEL))
    model = fields.text(first(attributes, *RESPONSE_MODEL)) or requested
    ttft_s = fields.number(attributes.get("gen_ai.response.time_to_first_chunk"), "ttft_ms")
    error = span.failed or attributes.get("error.type") is not None
    cost = fields.number(first(attributes, *COST), "cost_usd")
    tier = tier_of(attributes, reading)
    row: dict[str, Any] = {
        "decision_id": identity,
        "event_time": stamp(started),
        **identity_columns(span, reading),
        "origin": "live",
        "requested_model": requested,
        "model": model,
        "model_fingerprint": fields.text(first(attributes, *FINGERPRINT)),
        "input_tokens": fields.integer(first(attributes, *INPUT_TOKENS), "input_tokens"),
        "output_tokens": fields.integer(first(attributes, *OUTPUT_TOKENS), "output_tokens"),
        "cost_usd": cost,
        "latency_ms": milliseconds(started, ended),
        "ttft_ms": ttft_s * 1000.0 if ttft_s is not None else None,
        "status": "error" if error else "ok",
        "finish_reason": _finish_reason(attributes, reading),
        "prompt_hash": fields.text(attributes.get("gen_ai.prompt.name")),
        **undertow_columns(attributes, reading),
    }
    return Decision(
        {name: value for name, value in row.items() if value is not None},
        names=tuple(dict.fromkeys(n for n in (model, requested) if n)),
        logged_tier=tier,
        provider=fields.text(first(attributes, "gen_ai.provider.name", "gen_ai.system")),
        cached_tokens=fields.integer(first(attributes, *CACHED_TOKENS), "cached_tokens"),
        served=not error,
        aliases=aliases(span, response_id, identity),
        context=(f"trace:{span.trace_id}",) if span.trace_id else (),
        version=4.0 * (tier is not None) + 2.0 * (cost is not None) + 1.0 * ("input_tokens" in row),
        identity=f"{span.trace_id or ''}/{response_id}" if response_id else None,
    )


def aliases(span: Span, response_id: str | None, identity: str) -> tuple[str, ...]:
    """Under which references a span's decision can be meant: its span, its response, its trace (then the last call counts)."""
    found = [
        f"span:{span.span_id}" if span.span_id else "",
        f"response:{response_id}" if response_id else "",
        f"decision:{identity}",
    ]
    if span.trace_id:
        found.append(f"trace:{span.trace_id}")
    return tuple(a for a in found if a)


def _finish_reason(attributes: Mapping[str, Any], reading: Reading) -> str | None:
    reasons = reading.fields.parsed(attributes.get("gen_ai.response.finish_reasons"))
    if isinstance(reasons, list):
        return reading.fields.text(reasons[0]) if reasons else None
    return reading.fields.text(reasons)


def log_rows(event: LogRecord, reading: Reading) -> Iterator[Row]:
    """Rows of one log record: an evaluation, or the event form of a model call."""
    if event.event == EVALUATION:
        yield from _evaluation(event.attributes, event.time, reading, trace_id=event.trace_id, span_id=event.span_id)
    elif event.event == DETAILS:
        # The same call is usually also a span, which knows when it began; the event stands in where only logs were exported.
        span = Span(event.trace_id, event.span_id, None, "", event.time, None, event.attributes, event.resource)
        row = _decision(span, reading)
        if isinstance(row, Decision):
            row.row.pop("latency_ms", None)
            row.version -= 100.0
        yield row
    else:
        yield Rejected("not_a_model_call")


def _evaluation(
    attributes: Mapping[str, Any],
    time: Any,
    reading: Reading,
    *,
    trace_id: str | None,
    span_id: str | None,
    parent_id: str | None = None,
) -> Iterator[Row]:
    fields = reading.fields
    if attributes.get("error.type") is not None:
        yield Rejected("evaluation_failed")
        return
    made = reading.moment(time)
    if isinstance(made, Rejected):
        yield made
        return
    name = fields.text(attributes.get("gen_ai.evaluation.name"))
    if name is None:
        yield Rejected("score_without_name")
        return
    response = fields.text(attributes.get("gen_ai.response.id"))
    refs = [
        f"span:{span_id}" if span_id else "",
        f"response:{response}" if response else "",
        f"span:{parent_id}" if parent_id else "",
    ]
    if trace_id:
        refs.append(f"trace:{trace_id}")
    value = first(attributes, "gen_ai.evaluation.score.value", "gen_ai.evaluation.score.label")
    yield signal(
        {
            "signal_id": f"otel/{trace_id}/{span_id}/{response}/{name}/{stamp(made)}",
            "event_time": stamp(made),
            "source": fields.text(first(attributes, "gen_ai.evaluation.evaluator.name", "gen_ai.evaluation.source"))
            or EVALUATION,
        },
        name=name,
        kind="judge",
        value=value,
        fields=fields,
        rules=reading.rules,
        refs=tuple(r for r in refs if r),
    )


SOURCES = {
    "decision_id": "undertow.decision.id, else spanId",
    "event_time": "startTimeUnixNano",
    "conversation_id": "gen_ai.conversation.id / session.id (also of a parent span)",
    "user_id": "user.id / enduser.id (also of a parent span)",
    "segment": "metadata.*, tags, service.name, deployment.environment.name",
    "origin": "live",
    "requested_model": "gen_ai.request.model",
    "model": "gen_ai.response.model",
    "model_fingerprint": "openai.response.system_fingerprint",
    "input_tokens": "gen_ai.usage.input_tokens / prompt_tokens",
    "output_tokens": "gen_ai.usage.output_tokens / completion_tokens",
    "cost_usd": "gen_ai.usage.cost where a vendor adds it",
    "latency_ms": "endTimeUnixNano - startTimeUnixNano",
    "ttft_ms": "gen_ai.response.time_to_first_chunk",
    "status": "status.code, error.type",
    "finish_reason": "gen_ai.response.finish_reasons",
    "prompt_hash": "gen_ai.prompt.name",
    **{c: f"undertow.{c}" for c in (
        "policy", "policy_version", "arm", "arm_probability", "propensity", "eligible", "first_tier", "escalated", "reason", "confidence",
        "score", "threshold", "baseline_cost_usd",
    )},
}  # fmt: skip

HINTS = {
    "user_id": "set user.id on the request's root span; the request's `user` field is not captured by the instrumentation",
    "conversation_id": "set session.id or gen_ai.conversation.id on the request's root span",
    "segment": "set metadata.KEY attributes on the request's root span",
    "confidence": "set undertow.confidence on the model call's span",
    "policy": "set undertow.policy on the model call's span",
    "ttft_ms": "instrumentation reports gen_ai.response.time_to_first_chunk for streams",
}

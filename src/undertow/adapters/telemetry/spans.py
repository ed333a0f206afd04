"""One decision record as spans: one for the decision, and below it one for each upstream call.

Attributes follow the GenAI semantic conventions of OpenTelemetry (`gen_ai.*`, `error.type`), and `undertow.*` for what they
do not name. Prompts and answers are not among them, whatever the record keeps. Spans are plain data here: this module needs no
OpenTelemetry library.

The record has no start of a call, only how long it took. Calls are laid end to end from the start of the decision, in the
order in which they were made; one that would end after the decision is moved back to end with it. Calls that ran side by side
are therefore shown one after the other.

Ids that the record lacks are hashes of the decision's id: exporting a record twice gives the same spans.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from hashlib import blake2b
from typing import Literal
from urllib.parse import urlsplit

from undertow.records.decision import Call, DecisionRecord

MAX_CHARS = 256
MAX_CALLS = 64
AttributeValue = str | bool | int | float | tuple[str, ...]

_PROVIDERS_BY_HOST = {
    "api.openai.com": "openai",
    "openai.azure.com": "azure.ai.openai",
    "services.ai.azure.com": "azure.ai.inference",
    "api.anthropic.com": "anthropic",
    "generativelanguage.googleapis.com": "gcp.gemini",
    "aiplatform.googleapis.com": "gcp.vertex_ai",
    "amazonaws.com": "aws.bedrock",
    "api.cohere.ai": "cohere",
    "api.cohere.com": "cohere",
    "api.mistral.ai": "mistral_ai",
    "api.groq.com": "groq",
    "api.deepseek.com": "deepseek",
    "api.x.ai": "x_ai",
    "api.perplexity.ai": "perplexity",
}


@dataclass(frozen=True, slots=True)
class Span:
    """One span.

    Attributes:
        trace_id: 128 bits.
        span_id: 64 bits.
        parent_span_id: 64 bits, or None: the root of its trace.
        name: Operation and model.
        kind: The decision is a `server`, an upstream call a `client`.
        start_ns: Unix nanoseconds.
        end_ns: Unix nanoseconds, not before `start_ns`.
        attributes: Scalars and tuples of strings.
        is_error: Its status is an error.
    """

    trace_id: int
    span_id: int
    parent_span_id: int | None
    name: str
    kind: Literal["server", "client"]
    start_ns: int
    end_ns: int
    attributes: Mapping[str, AttributeValue]
    is_error: bool


def provider_of(base_url: str, kind: str) -> str:
    """`gen_ai.provider.name` of an upstream: told by its host, else the wire format that it speaks.

    Examples:
        >>> provider_of("https://eu.api.openai.com/v1", "openai"), provider_of("http://127.0.0.1:9001/v1", "openai")
        ('openai', 'openai')
        >>> provider_of("https://api.mistral.ai/v1", "openai")
        'mistral_ai'
    """
    host = urlsplit(base_url).hostname or ""
    for known, provider in _PROVIDERS_BY_HOST.items():
        if host == known or host.endswith(f".{known}"):
            return provider
    return kind


def spans_of(record: DecisionRecord, providers: Mapping[str, str]) -> tuple[Span, ...]:
    """The spans of a decision, its own first.

    Args:
        record: As the log has it.
        providers: Provider by tier.

    Raises:
        ValueError: Its event_time is no RFC 3339 time.
    """
    start_ns = _nanoseconds(record.event_time)
    end_ns = start_ns + _duration_ns(record.latency_ms)
    trace_id = _hex_id(record.trace_id, 32) or _hashed(record.decision_id, "trace", 16)
    span_id = _hex_id(record.span_id, 16) or _hashed(record.decision_id, "span", 8)
    operation = _operation(record)
    own = Span(
        trace_id=trace_id,
        span_id=span_id,
        parent_span_id=_hex_id(record.parent_span_id, 16),
        name=_name(operation, record.requested_model),
        kind="server",
        start_ns=start_ns,
        end_ns=end_ns,
        attributes=_decision_attributes(record, operation, providers),
        is_error=record.status == "error",
    )
    spans = [own]
    at = start_ns
    for number, call in enumerate((record.calls or ())[:MAX_CALLS]):
        took = _duration_ns(call.latency_ms)
        begin = max(start_ns, min(at, end_ns - took))
        at = begin + took
        is_error = call.status not in {"ok", "discarded", "abandoned"}
        spans.append(
            Span(
                trace_id=trace_id,
                span_id=_hashed(record.decision_id, f"call {number}", 8),
                parent_span_id=span_id,
                name=_name(operation, call.model),
                kind="client",
                start_ns=begin,
                end_ns=at,
                attributes=_call_attributes(call, operation, providers, is_error=is_error),
                is_error=is_error,
            )
        )
    return tuple(spans)


def _decision_attributes(
    record: DecisionRecord, operation: str, providers: Mapping[str, str]
) -> dict[str, AttributeValue]:
    served = next(
        (call for call in reversed(record.calls or ()) if call.tier == record.tier and call.status == "ok"), None
    )
    found = {
        "gen_ai.operation.name": operation,
        "gen_ai.provider.name": providers.get(record.tier or record.decided_tier or ""),
        "gen_ai.request.model": record.requested_model,
        "gen_ai.response.model": record.model,
        "gen_ai.response.finish_reasons": None if record.finish_reason is None else (_cut(record.finish_reason),),
        "gen_ai.response.time_to_first_chunk": None if record.ttft_ms is None else record.ttft_ms / 1e3,
        "gen_ai.usage.input_tokens": record.input_tokens,
        "gen_ai.usage.output_tokens": record.output_tokens,
        "gen_ai.usage.cache_read.input_tokens": None if served is None else served.cached_tokens,
        "gen_ai.usage.reasoning.output_tokens": None if served is None else served.reasoning_tokens,
        "gen_ai.conversation.id": record.conversation_id,
        "error.type": record.error or (record.status if record.status in {"error", "refused", "abandoned"} else None),
        "undertow.decision.id": record.decision_id,
        "undertow.policy": record.policy,
        "undertow.policy.version": record.policy_version,
        "undertow.mode": record.mode,
        "undertow.tier": record.tier,
        "undertow.first_tier": record.first_tier,
        "undertow.reason": record.reason,
        "undertow.arm": record.arm,
        "undertow.eligible": record.eligible,
        "undertow.escalated": record.escalated,
        "undertow.confidence": record.confidence,
        "undertow.confidence.kind": record.confidence_kind,
        "undertow.threshold": record.threshold,
        "undertow.cost_usd": record.cost_usd,
        "undertow.baseline_cost_usd": record.baseline_cost_usd,
        "undertow.status": record.status,
    }
    segment = {f"undertow.segment.{_cut(key)}": value for key, value in (record.segment or {}).items()}
    return _present({**found, **segment})


def _call_attributes(
    call: Call, operation: str, providers: Mapping[str, str], *, is_error: bool
) -> dict[str, AttributeValue]:
    return _present(
        {
            "gen_ai.operation.name": operation,
            "gen_ai.provider.name": providers.get(call.tier),
            "gen_ai.request.model": call.model,
            "gen_ai.usage.input_tokens": call.input_tokens,
            "gen_ai.usage.output_tokens": call.output_tokens,
            "gen_ai.usage.cache_read.input_tokens": call.cached_tokens,
            "gen_ai.usage.reasoning.output_tokens": call.reasoning_tokens,
            "error.type": call.status if is_error else None,
            "undertow.tier": call.tier,
            "undertow.call.purpose": call.purpose,
            "undertow.call.status": call.status,
            "undertow.cost_usd": call.cost_usd,
        }
    )


def _present(found: Mapping[str, AttributeValue | None]) -> dict[str, AttributeValue]:
    return {
        name: _cut(value) if isinstance(value, str) else value for name, value in found.items() if value is not None
    }


def _cut(text: str) -> str:
    return text[:MAX_CHARS]


def _operation(record: DecisionRecord) -> str:
    """All routed wire formats are chats; what was passed on is named for its path."""
    routed = {None, "chat.completions", "messages", "responses"}
    return "chat" if record.endpoint in routed else _cut(record.endpoint or "chat")


def _name(operation: str, model: str | None) -> str:
    return operation if not model else f"{operation} {_cut(model)}"


def _nanoseconds(event_time: str) -> int:
    at = datetime.fromisoformat(event_time)
    return round(at.timestamp() * 1e3) * 1_000_000


def _duration_ns(duration_ms: float | None) -> int:
    return max(0, round((duration_ms or 0.0) * 1e6))


def _hex_id(text: str | None, digits: int) -> int | None:
    """An id of W3C trace context, or None where it is absent, malformed or all zeros."""
    if text is None or len(text) != digits:
        return None
    try:
        return int(text, 16) or None
    except ValueError:
        return None


def _hashed(decision_id: str, what: str, size: int) -> int:
    digest = blake2b(f"{what} {decision_id}".encode("utf-8", "surrogatepass"), digest_size=size).digest()
    return int.from_bytes(digest, "big") or 1

"""OpenInference and Phoenix: OTLP spans, Phoenix span JSON, and rows of the spans data frame (Parquet, CSV).

A decision is a span of kind LLM. Annotations (`annotations.N.annotation.*`, equally `evaluations.*`) are signals about the span,
`trace.annotations.*` about the trace, `session.annotations.*` about the session; trace-level ones are not repeated for each
span. Feedback that came later is a span of its own with exactly one link, to the span it is about.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from undertow.adapters.importers import genai
from undertow.adapters.importers.fields import first, milliseconds, stamp
from undertow.adapters.importers.importer import Importer, Reading
from undertow.adapters.importers.otlp import Span, attributes
from undertow.adapters.importers.rows import Decision, Rejected, Row
from undertow.adapters.importers.scores import signal

_ANNOTATION = re.compile(
    r"(?:(trace|session)\.)?(?:annotations|evaluations)\.(\d{1,6})\.(?:annotation|evaluation)\.(\w+)"
)
ANNOTATOR_KINDS = {"HUMAN": "review", "LLM": "judge", "CODE": "judge"}


def rows(record: Mapping[str, Any], reading: Reading) -> Iterator[Row]:
    """Rows of one Phoenix span, one row of the spans data frame, or one span's attributes as a flat object (which lacks a time)."""
    span = phoenix_span(record)
    if span is not None:
        yield from _phoenix(span, record, reading)
        return
    flat = attributes(dict(record))
    if any(isinstance(k, str) and k.startswith(("gen_ai.", "openinference.", "llm.")) for k in flat):
        yield Rejected("missing_time")
        return
    yield Rejected("unknown_record")


def phoenix_span(record: Mapping[str, Any]) -> Span | None:
    """A span from Phoenix' JSON (`context`, `attributes`) or a data frame row (`context.span_id`, `attributes.llm...`)."""
    if "start_time" not in record:
        return None
    context = record.get("context")
    if isinstance(context, dict):
        trace_id, span_id = context.get("trace_id"), context.get("span_id")
        found = attributes(record.get("attributes"))
    else:
        trace_id, span_id = first(record, "context.trace_id", "trace_id"), first(record, "context.span_id", "span_id")
        found = {}
        for name, value in record.items():
            if isinstance(name, str) and name.startswith("attributes.") and not _is_empty(value):
                found[name.removeprefix("attributes.")] = value
        nested = record.get("attributes")
        if isinstance(nested, dict):
            found.update(attributes(nested))
    kind = first(record, "span_kind") or found.get("openinference.span.kind")
    if kind is not None:
        found.setdefault("openinference.span.kind", kind)
    for name, value in [*found.items()]:
        if isinstance(value, dict):
            found.update(attributes({name: value}))
    return Span(
        _text(trace_id), _text(span_id), _text(record.get("parent_id")), str(record.get("name") or ""),
        record.get("start_time"), record.get("end_time"), found, {}, record.get("status_code") in ("ERROR", 2),
    )  # fmt: skip


def _phoenix(span: Span, record: Mapping[str, Any], reading: Reading) -> Iterator[Row]:
    for annotation in _listed(record, reading):
        yield from _annotated(annotation, span, "span", annotation.get("created_at") or span.end or span.start, reading)
    if "openinference.span.kind" in span.attributes:
        yield from span_rows(span, reading)
    else:
        yield from genai.span_rows(span, reading)


def _listed(record: Mapping[str, Any], reading: Reading) -> list[dict[str, Any]]:
    """Annotations that Phoenix' API puts beside the span: {name, annotator_kind, result: {score, label}}."""
    found = []
    for entry in reading.fields.array(first(record, "annotations", "span_annotations")):
        if isinstance(entry, dict):
            result = entry.get("result")
            found.append({**entry, **(result if isinstance(result, dict) else {})})
    return found


def span_rows(span: Span, reading: Reading) -> Iterator[Row]:
    """Rows of one OpenInference span."""
    found = span.attributes
    for scope, annotation in annotations_of(found):
        target = span
        if scope == "span" and len(span.links) == 1:
            target = Span(span.links[0][0], span.links[0][1], None, "", span.start, span.end, {}, {})
        yield from _annotated(
            annotation,
            target,
            scope,
            span.end or span.start,
            reading,
            session=reading.fields.text(found.get("session.id")),
        )
    if str(found.get("openinference.span.kind")).upper() != "LLM":
        context = genai.shared_context(span, reading)
        if context is not None:
            yield context
        yield Rejected("not_a_model_call")
        return
    yield _decision(span, reading)


def annotations_of(found: Mapping[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """Annotations among flattened attributes, as (scope, fields) with scope span, trace or session.

    Examples:
        >>> annotations_of({"annotations.0.annotation.name": "helpful", "annotations.0.annotation.score": 1})
        [('span', {'name': 'helpful', 'score': 1})]
    """
    grouped: dict[tuple[str, str, str], dict[str, Any]] = {}
    for key, value in found.items():
        match = _ANNOTATION.fullmatch(key) if isinstance(key, str) else None
        if match:
            family = "evaluations" if "evaluations." in key else "annotations"
            grouped.setdefault((match[1] or "span", family, match[2]), {})[match[3]] = value
    return [(scope, entry) for (scope, _, _), entry in grouped.items()]


def _annotated(
    annotation: Mapping[str, Any], span: Span, scope: str, time: Any, reading: Reading, *, session: str | None = None
) -> Iterator[Row]:
    fields = reading.fields
    name = fields.text(annotation.get("name"))
    made = reading.moment(time)
    if name is None:
        yield Rejected("score_without_name")
        return
    if isinstance(made, Rejected):
        yield made
        return
    annotator = str(annotation.get("annotator_kind") or "").upper()
    base: dict[str, Any] = {
        "signal_id": f"openinference/{scope}/{span.trace_id}/{span.span_id}/{name}/{annotation.get('identifier') or ''}",
        "event_time": stamp(made),
        # A check by code has a right answer; the name says so to whoever weighs the signal.
        "source": "check.code" if annotator == "CODE" else annotator.lower() or "openinference",
    }
    refs: tuple[str, ...] = ()
    if scope == "session" and session:
        base["conversation_id"] = session
    else:
        own = f"span:{span.span_id}" if span.span_id and scope == "span" else ""
        refs = tuple(r for r in (own, f"trace:{span.trace_id}" if span.trace_id else "") if r)
    yield signal(
        base,
        name=name,
        kind=ANNOTATOR_KINDS.get(annotator, "judge"),
        value=first(annotation, "score", "label"),
        fields=fields,
        rules=reading.rules,
        refs=refs,
    )


def _decision(span: Span, reading: Reading) -> Row:
    found, fields = span.attributes, reading.fields
    started = reading.moment(span.start)
    if isinstance(started, Rejected):
        return started
    if span.span_id is None:
        return Rejected("missing_id")
    ended = fields.time_or_none(span.end, "end_time")
    invocation = fields.mapping(found.get("llm.invocation_parameters"))
    requested = fields.text(found.get("llm.request.model_name")) or fields.text(invocation.get("model"))
    model = fields.text(first(found, "llm.response.model_name", "llm.model_name")) or requested
    output = fields.mapping(found.get("output.value"))
    response_id = fields.text(output.get("id"))
    cost = fields.number(found.get("llm.cost.total"), "cost_usd")
    tier = genai.tier_of(found, reading)
    identity = genai.identity_columns(span, reading)
    if identity.get("user_id") is None and (user := fields.text(invocation.get("user"))):
        identity["user_id"] = user
    row: dict[str, Any] = {
        "decision_id": span.span_id,
        "event_time": stamp(started),
        **identity,
        "origin": "live",
        "requested_model": requested,
        "model": model,
        "model_fingerprint": fields.text(output.get("system_fingerprint")),
        "input_tokens": fields.integer(found.get("llm.token_count.prompt"), "input_tokens"),
        "output_tokens": fields.integer(found.get("llm.token_count.completion"), "output_tokens"),
        "cost_usd": cost,
        "latency_ms": milliseconds(started, ended),
        "status": "error" if span.failed else "ok",
        "finish_reason": fields.text(found.get("llm.finish_reason")),
        "prompt_hash": fields.text(found.get("llm.prompt_template.version")),
        **genai.undertow_columns(found, reading),
    }
    return Decision(
        {name: value for name, value in row.items() if value is not None},
        names=tuple(dict.fromkeys(n for n in (model, requested) if n)),
        logged_tier=tier,
        provider=fields.text(first(found, "llm.provider", "llm.system")),
        cached_tokens=fields.integer(
            first(found, "llm.token_count.prompt_details.cache_read", "llm.token_count.prompt_details.cache_input"),
            "cached_tokens",
        ),
        served=not span.failed,
        aliases=genai.aliases(span, response_id, span.span_id),
        context=(f"trace:{span.trace_id}",) if span.trace_id else (),
        version=4.0 * (tier is not None) + 2.0 * (cost is not None) + 1.0 * ("input_tokens" in row),
    )


def _is_empty(value: Any) -> bool:
    return value is None or value == "" or (isinstance(value, float) and value != value)  # noqa: PLR0124 - NaN of a data frame


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None


def recognise_phoenix(record: Mapping[str, Any]) -> str | None:
    """By what a record is known as Phoenix' own span export."""
    if "start_time" in record and "span_kind" in record and isinstance(record.get("context"), dict):
        return "context.span_id, span_kind and attributes (Phoenix span JSON)"
    if "context.span_id" in record and "span_kind" in record:
        return "columns context.span_id and span_kind (Phoenix spans data frame)"
    return None


SOURCES = {
    **genai.SOURCES,
    "decision_id": "span id",
    "event_time": "start time",
    "conversation_id": "session.id",
    "user_id": "user.id, else llm.invocation_parameters.user",
    "segment": "metadata, tag.tags, service.name",
    "requested_model": "llm.request.model_name, else llm.invocation_parameters.model",
    "model": "llm.response.model_name / llm.model_name",
    "model_fingerprint": "output.value system_fingerprint",
    "input_tokens": "llm.token_count.prompt",
    "output_tokens": "llm.token_count.completion",
    "cost_usd": "llm.cost.total",
    "finish_reason": "llm.finish_reason",
    "prompt_hash": "llm.prompt_template.version",
}
HINTS = {
    **genai.HINTS,
    "user_id": "wrap requests in using_user(...)",
    "conversation_id": "wrap requests in using_session(...)",
    "segment": "wrap requests in using_metadata({...}) or using_tags([...])",
    "ttft_ms": "OpenInference has no time to first token",
}
PHOENIX = Importer("phoenix", rows, recognise_phoenix, SOURCES, HINTS, naive_is_utc=True, latest_wins=True)

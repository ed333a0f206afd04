"""The OTLP JSON wire: resource, scope, spans and log records, with attributes as plain dicts.

In OTLP JSON ids are hex text, whole numbers are text (`"intValue": "97"`) and times are nanoseconds as text. One record is one
export request, as the collector's file exporter and the OTLP file exporters write them, one a line.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Span:
    """One span, whatever file it came from.

    Attributes:
        trace_id, span_id, parent_id: Hex ids; parent None for a root.
        name: Span name.
        start, end: As in the file: nanoseconds since 1970, or ISO text.
        attributes: Flat, dotted keys.
        resource: Attributes of the resource that emitted it.
        failed: The span's status is an error.
        events: Span events as (name, time, attributes).
        links: (trace id, span id) of linked spans.
    """

    trace_id: str | None
    span_id: str | None
    parent_id: str | None
    name: str
    start: Any
    end: Any
    attributes: Mapping[str, Any]
    resource: Mapping[str, Any]
    failed: bool = False
    events: tuple[tuple[str, Any, Mapping[str, Any]], ...] = ()
    links: tuple[tuple[str | None, str | None], ...] = ()


@dataclass(frozen=True, slots=True)
class LogRecord:
    """One log record (an event)."""

    trace_id: str | None
    span_id: str | None
    event: str
    time: Any
    attributes: Mapping[str, Any]
    resource: Mapping[str, Any]


def attributes(entries: Any) -> dict[str, Any]:
    """Attributes as a dict, from OTLP's list of key and typed value; a dict passes through, flattened with dots.

    Examples:
        >>> attributes([{"key": "n", "value": {"intValue": "97"}}, {"key": "tags", "value": {"arrayValue": {"values": [{"stringValue": "a"}]}}}])
        {'n': 97, 'tags': ['a']}
    """
    found: dict[str, Any] = {}
    if isinstance(entries, dict):
        _flatten(entries, "", found)
    elif isinstance(entries, list):
        for entry in entries:
            if isinstance(entry, dict) and isinstance(entry.get("key"), str):
                found[entry["key"]] = _value(entry.get("value"))
    return found


def _flatten(source: Mapping[Any, Any], prefix: str, into: dict[str, Any], depth: int = 0) -> None:
    for key, value in source.items():
        name = f"{prefix}{key}"
        if isinstance(value, dict) and value and depth < 12:
            _flatten(value, f"{name}.", into, depth + 1)
        else:
            into[name] = value


def _value(value: Any, depth: int = 0) -> Any:
    if not isinstance(value, dict) or not value or depth > 12:
        return None if isinstance(value, dict) else value
    kind, content = next(iter(value.items()))
    if kind == "intValue":
        try:
            return int(content)
        except (TypeError, ValueError):
            return content
    if kind == "arrayValue":
        values = content.get("values") if isinstance(content, dict) else None
        return [_value(v, depth + 1) for v in values] if isinstance(values, list) else []
    if kind == "kvlistValue":
        values = content.get("values") if isinstance(content, dict) else None
        entries = values if isinstance(values, list) else []
        return {
            e["key"]: _value(e.get("value"), depth + 1)
            for e in entries
            if isinstance(e, dict) and isinstance(e.get("key"), str)
        }
    return content


def is_otlp(record: Mapping[str, Any]) -> bool:
    """Whether a record is an OTLP export request."""
    return any(
        isinstance(record.get(key), list)
        for key in ("resourceSpans", "resource_spans", "resourceLogs", "resource_logs", "resourceMetrics")
    )


def spans(record: Mapping[str, Any]) -> Iterator[Span]:
    """The spans of an export request."""
    for resource, scope in _scopes(
        record, ("resourceSpans", "resource_spans"), ("scopeSpans", "scope_spans", "instrumentationLibrarySpans")
    ):
        for span in _dicts(scope.get("spans")):
            status = span.get("status")
            code = status.get("code") if isinstance(status, dict) else None
            yield Span(
                _text(span.get("traceId", span.get("trace_id"))),
                _text(span.get("spanId", span.get("span_id"))),
                _text(span.get("parentSpanId", span.get("parent_span_id"))),
                str(span.get("name") or ""),
                span.get("startTimeUnixNano", span.get("start_time_unix_nano")),
                span.get("endTimeUnixNano", span.get("end_time_unix_nano")),
                attributes(span.get("attributes")),
                resource,
                code in (2, "STATUS_CODE_ERROR", "ERROR"),
                tuple(
                    (
                        str(e.get("name") or ""),
                        e.get("timeUnixNano", e.get("time_unix_nano")),
                        attributes(e.get("attributes")),
                    )
                    for e in _dicts(span.get("events"))
                ),
                tuple((_text(link.get("traceId")), _text(link.get("spanId"))) for link in _dicts(span.get("links"))),
            )


def log_records(record: Mapping[str, Any]) -> Iterator[LogRecord]:
    """The log records of an export request; old exporters name the event in an attribute."""
    for resource, scope in _scopes(record, ("resourceLogs", "resource_logs"), ("scopeLogs", "scope_logs")):
        for entry in _dicts(scope.get("logRecords", scope.get("log_records"))):
            found = attributes(entry.get("attributes"))
            event = entry.get("eventName") or entry.get("event_name") or found.get("event.name") or ""
            body = entry.get("body")
            if isinstance(body, dict) and isinstance(inner := _value(body), dict):
                found = {**inner, **found}
            time = entry.get("timeUnixNano")
            if time in (None, "", "0", 0):
                time = entry.get("observedTimeUnixNano")
            yield LogRecord(_text(entry.get("traceId")), _text(entry.get("spanId")), str(event), time, found, resource)


def _scopes(
    record: Mapping[str, Any], outer: tuple[str, ...], inner: tuple[str, ...]
) -> Iterator[tuple[dict[str, Any], Mapping[str, Any]]]:
    for key in outer:
        for entry in _dicts(record.get(key)):
            resource = entry.get("resource")
            found = attributes(resource.get("attributes")) if isinstance(resource, dict) else {}
            for name in inner:
                for scope in _dicts(entry.get(name)):
                    yield found, scope


def _dicts(value: Any) -> list[dict[str, Any]]:
    return [v for v in value if isinstance(v, dict)] if isinstance(value, list) else []


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None

"""OTLP JSON exports: traces and logs, one export request a record. Each span is read by the convention that it follows.

Three formats share this wire: `otel` (GenAI conventions), `openinference`, and `openrouter` (Broadcast). A file may mix them.
OpenRouter's activity export is recognised too, to say that daily totals cannot show quality.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from undertow.adapters.importers import genai, openinference
from undertow.adapters.importers.importer import Importer, Reading
from undertow.adapters.importers.otlp import is_otlp, log_records, spans
from undertow.adapters.importers.rows import Rejected, Row

_ACTIVITY = ({"date", "model", "requests", "usage"}, {"date", "model", "requests", "prompt_tokens"})


def rows(record: Mapping[str, Any], reading: Reading) -> Iterator[Row]:
    """Rows of one OTLP export request, or of what the other files of these tools hold."""
    if not is_otlp(record):
        if _is_activity(record):
            yield Rejected("daily_aggregate")
        else:
            yield from openinference.rows(record, reading)
        return
    found = False
    for span in spans(record):
        found = True
        if "openinference.span.kind" in span.attributes:
            yield from openinference.span_rows(span, reading)
        else:
            yield from genai.span_rows(span, reading)
    for event in log_records(record):
        found = True
        yield from genai.log_rows(event, reading)
    if not found:
        yield Rejected("metrics_only" if "resourceMetrics" in record or "resource_metrics" in record else "no_spans")


def recognise_otel(record: Mapping[str, Any]) -> str | None:
    """By what a record is known as OTLP; OpenInference and OpenRouter have looked first."""
    if is_otlp(record):
        return "OTLP export request (resourceSpans / resourceLogs)"
    if any(isinstance(k, str) and k.startswith("gen_ai.") for k in record):
        return "gen_ai.* attributes"
    return None


def recognise_openinference(record: Mapping[str, Any]) -> str | None:
    """By what OTLP is known as OpenInference's."""
    if is_otlp(record) and any("openinference.span.kind" in span.attributes for span in spans(record)):
        return "OTLP spans with openinference.span.kind"
    return "openinference.span.kind" if "openinference.span.kind" in record else None


def recognise_openrouter(record: Mapping[str, Any]) -> str | None:
    """By what OTLP is known as OpenRouter's Broadcast, or a file as its activity export."""
    if is_otlp(record):
        names = {str(span.resource.get("service.name")).lower() for span in spans(record)}
        return "OTLP spans of the service openrouter (Broadcast)" if "openrouter" in names else None
    return "daily totals by model (OpenRouter activity)" if _is_activity(record) else None


def _is_activity(record: Mapping[str, Any]) -> bool:
    return "start_time" not in record and any(keys <= record.keys() for keys in _ACTIVITY)


OTEL = Importer("otel", rows, recognise_otel, genai.SOURCES, genai.HINTS, latest_wins=True)
OPENINFERENCE = Importer(
    "openinference", rows, recognise_openinference, openinference.SOURCES, openinference.HINTS, latest_wins=True
)
OPENROUTER = Importer(
    "openrouter",
    rows,
    recognise_openrouter,
    genai.SOURCES,
    {
        **genai.HINTS,
        "user_id": "send `user` with each request",
        "conversation_id": "send `session_id` with each request",
    },
    latest_wins=True,
)

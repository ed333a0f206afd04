"""Helicone: rows of the request query API or of the export tool (JSONL, JSON, CSV).

The export tool's CSV has no request id, feedback or scores, leaves latency empty and doubles every quote inside objects twice; the
quotes are repaired, the rest is lost. `feedback_rating` is false also where nobody gave feedback: it counts only with a
`feedback_id` or `feedback_created_at`.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from undertow.adapters.importers.fields import first, milliseconds, stamp
from undertow.adapters.importers.importer import Importer, Reading
from undertow.adapters.importers.labels import labels, tier_label
from undertow.adapters.importers.rows import Decision, Rejected, Row
from undertow.adapters.importers.scores import purpose_of, signal

_SESSION = ("Helicone-Session-Id", "helicone-session-id", "session_id", "sessionId")


def rows(record: Mapping[str, Any], reading: Reading) -> Iterator[Row]:
    """Rows of one Helicone request."""
    if isinstance(record.get("data"), list):
        for entry in record["data"]:
            if isinstance(entry, dict):
                yield from rows(entry, reading)
            else:
                yield Rejected("not_an_object")
        return
    fields = reading.fields
    started = reading.moment(first(record, "request_created_at", "response_created_at"))
    if isinstance(started, Rejected):
        yield started
        return
    identity = fields.text(first(record, "request_id", "response_id"))
    if identity is None:
        yield Rejected("missing_id")
        return
    path = fields.text(record.get("request_path")) or ""
    if any(part in path for part in ("/embeddings", "/images", "/audio", "/moderations", "/files", "/models")):
        yield Rejected("not_a_model_call")
        return
    yield _decision(record, identity, started, reading)
    yield from _signals(record, identity, started, reading)


def _decision(record: Mapping[str, Any], identity: str, started: datetime, reading: Reading) -> Decision:
    fields = reading.fields
    properties = {**fields.mapping(record.get("request_properties")), **fields.mapping(record.get("properties"))}
    status = fields.integer(first(record, "response_status", "status"), "status")
    failed = status is not None and not 200 <= status < 300
    model = fields.text(first(record, "response_model", "model", "model_override", "request_model"))
    requested = fields.text(first(record, "request_model", "model_override"))
    latency = fields.number(first(record, "delay_ms", "latency"), "latency_ms")
    if latency is None:
        latency = milliseconds(started, fields.time_or_none(record.get("response_created_at"), "response_created_at"))
    prompt, version = fields.text(record.get("prompt_id")), fields.text(record.get("prompt_version"))
    cached = fields.integer(record.get("prompt_cache_read_tokens"), "cached_tokens")
    session = first(properties, *_SESSION)
    row = {
        "decision_id": identity,
        "event_time": stamp(started),
        "conversation_id": fields.text(session),
        "user_id": fields.text(first(record, "request_user_id", "user_id", "helicone_user")),
        "segment": labels(
            {k: v for k, v in properties.items() if isinstance(k, str) and not k.lower().startswith("helicone-session")}
        ),
        "origin": "live",
        "requested_model": requested,
        "model": model,
        "input_tokens": fields.integer(record.get("prompt_tokens"), "input_tokens"),
        "output_tokens": fields.integer(record.get("completion_tokens"), "output_tokens"),
        "cost_usd": fields.number(first(record, "costUSD", "cost_usd", "cost"), "cost_usd"),
        "latency_ms": latency,
        "ttft_ms": fields.number(record.get("time_to_first_token"), "ttft_ms"),
        "status": "error" if failed else "ok",
        "prompt_hash": f"{prompt}@{version}" if prompt and version else prompt,
    }
    return Decision(
        {name: value for name, value in row.items() if value is not None and value != {}},
        names=tuple(dict.fromkeys(n for n in (model, requested) if n)),
        logged_tier=tier_label(properties, reading.tier_names),
        provider=fields.text(record.get("provider")),
        cached_tokens=cached,
        served=not failed,
    )


def _signals(record: Mapping[str, Any], identity: str, started: datetime, reading: Reading) -> Iterator[Row]:
    fields = reading.fields
    ended = fields.time_or_none(record.get("response_created_at"), "response_created_at") or started
    if first(record, "feedback_id", "feedback_created_at") is not None and record.get("feedback_rating") is not None:
        made = fields.time_or_none(record.get("feedback_created_at"), "feedback_created_at") or ended
        yield signal(
            {
                "signal_id": f"helicone/{identity}/feedback",
                "event_time": stamp(made),
                "decision_id": identity,
                "source": "helicone.feedback",
            },
            name="feedback",
            kind="thumb",
            value=fields.boolean(record.get("feedback_rating"), "feedback_rating"),
            fields=fields,
            rules=reading.rules,
        )
    for name, entry in fields.mapping(record.get("scores")).items():
        value = entry.get("value") if isinstance(entry, dict) else entry
        if isinstance(name, str) and name:
            reading.remark("{n} Helicone scores bear no time of their own; each counts from its answer's time")
            yield signal(
                {
                    "signal_id": f"helicone/{identity}/{name}",
                    "event_time": stamp(ended),
                    "decision_id": identity,
                    "source": "helicone.score",
                },
                name=name,
                kind=purpose_of(name),
                value=value,
                fields=fields,
                rules=reading.rules,
            )


def recognise(record: Mapping[str, Any]) -> str | None:
    """By what a record is known as Helicone's."""
    if "request_created_at" in record and ("response_id" in record or "request_id" in record):
        return "request_created_at and " + ("request_properties" if "request_properties" in record else "response_id")
    data = record.get("data")
    return recognise(data[0]) if isinstance(data, list) and data and isinstance(data[0], dict) else None


HELICONE = Importer(
    format="helicone",
    rows=rows,
    recognise=recognise,
    sources={
        "decision_id": "request_id (CSV: response_id)",
        "event_time": "request_created_at",
        "conversation_id": "Helicone-Session-Id property",
        "user_id": "request_user_id",
        "segment": "request_properties",
        "origin": "live",
        "requested_model": "request_model",
        "model": "response_model / model",
        "input_tokens": "prompt_tokens",
        "output_tokens": "completion_tokens",
        "cost_usd": "costUSD / cost",
        "latency_ms": "delay_ms, else response_created_at - request_created_at",
        "ttft_ms": "time_to_first_token",
        "status": "response_status",
        "prompt_hash": "prompt_id@prompt_version",
    },
    hints={
        "user_id": "send the Helicone-User-Id header",
        "conversation_id": "send the Helicone-Session-Id header",
        "segment": "send Helicone-Property-KEY headers",
        "ttft_ms": "export JSONL: the CSV leaves it out",
        "confidence": "send it as Helicone-Property-Confidence and map it",
    },
    naive_is_utc=True,
)

"""Portkey: log export rows (JSONL) and the blob log objects of a private deployment.

`cost` is in US cents. The documented export and the documentation's own example name fields differently; both are accepted.
Blob log objects bear neither cost nor time but the response's `Date` header.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any

from undertow.adapters.importers.fields import first, stamp
from undertow.adapters.importers.importer import Importer, Reading
from undertow.adapters.importers.labels import labels, tier_label
from undertow.adapters.importers.rows import Decision, Rejected, Row
from undertow.adapters.importers.scores import signal

USD_PER_CENT = 0.01


def rows(record: Mapping[str, Any], reading: Reading) -> Iterator[Row]:
    """Rows of one Portkey log."""
    fields = reading.fields
    request, response = fields.mapping(record.get("request")), fields.mapping(record.get("response"))
    headers = fields.mapping(response.get("headers"))
    started = _time(record, headers, reading)
    if isinstance(started, Rejected):
        yield started
        return
    identity = fields.text(first(record, "id", "_id"))
    if identity is None:
        yield Rejected("missing_id")
        return
    url = fields.text(first(record, "request_url")) or fields.text(request.get("url")) or ""
    if any(part in url for part in ("/embeddings", "/images", "/audio", "/moderations", "/files")):
        yield Rejected("not_a_model_call")
        return
    yield _decision(record, request, response, reading, identity=identity, started=started)
    yield from _feedback(record, identity, started, reading)


def _time(record: Mapping[str, Any], headers: Mapping[str, Any], reading: Reading) -> datetime | Rejected:
    given = first(record, "created_at", "createdAt", "time_of_generation", "timestamp")
    if given is None and isinstance(headers.get("date"), str):
        try:
            given = parsedate_to_datetime(headers["date"])
        except (TypeError, ValueError, IndexError, OverflowError):
            return Rejected("bad_time")
    return reading.moment(given)


def _decision(
    record: Mapping[str, Any],
    request: Mapping[str, Any],
    response: Mapping[str, Any],
    reading: Reading,
    *,
    identity: str,
    started: datetime,
) -> Decision:
    fields = reading.fields
    asked, answered = fields.mapping(request.get("body")) or request, fields.mapping(response.get("body")) or response
    usage = fields.mapping(answered.get("usage"))
    metadata = fields.mapping(record.get("metadata"))
    status = fields.integer(first(record, "response_status_code", "status_code") or response.get("status"), "status")
    failed = status is not None and not 200 <= status < 300
    requested = fields.text(asked.get("model"))
    model = fields.text(answered.get("model")) or fields.text(first(record, "ai_model", "model")) or requested
    cents = fields.number(record.get("cost"), "cost_usd")
    currency = fields.text(record.get("cost_currency"))
    if currency and currency.upper() != "USD":
        reading.remark(f"{{n}} costs are in {currency[:8]} and were left out; only USD can be compared")
        cents = None
    details = fields.mapping(usage.get("prompt_tokens_details"))
    choices = answered.get("choices")
    row = {
        "decision_id": identity,
        "event_time": stamp(started),
        "conversation_id": fields.text(first(metadata, "_session", "session_id"))
        or fields.text(record.get("trace_id")),
        "user_id": fields.text(first(metadata, "_user", "user_id")),
        "segment": labels({k: v for k, v in metadata.items() if isinstance(k, str) and not k.startswith("_")}),
        "policy": fields.text(record.get("config")) if isinstance(record.get("config"), str) else None,
        "origin": "live",
        "requested_model": requested,
        "model": model,
        "model_fingerprint": fields.text(answered.get("system_fingerprint")),
        "input_tokens": fields.integer(
            first(record, "req_units", "request_tokens") or usage.get("prompt_tokens"), "input_tokens"
        ),
        "output_tokens": fields.integer(
            first(record, "res_units", "response_tokens") or usage.get("completion_tokens"), "output_tokens"
        ),
        "cost_usd": cents * USD_PER_CENT if cents is not None else None,
        "latency_ms": fields.number(
            first(record, "response_time", "responseTime") or response.get("responseTime"), "latency_ms"
        ),
        "status": "error" if failed else "ok",
        "finish_reason": fields.text(choices[0].get("finish_reason"))
        if isinstance(choices, list) and choices and isinstance(choices[0], dict)
        else None,
        "prompt_hash": fields.text(record.get("prompt_slug")),
    }
    return Decision(
        {name: value for name, value in row.items() if value is not None and value != {}},
        names=tuple(dict.fromkeys(n for n in (model, fields.text(record.get("ai_model")), requested) if n)),
        logged_tier=tier_label(metadata, reading.tier_names),
        provider=fields.text(first(record, "ai_org", "ai_provider")),
        cached_tokens=fields.integer(details.get("cached_tokens"), "cached_tokens"),
        served=not failed,
    )


def _feedback(record: Mapping[str, Any], identity: str, started: datetime, reading: Reading) -> Iterator[Row]:
    """Feedback that an export bears beside the request: value in [-10, 10]."""
    feedback = reading.fields.mapping(record.get("feedback"))
    value = reading.fields.number(first(feedback, "value"), "feedback") if feedback else None
    if value is None:
        return
    if not -10 <= value <= 10:
        yield Rejected("score_out_of_scale")
        return
    yield signal(
        {
            "signal_id": f"portkey/{identity}/feedback",
            "event_time": stamp(started),
            "decision_id": identity,
            "source": "portkey.feedback",
        },
        name="feedback",
        kind="rating",
        value=(value + 10.0) / 20.0,
        fields=reading.fields,
        rules={},
    )


def recognise(record: Mapping[str, Any]) -> str | None:
    """By what a record is known as Portkey's."""
    keys = record.keys()
    if "ai_model" in keys and (
        "ai_org" in keys or "req_units" in keys or "request_tokens" in keys or "ai_provider" in keys
    ):
        return "ai_model and ai_org (Portkey log export)"
    request = record.get("request")
    if "_id" in keys and isinstance(request, dict) and "portkeyHeaders" in request:
        return "request.portkeyHeaders (Portkey blob log)"
    return None


PORTKEY = Importer(
    format="portkey",
    rows=rows,
    recognise=recognise,
    sources={
        "decision_id": "id / _id",
        "event_time": "created_at, else the response's Date header",
        "conversation_id": "metadata._session, else trace_id",
        "user_id": "metadata._user",
        "segment": "metadata",
        "policy": "config",
        "origin": "live",
        "requested_model": "request.model",
        "model": "response.model / ai_model",
        "model_fingerprint": "response.system_fingerprint",
        "input_tokens": "req_units",
        "output_tokens": "res_units",
        "cost_usd": "cost, in cents",
        "latency_ms": "response_time",
        "status": "response_status_code",
        "finish_reason": "response.choices[0].finish_reason",
        "prompt_hash": "prompt_slug",
    },
    hints={
        "user_id": "send metadata._user with each request, and ask for the field `metadata`",
        "segment": "send metadata with each request, and ask for the field `metadata`",
        "cost_usd": "ask for the fields `cost` and `cost_currency`; blob logs have none",
        "input_tokens": "ask for the field `req_units`",
        "output_tokens": "ask for the field `res_units`",
    },
    naive_is_utc=True,
)

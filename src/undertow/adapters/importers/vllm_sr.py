"""vLLM semantic router: router replay records with their outcomes.

Tier: the price class of the selected model, from the costs of the records themselves. `decision_tier` is a rank among the router's
rules, not a price class, and becomes the segment `router_tier`. The plain log line `msg=routing_decision` has no time, tokens or
cost and cannot be audited.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from undertow.adapters.importers.fields import first, stamp
from undertow.adapters.importers.importer import Importer, Reading
from undertow.adapters.importers.labels import labels
from undertow.adapters.importers.rows import Decision, Rejected, Row
from undertow.adapters.importers.scores import signal

UNFINISHED = frozenset({"started", "pending", "in_progress", "routing", "routed", "running", "created"})
OUTCOME_KINDS = {
    "user": "thumb",
    "human": "review",
    "reviewer": "review",
    "operator": "review",
    "judge": "judge",
    "evaluator": "judge",
    "llm": "judge",
}


def rows(record: Mapping[str, Any], reading: Reading) -> Iterator[Row]:
    """Rows of one replay record."""
    fields = reading.fields
    for key in ("records", "data"):
        if isinstance(record.get(key), list):
            for entry in record[key]:
                if isinstance(entry, dict):
                    yield from rows(entry, reading)
                else:
                    yield Rejected("not_an_object")
            return
    if record.get("msg") == "routing_decision" and "timestamp" not in record and "ts" not in record:
        yield Rejected("log_line_without_time")
        return
    started = reading.moment(first(record, "timestamp", "ts"))
    if isinstance(started, Rejected):
        yield started
        return
    identity = fields.text(first(record, "request_id", "id"))
    if identity is None:
        yield Rejected("missing_id")
        return
    if (fields.text(record.get("lifecycle_state")) or "completed").lower() in UNFINISHED:
        yield Rejected("unfinished")
        return
    yield _decision(record, identity, started, reading)
    for number, entry in enumerate(fields.array(record.get("outcomes"))):
        if isinstance(entry, dict):
            yield _outcome(entry, identity, number, started, reading)
        else:
            yield Rejected("not_an_object")


def _decision(record: Mapping[str, Any], identity: str, started: datetime, reading: Reading) -> Decision:
    fields = reading.fields
    status = fields.integer(record.get("response_status"), "status")
    state = (fields.text(record.get("lifecycle_state")) or "completed").lower()
    failed = (status is not None and not 200 <= status < 300) or state in {"failed", "error"}
    model = fields.text(record.get("selected_model"))
    confidence = fields.number(record.get("confidence_score"), "confidence")
    if confidence is not None and not 0 <= confidence <= 1:
        fields.issues["out_of_range:confidence"] += 1
        confidence = None
    cost = fields.number(record.get("actual_cost"), "cost_usd")
    baseline = fields.number(record.get("baseline_cost"), "baseline_cost_usd")
    currency = fields.text(record.get("currency"))
    if currency and currency.upper() != "USD":
        reading.remark(f"{{n}} costs are in {currency[:8]} and were left out; only USD can be compared")
        cost = baseline = None
    router_tier = fields.text(record.get("decision_tier"))
    decision = fields.text(record.get("decision"))
    segment = labels({"category": record.get("category"), "decision": decision, "recipe": record.get("recipe")})
    for kind, values in fields.mapping(record.get("signals")).items():
        if isinstance(values, list) and len(values) == 1 and isinstance(values[0], str):
            segment.update(labels({f"signal.{kind}": values[0]}))
    if router_tier:
        segment["router_tier"] = router_tier[:64]
    row = {
        "decision_id": identity,
        "event_time": stamp(started),
        "conversation_id": fields.text(first(record, "conversation_id", "session_id")),
        "user_id": fields.text(record.get("user_id")),
        "segment": segment,
        "policy": fields.text(record.get("selection_method")),
        "policy_version": fields.text(first(record, "config_hash", "config_version")),
        "mode": "route",
        "origin": "live",
        "requested_model": fields.text(record.get("original_model")),
        "model": model,
        "reason": decision,
        "confidence": confidence,
        "confidence_kind": "uncalibrated" if confidence is not None else None,
        "input_tokens": fields.integer(record.get("prompt_tokens"), "input_tokens"),
        "output_tokens": fields.integer(record.get("completion_tokens"), "output_tokens"),
        "cost_usd": cost,
        "baseline_cost_usd": baseline,
        "latency_ms": fields.number(record.get("duration_ms"), "latency_ms"),
        "ttft_ms": fields.number(record.get("ttft_ms"), "ttft_ms"),
        "status": "error" if failed else "ok",
    }
    return Decision(
        {name: value for name, value in row.items() if value is not None and value != {}},
        names=(model,) if model else (),
        proxy_tier=model,
        cached_tokens=fields.integer(first(record, "cached_prompt_tokens", "cached_tokens"), "cached_tokens"),
        served=not failed,
    )


def _outcome(entry: Mapping[str, Any], identity: str, number: int, started: datetime, reading: Reading) -> Row:
    fields = reading.fields
    made = fields.time_or_none(entry.get("timestamp"), "outcome_time") or started
    source = (fields.text(entry.get("source")) or "unknown").lower()
    target = fields.text(entry.get("target")) or "response"
    if target not in {"response", "answer", "decision", "request"}:
        return Rejected("outcome_of_another_target")
    value = first(entry, "score", "verdict")
    return signal(
        {
            "signal_id": f"vllm_sr/{identity}/{number}",
            "event_time": stamp(made),
            "decision_id": identity,
            "source": f"vllm_sr.{source}",
        },
        name="verdict",
        kind=OUTCOME_KINDS.get(source, "judge"),
        value=value,
        fields=fields,
        rules=reading.rules,
    )


def recognise(record: Mapping[str, Any]) -> str | None:
    """By what a record is known as the semantic router's."""
    if {"original_model", "selected_model"} <= record.keys():
        return "original_model and selected_model (vLLM semantic router)"
    for key in ("records", "data"):
        entries = record.get(key)
        if (
            isinstance(entries, list)
            and entries
            and isinstance(entries[0], dict)
            and {"original_model", "selected_model"} <= entries[0].keys()
        ):
            return f"{key}[] with original_model and selected_model (vLLM semantic router)"
    return None


VLLM_SR = Importer(
    format="vllm_sr",
    rows=rows,
    recognise=recognise,
    sources={
        "decision_id": "request_id",
        "event_time": "timestamp",
        "conversation_id": "conversation_id / session_id",
        "segment": "category, decision, recipe, signals; router_tier = decision_tier",
        "policy": "selection_method",
        "policy_version": "config_hash",
        "mode": "route",
        "origin": "live",
        "requested_model": "original_model",
        "model": "selected_model",
        "reason": "decision",
        "confidence": "confidence_score",
        "confidence_kind": "uncalibrated: the router's own",
        "input_tokens": "prompt_tokens",
        "output_tokens": "completion_tokens",
        "cost_usd": "actual_cost",
        "baseline_cost_usd": "baseline_cost",
        "latency_ms": "duration_ms",
        "status": "response_status, lifecycle_state",
    },
    hints={
        "cost_usd": "configure model prices: the router then records actual_cost and baseline_cost",
        "baseline_cost_usd": "configure model prices and a baseline model",
        "conversation_id": "send x-session-id with each request",
        "user_id": "replay records have no user; post outcomes by request, or join by session",
    },
)

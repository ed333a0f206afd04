"""Langfuse: blob exports and API pages of traces, observations and scores, and the UI's trace download {trace, observations}.

A decision is an observation of type GENERATION. User, session, tags and metadata stand on its trace and are joined from there
(the newer enriched observations bear them themselves). A score names an observation, a trace or a session: one on a trace is
about the trace's last model call, whose answer the user saw.

Three spellings of everything are in the wild: `provided_model_name` (blob), `providedModelName` (API), `model` (UI). Export windows
overlap at their ends, so ids repeat: the row with the latest `updated_at` counts.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from undertow.adapters.importers.fields import BadTime, first, milliseconds, stamp
from undertow.adapters.importers.importer import Importer, Reading
from undertow.adapters.importers.labels import labels, tag_labels, tier_label
from undertow.adapters.importers.rows import Context, Decision, Rejected, Row
from undertow.adapters.importers.scores import purpose_of, signal

SCORE_KINDS = {"ANNOTATION": "review", "EVAL": "judge"}
_INPUT = ("input", "prompt_tokens", "input_tokens", "promptTokens")
_OUTPUT = ("output", "completion_tokens", "output_tokens", "completionTokens")
_CACHED = (
    "input_cached_tokens",
    "prompt_details.cache_read",
    "cache_read_input_tokens",
    "input_cache_read",
    "cached_tokens",
)
_CREATED = ("input_cache_creation", "cache_creation_input_tokens")


def rows(record: Mapping[str, Any], reading: Reading) -> Iterator[Row]:
    """Rows of one Langfuse record, whatever table it is from."""
    trace = record.get("trace")
    if isinstance(trace, dict):
        # The UI's download repeats the observations inside the trace; they are read once.
        listed = record.get("observations")
        yield from _trace(trace, reading, inner=not isinstance(listed, list))
        yield from _each(listed, _observation, reading, trace)
        return
    if isinstance(record.get("data"), list):
        for entry in record["data"]:
            if isinstance(entry, dict):
                yield from rows(entry, reading)
            else:
                yield Rejected("not_an_object")
        return
    match _table_of(record):
        case "observation":
            yield from _observation(record, reading)
        case "score":
            yield from _score(record, reading)
        case "trace":
            yield from _trace(record, reading)
        case _:
            yield Rejected("unknown_record")


def _each(entries: Any, read: Any, reading: Reading, *more: Any) -> Iterator[Row]:
    for entry in entries if isinstance(entries, list) else ():
        if isinstance(entry, dict):
            yield from read(entry, reading, *more)
        else:
            yield Rejected("not_an_object")


def _table_of(record: Mapping[str, Any]) -> str | None:
    if ("start_time" in record or "startTime" in record) and "type" in record:
        return "observation"
    if (
        "name" in record
        and ("value" in record or "string_value" in record or "stringValue" in record)
        and ("data_type" in record or "dataType" in record or "source" in record)
    ):
        return "score"
    if (
        "timestamp" in record
        and "id" in record
        and ("session_id" in record or "sessionId" in record or "user_id" in record or "userId" in record)
    ):
        return "trace"
    return None


def recognise(record: Mapping[str, Any]) -> str | None:
    """By what a record is known as Langfuse's."""
    if isinstance(record.get("trace"), dict) and isinstance(record.get("observations"), list):
        return "trace and observations (Langfuse trace download)"
    if (
        isinstance(record.get("data"), list)
        and record["data"]
        and isinstance(record["data"][0], dict)
        and "meta" in record
    ):
        inner = recognise(record["data"][0])
        return f"{inner}, in an API page" if inner else None
    keys = record.keys()
    if {"trace_id", "start_time", "type"} <= keys and (
        "provided_model_name" in keys or "usage_details" in keys or "parent_observation_id" in keys
    ):
        return "trace_id, type and usage_details (Langfuse observations)"
    if {"traceId", "startTime", "type"} <= keys and (
        "usageDetails" in keys or "parentObservationId" in keys or "providedModelName" in keys
    ):
        return "traceId, type and usageDetails (Langfuse observations, API)"
    if {"name", "data_type", "source"} <= keys and ("trace_id" in keys or "session_id" in keys):
        return "data_type, source and value (Langfuse scores)"
    if {"name", "dataType", "source"} <= keys and "value" in keys:
        return "dataType, source and value (Langfuse scores, API)"
    if {"id", "timestamp", "session_id", "bookmarked"} <= keys or {
        "id",
        "timestamp",
        "sessionId",
        "bookmarked",
    } <= keys:
        return "timestamp, session_id and bookmarked (Langfuse traces)"
    return None


def _version(record: Mapping[str, Any], reading: Reading) -> float:
    try:
        return reading.fields.time(first(record, "updated_at", "updatedAt", "created_at", "createdAt")).timestamp()
    except BadTime:
        return 0.0


def _trace_columns(trace: Mapping[str, Any], reading: Reading) -> dict[str, Any]:
    fields = reading.fields
    metadata = fields.mapping(trace.get("metadata"))
    segment = {**labels(metadata, skip=("scope", "resourceAttributes")), **tag_labels(fields.array(trace.get("tags")))}
    segment |= labels(
        {"environment": trace.get("environment"), "trace_name": first(trace, "trace_name", "traceName", "name")}
    )
    if segment.get("environment") == "default":
        del segment["environment"]
    row = {
        "conversation_id": fields.text(first(trace, "session_id", "sessionId")),
        "user_id": fields.text(first(trace, "user_id", "userId")),
        "segment": segment,
        "policy_version": fields.text(first(trace, "release")),
    }
    return {name: value for name, value in row.items() if value}


def _trace(trace: Mapping[str, Any], reading: Reading, *, inner: bool = True) -> Iterator[Row]:
    identity = reading.fields.text(trace.get("id"))
    if identity is None:
        yield Rejected("missing_id")
        return
    yield Context(f"trace:{identity}", _trace_columns(trace, reading))
    scores = trace.get("scores")
    for entry in scores if isinstance(scores, list) else ():
        if isinstance(entry, dict):
            yield from _score({"traceId": identity, **entry}, reading)
    if inner:
        yield from _each(trace.get("observations"), _observation, reading, trace)


def _observation(record: Mapping[str, Any], reading: Reading, trace: Mapping[str, Any] | None = None) -> Iterator[Row]:
    fields = reading.fields
    if str(record.get("type")).upper() != "GENERATION":
        yield Rejected("not_a_model_call")
        return
    started = reading.moment(first(record, "start_time", "startTime"))
    if isinstance(started, Rejected):
        yield started
        return
    identity = fields.text(record.get("id"))
    if identity is None:
        yield Rejected("missing_id")
        return
    trace_id = fields.text(first(record, "trace_id", "traceId")) or (fields.text(trace.get("id")) if trace else None)
    metadata = fields.mapping(record.get("metadata"))
    usage = fields.mapping(first(record, "usage_details", "usageDetails")) or fields.mapping(record.get("usage"))
    model = fields.text(first(record, "provided_model_name", "providedModelName", "model"))
    failed = str(record.get("level")).upper() == "ERROR"
    cached = fields.integer(first(usage, *_CACHED), "cached_tokens")
    row = {
        "decision_id": identity,
        "event_time": stamp(started),
        **_own_columns(record, metadata, reading),
        "origin": "live",
        "model": model,
        "requested_model": fields.text(
            fields.mapping(first(record, "model_parameters", "modelParameters")).get("model")
        ),
        "input_tokens": _input_tokens(record, usage, cached, reading),
        "output_tokens": fields.integer(
            first(usage, *_OUTPUT) if usage else first(record, "outputUsage"), "output_tokens"
        ),
        "cost_usd": _cost(record, reading),
        "latency_ms": _latency(record, started, reading),
        "ttft_ms": _ttft(record, started, reading),
        "status": "error" if failed else "ok",
        "prompt_hash": _prompt(record, reading),
    }
    yield Decision(
        {name: value for name, value in row.items() if value is not None and value != {}},
        names=(model,) if model else (),
        logged_tier=tier_label(metadata, reading.tier_names)
        or tier_label(fields.mapping(trace.get("metadata")) if trace else None, reading.tier_names)
        or _tier_tag(record, trace, reading),
        cached_tokens=cached,
        served=not failed,
        aliases=tuple(a for a in (f"observation:{identity}", f"trace:{trace_id}" if trace_id else "") if a),
        context=(f"trace:{trace_id}",) if trace_id else (),
        version=_version(record, reading),
    )


def _tier_tag(record: Mapping[str, Any], trace: Mapping[str, Any] | None, reading: Reading) -> str | None:
    for source in (record, trace or {}):
        tier = tier_label(tag_labels(reading.fields.array(source.get("tags"))), reading.tier_names)
        if tier:
            return tier
    return None


def _own_columns(record: Mapping[str, Any], metadata: Mapping[str, Any], reading: Reading) -> dict[str, Any]:
    """User, session and labels that stand on the observation itself (enriched exports), and its own metadata."""
    own = {"segment": labels(metadata, skip=("scope", "resourceAttributes", "attributes"))}
    if "user_id" in record or "session_id" in record or "userId" in record or "tags" in record:
        found = _trace_columns(
            {**record, "name": first(record, "trace_name", "traceName"), "metadata": None, "release": None}, reading
        )
        found["segment"] = {**found.get("segment", {}), **own["segment"]}
        return found
    return own


def _input_tokens(
    record: Mapping[str, Any], usage: Mapping[str, Any], cached: int | None, reading: Reading
) -> int | None:
    fields = reading.fields
    total = fields.integer(first(usage, *_INPUT) if usage else first(record, "inputUsage"), "input_tokens")
    if total is None or not usage:
        return total
    # Langfuse keeps cached and cache-writing input outside `input` under these names; elsewhere they are part of it.
    outside = 0
    if "input_cached_tokens" in usage or "cache_read_input_tokens" in usage or "input_cache_read" in usage:
        outside += cached or 0
    outside += fields.integer(first(usage, *_CREATED), "input_tokens") or 0
    return total + outside


def _cost(record: Mapping[str, Any], reading: Reading) -> float | None:
    fields = reading.fields
    total = fields.number(first(record, "total_cost", "totalCost", "calculatedTotalCost"), "cost_usd")
    details = fields.mapping(first(record, "cost_details", "costDetails"))
    if total is None and details:
        total = fields.number(details.get("total"), "cost_usd")
    # Without a price for the model Langfuse writes 0 and no details: that is an unknown cost, not a free call.
    return None if total == 0 and not details else total


def _latency(record: Mapping[str, Any], started: datetime, reading: Reading) -> float | None:
    ended = reading.fields.time_or_none(first(record, "end_time", "endTime"), "end_time")
    if ended is not None:
        return milliseconds(started, ended)
    seconds = reading.fields.number(record.get("latency"), "latency_ms")
    return seconds * 1000.0 if seconds is not None else None


def _ttft(record: Mapping[str, Any], started: datetime, reading: Reading) -> float | None:
    seconds = reading.fields.number(first(record, "time_to_first_token", "timeToFirstToken"), "ttft_ms")
    if seconds is not None:
        return seconds * 1000.0
    return milliseconds(
        started,
        reading.fields.time_or_none(
            first(record, "completion_start_time", "completionStartTime"), "completion_start_time"
        ),
    )


def _prompt(record: Mapping[str, Any], reading: Reading) -> str | None:
    name = reading.fields.text(first(record, "prompt_name", "promptName"))
    version = reading.fields.text(first(record, "prompt_version", "promptVersion"))
    return None if name is None else f"{name}@{version}" if version else name


def _score(record: Mapping[str, Any], reading: Reading) -> Iterator[Row]:
    fields = reading.fields
    made = reading.moment(first(record, "timestamp", "created_at", "createdAt"))
    if isinstance(made, Rejected):
        yield made
        return
    name = fields.text(record.get("name"))
    if name is None:
        yield Rejected("score_without_name")
        return
    kind_of_data = str(first(record, "data_type", "dataType") or "").upper()
    if kind_of_data == "TEXT":
        yield Rejected("score_is_text")
        return
    value = record.get("value")
    label = fields.text(first(record, "string_value", "stringValue"))
    if (kind_of_data == "CATEGORICAL" and label is not None) or value is None:
        value = label
    source = str(record.get("source") or "").upper()
    subject = record.get("subject") if isinstance(record.get("subject"), dict) else {}
    observation = fields.text(first(record, "observation_id", "observationId"))
    trace = fields.text(first(record, "trace_id", "traceId"))
    session = fields.text(first(record, "session_id", "sessionId"))
    if subject:
        kind, identity = subject.get("kind", subject.get("type")), fields.text(subject.get("id"))
        observation = observation or (identity if kind == "observation" else None)
        trace = trace or (identity if kind == "trace" else None)
        session = session or (identity if kind == "session" else None)
    identity = fields.text(record.get("id")) or f"{name}/{trace}/{observation}/{session}/{stamp(made)}"
    base: dict[str, Any] = {
        "signal_id": f"langfuse/{identity}",
        "event_time": stamp(made),
        "source": f"langfuse.{source.lower() or 'score'}",
    }
    if session and not trace and not observation:
        base["conversation_id"] = session
    # A score on an observation that is no model call (a span, an agent) falls back to its trace.
    refs = tuple(
        r for r in (f"observation:{observation}" if observation else "", f"trace:{trace}" if trace else "") if r
    )
    if not observation and trace:
        reading.remark("{n} scores stand on a trace; each counts for the trace's last model call")
    yield signal(
        base,
        name=name,
        kind=SCORE_KINDS.get(source) or purpose_of(name),
        value=value,
        fields=fields,
        rules=reading.rules,
        refs=refs,
        version=_version(record, reading),
    )


LANGFUSE = Importer(
    format="langfuse",
    rows=rows,
    recognise=recognise,
    sources={
        "decision_id": "observation id",
        "event_time": "start_time",
        "conversation_id": "trace session_id",
        "user_id": "trace user_id",
        "segment": "trace tags, metadata, environment, name; observation metadata",
        "policy_version": "trace release",
        "origin": "live",
        "model": "provided_model_name / providedModelName / model",
        "requested_model": "model_parameters.model",
        "input_tokens": "usage_details.input (+ cached input)",
        "output_tokens": "usage_details.output",
        "cost_usd": "total_cost / cost_details.total",
        "latency_ms": "end_time - start_time",
        "ttft_ms": "time_to_first_token / completion_start_time",
        "status": "level",
        "prompt_hash": "prompt_name@prompt_version",
    },
    hints={
        "user_id": "export the traces table too (or enriched observations), and set user_id on traces",
        "conversation_id": "export the traces table too (or enriched observations), and set session_id on traces",
        "segment": "export the traces table too (or enriched observations), and set tags or metadata",
        "input_tokens": "ask for the field group `usage`",
        "output_tokens": "ask for the field group `usage`",
        "cost_usd": "ask for the field group `usage`, and define the model's price in Langfuse",
        "model": "ask for the field group `model`",
        "ttft_ms": "set completion_start_time on streamed generations",
        "confidence": "put the router's confidence into the observation's metadata and map it, or log it as a score",
        "prompt_hash": "link prompts to generations (prompt management)",
    },
    naive_is_utc=True,
    latest_wins=True,
)

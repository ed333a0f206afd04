"""Plain tables (CSV, TSV, JSONL, Parquet): columns by the mapping file, else by name.

Without a mapping file a column is taken when its name is a canonical one or a common synonym; what was taken is shown by
`--explain`. Everything else in the row that looks like a label is left alone: segments have to be named, in `[segments]` or by
a `segment.` or `segment_` prefix, because in a table any text column would look like one.
"""

import hashlib
import re
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from undertow.adapters.importers.fields import Fields, stamp
from undertow.adapters.importers.importer import Importer, Reading
from undertow.adapters.importers.mapping import COST_UNITS, MappingFile, SignalRule
from undertow.adapters.importers.rows import Decision, Rejected, Row, Signal
from undertow.adapters.importers.scores import signal

SYNONYMS: dict[str, tuple[str, ...]] = {
    "decision_id": ("decision_id", "request_id", "id", "req_id", "call_id", "generation_id", "completion_id", "message_id", "uuid"),
    "event_time": (
        "event_time", "timestamp", "ts", "time", "created_at", "created", "start_time", "started_at", "request_time", "requested_at", "datetime", "date_time",
    ),
    "conversation_id": ("conversation_id", "session_id", "session", "thread_id", "chat_id", "conversation"),
    "user_id": ("user_id", "user", "customer_id", "end_user", "account_id", "uid"),
    "tier": ("tier", "route", "routed_tier", "model_tier", "routing_tier"),
    "model": ("model", "chosen_model", "model_name", "response_model", "served_model", "routed_model", "selected_model", "deployment"),
    "requested_model": ("requested_model", "request_model", "original_model", "model_group"),
    "policy": ("policy", "router", "router_name"),
    "policy_version": ("policy_version", "router_version", "config_version"),
    "arm": ("arm",),
    "arm_probability": ("arm_probability",),
    "propensity": ("propensity",),
    "eligible": ("eligible",),
    "escalated": ("escalated", "is_escalated"),
    "reason": ("reason", "routing_reason"),
    "confidence": ("confidence", "router_confidence", "routing_confidence"),
    "score": ("score", "router_score", "routing_score"),
    "threshold": ("threshold",),
    "input_tokens": ("input_tokens", "prompt_tokens", "tokens_in", "in_tokens"),
    "output_tokens": ("output_tokens", "completion_tokens", "tokens_out", "out_tokens"),
    "cost_usd": ("cost_usd", "cost", "total_cost", "total_cost_usd", "price_usd", "spend"),
    "baseline_cost_usd": ("baseline_cost_usd", "baseline_cost"),
    "latency_ms": ("latency_ms", "duration_ms", "response_time_ms", "elapsed_ms"),
    "ttft_ms": ("ttft_ms", "time_to_first_token_ms"),
    "status": ("status",),
    "finish_reason": ("finish_reason", "stop_reason"),
    "first_tier": ("first_tier",),
    "origin": ("origin",),
    "mode": ("mode",),
    "model_fingerprint": ("model_fingerprint", "system_fingerprint"),
    "calibration_version": ("calibration_version",),
    "confidence_kind": ("confidence_kind",),
    "novelty": ("novelty",),
    "prompt_hash": ("prompt_hash", "prompt_version"),
}  # fmt: skip
MAX_PLANS = 1000
"""Sets of columns whose reading is remembered: JSON lines may each have their own."""
CACHED = ("cached_tokens", "cached_input_tokens", "cache_read_tokens")
_SEGMENT_PREFIX = re.compile(r"segments?[._](.+)", re.IGNORECASE)
_NUMBERS = frozenset({
    "arm_probability", "propensity", "confidence", "score", "threshold", "novelty", "cost_usd", "baseline_cost_usd", "latency_ms", "ttft_ms",
})  # fmt: skip
_INTEGERS = frozenset({"input_tokens", "output_tokens"})
_BOOLEANS = frozenset({"eligible", "escalated"})
STATUS_WORDS = {
    "ok": "ok", "success": "ok", "succeeded": "ok", "successful": "ok", "completed": "ok", "complete": "ok", "200": "ok", "done": "ok",
    "fallback": "fallback",
    "error": "error", "failure": "error", "failed": "error", "timeout": "error", "cancelled": "abandoned", "canceled": "abandoned",
    "abandoned": "abandoned", "refused": "refused", "refusal": "refused", "content_filter": "refused",
}  # fmt: skip


def plain(name: str) -> str:
    """A column name as it is compared: lower case, runs of other characters as one underscore.

    Examples:
        >>> plain("Request ID"), plain("createdAt")
        ('request_id', 'created_at')
    """
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name.strip())
    return re.sub(r"[^a-z0-9]+", "_", spaced.lower()).strip("_")


def find_columns(names: list[str], mapping: MappingFile) -> dict[str, str]:
    """Canonical column -> column of the table, by the mapping file and, where that is silent, by name.

    Examples:
        >>> find_columns(["ts", "Request ID", "model"], MappingFile())
        {'decision_id': 'Request ID', 'event_time': 'ts', 'model': 'model'}
    """
    found = dict(mapping.columns)
    taken = (
        set(found.values()) | set(mapping.segments.values()) | {r.column for r in mapping.signals.values() if r.column}
    )
    by_plain: dict[str, str] = {}
    for name in names:
        by_plain.setdefault(plain(name), name)
    for column, synonyms in SYNONYMS.items():
        if column in found:
            continue
        for synonym in synonyms:
            name = by_plain.get(synonym)
            if name is not None and name not in taken:
                found[column] = name
                taken.add(name)
                break
    return found


def rows(record: Mapping[str, Any], reading: Reading) -> Iterator[Row]:
    """Rows of one line of a table."""
    names = [name for name in record if isinstance(name, str)]
    columns = reading.plans.get(shape := tuple(names))
    if columns is None:
        columns = find_columns(names, reading.mapping)
        if len(reading.plans) < MAX_PLANS:
            reading.plans[shape] = columns
        reading.taken.update(columns)
    started = reading.moment(
        _cell(record, columns.get("event_time")), unit=reading.mapping.time_unit, pattern=reading.mapping.time_format
    )
    if isinstance(started, Rejected):
        yield started
        return
    row: dict[str, Any] = {"event_time": stamp(started), "origin": "live"}
    for column, name in columns.items():
        if column not in {"event_time", "decision_id", "tier"}:
            value = read_cell(column, _cell(record, name), reading)
            if value is not None:
                row[column] = value
    identity = reading.fields.text(_cell(record, columns.get("decision_id")))
    if identity is None:
        # A name for the row that is the same whenever the file is read; nothing can be joined by it.
        identity = "row-" + hashlib.sha256(msgspec.json.encode(record, order="sorted", enc_hook=str)).hexdigest()[:24]
        reading.remark(
            "{n} rows have no id of their own and got one from their content; signals can be joined to them by user or conversation only"
        )
    row["decision_id"] = identity
    row["segment"] = _segment(record, names, reading)
    tier = reading.fields.text(_cell(record, columns.get("tier")))
    model = row.get("model")
    names_of = tuple(dict.fromkeys(n for n in (model, row.get("requested_model")) if n))
    served = row.get("status") not in {"error", "refused"} and (tier is not None or bool(names_of))
    if tier is None and not names_of and row.get("status") not in {"error", "refused"}:
        yield Rejected("no_tier_and_no_model")
        return
    yield Decision(
        {name: value for name, value in row.items() if value is not None and value != {}},
        names=names_of,
        logged_tier=tier,
        cached_tokens=_cached(record, reading),
        served=served,
        aliases=(f"decision:{identity}",),
    )
    yield from _signals(record, row, reading)


def read_cell(column: str, value: Any, reading: Reading) -> Any:
    """The value of a canonical column from a cell, in canonical units."""
    fields: Fields = reading.fields
    if column in _NUMBERS:
        number = fields.number(value, column)
        return (
            number * COST_UNITS[reading.mapping.cost_unit]
            if number is not None and column.endswith("cost_usd")
            else number
        )
    if column in _INTEGERS:
        return fields.integer(value, column)
    if column in _BOOLEANS:
        return fields.boolean(value, column)
    text = fields.text(value)
    if column == "status" and text is not None:
        known = STATUS_WORDS.get(text.lower())
        if known is None:
            fields.issues["unknown_status"] += 1
        return known
    return text


def _segment(record: Mapping[str, Any], names: list[str], reading: Reading) -> dict[str, str]:
    given = reading.fields.mapping(record.get("segment"))
    found = {str(key)[:64]: text[:64] for key, value in given.items() if (text := reading.fields.text(value))}
    for name in names:
        match = _SEGMENT_PREFIX.fullmatch(name)
        if match and (text := reading.fields.text(record[name])):
            found[match[1][:64]] = text[:64]
    for key, name in reading.mapping.segments.items():
        # Named by the user, so taken as it is, numbers too.
        if text := reading.fields.text(_cell(record, name)):
            found[key] = text[:64]
    return found


def _cached(record: Mapping[str, Any], reading: Reading) -> int | None:
    for name in CACHED:
        if record.get(name) not in (None, ""):
            return reading.fields.integer(record[name], "cached_tokens")
    return None


def _signals(record: Mapping[str, Any], row: Mapping[str, Any], reading: Reading) -> Iterator[Row]:
    for rule in reading.mapping.signals.values():
        value = _cell(record, rule.column)
        if rule.column is None or value is None or value == "":
            continue
        made = row["event_time"]
        if rule.time is not None:
            moment = reading.moment(
                _cell(record, rule.time), unit=reading.mapping.time_unit, pattern=reading.mapping.time_format
            )
            if isinstance(moment, Rejected):
                yield Rejected(f"signal_{moment.reason}")
                continue
            made = stamp(moment)
        yield _signal(record, row, rule, made, reading=reading)


def _signal(record: Mapping[str, Any], row: Mapping[str, Any], rule: SignalRule, made: str, *, reading: Reading) -> Row:
    base: dict[str, Any] = {
        "signal_id": f"{row['decision_id']}/{rule.name}",
        "event_time": made,
        "decision_id": row["decision_id"],
        "source": rule.source or "table",
    }
    found = signal(
        base,
        name=rule.name,
        kind=rule.kind or "rating",
        value=_cell(record, rule.column),
        fields=reading.fields,
        rules={rule.name: rule},
        selection=rule.selection,
    )
    if not isinstance(found, Signal):
        return found
    if isinstance(rule.inclusion_probability, str):
        probability = reading.fields.number(_cell(record, rule.inclusion_probability), "inclusion_probability")
        if probability is not None:
            found.row["inclusion_probability"] = probability
            if found.row.get("selection") == "unknown" and rule.selection is None:
                del found.row["selection"]
    if rule.reference_column is not None:
        other = signal(
            base,
            name=rule.name,
            kind=found.row["kind"],
            value=_cell(record, rule.reference_column),
            fields=reading.fields,
            rules={rule.name: rule},
        )
        if isinstance(other, Signal):
            found.row["reference_value"] = other.row["value"]
    return found


def _cell(record: Mapping[str, Any], name: str | None) -> Any:
    """A cell by its column's name; dots reach into nested objects where no column has that very name."""
    if name is None:
        return None
    if name in record:
        return record[name]
    value: Any = record
    for part in name.split("."):
        if not isinstance(value, Mapping) or part not in value:
            return None
        value = value[part]
    return value


def recognise(record: Mapping[str, Any]) -> str | None:
    """A table is anything with a time and a model or tier under a known name; every other format has looked first."""
    columns = find_columns([name for name in record if isinstance(name, str)], MappingFile())
    if "event_time" in columns and ("model" in columns or "tier" in columns):
        return "columns " + ", ".join(f"{name} -> {column}" for column, name in columns.items())
    return None


TABLE = Importer(
    "csv", rows, recognise,
    {column: " / ".join(names[:3]) for column, names in SYNONYMS.items()} | {"segment": "[segments] of the mapping file, or segment.KEY columns"},
    {"segment": "name label columns under [segments] in the mapping file"},
)  # fmt: skip

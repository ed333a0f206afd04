"""Business outcomes from other systems -> canonical signals: support tickets, satisfaction, churn, or any table of events.

    Zendesk tickets       outcome.ticket     requester_id, created_at; deleted tickets are left out
    Zendesk satisfaction  rating.csat        score good / bad or 1-5; `offered` is no answer
    Intercom conversations outcome.ticket and rating.csat   source_author_id, created_at; only active rows of a history table
    churn                 outcome.churn      customer_id and the date of the churn; a flag without a date is refused
    any table             outcome.NAME       a user, conversation or decision id, a time, optionally name and value

An outcome file holds events. Who had none is known from the decision log. Ids must be those that the log calls user_id,
conversation_id or decision_id; `[columns] user_id = "..."` in the mapping file picks another column.
"""

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from undertow.adapters.importers.fields import Fields, first, stamp
from undertow.adapters.importers.files import Undecodable, container_of, expand, records
from undertow.adapters.importers.importer import Reading
from undertow.adapters.importers.mapping import MappingFile, SignalRule
from undertow.adapters.importers.result import ImportOptions
from undertow.adapters.importers.rows import Rejected, Signal
from undertow.adapters.importers.scores import signal
from undertow.adapters.importers.tables import SYNONYMS, plain
from undertow.errors import LogError
from undertow.records.columns import SIGNAL_COLUMNS

TIME_COLUMNS = (
    *SYNONYMS["event_time"],
    "date",
    "occurred_at",
    "responded_at",
    "submitted_at",
    "opened_at",
    "closed_at",
)
CHURN_TIMES = ("churn_date", "churned_at", "canceled_at", "cancelled_at", "cancellation_date", "churn_time", "ended_at")
CHURN_FLAGS = ("churn", "churned", "is_churned", "exited", "attrition")
STARS = SignalRule("csat", scale=(1.0, 5.0))
_IDS = ("decision_id", "conversation_id", "user_id")
_EVENT_NAMES = ("name", "outcome", "event", "event_name", "event_type")
VALUE_COLUMNS = ("value", "amount", "score", "count")


@dataclass(frozen=True, slots=True)
class OutcomeResult:
    """Canonical signals of one or more outcome files.

    Attributes:
        signals: The file that was written.
        read, rows: Foreign records read; signals written.
        reasons: Records that were not used, by reason.
        names: Signals by `kind.name`.
        notes: Sentences for the reader.
        kinds: What each file was taken for, by file name.
    """

    signals: Path
    read: int
    rows: int
    reasons: Mapping[str, int]
    names: Mapping[str, int]
    notes: tuple[str, ...]
    kinds: Mapping[str, str]


def read_outcomes(paths: Sequence[str], out_dir: Path, options: ImportOptions | None = None) -> OutcomeResult:
    """Read outcome files into `out_dir/outcomes.jsonl`.

    Raises:
        LogError: a file that is no table of events, or nothing in it could be used; the message says what to do.
    """
    options = options or ImportOptions()
    mapping = options.mapping or MappingFile()
    reading = Reading(Fields(options.timezone or mapping.timezone), frozenset(), mapping)
    reasons: Counter[str] = Counter()
    names: Counter[str] = Counter()
    kinds: dict[str, str] = {}
    read = 0
    out_dir.mkdir(parents=True, exist_ok=True)
    target = out_dir / "outcomes.jsonl"
    with target.open("wb") as file:
        for path in expand(tuple(paths)):
            kind: str | None = None
            for record in records(
                path, max_record_bytes=options.max_record_bytes, max_document_bytes=options.max_document_bytes
            ):
                read += 1
                if isinstance(record, Undecodable) or not isinstance(record, dict):
                    reasons[record.reason if isinstance(record, Undecodable) else "not_an_object"] += 1
                    continue
                if kind is None:
                    kind = kinds[path.name] = kind_of(record, mapping, path)
                    reading.fields.naive_is_utc = kind.startswith(("zendesk", "intercom"))
                for found in rows(record, kind, path.stem, reading):
                    if isinstance(found, Rejected):
                        reasons[found.reason] += 1
                        continue
                    try:
                        line = msgspec.json.encode(found.row)
                    except UnicodeEncodeError:
                        reasons["bad_text"] += 1
                        continue
                    names[f"{found.row['kind']}.{found.row['name']}"] += 1
                    file.write(line + b"\n")
    reasons.update(reading.fields.issues)
    if not names:
        counted = ", ".join(f"{reason} {n:,}" for reason, n in reasons.most_common(3)) or "no records"
        hint = "; say which zone the times are in with --timezone" if reasons.get("naive_time") else ""
        raise LogError(f"no outcome in {', '.join(repr(str(p)) for p in paths[:3])} could be used ({counted}){hint}")
    notes = [sentence.replace("{n}", f"{n:,}") for sentence, n in reading.remarks.items()]
    if reading.fields.naive_taken_as_utc:
        notes.append(
            f"{reading.fields.naive_taken_as_utc:,} times named no zone and were taken as UTC, as this tool documents"
        )
    return OutcomeResult(
        target,
        read,
        names.total(),
        {r: n for r, n in sorted(reasons.items()) if n},
        dict(sorted(names.items())),
        tuple(notes),
        kinds,
    )


def is_read_by_engine(name: str) -> bool:
    """Whether a file, folder or glob already holds canonical signals in a form that engines read: Parquet or JSON lines.

    Raises:
        LogError: there is no such file, or it cannot be read.
    """
    for path in expand((name,)):
        if container_of(path).kind not in {"parquet", "jsonl"}:
            return False
        for record in records(path, limit=5):
            if isinstance(record, dict):
                return {"signal_id", "event_time", "name", "value"} <= {plain(k) for k in record if isinstance(k, str)}
    return True


def kind_of(record: Mapping[str, Any], mapping: MappingFile, path: Path) -> str:
    """What an outcome file is, from its first record.

    Raises:
        LogError: it has no time, or nothing to join it by.
    """
    keys = {plain(k) for k in record if isinstance(k, str)}
    if {"signal_id", "kind", "value", "event_time"} <= keys:
        return "signals"
    if {"requester_id", "ticket_id", "score"} <= keys:
        return "zendesk_csat"
    if {"requester_id", "status", "created_at"} <= keys and keys & {
        "submitter_id",
        "ticket_form_id",
        "via_channel",
        "brand_id",
        "via",
    }:
        return "zendesk_tickets"
    if (
        "conversation_rating_value" in keys
        or {"source_author_id", "state"} <= keys
        or {"conversation_rating", "source", "state"} <= keys
    ):
        return "intercom_conversations"
    ids = any(_named(record, column, mapping) is not None for column in _IDS)
    mapped_time = mapping.columns.get("event_time") in record
    if ids and keys & set(CHURN_TIMES) and not mapped_time:
        return "churn"
    timed = mapped_time or bool(keys & set(TIME_COLUMNS))
    if ids and timed:
        return "events"
    seen = ", ".join(repr(str(k)) for k in list(record)[:6])
    if ids and keys & set(CHURN_FLAGS):
        raise LogError(
            f"{path.name!r} says who churned but not when ({seen}, ...): a churn date is needed to tell what was before and what after routing began; "
            f"add a column named one of {', '.join(CHURN_TIMES[:3])}"
        )
    missing = "a time" if ids else "a user, conversation or decision id"
    raise LogError(
        f"{path.name!r} is no table of outcomes: it has {seen}, but no column with {missing}; name it under [columns] in the mapping file"
    )


def rows(record: Mapping[str, Any], kind: str, stem: str, reading: Reading) -> Iterator[Signal | Rejected]:
    """Signals of one record of an outcome file that was recognised as `kind`."""
    match kind:
        case "signals":
            yield _canonical(record)
        case "zendesk_tickets":
            yield _zendesk_ticket(record, reading)
        case "zendesk_csat":
            yield _zendesk_csat(record, reading)
        case "intercom_conversations":
            yield from _intercom(record, reading)
        case "churn":
            yield _churn(record, reading)
        case _:
            yield _event(record, stem, reading)


def _canonical(record: Mapping[str, Any]) -> Signal | Rejected:
    row = {column.name: record[column.name] for column in SIGNAL_COLUMNS if record.get(column.name) is not None}
    if not isinstance(row.get("kind"), str) or not isinstance(row.get("name"), str):
        return Rejected("unknown_record")
    for column in ("event_time", "received_at"):
        if column in row and hasattr(row[column], "isoformat"):
            row[column] = stamp(row[column].replace(tzinfo=None))
    return Signal(row)


def _named(record: Mapping[str, Any], column: str, mapping: MappingFile) -> Any:
    """The value of an id or time column, by the mapping file, else by its usual names."""
    if mapping.columns.get(column) in record:
        # The same mapping file may have been written for the log; its columns count only where this file has them.
        return record[mapping.columns[column]]
    names = {plain(name): name for name in reversed([k for k in record if isinstance(k, str)])}
    synonyms = ("decision_id", "request_id") if column == "decision_id" else SYNONYMS[column]
    for synonym in synonyms:
        value = record.get(names.get(synonym, ""))
        if value is not None and value != "":
            return value
    return None


def _base(record: Mapping[str, Any], source: str, identity: str | None, made: str, reading: Reading) -> dict[str, Any]:
    if identity is None:
        identity = hashlib.sha256(msgspec.json.encode(record, order="sorted", enc_hook=str)).hexdigest()[:24]
    row: dict[str, Any] = {"signal_id": f"{source}/{identity}", "event_time": made, "source": source}
    for column in _IDS:
        text = reading.fields.text(_named(record, column, reading.mapping))
        if text is not None:
            row[column] = text
    return row


def _outcome(row: dict[str, Any], name: str, value: float, selection: str | None = None) -> Signal | Rejected:
    if not any(column in row for column in _IDS):
        return Rejected("missing_id")
    row |= {"kind": "outcome", "name": name, "value": value}
    if selection:
        row["selection"] = selection
    return Signal(row)


def _zendesk_ticket(record: Mapping[str, Any], reading: Reading) -> Signal | Rejected:
    fields = reading.fields
    if fields.text(record.get("status")) == "deleted":
        return Rejected("deleted_ticket")
    made = reading.moment(record.get("created_at"))
    if isinstance(made, Rejected):
        return made
    row: dict[str, Any] = {
        "signal_id": f"zendesk.ticket/{fields.text(record.get('id'))}",
        "event_time": stamp(made),
        "source": "zendesk",
    }
    column = reading.mapping.columns.get("user_id", "requester_id")
    if user := fields.text(record.get(column)):
        row["user_id"] = user
    if "conversation_id" in reading.mapping.columns and (
        conversation := fields.text(record.get(reading.mapping.columns["conversation_id"]))
    ):
        row["conversation_id"] = conversation
    return _outcome(row, "ticket", 1.0)


def _zendesk_csat(record: Mapping[str, Any], reading: Reading) -> Signal | Rejected:
    fields = reading.fields
    score = (fields.text(record.get("score")) or "").lower()
    if score in {"offered", "unoffered", ""}:
        return Rejected("unanswered_survey")
    made = reading.moment(first(record, "updated_at", "created_at"))
    if isinstance(made, Rejected):
        return made
    word = score.split("_")[0]
    user = fields.text(record.get(reading.mapping.columns.get("user_id", "requester_id")))
    base = {
        "signal_id": f"zendesk.csat/{fields.text(record.get('id'))}",
        "event_time": stamp(made),
        "source": "zendesk",
    }
    if user is None:
        return Rejected("missing_id")
    return _rating(base | {"user_id": user}, word if word in {"good", "bad"} else score, reading)


def _rating(base: dict[str, Any], value: str, reading: Reading) -> Signal | Rejected:
    rule = reading.rules.get("csat") or STARS
    found = signal(base, name="csat", kind="rating", value=value, fields=reading.fields, rules={"csat": rule})
    return found if isinstance(found, (Signal, Rejected)) else Rejected("unknown_record")


def _intercom(record: Mapping[str, Any], reading: Reading) -> Iterator[Signal | Rejected]:
    fields = reading.fields
    if fields.boolean(record.get("_fivetran_active"), "_fivetran_active") is False:
        yield Rejected("superseded_version")
        return
    made = reading.moment(record.get("created_at"))
    if isinstance(made, Rejected):
        yield made
        return
    author = fields.mapping(fields.mapping(record.get("source")).get("author"))
    user = fields.text(record.get(reading.mapping.columns.get("user_id", "source_author_id"))) or fields.text(
        author.get("external_id") or author.get("id")
    )
    if user is None:
        yield Rejected("missing_id")
        return
    if (fields.text(record.get("source_author_type")) or "user") not in {"user", "lead", "contact", "customer"}:
        yield Rejected("conversation_started_by_staff")
        return
    identity = fields.text(record.get("id"))
    base = {"event_time": stamp(made), "user_id": user, "source": "intercom"}
    yield _outcome({"signal_id": f"intercom.conversation/{identity}", **base}, "ticket", 1.0)
    rating = fields.text(record.get("conversation_rating_value")) or fields.text(
        fields.mapping(record.get("conversation_rating")).get("rating")
    )
    if rating is not None:
        given = (
            fields.time_or_none(record.get("conversation_rating_created_at"), "conversation_rating_created_at") or made
        )
        yield _rating({"signal_id": f"intercom.csat/{identity}", **base, "event_time": stamp(given)}, rating, reading)


def _churn(record: Mapping[str, Any], reading: Reading) -> Signal | Rejected:
    names = {plain(name): name for name in record if isinstance(name, str)}
    given = first(record, *(names[time] for time in CHURN_TIMES if time in names))
    if given is None:
        return Rejected("no_event")
    flag = first(record, *(names[flag] for flag in CHURN_FLAGS if flag in names))
    if flag is not None and reading.fields.boolean(flag, "churned") is False:
        return Rejected("no_event")
    made = reading.moment(given, unit=reading.mapping.time_unit, pattern=reading.mapping.time_format)
    if isinstance(made, Rejected):
        return made
    return _outcome(_base(record, "churn", None, stamp(made), reading), "churn", 1.0)


def _event(record: Mapping[str, Any], stem: str, reading: Reading) -> Signal | Rejected:
    fields, mapping = reading.fields, reading.mapping
    names = {plain(name): name for name in reversed([k for k in record if isinstance(k, str)])}
    given = (
        record.get(mapping.columns["event_time"])
        if mapping.columns.get("event_time") in record
        else first(record, *(names[time] for time in TIME_COLUMNS if time in names))
    )
    made = reading.moment(given, unit=mapping.time_unit, pattern=mapping.time_format)
    if isinstance(made, Rejected):
        return made
    rule = next(
        (r for r in mapping.signals.values() if (r.column in record if r.column else r.kind == "outcome")), None
    )
    label = fields.text(first(record, *(names[name] for name in _EVENT_NAMES if name in names)))
    name = rule.name if rule else label or stem
    value_column = rule.column if rule and rule.column else next((names[v] for v in VALUE_COLUMNS if v in names), None)
    value = record.get(value_column) if value_column else 1.0
    identity = fields.text(record.get(names.get("id", names.get("event_id", ""))))
    base = _base(record, rule.source if rule and rule.source else f"outcomes.{name}", identity, stamp(made), reading)
    if rule is not None and rule.kind not in {None, "outcome"}:
        if not any(column in base for column in _IDS):
            return Rejected("missing_id")
        found = signal(
            base, name=rule.name, kind=rule.kind or "rating", value=value, fields=fields, rules={rule.name: rule}
        )
        return found if isinstance(found, (Signal, Rejected)) else Rejected("unknown_record")
    number = fields.number(value, "value")
    if number is None:
        flag = fields.text(value)
        if flag is None or flag.lower() not in {"yes", "true"}:
            return Rejected("no_event")
        number = 1.0
    return _outcome(base, name, number)

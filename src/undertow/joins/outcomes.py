"""Rows of business outcomes -> signals: what can be meant, what is set aside, and what a repeated row does. Pure.

A value that cannot be used is never repaired by guessing, and no reason ever quotes one.

    reason               what was seen
    missing_id           neither a decision, a conversation nor a user
    missing_time         no time (and `naive_time`, `bad_time` of what reads times)
    not_an_outcome       a signal of another kind than outcome, rating or thumb
    id_too_long          an id of more than 512 characters
    bad_encoding         an id or name that was not UTF-8
    bad_name             an outcome's name that is no name: letters, digits, `_`, `.`, `-`, at most 64 of them
    other_currency       an amount in another currency than the source's
    not_a_number         a value that is no number (a decimal comma, words)
    not_finite           NaN or infinity
    negative_value       fewer than none
    huge_value           more than 1e12
    no_event             a value of 0, of something that was never counted
    future_event         dated more than five minutes after it was read
    deleted_unknown      the deletion of something unknown, without the columns of a row
    out_of_range_value   a rating outside [0, 1] after its scale
"""

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import msgspec

from undertow.records.moment import rfc3339
from undertow.records.outcome import SOURCE_PREFIX, KnownOutcome, OutcomeRow, Refused
from undertow.records.signal import SignalRecord

MAX_CHARS = 512
"""Longest id."""

MARGIN_CHARS = 128
"""What stands before a row's id in its signal's."""

MAX_VALUE = 1e12
"""Largest value: beyond, it is an id in the wrong column rather than an amount."""

AHEAD = timedelta(minutes=5)
"""A time further ahead of ours than this is a mistake, not a clock that runs fast."""

SYMBOLS: Mapping[str, str] = {"$": "USD", "US$": "USD", "€": "EUR", "£": "GBP", "¥": "JPY", "₹": "INR", "CHF": "CHF"}
"""Currencies by what stands beside an amount. `kr` and the like stand for several, and are refused as no number."""

IDS = ("decision_id", "conversation_id", "user_id")
KINDS = ("outcome", "rating", "thumb")
"""Kinds that other systems send of themselves; those that were asked for come with how they were sampled, and by other ways."""

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,63}")
_AMOUNT = re.compile(
    r"(?P<before>[^\d\s.+-]*)\s*(?P<number>[+-]?(?:\d[\d,]*)?\.?\d*(?:[eE][+-]?\d+)?)\s*(?P<after>\D*)"
)
_THOUSANDS = re.compile(r"[+-]?\d{1,3}(,\d{3})+(\.\d+)?")
_REPLACEMENT = "\ufffd"


@dataclass(frozen=True, slots=True)
class Rules:
    """What holds for one source.

    Attributes:
        source: Its name.
        currency: Of its amounts.
        at: When the rows were read, aware.
        pseudonym: Applied to user and conversation ids, and to what rows are named by.
        outcome: Name of the outcome where rows do not say; it was chosen by whoever wrote the settings, so it may be any.
    """

    source: str
    currency: str
    at: datetime
    pseudonym: Callable[[str], str]
    outcome: str | None = None


@dataclass(frozen=True, slots=True)
class Settled:
    """What a row does.

    Attributes:
        what: `accepted`, `corrected`, `deleted` or `duplicate`.
        outcome: What is to be written and known from now on; None: nothing.
    """

    what: str
    outcome: KnownOutcome | None = None


def signal_id(row: OutcomeRow, rules: Rules) -> str:
    """The id of a row's signal: the same whenever the row is read."""
    return f"{rules.source}/{rules.pseudonym(str(row.columns.get('signal_id', '')))}"


def settle(row: OutcomeRow, known: KnownOutcome | None, rules: Rules) -> Settled | Refused:
    """What becomes of a row, given what is known of its signal.

    Args:
        row: As read.
        known: Its latest revision, or None: it is new.
        rules: Of its source.

    Examples:
        >>> from datetime import UTC
        >>> rules = Rules("crm", "USD", datetime(2026, 3, 2, tzinfo=UTC), lambda text: text)
        >>> columns = {"signal_id": "7", "event_time": "2026-03-01T10:00:00Z", "user_id": "u", "kind": "outcome", "name": "ticket", "value": 1}
        >>> new = settle(OutcomeRow(1, "1", columns), None, rules)
        >>> new.what, new.outcome.record.signal_id
        ('accepted', 'crm/7')
        >>> settle(OutcomeRow(1, "1", columns), new.outcome, rules).what
        'duplicate'
        >>> again = settle(OutcomeRow(1, "1", columns | {"value": 2}), new.outcome, rules)
        >>> again.what, again.outcome.record.revision
        ('corrected', 1)
        >>> settle(OutcomeRow(1, "1", columns | {"value": "-1"}), None, rules)
        Refused(reason='negative_value', column='value')
    """
    if row.reason is not None:
        return Refused(row.reason, row.column)
    if known is not None and row.version is not None and known.version is not None and row.version < known.version:
        return Settled("duplicate")
    if row.is_deleted and known is not None:
        return _taken_back(known, row, rules)
    if len(str(row.columns.get("signal_id", ""))) > MAX_CHARS + MARGIN_CHARS:
        return Refused("id_too_long", "id")
    record = read(row, rules)
    if isinstance(record, Refused):
        return Refused("deleted_unknown") if row.is_deleted else record
    if record.kind == "outcome" and record.value == 0 and not row.is_deleted:
        return Refused("no_event", "value") if known is None else _taken_back(known, row, rules)
    if known is None:
        if row.is_deleted:
            return Settled(
                "deleted", KnownOutcome(record=msgspec.structs.replace(record, deleted=True), version=row.version)
            )
        return Settled("accepted", KnownOutcome(record=record, version=row.version))
    if _content(record) == _content(known.record):
        return Settled("duplicate")
    revised = msgspec.structs.replace(record, revision=(known.record.revision or 0) + 1)
    return Settled("corrected", KnownOutcome(record=revised, version=row.version or known.version))


def _taken_back(known: KnownOutcome, row: OutcomeRow, rules: Rules) -> Settled:
    if known.record.deleted:
        return Settled("duplicate")
    record = msgspec.structs.replace(
        known.record,
        deleted=True,
        revision=(known.record.revision or 0) + 1,
        received_at=rfc3339(rules.at),
    )
    return Settled("deleted", KnownOutcome(record=record, version=row.version or known.version))


def _content(record: SignalRecord) -> tuple[object, ...]:
    """What makes two rows of one id say the same."""
    return (
        record.event_time, record.decision_id, record.conversation_id, record.user_id, record.kind, record.name, record.value,
        bool(record.deleted),
    )  # fmt: skip


def read(row: OutcomeRow, rules: Rules) -> SignalRecord | Refused:
    """The signal of a row, ids made pseudonymous, or why there is none."""
    columns = row.columns
    ids: dict[str, str] = {}
    for column in IDS:
        text = columns.get(column)
        if text is None:
            continue
        if refused := _bad_id(str(text), column):
            return refused
        ids[column] = str(text) if column == "decision_id" else rules.pseudonym(str(text))
    if not ids:
        return Refused("missing_id")
    name = str(columns.get("name", ""))
    if _REPLACEMENT in name:
        return Refused("bad_encoding", "name")
    if name != rules.outcome and not _NAME.fullmatch(name):
        return Refused("bad_name", "name")
    kind = str(columns.get("kind", "outcome"))
    if kind not in KINDS:
        return Refused("not_an_outcome", "kind")
    if "event_time" not in columns:
        return Refused("missing_time", "event_time")
    at = datetime.fromisoformat(str(columns["event_time"]))
    if at > rules.at + AHEAD:
        return Refused("future_event", "event_time")
    if row.currency is not None and row.currency.strip().upper() != rules.currency:
        return Refused("other_currency", "currency")
    value = 0.0 if row.is_deleted else amount(columns.get("value"), rules.currency)
    if isinstance(value, Refused):
        return value
    if kind == "outcome" and not 0 <= value <= MAX_VALUE:
        return Refused("negative_value" if value < 0 else "huge_value", "value")
    if kind != "outcome" and not 0 <= value <= 1:
        return Refused("out_of_range_value", "value")
    return SignalRecord(
        signal_id=signal_id(row, rules),
        event_time=rfc3339(at),
        decision_id=ids.get("decision_id"),
        conversation_id=ids.get("conversation_id"),
        user_id=ids.get("user_id"),
        kind=kind,
        name=name,
        value=value,
        received_at=rfc3339(rules.at),
        source=SOURCE_PREFIX + rules.source,
    )


def _bad_id(text: str, column: str) -> Refused | None:
    if len(text) > MAX_CHARS:
        return Refused("id_too_long", column)
    if _REPLACEMENT in text or any("\ud800" <= char <= "\udfff" for char in text):
        return Refused("bad_encoding", column)
    return None


def amount(value: Any, currency: str) -> float | Refused:
    """A number, or an amount that names its currency, never converted.

    Args:
        value: As it stands in the row.
        currency: What amounts are in, ISO 4217.

    Examples:
        >>> amount("12.50", "USD"), amount("$1,200.00", "USD"), amount("EUR 12", "EUR"), amount(True, "USD")
        (12.5, 1200.0, 12.0, 1.0)
        >>> amount("€12", "USD").reason, amount("12,50", "EUR").reason, amount("nan", "USD").reason
        ('other_currency', 'not_a_number', 'not_finite')
    """
    if isinstance(value, bool):
        return float(value)
    if isinstance(value, str):
        found = _parsed(value.strip().replace("\u00a0", " "), currency)
        if isinstance(found, Refused):
            return found
        value = found
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        return Refused("not_finite" if isinstance(value, int) else "not_a_number", "value")
    return number if math.isfinite(number) else Refused("not_finite", "value")


def _parsed(text: str, currency: str) -> float | str | Refused:
    if text.lower() in {"yes", "true"}:
        return 1.0
    if text.lower().lstrip("+-") in {"nan", "inf", "infinity"}:
        return Refused("not_finite", "value")
    found = _AMOUNT.fullmatch(text) if len(text) <= 64 else None
    if found is None or not found["number"].strip("+-.,"):
        return Refused("not_a_number", "value")
    named = [part.strip() for part in (found["before"], found["after"]) if part.strip()]
    for part in named:
        code = SYMBOLS.get(part, part.upper() if re.fullmatch(r"[A-Za-z]{3}", part) else None)
        if code is None:
            return Refused("not_a_number", "value")
        if code != currency:
            return Refused("other_currency", "value")
    number = found["number"]
    if "," in number:
        # 1,200 may be twelve hundred or one and a fifth; only before cents, or twice, is it certain.
        if not _THOUSANDS.fullmatch(number) or not ("." in number or number.count(",") > 1):
            return Refused("not_a_number", "value")
        number = number.replace(",", "")
    return number

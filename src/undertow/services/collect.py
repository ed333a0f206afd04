"""Signals from outside: read and check the rows of `POST /v1/feedback` and `/v1/outcomes`. Pure; the caller stores them.

A row has the columns of docs/reference/signals.md. What is missing takes a stated default, what cannot be meant is rejected with
its reason, and the good rows of a batch are kept all the same. A decision need not be on disk, or known at all, when its signal
arrives: they meet in the audit.
"""

import difflib
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import msgspec

from undertow.records.columns import DEFAULT_SELECTION, SELECTIONS, SIGNAL_COLUMNS, SIGNAL_KINDS
from undertow.records.moment import rfc3339
from undertow.records.signal import SignalRecord
from undertow.records.unreadable import UNREADABLE

MAX_ROWS = 10_000
"""Most rows of one batch."""

MAX_CHARS = 512
"""Longest id, name or source."""

MAX_REVISION = 2**53
"""Largest number that every JSON reader knows exactly: more than milliseconds since 1970."""

MAX_HINTS = 20
"""Rejected rows whose unknown field is compared with the known ones: ten thousand comparisons would hold up everybody for a second."""

MAX_AHEAD = timedelta(minutes=5)
"""A time further ahead of ours than this is a mistake, not a clock that runs fast."""

ALIASES: Mapping[str, str] = {"metric": "name"}
UNSTORED = frozenset({"comment"})
"""Accepted since other tools send it, and not kept: it is free text."""

DEFAULT_NAME: Mapping[str, str] = {"thumb": "helpful"}

_FIELDS = tuple(column.name for column in SIGNAL_COLUMNS)
_TEXTS = ("signal_id", "decision_id", "conversation_id", "user_id", "name", "source", "stratum")


class SignalsError(ValueError):
    """A body that holds no rows at all: what was seen, and what was expected."""


@dataclass(frozen=True, slots=True)
class Rejected:
    """A row that cannot be meant.

    Attributes:
        index: Its place in the batch, from 0.
        reason: What was seen and what was expected; never a value that could be somebody's text.
    """

    index: int
    reason: str


@dataclass(frozen=True, slots=True)
class ReadSignals:
    """A batch, read.

    Attributes:
        signals: Rows to keep, ids made pseudonymous.
        rejected: Rows that are not kept, with reasons.
        unstored: Names of fields that were accepted and are not kept.
    """

    signals: tuple[SignalRecord, ...]
    rejected: tuple[Rejected, ...]
    unstored: tuple[str, ...]


def read_signals(
    body: bytes,
    *,
    default_kind: Literal["thumb", "outcome"],
    at: datetime,
    new_id: Callable[[], str],
    idempotency_key: str | None = None,
    pseudonym: Callable[[str | None], str | None] = lambda value: value,
    source: str | None = None,
) -> ReadSignals:
    """Read one row or an array of rows.

    Args:
        body: JSON object or array of objects.
        default_kind: Kind of rows that name none.
        at: Now, UTC: their arrival, and the time of rows that name none.
        new_id: Makes an id for a row that has none and came without an idempotency key.
        idempotency_key: Default id: of a single row as it is, of a batch's rows with their place added.
        pseudonym: Applied to user and conversation ids.
        source: Source of rows that name none.

    Raises:
        SignalsError: The body is no JSON object or array of at most `MAX_ROWS` rows.

    Examples:
        >>> from datetime import UTC, datetime
        >>> now = datetime(2026, 1, 1, tzinfo=UTC)
        >>> read = read_signals(b'{"decision_id": "d", "value": 1}', default_kind="thumb", at=now, new_id=lambda: "s")
        >>> read.signals[0].name, read.signals[0].kind
        ('helpful', 'thumb')
        >>> read_signals(b'{"value": 2, "user_id": "u"}', default_kind="thumb", at=now, new_id=lambda: "s").rejected[0].reason
        'value is 2; quality signals lie in [0, 1], 1 is best'
    """
    try:
        document = msgspec.json.decode(body)
    except UNREADABLE:
        raise SignalsError("the body is no valid JSON; expected a signal or an array of signals") from None
    is_batch = isinstance(document, list)
    rows = document if is_batch else [document]
    if len(rows) > MAX_ROWS:
        raise SignalsError(f"{len(rows):,} rows in one request; send at most {MAX_ROWS:,}")
    if not rows:
        raise SignalsError("an empty array; expected at least one signal")
    signals: list[SignalRecord] = []
    rejected: list[Rejected] = []
    unstored: set[str] = set()
    for index, row in enumerate(rows):
        key = idempotency_key if not is_batch or idempotency_key is None else f"{idempotency_key}:{index}"
        try:
            if not isinstance(row, dict):
                raise _RowError(f"is {_type_name(row)}; expected an object")  # noqa: TRY301
            unstored.update(UNSTORED & row.keys())
            signals.append(
                _signal(row, default_kind, at, key or new_id, pseudonym, source, has_hint=len(rejected) < MAX_HINTS)
            )
        except _RowError as error:
            rejected.append(Rejected(index, str(error)))
    return ReadSignals(tuple(signals), tuple(rejected), tuple(sorted(unstored)))


class _RowError(ValueError):
    """Why a row is rejected."""


def _signal(
    row: dict[str, Any],
    default_kind: str,
    at: datetime,
    given_id: str | Callable[[], str],
    pseudonym: Callable[[str | None], str | None],
    source: str | None,
    *,
    has_hint: bool,
) -> SignalRecord:
    row = {ALIASES.get(name, name): value for name, value in row.items() if value is not None and name not in UNSTORED}
    for name in row:
        if name not in _FIELDS:
            near = difflib.get_close_matches(name[:MAX_CHARS], _FIELDS, n=1) if has_hint else []
            hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(_FIELDS)}"
            raise _RowError(f"{_short(name)} is no field of a signal; {hint}")
    for name in _TEXTS:
        if name in row:
            row[name] = _text(name, row[name])
    kind = _choice("kind", row.get("kind", default_kind), SIGNAL_KINDS)
    if "name" not in row:
        if kind not in DEFAULT_NAME:
            raise _RowError("name is missing: what is measured, such as csat, ticket or churn")
        row["name"] = DEFAULT_NAME[kind]
    if not any(row.get(key) for key in ("decision_id", "conversation_id", "user_id")):
        raise _RowError("decision_id, conversation_id and user_id are all missing; one of them is needed")
    deleted = row.get("deleted")
    if deleted is not None and not isinstance(deleted, bool):
        raise _RowError(f"deleted is {_type_name(deleted)}; expected true or false")
    value = _number("value", row.get("value", 0.0 if deleted else None))
    if kind != "outcome" and not 0 <= value <= 1:
        raise _RowError(f"value is {value:g}; quality signals lie in [0, 1], 1 is best")
    selection = row.get("selection")
    if selection is not None:
        selection = _choice("selection", selection, SELECTIONS)
    probability = row.get("inclusion_probability")
    if probability is not None:
        probability = _number("inclusion_probability", probability)
        if not 0 < probability <= 1:
            raise _RowError(f"inclusion_probability is {probability:g}; it lies in (0, 1]")
    if selection == "sampled" and probability is None:
        raise _RowError("selection is sampled, so inclusion_probability is needed")
    if selection is None and probability is None and DEFAULT_SELECTION[kind] == "sampled":
        selection = "unknown"  # as the log's reader does: such signals show change, never a level
    of_pair = row.get("pair_probability")
    if of_pair is not None:
        of_pair = _number("pair_probability", of_pair)
        if not 0 < of_pair <= 1:
            raise _RowError(f"pair_probability is {of_pair:g}; it lies in (0, 1]")
    revision = row.get("revision")
    if revision is not None and (
        isinstance(revision, bool) or not isinstance(revision, int) or not 0 <= revision <= MAX_REVISION
    ):
        raise _RowError("revision is no whole number from 0 on")
    reference = row.get("reference_value")
    if reference is not None:
        reference = _number("reference_value", reference)
        if not 0 <= reference <= 1:
            raise _RowError(f"reference_value is {reference:g}; it lies in [0, 1]")
    arrived = rfc3339(at)
    return SignalRecord(
        signal_id=row.get("signal_id") or (given_id if isinstance(given_id, str) else given_id()),
        event_time=_time("event_time", row["event_time"], at) if "event_time" in row else arrived,
        decision_id=row.get("decision_id"),
        conversation_id=pseudonym(row.get("conversation_id")),
        user_id=pseudonym(row.get("user_id")),
        kind=kind,
        name=row["name"],
        value=value,
        selection=selection,
        inclusion_probability=probability,
        # Ours, whatever the caller says: monitors rely on when the system had it.
        received_at=arrived,
        source=row.get("source") or source,
        reference_value=reference,
        stratum=row.get("stratum"),
        pair_probability=of_pair,
        revision=revision,
        deleted=deleted,
    )


def _text(name: str, value: Any) -> str:
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)  # numeric ids are common in ticket systems
    if not isinstance(value, str):
        raise _RowError(f"{name} is {_type_name(value)}; expected text")
    if not value.strip():
        raise _RowError(f"{name} is empty")
    if len(value) > MAX_CHARS:
        raise _RowError(f"{name} has {len(value):,} characters; at most {MAX_CHARS} are allowed")
    return value


def _choice(name: str, value: Any, known: tuple[str, ...]) -> str:
    if not isinstance(value, str) or value not in known:
        raise _RowError(f"{name} is {_short(value)}; known: {', '.join(known)}")
    return value


def _number(name: str, value: Any) -> float:
    if value is None:
        raise _RowError(f"{name} is missing")
    if isinstance(value, bool):
        return float(value)
    if not isinstance(value, int | float):
        raise _RowError(f"{name} is {_type_name(value)}; expected a number")
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise _RowError(f"{name} is not finite")
    return number


def _time(name: str, value: Any, now: datetime) -> str:
    try:
        # Numbers are seconds or milliseconds since 1970, by size: no signal is from before March 1973.
        match value:
            case int() | float() if not isinstance(value, bool):
                at = datetime.fromtimestamp(value / 1000 if value > 1e11 else value, UTC)
            case _:
                at = datetime.fromisoformat(str(value))
    except (TypeError, ValueError, OverflowError, OSError):
        raise _RowError(
            f"{name} cannot be read; expected RFC 3339 such as 2026-01-31T12:00:00Z, or Unix time"
        ) from None
    if at.tzinfo is None:
        raise _RowError(f"{name} bears no time zone; expected RFC 3339 such as 2026-01-31T12:00:00Z")
    if at > now + MAX_AHEAD:
        raise _RowError(f"{name} lies in the future")
    if at.year < 1990:
        raise _RowError(f"{name} lies before 1990")
    return rfc3339(at)


def _type_name(value: Any) -> str:
    names = {dict: "an object", list: "an array", str: "text", bool: "a truth value", type(None): "null"}
    return names.get(type(value), "a number")


def _short(value: Any) -> str:
    text = repr(value) if isinstance(value, str) else _type_name(value)
    return text if len(text) <= 60 else text[:57] + "...'"

"""Foreign cell values -> typed values or None, with a count of everything that could not be used as given.

Foreign logs write numbers as strings, objects as JSON strings (sometimes with every quote doubled), booleans in six spellings
and times in as many. One `Fields` reads a whole import: it knows the time zone of naive times and counts the oddities.
"""

import math
import re
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from undertow.errors import UsageError
from undertow.records.unreadable import UNREADABLE

TRUE_WORDS = frozenset({"true", "t", "yes", "y", "1", "on"})
FALSE_WORDS = frozenset({"false", "f", "no", "n", "0", "off"})
NULL_WORDS = frozenset({"", "null", "none", "nan", "n/a", "\\n"})
EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
LATEST = datetime(2200, 1, 1, tzinfo=UTC)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LOOSE_TIME = re.compile(
    r"(\d{4})[-/](\d{1,2})[-/](\d{1,2})(?:[T ]+(\d{1,2}):(\d{2})(?::(\d{2})(?:[.,](\d{1,9}))?)?)?\s*(Z|UTC|[+-]\d{2}:?\d{2}|[+-]\d{2})?",
    re.IGNORECASE,
)
_MAX_TEXT = 4096
UNITS_PER_SECOND = {"s": 1, "ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}


class BadTime(ValueError):  # noqa: N818 - a reason, not an error that leaves the importer
    """A time that cannot be used; `reason` is `naive_time`, `bad_time` or `missing_time`."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def parse_timezone(name: str | None) -> tzinfo | None:
    """The zone called `name`: an IANA name, `UTC` or an offset such as `+02:00`.

    Examples:
        >>> parse_timezone("+02:00").utcoffset(None)
        datetime.timedelta(seconds=7200)

    Raises:
        UsageError: no such zone.
    """
    if name is None:
        return None
    offset = re.fullmatch(r"([+-])(\d{1,2}):?(\d{2})?", name.strip())
    if offset:
        sign = -1 if offset[1] == "-" else 1
        return timezone(sign * timedelta(hours=int(offset[2]), minutes=int(offset[3] or 0)))
    if name.strip().upper() in {"UTC", "Z", "GMT"}:
        return UTC
    try:
        return ZoneInfo(name.strip())
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise UsageError(
            f"time zone {name!r} is unknown; give an IANA name such as Europe/Berlin, UTC, or an offset such as +02:00"
        ) from error


class Fields:
    """Reads values of one import.

    Attributes:
        issues: How often each thing was not used as given: `bad_number:cost_usd`, `not_finite:score`, ...
    """

    def __init__(self, timezone: str | None = None, *, naive_is_utc: bool = False) -> None:
        self.zone = parse_timezone(timezone)
        self.naive_is_utc = naive_is_utc
        self.naive_taken_as_utc = 0
        self.issues: Counter[str] = Counter()

    def text(self, value: Any) -> str | None:
        """A non-empty string of at most 4,096 characters; numbers are spelt out, objects are None."""
        if isinstance(value, str):
            value = value.strip()
            if value.lower() in NULL_WORDS:
                return None
            return value if len(value) <= _MAX_TEXT else value[:_MAX_TEXT]
        if isinstance(value, bool):
            return "true" if value else "false"
        if isinstance(value, int) or (isinstance(value, float) and math.isfinite(value)):
            return format(value, "d") if isinstance(value, int) and abs(value) < 10**30 else repr(value)[:64]
        return None

    def number(self, value: Any, name: str) -> float | None:
        """A finite number. What is neither a number nor empty is None and counted under `name`."""
        if value is None or value == "":
            return None
        if isinstance(value, bool):
            return float(value)
        if isinstance(value, str):
            stripped = value.strip().replace("\u00a0", "").lstrip("$")
            if stripped.lower() in {"", "null", "none", "n/a"}:
                return None
            try:
                value = float(stripped)
            except ValueError:
                self.issues[f"bad_number:{name}"] += 1
                return None
        try:
            result = float(value)
        except (TypeError, ValueError, OverflowError):
            self.issues[f"bad_number:{name}"] += 1
            return None
        if not math.isfinite(result):
            self.issues[f"not_finite:{name}"] += 1
            return None
        return result

    def integer(self, value: Any, name: str) -> int | None:
        """A whole number that fits 64 bits; 97.0 and "97" count as 97."""
        result = self.number(value, name)
        if result is None:
            return None
        if abs(result) >= 2**62 or result != math.floor(result):
            self.issues[f"bad_number:{name}"] += 1
            return None
        return int(result)

    def boolean(self, value: Any, name: str) -> bool | None:
        """True, False, or None for what is neither; 0/1, yes/no and their like are understood."""
        if isinstance(value, bool):
            return value
        text = self.text(value)
        if text is None:
            return None
        if text.lower() in TRUE_WORDS:
            return True
        if text.lower() in FALSE_WORDS:
            return False
        self.issues[f"bad_boolean:{name}"] += 1
        return None

    def mapping(self, value: Any) -> dict[str, Any]:
        """A JSON object, also from a JSON string, also from one that was quoted twice (`{""a"":1}`). Else empty."""
        found = self.parsed(value)
        return found if isinstance(found, dict) else {}

    def array(self, value: Any) -> list[Any]:
        """A JSON array, also from a JSON string. Else empty."""
        found = self.parsed(value)
        return found if isinstance(found, list) else []

    def parsed(self, value: Any) -> Any:
        """What a JSON string holds, twice unpacked if needed; other values as they are."""
        for _ in range(2):
            if not isinstance(value, str):
                break
            stripped = value.strip()
            if stripped[:1] not in {"{", "[", '"'}:
                break
            value = _decode_json(stripped)
        return value

    def time(self, value: Any, *, unit: str | None = None, pattern: str | None = None) -> datetime:
        """A moment in UTC.

        Args:
            value: ISO 8601 text (with `T` or a space), a number of seconds, milliseconds, microseconds or nanoseconds since 1970, or a datetime.
            unit: Unit of a number; None: told from its size, which is unambiguous for the years 2000 to 2200.
            pattern: `strptime` pattern for text in another form.

        Raises:
            BadTime: empty, not a time, outside 2000-2200, or naive with no zone to put it in.
        """
        if value is None or value == "":
            raise BadTime("missing_time")
        if isinstance(value, datetime):
            moment = value
        elif isinstance(value, bool):
            raise BadTime("bad_time")
        elif isinstance(value, (int, float)):
            moment = _from_epoch(value, unit)
        elif isinstance(value, str):
            moment = _from_text(value.strip(), unit, pattern)
        else:
            raise BadTime("bad_time")
        if moment.tzinfo is None:
            if self.zone is not None:
                moment = moment.replace(tzinfo=self.zone)
            elif self.naive_is_utc:
                self.naive_taken_as_utc += 1
                moment = moment.replace(tzinfo=UTC)
            else:
                raise BadTime("naive_time")
        try:
            moment = moment.astimezone(UTC)
        except (OverflowError, ValueError) as error:
            raise BadTime("bad_time") from error
        if not EARLIEST <= moment < LATEST:
            raise BadTime("bad_time")
        return moment

    def time_or_none(self, value: Any, name: str, *, unit: str | None = None) -> datetime | None:
        """As `time`, for optional times: what cannot be used is None and counted."""
        if value is None or value == "":
            return None
        try:
            return self.time(value, unit=unit)
        except BadTime as bad:
            self.issues[f"{bad.reason}:{name}"] += 1
            return None


def stamp(moment: datetime) -> str:
    """RFC 3339 in UTC, as canonical files write it.

    Examples:
        >>> stamp(datetime(2026, 1, 2, 3, 4, 5, 6000, tzinfo=UTC))
        '2026-01-02T03:04:05.006000Z'
    """
    return moment.replace(tzinfo=None).isoformat() + "Z"


def milliseconds(start: datetime | None, end: datetime | None) -> float | None:
    """Time between two moments in ms; None if one is missing or they run backwards."""
    if start is None or end is None or end < start:
        return None
    return (end - start).total_seconds() * 1000.0


def first(record: Mapping[str, Any], *names: str) -> Any:
    """The first of the named fields that is neither null nor an empty string."""
    for name in names:
        value = record.get(name)
        if value is not None and value != "":
            return value
    return None


def _decode_json(text: str) -> Any:
    for candidate in (text, text.replace('""', '"')):
        try:
            return msgspec.json.decode(candidate)
        except UNREADABLE:
            continue
    return None


def _from_epoch(value: float, unit: str | None) -> datetime:
    if isinstance(value, float) and not math.isfinite(value):
        raise BadTime("bad_time")
    if unit is None:
        size = abs(value)
        unit = "ns" if size >= 1e17 else "us" if size >= 1e14 else "ms" if size >= 1e11 else "s"
    if unit not in UNITS_PER_SECOND:
        raise BadTime("bad_time")
    try:
        return _EPOCH + timedelta(microseconds=value * 1_000_000 / UNITS_PER_SECOND[unit])
    except (OverflowError, ValueError) as error:
        raise BadTime("bad_time") from error


def _from_text(text: str, unit: str | None, pattern: str | None) -> datetime:
    if pattern is not None:
        try:
            return datetime.strptime(text, pattern)  # noqa: DTZ007 - a naive time is put in its zone by the caller
        except ValueError as error:
            raise BadTime("bad_time") from error
    if re.fullmatch(r"-?\d{9,19}(\.\d+)?", text) or (unit is not None and re.fullmatch(r"\d+(\.\d+)?", text)):
        return _from_epoch(float(text) if "." in text else int(text), unit)
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        pass
    found = _LOOSE_TIME.fullmatch(text)
    if not found:
        raise BadTime("bad_time")
    year, month, day, hour, minute, second, fraction, zone = found.groups()
    try:
        moment = datetime(  # noqa: DTZ001 - the zone follows below
            int(year),
            int(month),
            int(day),
            int(hour or 0),
            int(minute or 0),
            int(second or 0),
            int(((fraction or "") + "000000")[:6]),
        )
    except ValueError as error:
        raise BadTime("bad_time") from error
    if zone:
        moment = moment.replace(tzinfo=UTC if zone.upper() in {"Z", "UTC"} else parse_timezone(zone))
    return moment

"""Moments as records have them."""

from datetime import UTC, datetime


def rfc3339(moment: datetime) -> str:
    """A moment as text, in UTC with milliseconds, so that texts sort as moments do.

    Args:
        moment: Aware.

    Examples:
        >>> rfc3339(datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC))
        '2026-01-02T03:04:05.678Z'
    """
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def moment_of(text: str) -> datetime:
    """The moment that a text names; one without an offset is UTC.

    Raises:
        ValueError: It is no RFC 3339 text.

    Examples:
        >>> moment_of("2026-03-01T12:00:00.000Z") == datetime(2026, 3, 1, 12, tzinfo=UTC)
        True
    """
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)

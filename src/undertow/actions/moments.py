"""Moments as the guard writes them: RFC 3339 in UTC with milliseconds, so that texts sort as moments do."""

from datetime import UTC, datetime


def text_of(moment: datetime) -> str:
    """A moment as text.

    Args:
        moment: Aware.

    Examples:
        >>> text_of(datetime(2026, 3, 1, 12, tzinfo=UTC))
        '2026-03-01T12:00:00.000Z'
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

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

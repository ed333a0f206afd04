"""From values to pixels, and the ticks that people read: round numbers, whole days, first days of months."""

import math
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta


@dataclass(frozen=True, slots=True)
class Scale:
    """A linear map of [low, high] to [start, end]; `start` may be the larger, as it is for a y axis.

    Examples:
        >>> Scale(0.0, 1.0, 100.0, 0.0)(0.25)
        75.0
    """

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        """The pixel of a value; outside the axis for a value outside it."""
        if self.high == self.low:
            return (self.start + self.end) / 2
        return self.start + (value - self.low) / (self.high - self.low) * (self.end - self.start)

    def held(self, value: float) -> float:
        """The pixel of a value, kept inside the axis."""
        return self(min(max(value, self.low), self.high))


def round_step(span: float, most: int) -> float:
    """The smallest of 1, 2, 2.5, 5 times a power of ten that cuts `span` into at most `most` parts.

    Examples:
        >>> round_step(0.37, 5), round_step(480_000, 4)
        (0.1, 200000.0)
    """
    if span <= 0 or not math.isfinite(span):
        return 1.0
    raw = span / max(most, 1)
    power = 10.0 ** math.floor(math.log10(raw))
    return next(factor * power for factor in (1.0, 2.0, 2.5, 5.0, 10.0) if factor * power >= raw * (1 - 1e-9))


def ticks(low: float, high: float, most: int) -> list[float]:
    """Round values inside [low, high].

    Examples:
        >>> [round(t, 3) for t in ticks(0.68, 0.97, 4)]
        [0.7, 0.8, 0.9]
    """
    step = round_step(high - low, most)
    first = math.ceil(low / step - 1e-9)
    last = math.floor(high / step + 1e-9)
    return [n * step for n in range(first, last + 1)]


def seconds(at: datetime) -> float:
    """A time as a number for a `Scale`."""
    return at.timestamp()


_STEPS = tuple(timedelta(hours=h) for h in (1, 2, 3, 6, 12)) + tuple(timedelta(days=d) for d in (1, 2, 7, 14, 28))


def time_ticks(first: datetime, last: datetime, most: int) -> list[tuple[datetime, str]]:
    """Round times inside the period with their labels, UTC: hours for a short log, days, or first days of months.

    Examples:
        >>> [label for _, label in time_ticks(datetime(2026, 1, 5, tzinfo=UTC), datetime(2026, 3, 16, tzinfo=UTC), 5)]
        ['Jan 5', 'Jan 19', 'Feb 2', 'Feb 16', 'Mar 2', 'Mar 16']
    """
    span = last - first
    step = next((step for step in _STEPS if span / step <= most), None)
    if step is None:
        return _month_ticks(first, last, most)
    if step < timedelta(days=1):
        midnight = first.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        at = midnight + step * math.ceil((first - midnight) / step)
    else:
        midnight = first.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        at = midnight if midnight >= first else midnight + timedelta(days=1)
    found = []
    while at <= last:
        is_day = at.hour == 0 and at.minute == 0
        found.append((at, _day(at) if is_day else f"{at:%H:%M}"))
        at += step
    return found


def _day(at: datetime) -> str:
    return f"{at:%b} {at.day}"


def _month_ticks(first: datetime, last: datetime, most: int) -> list[tuple[datetime, str]]:
    months = (last.year - first.year) * 12 + last.month - first.month
    step = next(step for step in (1, 2, 3, 6, 12, 24, 60, 120, 1200) if months / step <= most)
    found = []
    index = first.year * 12 + first.month - 1
    index += -index % step
    while True:
        at = datetime(index // 12, index % 12 + 1, 1, tzinfo=UTC)
        if at > last:
            return found
        if at >= first:
            found.append((at, f"{at:%b %Y}"))
        index += step


def spread(wanted: list[float], gap: float, low: float, high: float) -> list[float]:
    """Positions near the wanted ones, at least `gap` apart and inside [low, high] while there is room.

    Examples:
        >>> spread([10.0, 12.0, 50.0], 14.0, 0.0, 100.0)
        [10.0, 24.0, 50.0]
    """
    order = sorted(range(len(wanted)), key=lambda i: wanted[i])
    placed = [0.0] * len(wanted)
    floor = low
    for i in order:
        placed[i] = max(wanted[i], floor)
        floor = placed[i] + gap
    ceiling = high
    for i in reversed(order):
        placed[i] = min(placed[i], ceiling)
        ceiling = placed[i] - gap
    return placed

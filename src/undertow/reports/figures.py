"""Numbers and times as people read them: one format for each kind of quantity, the same on every face.

Losses are in points (percentage points), qualities and shares in per cent, money in USD a month with k, M or B, intervals
as "x to y", times in UTC. What is absent or not finite is a dash, never a zero.
"""

import math
from collections.abc import Callable
from datetime import UTC, datetime, time
from typing import TypeGuard

from undertow.records.report import Interval

ABSENT = "–"
MINUS = "−"
_UNITS = ((1e3, "k"), (1e6, "M"), (1e9, "B"), (1e12, "T"))


def _finite(value: float | None) -> TypeGuard[float]:
    return value is not None and math.isfinite(value)


def _signed(text: str, *, negative: bool, plus: bool) -> str:
    if not any(digit in "123456789" for digit in text):
        return text  # a rounded zero has no sign
    return MINUS + text if negative else "+" + text if plus else text


def usd(value: float | None, *, plus: bool = False) -> str:
    """Money, three significant digits at most from a thousand up.

    Examples:
        >>> usd(101_230), usd(-412_000.0), usd(1_260_000, plus=True), usd(12.4), usd(0.0), usd(None)
        ('$101k', '−$412k', '+$1.26M', '$12.40', '$0', '–')
    """
    if not _finite(value):
        return ABSENT
    size = abs(value)
    if size < 0.005:
        return "$0"
    return _signed(f"${_short(size)}", negative=value < 0, plus=plus)


def usd_each(value: float | None, *, plus: bool = False) -> str:
    """Money of one request: as `usd`, with two significant digits where it is less than a cent or so.

    Examples:
        >>> usd_each(0.0039325), usd_each(-0.00021), usd_each(1.4375), usd_each(0.0), usd_each(None)
        ('$0.0039', '−$0.00021', '$1.44', '$0', '–')
    """
    if not _finite(value) or not 0 < abs(value) < 0.0995:
        return usd(value, plus=plus)
    digits = min(9, 1 - math.floor(math.log10(abs(value))))
    return _signed(f"${abs(value):.{digits}f}", negative=value < 0, plus=plus)


def _short(size: float) -> str:
    if size < 99.995:
        return f"{size:.2f}"
    if size < 999.5:
        return f"{size:.0f}"
    unit, suffix = next((pair for pair in _UNITS if size < pair[0] * 999.5), _UNITS[-1])
    scaled = size / unit
    digits = f"{scaled:.{2 if scaled < 9.995 else 1 if scaled < 99.95 else 0}f}"
    return (digits.rstrip("0").rstrip(".") if "." in digits else digits) + suffix


def points(loss: float | None, *, plus: bool = False) -> str:
    """A difference of qualities as percentage points.

    Examples:
        >>> points(0.0914), points(-0.012), points(0.2, plus=True), points(-0.0001)
        ('9.1 points', '−1.2 points', '+20.0 points', '0.0 points')
    """
    return f"{_bare_points(loss, plus=plus)} points" if _finite(loss) else ABSENT


def _bare_points(loss: float, *, plus: bool = False) -> str:
    return _signed(f"{abs(loss) * 100:.1f}", negative=loss < 0, plus=plus)


def percent(fraction: float | None) -> str:
    """A quality or share in per cent.

    Examples:
        >>> percent(0.924), percent(1.0), percent(None), percent(0.0004)
        ('92.4 %', '100 %', '–', '0.04 %')
    """
    return f"{_bare_percent(fraction)} %" if _finite(fraction) else ABSENT


def _bare_percent(fraction: float) -> str:
    size = abs(fraction) * 100
    if size >= 99.95 and size < 100:
        text = f"{math.floor(size * 100) / 100:.2f}"  # 99.97 % is not all of it
    elif size in (0, 100):
        text = f"{size:.0f}"
    else:
        text = f"{size:.2f}" if size < 0.095 else f"{size:.1f}"
    return _signed(text, negative=fraction < 0, plus=False)


def _span(interval: Interval | None, bare: Callable[[float], str], unit: str) -> str:
    if interval is None or not all(map(math.isfinite, interval)):
        return ABSENT
    return f"{bare(interval[0])} to {bare(interval[1])}{unit}"


def points_interval(interval: Interval | None) -> str:
    """An interval of a loss.

    Examples:
        >>> points_interval((0.032, 0.15)), points_interval(None)
        ('3.2 to 15.0 points', '–')
    """
    return _span(interval, _bare_points, " points")


def percent_interval(interval: Interval | None) -> str:
    """An interval of a quality or share.

    Examples:
        >>> percent_interval((0.9, 0.945))
        '90.0 to 94.5 %'
    """
    return _span(interval, _bare_percent, " %")


def usd_interval(interval: Interval | None) -> str:
    """An interval of money.

    Examples:
        >>> usd_interval((-412_000, -305_000))
        '−$412k to −$305k'
    """
    return _span(interval, usd, "")


def count(n: float | None) -> str:
    """A count with thousands apart; a shared label counts in fractions.

    Examples:
        >>> count(1_234_567), count(12.5)
        ('1,234,567', '12.5')
    """
    if not _finite(n):
        return ABSENT
    return f"{n:,.0f}" if n == round(n) else f"{n:,.1f}"


def plural(n: int, noun: str) -> str:
    """A counted noun.

    Examples:
        >>> plural(1, "alarm"), plural(3, "day")
        ('1 alarm', '3 days')
    """
    return f"{count(n)} {noun}" if n == 1 else f"{count(n)} {noun}s"


def level(confidence_level: float) -> str:
    """The level of an interval.

    Examples:
        >>> level(0.95), level(0.975)
        ('95 %', '97.5 %')
    """
    return f"{round(confidence_level * 100, 3):g} %"


def evidence(log10_e: float | None) -> str:
    """Evidence as the e-value that it stands for, "one in" odds being too easily read as a p-value.

    Examples:
        >>> evidence(4.2), evidence(None)
        ('10^4.2', '–')
    """
    return f"10^{log10_e:.1f}" if _finite(log10_e) else ABSENT


def milliseconds(ms: float | None) -> str:
    """A latency in the unit that fits.

    Examples:
        >>> milliseconds(84.2), milliseconds(1_250.0), milliseconds(93_000.0), milliseconds(0.31), milliseconds(None)
        ('84 ms', '1.2 s', '93 s', '0.3 ms', '–')
    """
    if not _finite(ms):
        return ABSENT
    if ms < 999.5:
        return f"{ms:.0f} ms" if ms >= 9.95 else f"{ms:.1f} ms"
    return f"{ms / 1e3:.1f} s" if ms < 99_950 / 10 else f"{ms / 1e3:,.0f} s"


def moment(at: datetime | None) -> str:
    """A time in UTC: the day alone where it is midnight, as it is for daily buckets.

    Examples:
        >>> moment(datetime(2026, 3, 11, tzinfo=UTC)), moment(datetime(2026, 3, 11, 14, 30, tzinfo=UTC))
        ('2026-03-11', '2026-03-11 14:30')
    """
    if at is None:
        return ABSENT
    utc = at.astimezone(UTC)
    return f"{utc:%Y-%m-%d}" if utc.time() == time(0) else f"{utc:%Y-%m-%d %H:%M}"


def moments(interval: tuple[datetime, datetime] | None) -> str:
    """An interval of time; one moment where both ends read the same.

    Examples:
        >>> moments((datetime(2026, 3, 6, tzinfo=UTC), datetime(2026, 3, 10, tzinfo=UTC)))
        '2026-03-06 to 2026-03-10'
    """
    if interval is None:
        return ABSENT
    first, last = moment(interval[0]), moment(interval[1])
    return first if first == last else f"{first} to {last}"


def duration(seconds: float) -> str:
    """A length of time in the unit that fits.

    Examples:
        >>> duration(3 * 86_400), duration(5 * 3_600), duration(86_400), duration(120)
        ('3 days', '5 hours', '1 day', '2 minutes')
    """
    for unit, name in ((86_400, "day"), (3_600, "hour"), (60, "minute")):
        if seconds >= unit:
            return plural(round(seconds / unit), name)
    return "under a minute"

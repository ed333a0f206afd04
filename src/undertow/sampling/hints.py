"""Where warnings stand: the parts of the traffic that deserve more reviews and shadow answers, and how much more.

A warning proves no harm, so it spends no more than a share of what may be drawn beyond the base rates; how much lies with whoever turns
hints into rates (`undertow.sampling.steering`). The strength only ranks: what bears on the quality of answers before what may be no
more than another mix of requests.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from undertow.records.report import Alarm
from undertow.records.segment import Segment

STRENGTHS: dict[str, float] = {
    "judge": 1.0,
    "calibration": 1.0,
    "confidence": 0.6,
    "answer": 0.5,
    "input": 0.4,
    "share": 0.2,
}
"""By monitor. A judge saw worse answers, or failures exceed what confidence states; the others saw only something move."""

OTHERS = 0.5
"""Strength of a warning of any other monitor: behavioural evidence that the log's own signals give."""

STANDS = timedelta(days=28)
"""A warning steers for this long after it was raised: enough for labels to settle whether it meant harm."""


@dataclass(frozen=True, slots=True, order=True)
class Hint:
    """One part of the traffic.

    Attributes:
        tier: Tier whose answers to look at.
        segment: Segment, `WHOLE` for all of the tier.
        strength: How much it asks for, in (0, 1].
    """

    tier: str
    segment: Segment
    strength: float


def steering_hints(
    warnings: Iterable[Alarm], at: datetime, tiers: tuple[str, ...] = (), stands: timedelta = STANDS
) -> tuple[Hint, ...]:
    """The parts of the traffic where a warning stands, strongest first.

    Args:
        warnings: Warnings of a report.
        at: The present.
        tiers: Tiers that may be sampled more, or empty: all that warnings name.
        stands: How long a warning steers.

    Returns:
        One hint a tier and segment, with the strength of its strongest warning.

    Examples:
        >>> from datetime import UTC
        >>> from undertow.records.segment import WHOLE
        >>> day = datetime(2026, 5, 1, tzinfo=UTC)
        >>> warning = Alarm("input", "novelty", "cheap", WHOLE, "unknown", "behaviour", day, None, None, None, None, None, "drift")
        >>> [(hint.tier, str(hint.segment), hint.strength) for hint in steering_hints([warning], day + timedelta(days=3))]
        [('cheap', 'whole tier', 0.4)]
        >>> steering_hints([warning], day + timedelta(days=40))
        ()
    """
    found: dict[tuple[str, Segment], float] = {}
    for warning in warnings:
        if not warning.detected_at <= at < warning.detected_at + stands or (tiers and warning.tier not in tiers):
            continue
        place = warning.tier, warning.segment
        found[place] = max(found.get(place, 0.0), STRENGTHS.get(warning.monitor, OTHERS))
    hints = (Hint(tier, segment, strength) for (tier, segment), strength in found.items())
    return tuple(sorted(hints, key=lambda hint: (-hint.strength, hint.tier, hint.segment)))

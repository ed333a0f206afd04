"""When the next decision will be possible, if the loss is what it is estimated to be and labels come as they do."""

import math
from datetime import datetime, timedelta

from undertow.stats.confidence import gaussian_mixture_radius

LONGEST_DAYS = 730.0
"""Later than this is never."""

STEP = 1.03
"""Sample sizes are tried in steps of 3 %."""


def labels_until(loss: float, high: float, n: int, bound: float, level: float) -> int | None:
    """How many labels in all until the upper bound of a loss lies below `bound`, if the true loss is the estimate.

    The distance from the estimate to the bound shrinks as that of the confidence sequence: `radius(n) / sqrt(n)`.

    Args:
        loss: Estimate, in [-1, 1].
        high: Upper bound now, at least the estimate.
        n: Labels that it rests on.
        bound: Where it must come to.
        level: Confidence level of the interval, in (0, 1).

    Returns:
        Labels in all, at least n; None where it never does: the estimate is not below the bound, or there are no labels.

    Examples:
        >>> labels_until(loss=0.0, high=0.04, n=1000, bound=0.02, level=0.95)
        4384
        >>> labels_until(loss=0.02, high=0.04, n=1000, bound=0.02, level=0.95) is None
        True
    """
    if high < bound:
        return n
    room = bound - loss
    if room <= 0.0 or n <= 0:
        return None
    scale = (high - loss) * math.sqrt(n) / _radius(n, level)
    size = float(n)
    while size < 1e9:
        if scale * _radius(size, level) / math.sqrt(size) < room:
            return math.ceil(size)
        size = max(size * STEP, size + 1.0)
    return None


def date_of(missing: int | None, per_day: float, now: datetime) -> datetime | None:
    """When so many more labels will be there.

    Args:
        missing: Labels that are missing, or None: no number would do.
        per_day: Labels a day.
        now: Aware.

    Examples:
        >>> from datetime import UTC
        >>> date_of(100, 50.0, datetime(2026, 3, 1, tzinfo=UTC))
        datetime.datetime(2026, 3, 3, 0, 0, tzinfo=datetime.timezone.utc)
        >>> date_of(None, 50.0, datetime(2026, 3, 1, tzinfo=UTC)) is None
        True
    """
    if missing is None or per_day <= 0.0 or missing / per_day > LONGEST_DAYS:
        return None
    return now + timedelta(days=max(missing, 0) / per_day)


def _radius(n: float, level: float) -> float:
    return float(gaussian_mixture_radius(n, level))

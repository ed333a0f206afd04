"""How much of a tier's loss is traffic that moved between segments, and how much happened inside them, and where.

The rate of failures before and since the onset differs by

    sum_g (s1_g - s0_g) (r0_g + r1_g) / 2   +   sum_g (r1_g - r0_g) (s0_g + s1_g) / 2

with s the shares of traffic and r the failure rates of segment g: the symmetric decomposition of Kitagawa, which leaves no remainder. The
first sum is the mix, each term of the second one segment's own part. A segment that is only on one side of the onset has no rate on the
other: it counts with the one that is known, so it is all mix.

Assumes that the shares are counted (they are of all traffic, not of the labels) and that rates of different segments are estimated
independently. Intervals are asymptotic confidence sequences around the sums, as everywhere in a report.

References:
    Kitagawa (1955), Components of a difference between two rates, JASA 50. Oaxaca (1973), International Economic Review 14. Waudby-Smith,
    Arbour, Sinha, Kennedy, Ramdas (2021), Time-uniform central limit theory, arXiv 2103.06476 (the intervals).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from undertow.stats.confidence import gaussian_mixture_radius

MIN_LABELS = 5
"""Labels of a segment on a side of the onset from which on it has a rate of its own; what is below is taken together."""

MIN_CHANGE_ERRORS = 2.0
"""A change must be this many standard errors from nothing before parts of it are worth telling: shares of noise are noise."""


@dataclass(frozen=True, slots=True)
class SegmentRate:
    """One segment before and since the onset.

    Attributes:
        name: Its name.
        share: Its shares of the tier's traffic before and since, in [0, 1].
        rate: Its failure rates; None where there are no labels.
        variance: Of the rates.
        n: Labels behind them.
    """

    name: str
    share: tuple[float, float]
    rate: tuple[float | None, float | None]
    variance: tuple[float, float]
    n: tuple[float, float]


@dataclass(frozen=True, slots=True)
class Part:
    """A part of the loss, in rate units: value and interval."""

    value: float
    interval: tuple[float, float]


@dataclass(frozen=True, slots=True)
class Decomposition:
    """A change of a failure rate and its parts.

    Attributes:
        change: The rate since the onset minus the rate before it; positive is worse.
        error: Its standard error.
        mix: What traffic that moved between segments made of it.
        within: What happened inside segments.
        segments: Each segment's own part of `within`, largest first.
    """

    change: float
    error: float
    mix: Part
    within: Part
    segments: tuple[tuple[str, Part], ...]

    @property
    def is_worth_telling(self) -> bool:
        """Whether the rate rose by more than noise, so that shares of it mean something."""
        return self.change > 0.0 and self.change >= MIN_CHANGE_ERRORS * self.error


def decompose(cells: Sequence[SegmentRate], level: float) -> Decomposition | None:
    """The parts of a change of a failure rate.

    Args:
        cells: All segments of one key. Their shares are scaled to 1 on each side.
        level: Level of each interval.

    Returns:
        The parts; None where no segment has labels on both sides, or a side has no traffic.

    Examples:
        Billing fails ten points more often, and half the rest of the traffic moved there:

        >>> cells = [
        ...     SegmentRate("billing", (0.2, 0.4), (0.10, 0.20), (1e-6, 1e-6), (900, 900)),
        ...     SegmentRate("other", (0.8, 0.6), (0.05, 0.05), (1e-6, 1e-6), (900, 900)),
        ... ]
        >>> found = decompose(cells, 0.95)
        >>> round(found.change, 3), round(found.mix.value, 3), round(found.within.value, 3)
        (0.05, 0.02, 0.03)
        >>> [(name, round(part.value, 3)) for name, part in found.segments]
        [('billing', 0.03), ('other', 0.0)]
    """
    kept = _pooled(cells)
    totals = [sum(cell.share[side] for cell in kept) for side in (0, 1)]
    if min(totals, default=0.0) <= 0.0 or not any(None not in cell.rate for cell in kept):
        return None
    before, since = (np.array([cell.share[side] / totals[side] for cell in kept]) for side in (0, 1))
    known = [(_either(cell.rate[0], cell.rate[1]), _either(cell.rate[1], cell.rate[0])) for cell in kept]
    r0, r1 = (np.array([rates[side] for rates in known]) for side in (0, 1))
    # Where one side stands in for the other the difference is 0 for certain, and their mean has the one variance.
    both = np.array([None not in cell.rate for cell in kept])
    v0, v1 = (
        np.array([cell.variance[side] if cell.rate[side] is not None else 0.0 for cell in kept]) for side in (0, 1)
    )
    n = float(sum(sum(cell.n) for cell in kept))
    radius = float(gaussian_mixture_radius(max(n, 1.0), level))
    moved, present = since - before, (before + since) / 2
    mix_variance = float(np.sum((moved * np.where(both, 0.5, 1.0)) ** 2 * (v0 + v1)))
    own_variance = np.where(both, present**2 * (v0 + v1), 0.0)
    own = np.where(both, (r1 - r0) * present, 0.0)

    def part(value: float, variance: float) -> Part:
        half = radius * float(np.sqrt(variance))
        return Part(value, (max(value - half, -1.0), min(value + half, 1.0)))

    segments = [(cell.name, part(float(own[i]), float(own_variance[i]))) for i, cell in enumerate(kept)]
    mix = float(np.sum(moved * (r0 + r1) / 2))
    return Decomposition(
        change=mix + float(own.sum()),
        error=float(np.sqrt(np.sum(before**2 * v0 + since**2 * v1))),
        mix=part(mix, mix_variance),
        within=part(float(own.sum()), float(own_variance.sum())),
        segments=tuple(sorted(segments, key=lambda named: (-named[1].value, named[0]))),
    )


def _either(rate: float | None, other: float | None) -> float:
    found = rate if rate is not None else other
    return 0.0 if found is None else found


OTHERS = "all other segments"


def _pooled(cells: Sequence[SegmentRate]) -> list[SegmentRate]:
    """Segments with labels enough by themselves, and one that holds the rest, weighted by their traffic."""
    kept = [cell for cell in cells if _has_enough(cell)]
    few = [cell for cell in cells if not _has_enough(cell) and max(cell.share) > 0.0]
    if not few:
        return kept
    sides: list[tuple[float | None, float, float]] = []
    for side in (0, 1):
        known = [cell for cell in few if cell.rate[side] is not None and cell.share[side] > 0.0]
        weight = sum(cell.share[side] for cell in known)
        n = sum(cell.n[side] for cell in known)
        if weight <= 0.0 or n < MIN_LABELS:
            sides.append((None, 0.0, 0.0))
            continue
        part = [(cell.share[side] / weight, cell) for cell in known]
        rate = sum(w * (cell.rate[side] or 0.0) for w, cell in part)
        sides.append((rate, sum(w**2 * cell.variance[side] for w, cell in part), n))
    # What nobody labelled on either side can only be left out.
    if sides[0][0] is None and sides[1][0] is None:
        return kept
    share = (sum(cell.share[0] for cell in few), sum(cell.share[1] for cell in few))
    return [
        *kept,
        SegmentRate(OTHERS, share, (sides[0][0], sides[1][0]), (sides[0][1], sides[1][1]), (sides[0][2], sides[1][2])),
    ]


def _has_enough(cell: SegmentRate) -> bool:
    """Labels enough on each side on which it has traffic."""
    return max(cell.share) > 0.0 and all(
        (cell.rate[side] is not None and cell.n[side] >= MIN_LABELS) or cell.share[side] <= 0.0 for side in (0, 1)
    )


def in_words(found: Decomposition) -> str:
    """The parts as a person would say them, or empty where they are shares of noise.

    Examples:
        >>> part = lambda value: Part(value, (value, value))
        >>> in_words(Decomposition(0.05, 0.005, part(0.01), part(0.04), (("billing", part(0.04)), ("other", part(0.0)))))
        '80 % of the loss lies within billing, 20 % is traffic that moved to segments that fail more'
        >>> in_words(Decomposition(0.05, 0.005, part(-0.01), part(0.06), (("a", part(0.03)), ("b", part(0.03)))))
        'the loss lies within segments: 50 % of that in a, 50 % in b; traffic moved the other way, to segments that fail less'
    """
    if not found.is_worth_telling:
        return ""
    within, mix = found.within.value, found.mix.value
    positive = [(name, part.value) for name, part in found.segments if part.value > 0.0]
    gained = sum(value for _, value in positive)
    if within <= 0.0 or not positive:
        return "all of the loss is traffic that moved to segments that fail more; inside segments nothing got worse"
    total = max(within, 0.0) + max(mix, 0.0)
    if mix < -0.1 * found.change:
        shown = _list([(name, value / gained) for name, value in positive])
        return f"the loss lies within segments: {shown}; traffic moved the other way, to segments that fail less"
    leading = [(name, within / total * value / gained) for name, value in positive]
    told = _list(leading, first=" of the loss lies within ", later=" within ")
    if mix < 0.05 * total:
        return told
    return f"{told}, {_percent(mix / total)} is traffic that moved to segments that fail more"


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"


def _list(parts: Sequence[tuple[str, float]], first: str = " of that in ", later: str = " in ") -> str:
    """The largest parts, at most three, none of them below a tenth unless it is the largest."""
    shown = [pair for i, pair in enumerate(sorted(parts, key=lambda p: -p[1])[:3]) if i == 0 or pair[1] >= 0.1]
    return ", ".join(f"{_percent(share)}{later if i else first}{name}" for i, (name, share) in enumerate(shown))

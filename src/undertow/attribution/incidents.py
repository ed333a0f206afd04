"""Incidents of upstreams near an onset: days on which far more calls failed than is usual for that tier.

Information beside an alarm, not an alarm. Each day near the onset is held against the days outside: an error rate `q` among n calls is
named when `n KL(q, p)` exceeds `log(days / level)`, with p what is usual (the rate that nine in ten of the other days stay below, plus the
uncertainty of so many calls): a Chernoff bound with a Bonferroni correction over all days looked at. And it must be worth a sentence: at
least twice the usual, and at least `LEAST_RATE`.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
import numpy.typing as npt

from undertow.records.cells import CALL_FATES, CALL_PURPOSES, AuditCells

FloatArray = npt.NDArray[np.float64]

LEVEL = 0.01
LEAST_RATE = 0.01
MIN_CALLS = 20
MIN_DAYS = 5
"""Days outside the window that must be known before anything is called unusual."""

SLACK_DAYS = 3
"""Days before and after an onset interval that are looked at as well."""

_USUAL = 0.9
_OF_UPSTREAMS = ("serve", "race", "self_check", "shadow")
_DAY_S = 86_400


@dataclass(frozen=True, slots=True)
class Incident:
    """Days in a row on which an upstream failed unusually often.

    Attributes:
        tier: Whose upstream; None: the log tells no calls, and no tier answered.
        first: First day.
        last: Last day.
        calls: Calls (or requests) of those days.
        rate: Share that failed.
        timeouts: Share that no answer came to in time.
        usual: What is usual.
    """

    tier: str | None
    first: datetime
    last: datetime
    calls: int
    rate: float
    timeouts: float
    usual: float


def incidents_near(cells: AuditCells, low: int, high: int) -> tuple[Incident, ...]:
    """Incidents between two buckets (absolute), with some slack, by tier and time.

    Args:
        cells: The log's sufficient statistics.
        low: First bucket of the onset interval.
        high: Its last.
    """
    window = (low * cells.bucket_s // _DAY_S - SLACK_DAYS, high * cells.bucket_s // _DAY_S + SLACK_DAYS)
    series = _by_tier(cells)
    looked_at = len(series) * (window[1] - window[0] + 1)
    found: list[Incident] = []
    for tier, (days, n, failed, late) in series.items():
        found += _unusual(tier, days, n, failed, late, window, LEVEL / max(looked_at, 1))
    return tuple(found)


def _by_tier(cells: AuditCells) -> dict[str | None, tuple[npt.NDArray[np.int64], FloatArray, FloatArray, FloatArray]]:
    """Days since 1970, calls, failures and timeouts of each tier's upstream; of decisions where the log has no calls that failed."""
    calls = cells.calls
    purposes = [CALL_PURPOSES.index(name) for name in _OF_UPSTREAMS]
    calls = calls.take(np.isin(calls.purpose, purposes) & (calls.tier >= 0))
    failed = calls.calls * (calls.fate == CALL_FATES.index("failed"))
    if failed.sum() > 0:
        return {
            name: _daily(
                calls.bucket[mine] * cells.bucket_s // _DAY_S, calls.calls[mine], failed[mine], calls.timeouts[mine]
            )
            for tier, name in enumerate(cells.tiers)
            if (mine := calls.tier == tier).any()
        }
    traffic = cells.traffic.take(cells.traffic.segment == 0)
    unserved = np.where(traffic.tier < 0, traffic.decisions, 0)
    if not unserved.sum():
        return {}
    day = traffic.bucket * cells.bucket_s // _DAY_S
    return {None: _daily(day, traffic.decisions, unserved, np.zeros_like(unserved))}


def _daily(
    day: npt.NDArray[np.int64], n: npt.ArrayLike, failed: npt.ArrayLike, late: npt.ArrayLike
) -> tuple[npt.NDArray[np.int64], FloatArray, FloatArray, FloatArray]:
    first = int(day.min())
    size = int(day.max()) - first + 1
    sums = [
        np.bincount(day - first, weights=np.asarray(values, dtype=np.float64), minlength=size).astype(np.float64)
        for values in (n, failed, late)
    ]
    return np.arange(first, first + size, dtype=np.int64), sums[0], sums[1], sums[2]


def _unusual(
    tier: str | None,
    days: npt.NDArray[np.int64],
    n: FloatArray,
    failed: FloatArray,
    late: FloatArray,
    window: tuple[int, int],
    level: float,
) -> list[Incident]:
    enough = n >= MIN_CALLS
    inside = (days >= window[0]) & (days <= window[1])
    outside = enough & ~inside
    if outside.sum() < MIN_DAYS:
        return []
    rates = failed[outside] / n[outside]
    usual = float(failed[outside].sum() / n[outside].sum())
    # Ordinary days differ; what nine in ten stay below is usual, and as rare as never is still not known to be never.
    bound = max(float(np.quantile(rates, _USUAL)), (float(failed[outside].sum()) + 3.0) / float(n[outside].sum()))
    bound = min(bound, 0.5)
    hits = [
        i
        for i in np.flatnonzero(inside & enough)
        if (rate := failed[i] / n[i]) >= max(LEAST_RATE, 2.0 * bound)
        and n[i] * _divergence(float(rate), bound) >= math.log(1.0 / level)
    ]
    groups: list[list[int]] = []
    for i in hits:
        if groups and i == groups[-1][-1] + 1:
            groups[-1].append(int(i))
        else:
            groups.append([int(i)])
    return [
        Incident(
            tier=tier,
            first=datetime.fromtimestamp(int(days[group[0]]) * _DAY_S, UTC),
            last=datetime.fromtimestamp(int(days[group[-1]]) * _DAY_S, UTC),
            calls=int(n[group].sum()),
            rate=float(failed[group].sum() / n[group].sum()),
            timeouts=float(late[group].sum() / n[group].sum()),
            usual=usual,
        )
        for group in groups
    ]


def _divergence(q: float, p: float) -> float:
    """KL divergence of Bernoulli(q) from Bernoulli(p), q > p > 0."""
    rest = 0.0 if q >= 1.0 else (1.0 - q) * math.log((1.0 - q) / (1.0 - p))
    return q * math.log(q / p) + rest


def in_words(incident: Incident) -> str:
    """The incident as a person would say it.

    Examples:
        >>> day = datetime(2026, 3, 12, tzinfo=UTC)
        >>> in_words(Incident("capable", day, day, 5000, 0.04, 0.0, 0.001))
        "the capable tier's upstream answered 4 % of calls with errors on 12 March (usually 0.1 %)"
        >>> in_words(Incident(None, day, datetime(2026, 3, 14, tzinfo=UTC), 5000, 0.1, 0.0, 0.0))
        'no tier answered 10 % of requests from 12 to 14 March (usually 0 %)'
    """
    when = _days(incident.first, incident.last)
    usually = f"(usually {100 * incident.usual:.1g} %)"
    if incident.tier is None:
        return f"no tier answered {_percent(incident.rate)} of requests {when} {usually}"
    errors = incident.rate - incident.timeouts
    how = f"answered {_percent(incident.rate)} of calls with errors"
    if incident.timeouts >= errors:
        how = f"did not answer {_percent(incident.rate)} of calls in time"
    elif incident.timeouts > 0.1 * incident.rate:
        how += f" or not in time ({_percent(incident.timeouts)})"
    return f"the {incident.tier} tier's upstream {how} {when} {usually}"


def _days(first: datetime, last: datetime) -> str:
    if first == last:
        return f"on {first.day} {first:%B}"
    if (first.year, first.month) == (last.year, last.month):
        return f"from {first.day} to {last.day} {last:%B}"
    return f"from {first.day} {first:%B} to {last.day} {last:%B}"


def _percent(rate: float) -> str:
    return f"{100 * rate:.2g} %"


def all_in_words(incidents: Sequence[Incident], most: int = 3) -> tuple[str, ...]:
    """The worst incidents in words, in order of time."""
    worst = sorted(incidents, key=lambda one: -one.rate * one.calls)[:most]
    return tuple(in_words(one) for one in sorted(worst, key=lambda one: (one.first, one.tier or "")))

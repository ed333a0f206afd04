"""Drift of routing confidence and of the routing share: warnings that steer and prove no harm, and the histogram of people.

A change of policy or calibration version moves both on purpose, so each stretch of days between versions is a series of its own,
with its own first fortnight as baseline.
"""

import itertools
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
import numpy.typing as npt

from undertow.attribution.changes import dated_changes
from undertow.detectors.drift import (
    Drift,
    confidence_drift,
    population_stability_index,
    share_drift,
    wasserstein_distance,
)
from undertow.records.cells import CONFIDENCE_BINS, AuditCells
from undertow.records.report import Alarm, AuditSettings, Histogram
from undertow.records.segment import WHOLE

FloatArray = npt.NDArray[np.float64]

DAY_S = 86_400
WINDOW_DAYS = 14
"""Length of a baseline, and of the periods that the histogram compares."""

SEED = 20_260
"""Seed of the thresholds' bootstrap: fixed, so that an audit is a function of its log."""


@dataclass(frozen=True, slots=True)
class _Days:
    """Confidence histograms per day, first day as days since 1970. Shapes (T, bins), (T,)."""

    first: int
    counts: FloatArray
    total: FloatArray


def confidence_histogram(cells: AuditCells) -> Histogram | None:
    """Distribution of the routing confidence (or score) in its first fortnight and in the last; None without any."""
    days = _confidence_days(cells)
    if days is None:
        return None
    length = len(days.counts)
    window = max(1, min(WINDOW_DAYS, length // 2))
    before, now = days.counts[:window].sum(0), days.counts[-window:].sum(0)
    if before.sum() <= 0 or now.sum() <= 0:
        return None
    edges = np.linspace(*cells.confidence_range, CONFIDENCE_BINS + 1)
    return Histogram(
        column=cells.confidence_column or "confidence",
        edges=tuple(edges.tolist()),
        baseline=tuple((before / before.sum()).tolist()),
        now=tuple((now / now.sum()).tolist()),
        baseline_period=(_day(days.first), _day(days.first + window)),
        now_period=(_day(days.first + length - window), _day(days.first + length)),
        psi=population_stability_index(before, now),
        wasserstein=wasserstein_distance(before, now),
    )


def drift_warnings(cells: AuditCells, settings: AuditSettings) -> list[Alarm]:
    """Warnings of drift in confidence and routing share, each at half of alpha over the horizon."""
    found: list[Alarm] = []
    days = _confidence_days(cells)
    if days is not None:
        breaks = _breaks(cells, {"calibration_version"})
        for start, stop in _stretches(days.first, days.first + len(days.counts), breaks):
            rows = slice(start - days.first, stop - days.first)
            drift = confidence_drift(
                days.counts[rows], days.total[rows], WINDOW_DAYS, np.random.default_rng(SEED),
                settings.alpha / 2, settings.horizon_days, _weekday(start),
            )  # fmt: skip
            found += _warning(cells, drift, start, "confidence", cells.confidence_column or "confidence")
    found += _share_warnings(cells, settings)
    return found


def _share_warnings(cells: AuditCells, settings: AuditSettings) -> Iterable[Alarm]:
    traffic = cells.traffic.take((cells.traffic.segment == 0) & (cells.traffic.tier >= 0))
    day = traffic.bucket * cells.bucket_s // DAY_S
    first, last = int(day.min()), int(day.max())
    size = last - first + 1
    total = np.bincount(day - first, weights=traffic.decisions.astype(float), minlength=size)
    capable = traffic.tier == len(cells.tiers) - 1
    cheaper = np.bincount((day - first)[~capable], weights=traffic.decisions[~capable].astype(float), minlength=size)
    routed = np.flatnonzero(cheaper > 0)
    if not len(routed) or cheaper.sum() >= total.sum():
        return
    begin = first + int(routed[0])
    for start, stop in _stretches(begin, last + 1, _breaks(cells, {"policy_version", "policy"})):
        rows = slice(start - first, stop - first)
        drift = share_drift(
            cheaper[rows], total[rows], WINDOW_DAYS, np.random.default_rng(SEED),
            settings.alpha / 2, settings.horizon_days, _weekday(start),
        )  # fmt: skip
        yield from _warning(cells, drift, start, "share", "routing share")


def _warning(cells: AuditCells, drift: Drift, start: int, monitor: str, what: str) -> list[Alarm]:
    if drift.day is None:
        return []
    moved = "" if drift.size is None else f" by {abs(drift.size):.3f}"
    part = {"mean": f"the mean {what}", "tail": f"the share of low {what}", "share": f"the {what} of the cheaper tiers"}
    return [
        Alarm(
            monitor=monitor,
            signal=what,
            tier=cells.tiers[0],
            segment=WHOLE,
            cause="unknown",
            basis="behaviour",
            detected_at=_day(start + drift.day + 1),
            onset=None,
            onset_interval=None,
            loss=None,
            interval=None,
            evidence=None,
            kind="drift",
            note=f"{part[drift.what or 'mean']} went {drift.direction}{moved}",
        )
    ]


def _confidence_days(cells: AuditCells) -> _Days | None:
    table = cells.confidence.take(cells.confidence.segment == 0)
    if cells.confidence_column is None or not len(table):
        return None
    day = table.bucket * cells.bucket_s // DAY_S
    first = int(day.min())
    size = int(day.max()) - first + 1
    flat = (day - first) * CONFIDENCE_BINS + table.bin
    counts = np.bincount(flat, weights=table.n.astype(float), minlength=size * CONFIDENCE_BINS)
    low, high = cells.confidence_range
    scaled = (table.total - low * table.n) / max(high - low, 1e-12)
    return _Days(
        first,
        counts.astype(np.float64).reshape(size, CONFIDENCE_BINS),
        np.bincount(day - first, weights=scaled, minlength=size).astype(np.float64),
    )


def _breaks(cells: AuditCells, kinds: set[str]) -> list[int]:
    """Days (since 1970) on which a version of one of these kinds began to serve."""
    return sorted({int(c.at.timestamp()) // DAY_S for c in dated_changes(cells) if c.kind in kinds})


def _stretches(first: int, end: int, breaks: list[int]) -> list[tuple[int, int]]:
    """Stretches of days between breaks that are long enough for a baseline and a week beyond it."""
    edges = [first, *(b for b in breaks if first < b < end), end]
    return [(a, b) for a, b in itertools.pairwise(edges) if b - a >= WINDOW_DAYS + 7]


def _weekday(day: int) -> int:
    """Weekday of a day since 1970, 0 = Monday (1970-01-01 was a Thursday)."""
    return (day + 3) % 7


def _day(day: int) -> datetime:
    return datetime.fromtimestamp(day * DAY_S, UTC)

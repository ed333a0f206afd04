"""Logs in which a tier fails more from some day on, and what is told of them."""

from dataclasses import replace

import numpy as np

from cells_factory import build, labels, served, whole_numbers
from undertow.estimators.periods import find_periods
from undertow.records.report import AuditSettings
from undertow.records.traffic_grid import bucket_range, traffic_grid
from undertow.services.alarm_scene import Scene
from undertow.services.alarms import tell_alarms
from undertow.services.evidence import gather

PRE, DAYS, BAD = 14, 70, 42
ROUTED = DAYS - PRE
SEGMENTS = ("intent=a", "intent=b", "intent=c")


def step(before, after, days=ROUTED, start=PRE, at=BAD):
    return np.where(np.arange(start, start + days) < at, before, after)


def log(
    rates=None,
    *,
    seed=1,
    held=0.05,
    per_day=24,
    holdout=True,
    history=True,
    traffic=None,
    delay=0,
    days=ROUTED,
    stratum_weights=(1.0,),
):
    """A log with three segments whose cheap failure rates are given per segment (a scalar or one a day)."""
    rng = np.random.default_rng(seed)
    parts = []
    for i, segment in enumerate(SEGMENTS):
        mine = (rates or {}).get(segment, 0.05)
        shown = np.broadcast_to(np.asarray((traffic or {}).get(segment, 60.0), float), (days,))
        held_rate = held[segment] if isinstance(held, dict) else held
        parts.append(served("capable", 100, days=PRE, segment=segment))
        if history:
            n, k = whole_numbers(rng, per_day, held_rate if np.ndim(held_rate) == 0 else held_rate[0], PRE)
            parts.append(labels("capable", n, k, days=PRE, segment=segment))
        parts.append(served("cheap", shown, days=days, start=PRE, segment=segment))
        parts.append(served("capable", 40, days=days, start=PRE, segment=segment))
        for stratum, weight in enumerate(stratum_weights):
            n, k = whole_numbers(rng, np.round(per_day * shown / 60.0), mine, days)
            parts.append(
                labels(
                    "cheap", n, k, days=days, start=PRE, segment=segment, delay=delay, stratum=stratum, weight=weight
                )
            )
        n, k = whole_numbers(rng, 10, held_rate, days)
        parts.append(labels("capable", n, k, days=days, start=PRE, segment=segment))
        if holdout:
            n, k = whole_numbers(rng, 12, held_rate, days)
            parts += [
                served("capable", 8, days=days, start=PRE, arm="holdout", segment=segment),
                labels("capable", n, k, days=days, start=PRE, arm="holdout", segment=segment),
            ]
        assert i < 3
    return parts


def alarms(*parts, chosen=AuditSettings(), **given):  # noqa: B008
    cells = build(*parts, **given)
    first, buckets = bucket_range(cells)
    periods = find_periods(traffic_grid(cells, 0, first_bucket=first, buckets=buckets), cells.bucket_s, None)
    return tell_alarms(cells, chosen, periods, gather(cells, chosen, periods, alarms=True), 0.99)


def steered(rises, *, seed=1, pairs=False, other=0.05):
    """Three segments in two strata, named; from day `BAD` on tails fail more by `rises`, from two days later on steering reviews the second's.

    With `pairs` both answers are seen: the capable one of the same request fails at `other` since then.
    """
    rng = np.random.default_rng(seed)
    parts = []

    def label(n, rate, days, start, other_rate, **given):
        n, k = whole_numbers(rng, n, rate, days)
        lost = rng.binomial(k.astype(int), 1.0 - np.broadcast_to(other_rate, (days,))) * pairs
        won = rng.binomial((n - k).astype(int), np.broadcast_to(other_rate, (days,))) * pairs
        parts.append(labels("cheap", n, k, days=days, start=start, pairs=pairs, lost=lost, won=won, **given))

    for i, segment in enumerate(SEGMENTS):
        parts += [
            served("cheap", 60, days=ROUTED, start=PRE, segment=segment),
            served("capable", 40, days=ROUTED, start=PRE, segment=segment),
            served("capable", 100, days=PRE, segment=segment),
        ]
        for stratum, rate in enumerate((0.15, 0.05)):
            given = {"segment": segment, "stratum": stratum}
            rise = rises[i] * (stratum == 0)
            label(10, step(rate, rate + rise), ROUTED, PRE, step(0.05, other), weight=2.0 + 18.0 * stratum, **given)
        if i == 1:
            more = {"segment": segment, "stratum": 0, "weight": 1.0, "steered": 2}
            label(80, 0.15 + rises[1], DAYS - BAD - 2, BAD + 2, other, **more)
    return replace(build(*parts, segments=SEGMENTS), strata={0: ("tail", "common")})


def drawn_unlike(rises, *, pairs=False, other=0.0):
    """Labels of one stratum; from day `BAD` on hard requests, a tenth of the first segment, are drawn nine times as often as before.

    They fail at .6, before and after, and the capable tier's answers to them as often; others fail at .05, and from then on by `rises` more.
    """
    rng = np.random.default_rng(5)
    parts = []

    def label(segment, n, rate, others, days, start, weight):
        n, k = whole_numbers(rng, n, rate, days)
        lost, won = rng.binomial(k.astype(int), 1.0 - others) * pairs, rng.binomial((n - k).astype(int), others) * pairs
        parts.append(
            labels(
                "cheap", n, k, days=days, start=start, segment=segment, weight=weight, pairs=pairs, lost=lost, won=won
            )
        )

    for i, segment in enumerate(SEGMENTS):
        parts += [
            served("cheap", 90, days=ROUTED, start=PRE, segment=segment),
            served("capable", 40, days=ROUTED, start=PRE, segment=segment),
            served("capable", 100, days=PRE, segment=segment),
        ]
        for rise, days, start in ((0.0, BAD - PRE, PRE), (rises[i], DAYS - BAD, BAD)):
            label(segment, 9, 0.05 + rise, other, days, start, 9.0)
            often = 9 if rise == rises[i] and start == BAD and i == 0 else 1
            label(segment, often, 0.6, 0.6, days, start, 9.0 / often)
    return replace(build(*parts, segments=SEGMENTS), strata={0: ("common",)})


def heard(cells):
    first, buckets = bucket_range(cells)
    periods = find_periods(traffic_grid(cells, 0, first_bucket=first, buckets=buckets), cells.bucket_s, None)
    chosen = AuditSettings()
    return Scene(cells, chosen, periods, first, buckets, 0.99), gather(cells, chosen, periods, alarms=True)


def told(cells):
    scene, evidence = heard(cells)
    return tell_alarms(cells, scene.settings, scene.periods, evidence, scene.level)

"""Projections: right on average, wider than their error, and silent where nothing tells how good they would be."""

from dataclasses import replace

import numpy as np
import pytest

from cells_factory import FIRST, build, exposed, outcome, served
from undertow.ledger.downstream import choose_contrast
from undertow.ledger.projection import LEAST_BACKTESTS, project
from undertow.ledger.usd import OutcomePrice
from undertow.records.cells import OutcomeCells

CHURN = OutcomePrice("churn", 50.0, maturity_days=30.0)
DAYS = 150
USERS, HELD = range(200), range(200, 300)
MONTH = 30.4375


def log(rng, rate=0.03, held=0.01, *, days=DAYS, delay=8.0, shift=None):
    """Ten decisions a user and day; events come after geometric delays, of which those beyond the log have not come."""
    cells = build(
        served("cheap", 1, days=days),
        exposed("cheap", 10, days=days, clusters=USERS),
        exposed("capable", 10, days=days, clusters=HELD, arm="holdout"),
        outcome("churn", "cheap", 0, days=1, clusters=[0]),
    )
    parts = []
    for arm, clusters, p in ((0, USERS, rate), (1, HELD, held)):
        n = rng.binomial(10, p, (days, len(clusters)))
        day, place = np.nonzero(n)
        many = n[day, place]
        day, cluster = np.repeat(day, many), np.repeat(np.array(clusters)[place], many)
        mean = np.full(len(day), delay) if shift is None else np.where(day >= days - 40, shift, delay)
        come = day + np.minimum(rng.geometric(1.0 / mean) - 1, 30)
        keep = come < days
        ones = np.ones(keep.sum())
        parts.append((day[keep], come[keep], np.full(keep.sum(), arm), cluster[keep], ones))
    day, come, arm, cluster, ones = (np.concatenate(columns) for columns in zip(*parts, strict=True))
    zeros = np.zeros(len(day), np.int64)
    table = OutcomeCells(zeros, day + FIRST, come + FIRST, arm, zeros, cluster, ones, ones)
    return replace(cells, outcomes=table)


def projected(cells, level=0.95):
    return project(cells, CHURN, choose_contrast(cells, FIRST, FIRST), level)


def test_it_is_right_on_average_and_its_interval_covers():
    rng = np.random.default_rng(5)
    truth = 50.0 * 200 * 10 * MONTH * 0.02
    found = [projected(log(rng)) for _ in range(60)]
    assert all(each is not None and each.backtests >= LEAST_BACKTESTS and each.causal for each in found)
    assert np.mean([each.usd_month for each in found]) == pytest.approx(truth, rel=0.04)
    missed = sum(not each.interval[0] <= truth <= each.interval[1] for each in found)
    assert missed / len(found) <= 0.05 + 3 * (0.05 * 0.95 / len(found)) ** 0.5
    assert abs(np.mean([each.backtest_bias for each in found])) < 0.02


def test_delays_that_changed_show_in_the_backtests_once_their_end_is_known():
    calm = projected(log(np.random.default_rng(6)))
    moved = projected(log(np.random.default_rng(6), days=220, delay=4.0, shift=None))
    assert calm.backtest_error < 0.15
    assert moved.arrived_share > calm.arrived_share  # events that come sooner have come more completely


def test_a_short_log_says_nothing():
    assert projected(log(np.random.default_rng(7), days=50)) is None


def test_an_outcome_that_is_ripe_at_once_or_has_no_price_needs_no_projection():
    cells = log(np.random.default_rng(8))
    contrast = choose_contrast(cells, FIRST, FIRST)
    assert project(cells, replace(CHURN, maturity_days=0.0), contrast, 0.95) is None
    assert project(cells, replace(CHURN, usd=None), contrast, 0.95) is None
    assert project(cells, OutcomePrice("ticket", 1.0), contrast, 0.95) is None

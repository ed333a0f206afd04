"""The prediction-powered mean against formulas done by hand, and its bets by enumeration."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from undertow.errors import StatisticalError
from undertow.stats.betting import BET_MULTIPLIERS
from undertow.stats.ppi import anchored_values, fit_tau, log_anchored_bets, ppi_mean


def drawn(rng, n, right=0.9, rate=0.2, chance=0.1):
    y = (rng.random(n) < rate) * 1.0
    f = np.where(rng.random(n) < right, y, 1.0 - y)
    return f, y, np.where(rng.random(n) < chance, y, np.nan)


def test_tau_is_the_slope_within_its_bounds():
    rng = np.random.default_rng(1)
    f, y, _ = drawn(rng, 400)
    slope = np.polyfit(f, y, 1)[0]
    assert fit_tau(400, f.sum(), y.sum(), (f * y).sum(), (f * f).sum()) == pytest.approx(slope)
    assert fit_tau(400, f.sum(), 400 - y.sum(), (f * (1 - y)).sum(), (f * f).sum()) == 0.0, (
        "a judge that is wrong is not used"
    )
    assert fit_tau(10, 10, 3, 3, 10) == 0.0, "a judge that always says yes tells nothing"
    assert fit_tau(0, 0, 0, 0, 0) == 0.0


def test_the_mean_is_the_regression_estimate():
    rng = np.random.default_rng(2)
    f, y, seen = drawn(rng, 2000)
    has = ~np.isnan(seen)
    m = ppi_mean(f, seen, 0.1)
    tau = np.polyfit(f[has], y[has], 1)[0]
    assert m.tau[0] == pytest.approx(tau)
    assert m.mean == pytest.approx(tau * f.mean() + (y[has] - tau * f[has]).mean())
    assert m.labelled == has.sum()
    assert m.judged == 2000


def test_strata_count_by_their_share_of_the_traffic():
    rng = np.random.default_rng(3)
    parts = [drawn(rng, 3000, rate=0.4, chance=0.3), drawn(rng, 3000, rate=0.05, chance=0.1)]
    f, seen = np.concatenate([p[0] for p in parts]), np.concatenate([p[2] for p in parts])
    stratum, pi = np.repeat([0, 1], 3000), np.repeat([0.3, 0.1], 3000)
    m = ppi_mean(f, seen, pi, stratum, [0.1, 0.9])
    alone = [ppi_mean(p[0], p[2], chance) for p, chance in zip(parts, (0.3, 0.1), strict=True)]
    assert m.mean == pytest.approx(0.1 * alone[0].mean + 0.9 * alone[1].mean)
    assert m.se == pytest.approx(np.hypot(0.1 * alone[0].se, 0.9 * alone[1].se))


def test_unequal_inclusion_is_weighted_out():
    rng = np.random.default_rng(4)
    f, y, _ = drawn(rng, 60_000, rate=0.3)
    pi = np.where(y > 0, 0.3, 0.05)  # failures are six times as likely to be looked at
    m = ppi_mean(f, np.where(rng.random(len(f)) < pi, y, np.nan), pi)
    assert m.low < 0.3 < m.high
    assert abs(m.mean - 0.3) < 0.01


def test_better_judges_are_worth_more_and_a_useless_one_no_less_than_none():
    rng = np.random.default_rng(5)
    worth = [
        ppi_mean(*(f, seen), 0.05).worth
        for f, _, seen in (drawn(rng, 20_000, right=r, chance=0.05) for r in (0.5, 0.8, 0.95))
    ]
    assert 0.95 < worth[0] < 1.1
    assert worth[0] < worth[1] < worth[2]
    assert worth[2] > 2.0


def test_anytime_intervals_are_wider():
    f, _, seen = drawn(np.random.default_rng(6), 4000)
    once, always = ppi_mean(f, seen, 0.1), ppi_mean(f, seen, 0.1, anytime=True)
    assert always.low < once.low < once.mean < once.high < always.high


def test_without_labels_nothing_is_known():
    m = ppi_mean([1.0, 0.0, 1.0, 0.0], [1.0, 0.0, np.nan, np.nan], 1.0, [0, 0, 1, 1], [0.5, 0.5])
    assert np.isnan(m.mean)
    assert (m.low, m.high) == (0.0, 1.0)
    assert np.isnan(ppi_mean([], [], 0.5).mean)


def test_a_label_that_could_not_have_been_drawn_is_refused():
    with pytest.raises(StatisticalError, match="above 0"):
        ppi_mean([1.0], [1.0], 0.0)


@settings(deadline=None, max_examples=60)
@given(
    st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1), st.booleans()), min_size=1, max_size=60), st.floats(0.05, 1.0)
)
def test_the_interval_is_inside_the_unit_interval_and_holds_its_mean(rows, pi):
    f, y, seen = map(np.array, zip(*rows, strict=True))
    m = ppi_mean(f, np.where(seen, y, np.nan), pi)
    if seen.any():
        assert 0.0 <= m.low <= m.high <= 1.0
        assert m.low - 1e-9 <= np.clip(m.mean, 0.0, 1.0) <= m.high + 1e-9
        assert ((m.tau >= 0.0) & (m.tau <= 1.0)).all()


def test_values_have_the_mean_of_the_label_whatever_the_judge():
    joint = np.array([0.6, 0.1, 0.1, 0.2])  # P(y, f) of 00, 01, 10, 11
    for tau, pi in itertools.product((0.0, 0.4, 1.0), (0.1, 0.7, 1.0)):
        x = anchored_values(tau, pi)
        assert pi * joint @ x[:4] + (1 - pi) * (0.7 * x[4] + 0.3 * x[5]) == pytest.approx(0.3)


@pytest.mark.parametrize("drift", [0.0, 0.2])
def test_bets_are_e_values_by_enumeration_under_quotas_and_a_drifting_judge(drift):
    # Two labelled and two unlabelled items of one block, all outcomes with their probabilities; the judge may have drifted.
    rate, seen, false = 0.2, 0.8, 0.1 + drift
    joint = np.array([(1 - rate) * (1 - false), (1 - rate) * false, rate * (1 - seen), rate * seen])
    flagged = joint[1] + joint[3]
    x = anchored_values(0.6, 0.5)
    mean = np.zeros(len(BET_MULTIPLIERS))
    for a, b in itertools.product(range(4), repeat=2):
        for u, v in itertools.product(range(2), repeat=2):
            counts = np.bincount([a, b, 4 + u, 4 + v], minlength=6)
            chance = joint[a] * joint[b] * np.prod([flagged if i else 1 - flagged for i in (u, v)])
            mean += chance * np.exp(log_anchored_bets(counts, x, rate, 0.3))
    assert (mean <= 1.0 + 1e-12).all()
    assert (mean > 0.7).all(), "nor timid"


def test_no_outcome_ruins_a_bet():
    bets = log_anchored_bets(np.array([0, 50, 0, 0, 0, 0]), anchored_values(1.0, 0.01), 0.05, 1e-6)
    assert np.isfinite(bets).all()

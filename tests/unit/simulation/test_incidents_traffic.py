"""One day of requests: shares, arms, propensities, failures and costs are as the parameters say."""

import dataclasses

import numpy as np
import pytest

from undertow.simulation.incidents import CAPABLE, CHEAP, SUPPORT, UNSERVED
from undertow.simulation.incidents_traffic import (
    CONFIDENT,
    CONSTRAINT,
    DAY_MS,
    HOLDOUT,
    OBSERVE,
    ROLLOUT,
    draw_day,
    draw_population,
    draw_suite,
    novelty_cut,
    suite_size,
)

SETTLED = SUPPORT.pre_days + 60


@pytest.fixture(scope="module")
def population():
    return draw_population(SUPPORT, np.random.default_rng(1))


@pytest.fixture(scope="module")
def settled(population):
    return draw_day(SUPPORT, population, SETTLED, np.random.default_rng(2))


def near(share, expected, n, sigmas=5.0):
    """Within five standard errors of a binomial share (and never closer than 1e-9)."""
    return abs(share - expected) <= sigmas * np.sqrt(expected * (1 - expected) / n) + 1e-9


def test_times_are_sorted_inside_the_day(settled):
    assert (np.diff(settled.time_ms) >= 0).all()
    assert settled.time_ms[0] >= SETTLED * DAY_MS
    assert settled.time_ms[-1] < (SETTLED + 1) * DAY_MS


def test_shares_are_as_stated(settled):
    n = len(settled)
    # Conversations, not requests, are independent: a fifth of the requests repeat an earlier one.
    assert near(settled.eligible.mean(), 0.65, n / 2)
    assert near(settled.hidden[settled.eligible].mean(), 0.20, settled.eligible.sum() / 2)
    assert not settled.hidden[~settled.eligible].any()
    served = settled.tier != UNSERVED
    assert near((~served).mean(), 0.001, n)


def test_the_arm_is_the_users(settled, population):
    assert (settled.holdout == population.holdout[settled.user]).all()


def test_holdout_never_goes_cheap_and_reasons_say_why(settled):
    cheap = settled.tier == CHEAP
    assert not (cheap & settled.holdout).any()
    assert (settled.reason[cheap] == CONFIDENT).all()
    held = (settled.tier == CAPABLE) & settled.eligible & settled.holdout
    assert (settled.reason[held] == HOLDOUT).all()
    assert (settled.reason[(settled.tier == CAPABLE) & ~settled.eligible] == CONSTRAINT).all()


def test_propensity_is_the_probability_of_the_tier(population):
    day = SUPPORT.pre_days + 8  # ten per cent rolled out
    got = draw_day(SUPPORT, population, day, np.random.default_rng(3))
    p_cheap = 0.95 * 0.10
    assert np.allclose(got.propensity[got.tier == CHEAP], p_cheap)
    assert np.allclose(got.propensity[(got.tier == CAPABLE) & got.eligible], 1 - p_cheap)
    assert np.allclose(got.propensity[~got.eligible], 1.0)
    assert ROLLOUT in got.reason


def test_before_routing_the_capable_tier_serves_everything(population):
    got = draw_day(SUPPORT, population, 3, np.random.default_rng(4))
    assert set(got.tier.tolist()) <= {CAPABLE, UNSERVED}
    assert (got.reason[got.eligible & (got.tier == CAPABLE)] == OBSERVE).all()
    assert (got.propensity == 1.0).all()


@pytest.mark.statistical
def test_failures_are_as_stated(population):
    days = [draw_day(SUPPORT, population, SETTLED + i, np.random.default_rng(100 + i)) for i in range(3)]
    cheap = np.concatenate([d.tier == CHEAP for d in days])
    hidden = np.concatenate([d.hidden for d in days])
    capable = np.concatenate([d.tier == CAPABLE for d in days])
    failed = np.concatenate([d.failed for d in days])
    assert near(failed[cheap & hidden].mean(), 0.90, (cheap & hidden).sum())
    assert near(failed[cheap & ~hidden].mean(), 0.05, (cheap & ~hidden).sum())
    assert near(failed[capable].mean(), 0.04, capable.sum())
    # The capable tier does as well on hidden intents as on others: that is what makes it a loss of routing.
    assert near(failed[capable & hidden].mean(), 0.04, (capable & hidden).sum())


@pytest.mark.statistical
def test_the_long_tail_holds_most_hidden_intents(settled):
    tail = settled.tail
    assert near(tail[settled.hidden].mean(), 0.60, settled.hidden.sum() / 2)
    assert near(tail[~settled.hidden].mean(), 0.20, (~settled.hidden).sum())
    assert ((settled.novelty > novelty_cut(SUPPORT)) == tail).mean() > 0.999  # novelty is rounded to four places


def test_hidden_intents_look_almost_as_simple(settled):
    easy, concealed = (settled.confidence[settled.eligible & h] for h in (~settled.hidden, settled.hidden))
    assert 0.0 < easy.mean() - concealed.mean() < 0.05
    assert np.isnan(settled.confidence[~settled.eligible]).all()
    assert (settled.confidence[settled.eligible] >= 0.5).all()


def test_the_bill_falls_to_about_forty_without_a_holdout():
    p = dataclasses.replace(SUPPORT, holdout=0.0, queries_per_day=20_000)
    got = draw_day(p, draw_population(p, np.random.default_rng(5)), SETTLED, np.random.default_rng(6))
    assert not got.holdout.any()
    served = got.tier != UNSERVED
    assert got.cost_usd.sum() / got.baseline_cost_usd[served].sum() == pytest.approx(0.40, abs=0.02)


def test_a_conversation_has_one_user_and_one_intent(settled):
    order = np.argsort(settled.conversation, kind="stable")
    same = np.diff(settled.conversation[order]) == 0
    for values in (settled.user, settled.intent, settled.eligible, settled.hidden):
        assert (np.diff(values[order].astype(np.int64))[same] == 0).all()
    assert same.mean() == pytest.approx(0.20, abs=0.01)


def test_the_suite_runs_on_mondays_and_stays_as_it_was():
    assert draw_suite(SUPPORT, 1, np.random.default_rng(7)) is None
    run = draw_suite(SUPPORT, 7 * 16, np.random.default_rng(7))
    assert run is not None
    assert run.suite
    assert len(run) == suite_size(SUPPORT) == 12_000
    assert near(run.hidden[run.eligible].mean(), 0.02, run.eligible.sum())
    assert not run.holdout.any()


def test_a_small_log_has_a_small_suite_and_none_can_be_asked_for():
    assert suite_size(dataclasses.replace(SUPPORT, queries_per_day=5_000)) == 1_200
    assert draw_suite(dataclasses.replace(SUPPORT, suite_per_week=0), 0, np.random.default_rng(8)) is None

"""Signals of a day: the review plan and its probabilities, what reviewers see, what arrives when."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from undertow.simulation.incidents import CAPABLE, CHEAP, SUPPORT, UNSERVED
from undertow.simulation.incidents_signals import (
    STRATA,
    draw_reviews,
    implicit_signals,
    judge_signals,
    outcome_signals,
    review_quota,
    review_signals,
    review_strata,
    suite_signals,
    thumb_signals,
)
from undertow.simulation.incidents_traffic import DAY_MS, draw_day, draw_population, draw_suite

SETTLED = SUPPORT.pre_days + 60


@pytest.fixture(scope="module")
def traffic():
    population = draw_population(SUPPORT, np.random.default_rng(1))
    return draw_day(SUPPORT, population, SETTLED, np.random.default_rng(2))


def test_every_served_request_is_in_the_stratum_of_its_tier_and_arm(traffic):
    strata = np.array(STRATA, dtype=object)[review_strata(traffic)]
    served = traffic.tier != UNSERVED
    assert (review_strata(traffic)[~served] == -1).all()
    cheap_tail = strata[served & (traffic.tier == CHEAP) & traffic.tail]
    assert set(cheap_tail) == {"cheap/tail"}
    held_body = strata[(traffic.tier == CAPABLE) & traffic.eligible & traffic.holdout & ~traffic.tail]
    assert set(held_body) == {"holdout/body"}
    assert set(strata[(traffic.tier == CAPABLE) & ~traffic.eligible]) == {"other"}


def test_reviews_are_split_by_tier_with_the_holdout_on_purpose(traffic):
    draw = draw_reviews(SUPPORT, traffic, np.random.default_rng(3))
    taken = dict(zip(STRATA, np.bincount(draw.stratum[draw.chosen], minlength=len(STRATA)).tolist(), strict=True))
    assert taken == {
        "cheap/tail": 70, "cheap/body": 70, "holdout/tail": 22, "holdout/body": 23,
        "eligible/tail": 0, "eligible/body": 0, "other": 15,
    }  # fmt: skip


def test_the_probability_is_the_share_taken_of_the_stratum(traffic):
    draw = draw_reviews(SUPPORT, traffic, np.random.default_rng(3))
    for code in range(len(STRATA)):
        members = draw.stratum == code
        if not members.any():
            continue
        assert np.unique(draw.inclusion_probability[members]).size == 1
        assert draw.inclusion_probability[members].sum() == pytest.approx(draw.chosen[members].sum())
    weights = 1 / draw.inclusion_probability[draw.chosen]
    frame = (draw.inclusion_probability > 0).sum()
    assert weights.sum() == pytest.approx(frame)


@pytest.mark.statistical
def test_weighted_reviews_estimate_the_flag_rate_of_the_tier(traffic):
    rng = np.random.default_rng(4)
    rates = []
    for _ in range(300):
        draw = draw_reviews(SUPPORT, traffic, rng)
        reviews = review_signals(SUPPORT, traffic, draw, rng)
        weight = (traffic.tier[reviews.row] == CHEAP) / reviews.inclusion_probability
        rates.append((weight * (1 - reviews.value)).sum() / weight.sum())
    cheap = traffic.tier == CHEAP
    hidden, failed = traffic.hidden[cheap], traffic.failed[cheap]
    flagged = np.where(failed, np.where(hidden, 0.5, 0.9), 0.02).mean()
    assert np.mean(rates) == pytest.approx(flagged, abs=5 * np.std(rates) / np.sqrt(len(rates)))


@pytest.mark.statistical
def test_the_plain_mean_of_reviews_would_describe_the_queue(traffic):
    rng = np.random.default_rng(5)
    plain, weighted = [], []
    for _ in range(200):
        reviews = review_signals(SUPPORT, traffic, draw_reviews(SUPPORT, traffic, rng), rng)
        mine = traffic.tier[reviews.row] == CHEAP
        plain.append(1 - reviews.value[mine].mean())
        weighted.append(np.average(1 - reviews.value[mine], weights=1 / reviews.inclusion_probability[mine]))
    # By the parameters: tail 0.43 hidden, body 0.11 hidden; flagged 0.452 of hidden and 0.064 of normal cheap answers.
    tail = (0.2 * 0.6 * 0.452 + 0.8 * 0.2 * 0.064) / (0.2 * 0.6 + 0.8 * 0.2)
    whole = 0.2 * 0.452 + 0.8 * 0.064
    body = (whole - 0.28 * tail) / 0.72
    error = np.std(np.subtract(plain, weighted)) / np.sqrt(len(plain))
    # This day's own failures differ a little from their probabilities, the same for every draw: hence the 0.005.
    assert np.mean(plain) - np.mean(weighted) == pytest.approx((tail + body) / 2 - whole, abs=5 * error + 0.005)


@given(
    sizes=st.lists(st.integers(0, 400), min_size=len(STRATA), max_size=len(STRATA)),
    reviews=st.integers(1, 500),
    cheap=st.floats(0, 1),
    tail=st.floats(0, 1),
    holdout=st.floats(0, 1),
)
def test_quotas_never_exceed_a_stratum_and_use_all_reviews_that_fit(sizes, reviews, cheap, tail, holdout):
    p = dataclasses.replace(
        SUPPORT, reviews_per_day=reviews, review_cheap_share=cheap, review_tail_share=tail, review_holdout_share=holdout
    )
    quota = review_quota(p, np.array(sizes))
    assert (quota >= 0).all()
    assert (quota <= np.array(sizes)).all()
    assert quota.sum() == min(reviews, sum(sizes))


def test_reviews_come_on_the_next_day_in_working_hours(traffic):
    reviews = review_signals(
        SUPPORT, traffic, draw_reviews(SUPPORT, traffic, np.random.default_rng(3)), np.random.default_rng(6)
    )
    hour = (reviews.time_ms - (SETTLED + 1) * DAY_MS) / 3_600_000
    assert hour.min() >= 8
    assert hour.max() <= 18
    assert set(np.unique(reviews.value)) <= {0.0, 1.0}


def test_thumbs_are_about_three_down_in_a_thousand(traffic):
    thumbs = thumb_signals(SUPPORT, traffic, np.random.default_rng(7))
    down = (thumbs.value == 0).sum() / len(traffic)
    assert 0.0025 < down < 0.0045
    assert (thumbs.time_ms >= traffic.time_ms[thumbs.row]).all()
    assert np.isnan(thumbs.inclusion_probability).all()


def test_judge_and_implicit_signals_carry_their_probability(traffic):
    for make, share in ((judge_signals, SUPPORT.judge_share), (implicit_signals, SUPPORT.implicit_share)):
        signals = make(SUPPORT, traffic, np.random.default_rng(8))
        assert (signals.inclusion_probability == share).all()
        assert len(signals) == pytest.approx(share * len(traffic), rel=0.2)


def test_suite_verdicts_cover_the_run():
    run = draw_suite(SUPPORT, 0, np.random.default_rng(9))
    signals = suite_signals(run)
    assert len(signals) == (run.tier != UNSERVED).sum()
    assert (signals.value == 1 - run.failed[signals.row]).all()


def test_outcomes_come_after_the_request_and_inside_their_window(traffic):
    tickets, churn = outcome_signals(SUPPORT, traffic, np.random.default_rng(10))
    assert (tickets.key, churn.key) == ("conversation", "user")
    for events, least, window in ((tickets, 0.1, SUPPORT.early_window_days), (churn, 7.0, SUPPORT.late_window_days)):
        delay = (events.time_ms - traffic.time_ms[events.row]) / DAY_MS
        assert delay.min() >= least - 1e-6
        assert delay.max() < window
    per_failure = traffic.failed[tickets.row].mean()
    assert per_failure > 3 * traffic.failed.mean()  # failures bring far more than their share of tickets

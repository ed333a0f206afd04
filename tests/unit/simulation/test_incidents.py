"""The incidents' parameters: what the story states, and what is refused."""

import dataclasses
from datetime import UTC, datetime

import numpy as np
import pytest

from undertow.errors import UsageError
from undertow.simulation.incidents import (
    DRIFTS,
    SUPPORT,
    WEEKDAY_FACTORS,
    as_of,
    fail_probability,
    hidden_share,
    rollout_share,
)


def test_support_has_the_parameters_of_the_reference_incident():
    p = SUPPORT
    assert (p.queries_per_day, p.eligible_share, p.reviews_per_day) == (50_000, 0.65, 200)
    assert (p.hidden_before, p.hidden_after, p.ramp_start_day, p.ramp_days) == (0.02, 0.20, 14, 28)
    assert (p.cheap_fail_normal, p.cheap_fail_hidden, p.capable_fail) == (0.05, 0.90, 0.04)
    assert (p.review_sees_normal, p.review_sees_hidden, p.review_false_flag) == (0.90, 0.50, 0.02)
    assert [i.share for i in p.intents] == [0.30, 0.25, 0.20, 0.10, 0.10, 0.05]
    assert [i.hidden_share for i in p.intents] == [0.10, 0.10, 0.10, 0.50, 0.10, 0.10]


def test_hidden_share_ramps_as_the_detection_benchmark_does():
    days = np.arange(0, 60)
    got = [hidden_share(SUPPORT, SUPPORT.pre_days + int(t)) for t in days]
    want = [min(0.20, 0.02 + 0.18 * max(0, t - 14 + 1) / 28) if t >= 14 else 0.02 for t in days]
    assert got == pytest.approx(want)


def test_hidden_share_steps_when_the_ramp_has_no_length():
    p = dataclasses.replace(SUPPORT, ramp_days=0)
    assert hidden_share(p, p.pre_days + 13) == 0.02
    assert hidden_share(p, p.pre_days + 14) == pytest.approx(0.20)


def test_nothing_is_routed_before_the_rollout():
    assert {rollout_share(SUPPORT, day) for day in range(SUPPORT.pre_days)} == {0.0}
    assert rollout_share(SUPPORT, SUPPORT.pre_days) == 0.05


def test_weekdays_average_to_one_day():
    assert sum(WEEKDAY_FACTORS) == pytest.approx(7.0)


def test_fail_probability_knows_tier_and_intent():
    cheap = np.array([True, True, False, False])
    hidden = np.array([True, False, True, False])
    assert fail_probability(SUPPORT, cheap, hidden).tolist() == [0.90, 0.05, 0.04, 0.04]


def test_times_are_utc_midnights():
    assert SUPPORT.routing_from == datetime(2026, 2, 2, tzinfo=UTC)
    assert SUPPORT.onset == datetime(2026, 2, 16, tzinfo=UTC)
    assert SUPPORT.ends == datetime(2026, 5, 11, tzinfo=UTC)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"holdout": 2.0}, "--holdout is a fraction"),
        ({"cheap_fail_hidden": -0.1}, "--cheap-fail-hidden"),
        ({"hidden_after": float("nan")}, "--hidden-after"),
        ({"queries_per_day": 0}, "--queries-per-day"),
        ({"weeks": 0}, "--weeks"),
        ({"pre_weeks": -1}, "--pre-weeks"),
        ({"rollout": ()}, "--rollout"),
        ({"rollout": (0.5, 1.5)}, "--rollout"),
    ],
)
def test_what_cannot_be_meant_is_refused_by_name(change, said):
    with pytest.raises(UsageError, match=said):
        dataclasses.replace(SUPPORT, **change)


@pytest.mark.parametrize("drift", [d for d in DRIFTS if d not in {"none", "segment"}])
def test_each_drift_moves_one_thing_from_its_day_on(drift):
    before, since = (as_of(dataclasses.replace(SUPPORT, drift=drift, drift_day=30), day) for day in (29, 30))
    moved = {f.name for f in dataclasses.fields(before) if getattr(before, f.name) != getattr(since, f.name)}
    assert len(moved) == 1
    assert as_of(SUPPORT, 90) == SUPPORT


def test_a_drift_that_does_not_exist_is_refused():
    with pytest.raises(UsageError, match="--drift is one of none, confidence"):
        dataclasses.replace(SUPPORT, drift="mood")

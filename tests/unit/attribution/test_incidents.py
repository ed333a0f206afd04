"""Upstreams that failed near an onset: named when they did, and only then."""

from dataclasses import replace

import numpy as np
import pytest

from cells_factory import FIRST, build, calls, day, served
from undertow.attribution.incidents import all_in_words, in_words, incidents_near
from undertow.records.cells import CALL_FATES

DAYS = 60


def log(failed=0.001, per_day=2000, timeouts=0.0, tier="capable", seed=1, bucket_s=86_400):
    """A log whose upstreams answer `per_day` calls, of which a share (one a day, or a scalar) fails."""
    rng = np.random.default_rng(seed)
    share = np.broadcast_to(np.asarray(failed, dtype=float), (DAYS,))
    broken = rng.binomial(per_day, share)
    used = calls(tier, "serve", 1.0, days=DAYS)
    lost = calls(tier, "serve", None, days=DAYS, fate="failed")
    used.columns["calls"] = (per_day - broken).astype(float)
    lost.columns["calls"] = broken.astype(float)
    lost.columns["timeouts"] = np.round(broken * timeouts)
    return build(served(tier, per_day, days=DAYS), served("cheap", 100, days=DAYS), used, lost)


def on(days, rate):
    share = np.full(DAYS, 0.001)
    share[list(days)] = rate
    return share


def test_a_bad_day_is_named_with_its_rate():
    (found,) = incidents_near(log(on([30], 0.04)), FIRST + 31, FIRST + 35)
    assert (found.tier, found.first, found.last) == ("capable", day(30), day(30))
    assert found.rate == pytest.approx(0.04, abs=0.01)
    assert found.usual == pytest.approx(0.001, abs=0.0005)
    assert in_words(found).startswith("the capable tier's upstream answered ")
    assert in_words(found).endswith("on 31 January (usually 0.1 %)")


def test_days_in_a_row_are_one_incident():
    (found,) = incidents_near(log(on(range(30, 33), 0.05)), FIRST + 31, FIRST + 33)
    assert (found.first, found.last) == (day(30), day(32))
    assert "from 31 January to 2 February" in in_words(found)


def test_timeouts_are_called_that():
    (found,) = incidents_near(log(on([30], 0.1), timeouts=1.0), FIRST + 30, FIRST + 31)
    assert "did not answer" in in_words(found)
    assert "in time" in in_words(found)


@pytest.mark.parametrize("quiet", [log(), log(0.03), log(on([30], 0.008)), log(0.0)])
def test_what_is_usual_or_small_is_no_incident(quiet):
    assert incidents_near(quiet, FIRST + 28, FIRST + 32) == ()


def test_far_from_the_onset_nothing_is_named():
    assert incidents_near(log(on([10], 0.2)), FIRST + 40, FIRST + 45) == ()


def test_where_no_call_is_logged_unanswered_requests_stand_in():
    share = on([30], 0.2)
    cells = build(
        served("cheap", np.round(1000 * (1 - share)), days=DAYS), served("capable", 10, days=DAYS),
        served(None, np.round(1000 * share), days=DAYS),
    )  # fmt: skip
    (found,) = incidents_near(cells, FIRST + 30, FIRST + 30)
    assert found.tier is None
    assert in_words(found).startswith("no tier answered 20 % of requests on 31 January")


def test_a_log_without_failures_has_no_incidents():
    assert incidents_near(build(served("cheap", 100, days=DAYS)), FIRST + 30, FIRST + 31) == ()
    young = log(on([2], 0.3))
    early = replace(young, calls=young.calls.take(young.calls.bucket < FIRST + 4))
    assert incidents_near(early, FIRST + 2, FIRST + 2) == (), "nothing outside the window to call usual"


def test_the_worst_are_told_in_order_of_time():
    days = [28, 30, 32, 34]
    found = incidents_near(
        log(np.maximum.reduce([on([d], r) for d, r in zip(days, (0.1, 0.5, 0.3, 0.2), strict=True)])),
        FIRST + 28,
        FIRST + 34,
    )
    told = all_in_words(found, 2)
    assert ["31 January" in told[0], "2 February" in told[1]] == [True, True]


def test_false_incidents_are_within_their_level():
    """Days that differ by half (rate beta-distributed): at most one log in a hundred names an incident, and few here."""
    rng = np.random.default_rng(2)
    named = 0
    for seed in range(300):
        share = rng.beta(4.0, 4.0 / 0.02 - 4.0, DAYS)
        named += bool(incidents_near(log(share, seed=seed), FIRST + 28, FIRST + 34))
    assert named / 300 <= 0.03
    assert CALL_FATES.index("failed") >= 0

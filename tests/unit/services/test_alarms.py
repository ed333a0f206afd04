"""Alarms: what is told, once each, and what is not."""

import numpy as np
import pytest

from alarm_logs import BAD, DAYS, PRE, ROUTED, SEGMENTS, alarms, log, step
from cells_factory import day, labels, model, served, whole_numbers
from undertow.records.segment import WHOLE, Segment


def test_a_healthy_log_is_quiet():
    assert alarms(*log()) == []
    assert alarms(*log(holdout=False, seed=2)) == []


def test_a_loss_in_one_segment_is_found_there_soon_and_once():
    found = alarms(*log({"intent=b": step(0.05, 0.35)}))
    assert [(a.tier, a.segment, a.cause, a.kind) for a in found] == [
        ("cheap", Segment("intent", "b"), "routing", "change")
    ]
    (alarm,) = found
    assert day(BAD) < alarm.detected_at <= day(BAD + 10)
    assert alarm.onset_interval[0] <= day(BAD) <= alarm.onset_interval[1]
    assert abs((alarm.onset - day(BAD)).days) <= 3
    assert alarm.evidence >= np.log10(7200)
    assert alarm.interval[0] <= alarm.loss <= alarm.interval[1]
    assert alarm.latest_interval[0] < 0.3 < alarm.latest_interval[1]
    assert alarm.basis == "human"
    assert (alarm.monitor, alarm.signal) == ("quality", "review.accuracy")


def test_a_loss_everywhere_is_the_whole_tiers():
    found = alarms(*log(dict.fromkeys(SEGMENTS, step(0.05, 0.2))))
    assert (found[0].tier, found[0].segment, found[0].cause) == ("cheap", WHOLE, "routing")
    assert {a.cause for a in found} == {"routing"}
    assert len({(a.tier, a.segment) for a in found}) == len(found), "each place is told once"


def test_a_tier_bad_from_its_first_day_is_a_level_since_routing_began():
    found = alarms(*log(dict.fromkeys(SEGMENTS, 0.25)))
    alarm = found[0]
    assert (alarm.kind, alarm.cause, alarm.segment) == ("level", "routing", WHOLE)
    assert alarm.onset <= day(PRE + 3)
    assert alarm.detected_at >= day(PRE + 7), "no alarm before the reference is settled"
    assert alarm.beyond_margin
    assert 0.1 < alarm.latest_loss < 0.3


def test_no_alarm_before_the_monitors_are_armed():
    (alarm, *_) = alarms(*log(dict.fromkeys(SEGMENTS, 0.9), per_day=60))
    assert alarm.detected_at == day(PRE + 8), "the end of the first armed day"


def test_without_any_reference_a_first_day_loss_is_not_seen_and_a_change_is():
    assert alarms(*log(dict.fromkeys(SEGMENTS, 0.25), holdout=False, history=False, held=0.05)) == []
    found = alarms(*log(dict.fromkeys(SEGMENTS, step(0.05, 0.3)), holdout=False, history=False))
    assert {a.kind for a in found} == {"change"}


def test_what_changed_nearby_is_named():
    swap = [
        model("cheap", "small-1", 100, days=BAD - PRE, start=PRE),
        model("cheap", "small-2", 100, days=DAYS - BAD, start=BAD),
    ]
    (alarm,) = alarms(*log({"intent=b": step(0.05, 0.35)}), *swap)
    assert alarm.changed_nearby == (f"model small-2 began on {day(BAD).day} {day(BAD):%B}",)
    assert alarm.story.startswith(
        f"Since {alarm.onset.day} {alarm.onset:%B}; what changed then: model small-2 began on"
    )


def test_each_tier_that_loses_is_told():
    tiers = ("cheap", "middle", "capable")
    rng = np.random.default_rng(3)
    n, k = whole_numbers(rng, 40, step(0.05, 0.3), ROUTED)
    middle = [served("middle", 60, days=ROUTED, start=PRE), labels("middle", n, k, days=ROUTED, start=PRE)]
    found = alarms(*log(dict.fromkeys(SEGMENTS, step(0.05, 0.3, at=BAD - 10))), *middle, tiers=tiers)
    assert {(a.tier, a.cause) for a in found} == {("cheap", "routing"), ("middle", "routing")}
    assert [a.detected_at for a in found] == sorted(a.detected_at for a in found)


def test_pairs_raise_an_alarm_of_their_own():
    parts = log(holdout=False, history=False)
    pairs = labels(
        "cheap", 20, 1, days=ROUTED, start=PRE, signal="shadow.better", basis="exact", pairs=True, lost=5, won=1
    )
    (alarm,) = alarms(*parts, pairs)
    assert (alarm.monitor, alarm.basis, alarm.cause) == ("shadow", "exact", "routing")
    assert alarm.latest_loss == pytest.approx(0.2)


def test_hours_are_watched_by_the_hour():
    rng = np.random.default_rng(9)
    hours, bad = 24 * 30, 24 * 18
    rate = np.where(np.arange(hours) < bad, 0.05, 0.5)
    n, k = whole_numbers(rng, 6, rate, hours)
    found = alarms(
        served("capable", 10, days=24 * 8), served("cheap", 10, days=hours, start=24 * 8),
        labels("cheap", n, k, days=hours, start=24 * 8), bucket_s=3600,
    )  # fmt: skip
    (alarm,) = found
    since = (alarm.detected_at - day(8 + 18)).total_seconds() / 3600
    assert 0 < since <= 24
    assert alarm.detected_at.minute == 0

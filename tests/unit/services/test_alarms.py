from dataclasses import replace

import numpy as np
import pytest

from cells_factory import DAY, build, day, labels, model, served, whole_numbers
from undertow.estimators.periods import find_periods
from undertow.records.report import AuditSettings
from undertow.records.segment import WHOLE, Segment
from undertow.records.traffic_grid import bucket_range, traffic_grid
from undertow.services import alarms as alarms_module
from undertow.services.alarms import Scene, crossings, tell_alarms
from undertow.services.evidence import Evidence, gather

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


def test_the_period_before_routing_stands_in_for_a_holdout():
    (alarm, *_) = alarms(*log(dict.fromkeys(SEGMENTS, 0.3), holdout=False))
    assert (alarm.kind, alarm.cause) == ("level", "routing")


def test_a_provider_that_fell_for_all_is_not_blamed_on_routing():
    both = step(0.05, 0.25)
    found = alarms(*log(dict.fromkeys(SEGMENTS, both), held=both))
    assert found
    assert {a.cause for a in found} == {"provider"}


def test_a_provider_that_fell_for_the_capable_tier_alone_is_its_own_alarm():
    found = alarms(*log(held=step(0.05, 0.35)))
    assert [(a.tier, a.cause) for a in found] == [("capable", "provider")]
    assert found[0].loss > 0.1
    assert found[0].beyond_margin is None


def test_traffic_that_moved_to_harder_requests_is_mix():
    hard = {"intent=a": 0.03, "intent=b": 0.4, "intent=c": 0.03}
    moving = {"intent=a": step(60, 15), "intent=b": step(10, 90), "intent=c": step(60, 15)}
    found = alarms(*log(hard, held=hard, traffic=moving))
    assert found
    assert {a.cause for a in found} <= {"mix", "unknown", "provider"}
    assert "mix" in {a.cause for a in found}


def test_the_suite_clears_routing_where_there_is_no_holdout():
    both = step(0.05, 0.3)
    rates = dict.fromkeys(SEGMENTS, both)

    def suite(after):
        n = 40
        return labels(
            "capable", n, np.round(n * step(0.1, after)), days=ROUTED, start=PRE, signal="suite.pass", basis="exact"
        )

    fell = alarms(*log(rates, holdout=False, held=0.05), suite(0.35))
    stayed = alarms(*log(rates, holdout=False, held=0.05), suite(0.1))
    assert fell[0].cause == "provider"
    assert "suite" in fell[0].note
    assert stayed[0].cause == "routing"


def test_like_segments_of_the_capable_tier_stand_in_where_there_is_nothing_else():
    found = alarms(*log(dict.fromkeys(SEGMENTS, step(0.05, 0.3)), holdout=False, history=False))
    assert found[0].cause == "routing"
    assert "capable tier" in found[0].note


def test_without_labels_of_any_other_tier_the_cause_is_unknown():
    cheap = [
        p
        for p in log(dict.fromkeys(SEGMENTS, step(0.05, 0.3)), holdout=False, history=False)
        if not (p.signal and p.tier == "capable")
    ]
    found = alarms(*cheap)
    assert {a.cause for a in found} == {"unknown"}


def test_labels_that_come_late_alarm_late_and_date_the_onset_by_the_decision():
    (alarm,) = alarms(*log({"intent=b": step(0.05, 0.35)}, delay=6))
    assert alarm.detected_at > day(BAD + 6)
    assert abs((alarm.onset - day(BAD)).days) <= 3


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


def test_weights_count_in_what_is_told():
    """The tail (weight 1) fails more; the loss told is that of all traffic."""
    parts = log({"intent=b": step(0.05, 0.35)}, stratum_weights=(1.0, 5.0))
    (alarm,) = alarms(*parts)
    assert alarm.segment == Segment("intent", "b")
    assert alarm.latest_interval[0] < 0.3 < alarm.latest_interval[1]


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


def test_an_alarm_needs_the_line():
    quiet = Evidence((), np.zeros(0), np.full(30, 7199.0), 3, 7200.0)
    assert crossings(quiet) == []
    assert DAY == 86_400


def test_days_on_which_every_tiers_labels_fail_are_not_laid_to_routing():
    # Few labels of the holdout: its blocks are of several days, and the broken days bear more of the cheap tier's labels than of its own.
    broken = np.isin(np.arange(PRE, DAYS), (40, 41, 42))
    rate = np.where(broken, 1.0, 0.05)
    parts = log(dict.fromkeys(SEGMENTS, rate), holdout=False, seed=7)
    rng = np.random.default_rng(8)
    for segment in SEGMENTS:
        n = np.where(broken, 1, 2)
        parts += [
            served("capable", 8, days=ROUTED, start=PRE, arm="holdout", segment=segment),
            labels("capable", n, rng.binomial(n, rate), days=ROUTED, start=PRE, arm="holdout", segment=segment),
        ]
    found = alarms(*parts)
    assert {a.cause for a in found if a.kind == "level"} == {"unknown"}
    assert not any(a.cause == "routing" for a in found)
    assert any(a.note.startswith("compared day by day") for a in found)


def test_a_loss_beside_such_days_is_still_laid_to_routing():
    broken = np.isin(np.arange(PRE, DAYS), (40, 41, 42))
    held = np.where(broken, 1.0, 0.05)
    found = alarms(*log(dict.fromkeys(SEGMENTS, np.where(broken, 1.0, 0.25)), held=held, seed=9))
    assert {a.cause for a in found if a.kind == "level"} == {"routing"}


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


def heard(cells):
    first, buckets = bucket_range(cells)
    periods = find_periods(traffic_grid(cells, 0, first_bucket=first, buckets=buckets), cells.bucket_s, None)
    chosen = AuditSettings()
    return Scene(cells, chosen, periods, first, buckets, 0.99), gather(cells, chosen, periods, alarms=True)


def told(cells):
    scene, evidence = heard(cells)
    return tell_alarms(cells, scene.settings, scene.periods, evidence, scene.level)


def segment_named(cells, after):
    """Segment code that bears the change, by what is known so many days after it; None: the whole tier."""
    scene, evidence = heard(cells)
    family = {s.segment: s for s in evidence.streams if s.kind == "change" and s.tier == 0 and s.role != "tail"}
    found = alarms_module._named(scene, family, BAD, BAD + after)
    return None if found is None else found.segment


def test_a_segment_is_named_where_it_bears_the_loss_and_not_where_steering_went():
    for seed in range(4):
        for after in (4, 8, 14):
            assert segment_named(steered((0.25, 0.25, 0.25), seed=seed), after) is None
            assert segment_named(steered((0.0, 0.25, 0.0), seed=seed), after) == 2


def test_labels_that_steering_drew_date_no_onset():
    """Pooled over strata they would: most labels are of the tail from the third day after the onset on."""
    for seed in (2, 3, 4):
        (alarm,) = told(steered((0.0, 0.25, 0.0), seed=seed))
        assert str(alarm.segment) == "intent=b"
        assert alarm.onset_interval[0] <= day(BAD) <= alarm.onset_interval[1]


def test_pairs_tell_the_cause_where_nobody_was_held_out():
    """The capable tier's answers to the same requests stayed as they were, or fell as well."""
    (lost,) = told(steered((0.0, 0.25, 0.0), seed=2, pairs=True))
    assert (str(lost.segment), lost.cause) == ("intent=b", "routing")
    assert "the same requests" in lost.note
    for unknown in (steered((0.0, 0.25, 0.0), seed=2, pairs=True, other=0.35), steered((0.0, 0.25, 0.0), seed=2)):
        assert [alarm.cause for alarm in told(unknown)] == ["unknown"]
